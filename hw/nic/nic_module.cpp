#include "hw/nic/nic_module.hpp"

#include <algorithm>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/base/request_ring.hpp"
#include "hw/nic/bus_access_module.hpp"
#include "hw/nic/host_bridge_module.hpp"
#include "hw/pcie/config_space.hpp"

namespace doorbell {

namespace {

/// The cable, or its absence.
class WireSlot final : public EthernetPort {
public:
    void bind(EthernetPort& wire) { wire_ = &wire; }
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        if (wire_ != nullptr) wire_->transmit(std::move(frame), start_ps, end_ps);
    }
    void advertise(const LinkAbilities& abilities) override {
        if (wire_ != nullptr) wire_->advertise(abilities);
    }

private:
    EthernetPort* wire_ = nullptr;
};

}  // namespace

struct NicModule::Parts {
    /// A register write on its way to the device.
    struct Posted {
        Picoseconds arrival_ps;
        unsigned bar;
        std::uint32_t offset;
        std::uint32_t value;
    };

    Parts(NicModule& module, FramePool& frames, EventPort events, const NicParams& params,
          const NicPersonality& personality)
        : timeline("timeline", TimelineModule::Pace::kAhead),
          host(
              [&module, this](tlm::tlm_generic_payload& payload) {
                  sc_core::sc_time delay = sc_core::sc_time::from_value(timeline.ahead_ps());
                  module.host_socket->b_transport(payload, delay);
              },
              [&module](tlm::tlm_generic_payload& payload, tlm::tlm_dmi& region) {
                  return module.host_socket->get_direct_mem_ptr(payload, region);
              },
              [&module](bool asserted) {
                  if (module.inta.size() > 0) module.inta->inta(asserted);
              }),
          nic(timeline, host, wire, frames, events, params, personality),
          posted_limit(params.posted_writes),
          posted_task([this] { run_posted(timeline.now_ps()); }) {}
    ~Parts() { timeline.cancel(posted_task); }

    void wait_until(Picoseconds time_ps);
    /// The request is with the device, behind the writes posted before it.
    void reach(const CallerTime& caller, Picoseconds ready_ps);
    void post(const Posted& write);
    /// What has arrived takes effect; with `kNever`, everything.
    void run_posted(Picoseconds until_ps);
    void take_effect(const Posted& write) { nic.bar_write(write.bar, write.offset, write.value); }

    TimelineModule timeline;
    HostBridgeModule host;
    WireSlot wire;
    Nic nic;

    const std::uint32_t posted_limit;
    RequestRing<Posted> posted;
    Task posted_task;

    std::uint64_t reads = 0;
    std::uint64_t posted_writes = 0;
    std::uint64_t posted_stalls = 0;
    std::uint64_t resumptions = 0;
};

NicModule::NicModule(const sc_core::sc_module_name& name, FramePool& frames, EventPort events,
                     const NicParams& params, const NicPersonality& personality)
    : sc_module(name),
      config_socket("config_socket"),
      bar0_socket("bar0_socket"),
      bar1_socket("bar1_socket"),
      bar2_socket("bar2_socket"),
      bar3_socket("bar3_socket"),
      host_socket("host_socket"),
      inta("inta"),
      parts_(std::make_unique<Parts>(*this, frames, events, params, personality)) {
    config_socket.register_b_transport(this, &NicModule::config_transport);
    config_socket.register_transport_dbg(this, &NicModule::config_debug);
    bar0_socket.register_b_transport(this, &NicModule::bar_transport<0>);
    bar0_socket.register_transport_dbg(this, &NicModule::bar_debug<0>);
    bar1_socket.register_b_transport(this, &NicModule::bar_transport<1>);
    bar1_socket.register_transport_dbg(this, &NicModule::bar_debug<1>);
    bar2_socket.register_b_transport(this, &NicModule::bar_transport<2>);
    bar2_socket.register_transport_dbg(this, &NicModule::bar_debug<2>);
    bar3_socket.register_b_transport(this, &NicModule::bar_transport<3>);
    bar3_socket.register_transport_dbg(this, &NicModule::bar_debug<3>);
    host_socket.register_invalidate_direct_mem_ptr(this, &NicModule::invalidate_dmi);
}

NicModule::~NicModule() = default;

void NicModule::start_of_simulation() {
    parts_->nic.power_on_reset();
}

void NicModule::bind(EthernetPort& wire) {
    parts_->wire.bind(wire);
}

Nic& NicModule::nic() {
    return parts_->nic;
}

const Nic& NicModule::nic() const {
    return parts_->nic;
}

TimelineModule& NicModule::timeline() {
    return parts_->timeline;
}

std::uint64_t NicModule::thread_resumptions() const {
    return parts_->resumptions;
}

void NicModule::invalidate_dmi(sc_dt::uint64 first, sc_dt::uint64 last) {
    parts_->host.invalidate(first, last);
}

// --- time ---------------------------------------------------------------------------------------

void NicModule::Parts::wait_until(Picoseconds time_ps) {
    if (time_ps <= timeline.now_ps()) return;
    resumptions++;
    timeline.wait_until(time_ps);
}

void NicModule::Parts::reach(const CallerTime& caller, Picoseconds ready_ps) {
    if (caller.can_wait()) wait_until(ready_ps);
    run_posted(caller.can_wait() ? timeline.now_ps() : kNever);
}

// Takes effect when it has arrived; what was posted before has arrived before.
void NicModule::Parts::post(const Posted& write) {
    posted_writes++;
    if (posted.empty() && write.arrival_ps <= timeline.now_ps()) {
        take_effect(write);
        return;
    }
    posted.push(write);
    if (posted.size() == 1) timeline.schedule(posted_task, write.arrival_ps);
}

void NicModule::Parts::run_posted(Picoseconds until_ps) {
    while (!posted.empty() && posted.front().arrival_ps <= until_ps) {
        take_effect(posted.pop());
    }
    if (posted.empty()) {
        timeline.cancel(posted_task);
    } else {
        timeline.schedule(posted_task, posted.front().arrival_ps);
    }
}

// --- transport ----------------------------------------------------------------------------------

template <unsigned kBar>
void NicModule::bar_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay) {
    BusAccess access(transaction, parts_->nic.bar_size_bytes(kBar), BusAccess::kQword);
    if (!access.accepted()) return;
    Parts& p = *parts_;
    const CallerTime caller(delay, p.timeline);
    if (!access.is_read()) {
        // Credits of the root port: a writer that runs too far ahead waits for the oldest.
        while (caller.can_wait() && p.posted.size() >= p.posted_limit) {
            p.posted_stalls++;
            p.wait_until(p.posted.front().arrival_ps);
            p.run_posted(p.timeline.now_ps());
        }
        const Picoseconds arrival_ps =
            p.nic.link().posted_write_down(access.size_bytes(), caller.now_ps());
        access.for_each_whole_dword([&](std::uint32_t offset, std::uint32_t value) {
            p.post({arrival_ps, kBar, offset, value});
        });
        return;
    }
    p.reads++;
    const Picoseconds ready_ps = p.nic.link().register_read_ready(caller.now_ps());
    p.reach(caller, ready_ps);
    if (!p.nic.decodes(kBar)) access.refuse();
    access.fill_dwords([&](std::uint32_t offset) { return p.nic.bar_read(kBar, offset); });
    const Picoseconds done_ps =
        p.nic.link().register_completion_arrival(access.size_bytes(), ready_ps);
    caller.finish(
        done_ps, [&p](Picoseconds time_ps) { p.wait_until(time_ps); }, delay);
    p.nic.push_posted_writes();
}

// Configuration requests are not posted: a write has a completion as well.
void NicModule::config_transport(tlm::tlm_generic_payload& transaction, sc_core::sc_time& delay) {
    BusAccess access(transaction, ConfigSpace::kSizeBytes, BusAccess::kDword);
    if (!access.accepted()) return;
    Parts& p = *parts_;
    const CallerTime caller(delay, p.timeline);
    const Picoseconds ready_ps =
        access.is_read() ? p.nic.link().register_read_ready(caller.now_ps())
                         : p.nic.link().posted_write_down(access.size_bytes(), caller.now_ps());
    p.reach(caller, ready_ps);
    if (access.is_read()) {
        access.fill([&](std::uint32_t offset, std::uint32_t size_bytes) {
            return p.nic.config_read(offset, size_bytes);
        });
    } else {
        access.for_each_part(
            [&](std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value) {
                p.nic.config_write(offset, size_bytes, value);
            });
    }
    const Picoseconds done_ps = p.nic.link().register_completion_arrival(
        access.is_read() ? access.size_bytes() : 0, ready_ps);
    caller.finish(
        done_ps, [&p](Picoseconds time_ps) { p.wait_until(time_ps); }, delay);
    p.nic.push_posted_writes();
}

// --- debug --------------------------------------------------------------------------------------

unsigned NicModule::config_debug(tlm::tlm_generic_payload& transaction) {
    return debug_read(transaction, ConfigSpace::kSizeBytes, [this](std::uint32_t offset) {
        return parts_->nic.config_debug_read(offset);
    });
}

template <unsigned kBar>
unsigned NicModule::bar_debug(tlm::tlm_generic_payload& transaction) {
    return debug_read(transaction, parts_->nic.bar_size_bytes(kBar), [this](std::uint32_t offset) {
        return parts_->nic.debug_read(kBar, offset);
    });
}

void NicModule::visit_metrics(MetricVisitor& visitor) const {
    parts_->nic.visit_metrics(visitor);
    parts_->host.visit_metrics(visitor);
    visitor.metric("bus.reads", parts_->reads);
    visitor.metric("bus.posted.writes", parts_->posted_writes);
    visitor.metric("bus.posted.stalls", parts_->posted_stalls);
    visitor.metric("bus.thread.resumptions", parts_->resumptions);
    visitor.metric("timeline.activations", parts_->timeline.activations());
}

}  // namespace doorbell
