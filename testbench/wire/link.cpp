#include "testbench/wire/link.hpp"

#include <cassert>
#include <string_view>
#include <utility>

#include "hw/base/generated/events.hpp"

namespace doorbell::wire {
namespace {

// IEEE 802.3 clause 28.2.4.1.3 and 40.5.1.1: where ANAR and register 9 offer a speed.
constexpr std::uint16_t kAnar100 = 0x0380;
constexpr std::uint16_t kAnar10 = 0x0060;
constexpr std::uint16_t kCtrl1000 = 0x0300;

constexpr std::uint64_t kWireStreams = 0x7769726500000000;  // "wire"

}  // namespace

/// What a NIC holds of the link.
class Link::End final : public EthernetPort {
public:
    End(Link& link, std::uint32_t index) : link_(link), index_(index) {}
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        link_.transmit(index_, std::move(frame), start_ps, end_ps);
    }
    void advertise(const LinkAbilities& abilities) override { link_.advertise(index_, abilities); }

    EthernetEndpoint* endpoint = nullptr;
    LinkAbilities offer;

private:
    Link& link_;
    std::uint32_t index_;
};

/// One direction: the decorators around the delivery, outermost last in this list.
struct Link::Way final : WireDelivery::Arrival {
    Way(Link& owner, std::uint32_t direction, FramePool& frames, std::uint64_t seed,
        std::uint64_t first_stream)
        : link(owner),
          to_end(1 - direction),
          timeline(*owner.timelines_[to_end]),
          delivery(timeline, owner.events_, owner.params_.propagation_ps),
          reordering(context(frames, seed, first_stream + 0), delivery),
          delaying(context(frames, seed, first_stream + 1), reordering),
          corrupting(context(frames, seed, first_stream + 2), delaying),
          duplicating(context(frames, seed, first_stream + 3), corrupting),
          lossy(context(frames, seed, first_stream + 4), duplicating) {
        delivery.watch(this);
    }

    WireContext context(FramePool& frames, std::uint64_t seed, std::uint64_t stream) const {
        return {timeline, frames, link.events_, seed, stream};
    }

    void arrived(const Frame& frame, Picoseconds time_ps) override {
        if (link.tap_ != nullptr) link.tap_->frame_in(to_end, frame, time_ps);
    }

    void apply(const FaultParams& params) {
        lossy.set_rate_ppm(params.loss_ppm);
        duplicating.set_rate_ppm(params.duplicate_ppm);
        reordering.set_rate_ppm(params.reorder_ppm);
        corrupting.set_rate_ppm(params.corrupt_ppm);
        delaying.set_rate_ppm(params.delay_ppm);
        delaying.set_limit_ps(nanoseconds(params.delay_limit_ns));
        const bool faultless = params.loss_ppm == 0 && params.duplicate_ppm == 0 &&
                               params.reorder_ppm == 0 && params.corrupt_ppm == 0 &&
                               params.delay_ppm == 0 && !reordering.holds();
        if (faultless) {
            entry = &delivery;
        } else {
            entry = &lossy;
        }
    }

    Link& link;
    std::uint32_t to_end;
    Timeline& timeline;
    WireDelivery delivery;
    ReorderingWire reordering;
    DelayingWire delaying;
    CorruptingWire corrupting;
    DuplicatingWire duplicating;
    LossyWire lossy;
    WirePath* entry = &lossy;  ///< A wire that touches no frame has none of its decorators.

    Picoseconds sent_until_ps = 0;
    Picoseconds busy_ps = 0;
    std::uint64_t frames_in = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t cable_drops = 0;
    std::uint64_t rate_drops = 0;
};

Link::Link(const std::array<Timeline*, 2>& timelines, FramePool& frames, EventPort events,
           const LinkParams& params, std::uint64_t seed, std::uint32_t link_index)
    : timelines_(timelines), events_(events), params_(params) {
    for (std::uint32_t i = 0; i < 2; i++) {
        ends_[i] = std::make_unique<End>(*this, i);
        const std::uint64_t first_stream = kWireStreams + link_index * 16 + i * 8;
        ways_[i] = std::make_unique<Way>(*this, i, frames, seed, first_stream);
        ways_[i]->apply(params_.faults[i]);
    }
}

Link::~Link() = default;

EthernetPort& Link::port(std::uint32_t end) {
    return *ends_.at(end);
}

void Link::attach(std::uint32_t end, EthernetEndpoint& endpoint) {
    ends_.at(end)->endpoint = &endpoint;
    ways_.at(1 - end)->delivery.connect(endpoint);
}

void Link::transmit(std::uint32_t end, FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    assert(end_ps > start_ps);
    Way& way = *ways_[end];
    const auto lose = [&](std::uint64_t& counter, LossReason reason) {
        counter++;
        events::wire_fault(events_, now_ps(), {frame->packet, frame->number},
                           static_cast<std::uint64_t>(WireFault::kLost),
                           static_cast<std::uint64_t>(reason));
    };
    if (!plugged_) return lose(way.cable_drops, LossReason::kCableOut);
    if (start_ps < way.sent_until_ps || too_fast(*frame, end_ps - start_ps)) {
        return lose(way.rate_drops, LossReason::kRate);
    }
    way.sent_until_ps = end_ps;
    way.busy_ps += end_ps - start_ps;
    way.frames_in++;
    way.bytes_in += frame->wire_bytes();
    if (tap_ != nullptr) tap_->frame_out(end, *frame, start_ps);
    if (meter_ != nullptr) meter_->frame_enters(end, start_ps, end_ps);
    way.entry->carry(std::move(frame), start_ps, end_ps);
}

// One picosecond less, of whole ones, is rounding of the sender's clock.
bool Link::too_fast(const Frame& frame, Picoseconds duration_ps) const {
    const std::uint64_t bits = (WireDelivery::kPreambleBytes + frame.wire_bytes()) * 8ull;
    return (duration_ps + 2) * params_.rate_mbps <= bits * 1'000'000;
}

void Link::advertise(std::uint32_t end, const LinkAbilities& abilities) {
    ends_[end]->offer = abilities;
    tell_partner(end);
}

/// Tells the end opposite of `end` what it can see of it.
void Link::tell_partner(std::uint32_t end) {
    EthernetEndpoint* listener = ends_[1 - end]->endpoint;
    if (listener == nullptr) return;
    listener->partner(plugged_ ? as_carried(ends_[end]->offer) : LinkAbilities{});
}

LinkAbilities Link::as_carried(LinkAbilities abilities) const {
    if (!abilities.negotiates && abilities.speed_mbps > params_.rate_mbps) return {};
    if (params_.rate_mbps < 1000) {
        abilities.ctrl1000 = static_cast<std::uint16_t>(abilities.ctrl1000 & ~kCtrl1000);
    }
    if (params_.rate_mbps < 100) {
        abilities.anar = static_cast<std::uint16_t>(abilities.anar & ~kAnar100);
    }
    if (params_.rate_mbps < 10) {
        abilities.anar = static_cast<std::uint16_t>(abilities.anar & ~kAnar10);
    }
    return abilities;
}

void Link::plug(bool connected) {
    if (connected == plugged_) return;
    plugged_ = connected;
    events::cable(events_, now_ps(), {}, connected ? 1 : 0);
    for (std::uint32_t i = 0; i < 2; i++) {
        if (!connected) ways_[i]->cable_drops += ways_[i]->lossy.clear();
        tell_partner(i);
    }
}

void Link::set_faults(std::uint32_t direction, const FaultParams& faults) {
    params_.faults.at(direction) = faults;
    ways_[direction]->apply(faults);
}

const FaultParams& Link::faults(std::uint32_t direction) const {
    return params_.faults.at(direction);
}

void Link::visit_metrics(MetricVisitor& visitor) const {
    static constexpr std::string_view kNames[2] = {"forward.", "backward."};
    for (std::uint32_t i = 0; i < 2; i++) {
        const Way& way = *ways_[i];
        const auto metric = [&](std::string_view name, std::uint64_t value) {
            visitor.metric(std::string(kNames[i]).append(name), value);
        };
        metric("frames", way.frames_in);
        metric("bytes", way.bytes_in);
        metric("busy_ns", way.busy_ps / 1000);
        metric("delivered.frames", way.delivery.delivered_frames());
        metric("delivered.bytes", way.delivery.delivered_bytes());
        metric("drops.loss", way.lossy.touched());
        metric("drops.cable", way.cable_drops);
        metric("drops.backlog", way.delivery.backlog_drops());
        metric("drops.rate", way.rate_drops);
        metric("duplicated.frames", way.duplicating.touched());
        metric("reordered.frames", way.reordering.touched());
        metric("corrupted.frames", way.corrupting.touched());
        metric("delayed.frames", way.delaying.touched());
    }
}

}  // namespace doorbell::wire
