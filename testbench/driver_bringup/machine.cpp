#include "testbench/driver_bringup/machine.hpp"

#include <algorithm>
#include <cstring>

namespace doorbell::bringup {

namespace {

constexpr Picoseconds kOneWay = nanoseconds(400);
constexpr std::uint64_t kMessageAddress = 0xFEE0'0000;
constexpr std::uint32_t kMessageData = 0x4100;

}  // namespace

// --- world
// ------------------------------------------------------------------------------------------

void World::remove(Machine& machine) {
    machines_.erase(std::remove(machines_.begin(), machines_.end(), &machine), machines_.end());
}

/// One event of the timeline (or none up to `until_ps`), then what it caused.
void World::step(Picoseconds until_ps) {
    timeline.advance_until(std::min(timeline.next_event_time(), until_ps));
    serve();
}

void World::serve() {
    if (interrupting_) return;  // a handler is not interrupted
    interrupting_ = true;
    for (Machine* machine : machines_) machine->take_interrupts();
    interrupting_ = false;
    for (Machine* machine : machines_) machine->work();
}

void World::advance_by(Picoseconds duration_ps) {
    const Picoseconds until_ps = timeline.now_ps() + duration_ps;
    serve();
    do {
        step(until_ps);
    } while (timeline.now_ps() < until_ps);
}

bool World::run_until(const std::function<bool()>& done, Picoseconds limit_ps) {
    const Picoseconds until_ps = timeline.now_ps() + limit_ps;
    serve();
    while (!done()) {
        if (timeline.now_ps() >= until_ps) return false;
        step(until_ps);
    }
    return true;
}

// --- machine
// ----------------------------------------------------------------------------------------

Machine::Machine(World& world, EthernetPort& wire, const NicParams& params, const Platform& wishes)
    : nic(world.timeline, *this, wire, world.frames, EventPort(), params),
      driver(new nic_device()),
      platform(wishes),
      world_(world),
      hal_(make_hal()) {
    nic_config_default(&config);
    world_.add(*this);
    nic.power_on_reset();
}

Machine::~Machine() {
    world_.remove(*this);
}

nic_hal Machine::make_hal() {
    nic_hal hal{};
    hal.ctx = this;
    hal.read32 = [](void* ctx, std::uint32_t offset) {
        Machine& m = self(ctx);
        m.mmio_reads_++;
        m.world_.advance_by(kOneWay);
        const std::uint32_t value = m.nic.bar_read(0, offset);
        m.world_.advance_by(kOneWay);
        m.nic.push_posted_writes();  // a completion does not overtake them (PCIe 2.4.1)
        return value;
    };
    hal.write32 = [](void* ctx, std::uint32_t offset, std::uint32_t value) {
        self(ctx).nic.bar_write(0, offset, value);
    };
    hal.msix_read32 = [](void* ctx, std::uint32_t offset) {
        return self(ctx).nic.bar_read(3, offset);
    };
    hal.msix_write32 = [](void* ctx, std::uint32_t offset, std::uint32_t value) {
        self(ctx).nic.bar_write(3, offset, value);
    };
    hal.config_read = [](void* ctx, std::uint32_t offset, std::uint32_t size) {
        return self(ctx).nic.config_read(offset, size);
    };
    hal.config_write = [](void* ctx, std::uint32_t offset, std::uint32_t size,
                          std::uint32_t value) { self(ctx).nic.config_write(offset, size, value); };
    hal.delay_us = [](void* ctx, std::uint32_t us) {
        self(ctx).world_.advance_by(microseconds(us));
    };
    hal.sleep_ms = [](void* ctx, std::uint32_t ms) {
        self(ctx).world_.advance_by(milliseconds(ms));
    };
    hal.barrier = [](void*) {};
    hal.dma_alloc = [](void* ctx, std::uint32_t size, std::uint32_t align,
                       std::uint64_t* bus) -> void* {
        Machine& m = self(ctx);
        std::unique_ptr<std::uint8_t[]> memory(new std::uint8_t[size]());
        void* at = memory.get();
        m.next_bus_ = (m.next_bus_ + align - 1) / align * align;
        *bus = m.map(at, size, true, true, 0);
        m.coherent_[at] = std::move(memory);
        return at;
    };
    hal.dma_free = [](void* ctx, void* memory, std::uint32_t, std::uint64_t bus) {
        Machine& m = self(ctx);
        if (!m.mappings_.erase(bus) || !m.coherent_.erase(memory)) {
            m.faults.emplace_back("dma_free of what was not allocated");
        }
    };
    hal.dma_map = [](void* ctx, void* memory, std::uint32_t size, nic_dma_direction direction,
                     std::uint64_t tag) {
        const bool reads = direction == NIC_DMA_TO_DEVICE;
        return self(ctx).map(memory, size, reads, !reads, tag);
    };
    hal.dma_unmap = [](void* ctx, std::uint64_t bus, std::uint32_t size, nic_dma_direction) {
        Machine& m = self(ctx);
        const auto it = m.mappings_.find(bus);
        if (it == m.mappings_.end() || it->second.size != size) {
            m.faults.emplace_back("dma_unmap of what was not mapped");
            return std::uint64_t{0};
        }
        const std::uint64_t packet = it->second.packet;
        m.mappings_.erase(it);
        return packet;
    };
    hal.irq_setup = [](void* ctx, nic_irq_mode mode, std::uint32_t count, std::uint64_t* addresses,
                       std::uint32_t* data) {
        return self(ctx).irq_setup(mode, count, addresses, data);
    };
    hal.irq_release = [](void* ctx) {
        self(ctx).irq_mode = -1;
        self(ctx).pending_.clear();
    };
    hal.rx_buffer_get = [](void* ctx, void** cookie) -> void* {
        Machine& m = self(ctx);
        if (m.buffers_.size() >= m.platform.buffers) return nullptr;
        std::unique_ptr<std::uint8_t[]> buffer(new std::uint8_t[m.config.rx_buffer_bytes]());
        void* at = buffer.get();
        *cookie = at;
        m.buffers_[at] = std::move(buffer);
        return at;
    };
    hal.rx_buffer_put = [](void* ctx, void* buffer, void*) {
        if (!self(ctx).buffers_.erase(buffer)) {
            self(ctx).faults.emplace_back("buffer returned twice");
        }
    };
    return hal;
}

bool Machine::bring_up() {
    return probe() == 0 && open() == 0 && world_.run_until([this] { return link.up; }, seconds(10));
}

int Machine::send(std::vector<std::uint8_t> bytes, nic_packet packet,
                  const std::vector<std::uint32_t>& cuts) {
    const std::uint64_t cookie = sent + 1;
    std::vector<std::uint8_t>& kept = outgoing_[cookie];
    kept = std::move(bytes);
    std::vector<nic_segment> segments;
    std::uint32_t at = 0;
    for (const std::uint32_t cut : cuts) {
        segments.push_back({kept.data() + at, cut - at});
        at = cut;
    }
    segments.push_back({kept.data() + at, static_cast<std::uint32_t>(kept.size()) - at});
    packet.segments = segments.data();
    packet.segment_count = static_cast<std::uint32_t>(segments.size());
    packet.cookie = reinterpret_cast<void*>(cookie);
    const int result = nic_tx(driver.get(), &packet);
    if (result == 0) {
        sent++;
    } else {
        outgoing_.erase(cookie);
    }
    return result;
}

std::uint64_t Machine::statistic(const std::string& name) {
    busy([this] { return nic_stats_update(driver.get()), 0; });
    std::pair<const std::string&, std::uint64_t> wanted{name, ~std::uint64_t{0}};
    nic_stats_visit(
        driver.get(),
        [](void* ctx, const char* row, std::uint64_t value) {
            auto& want = *static_cast<std::pair<const std::string&, std::uint64_t>*>(ctx);
            if (want.first == row) want.second = value;
        },
        &wanted);
    return wanted.second;
}

void Machine::poll() {
    nic_rx_packet packets[64];
    void* cookies[64];
    for (std::uint32_t count; (count = nic_tx_clean(driver.get(), cookies, 64)) != 0;) {
        for (std::uint32_t i = 0; i < count; i++) {
            returned.push_back(reinterpret_cast<std::uint64_t>(cookies[i]));
            outgoing_.erase(returned.back());
        }
    }
    for (std::uint32_t count; (count = nic_rx(driver.get(), packets, 64)) != 0;) {
        Received frame;
        for (std::uint32_t i = 0; i < count; i++) {
            const auto* at = static_cast<const std::uint8_t*>(packets[i].buffer);
            frame.bytes.insert(frame.bytes.end(), at, at + packets[i].size);
            frame.buffers++;
            hal_.rx_buffer_put(this, packets[i].buffer, packets[i].cookie);
            if (packets[i].flags & NIC_RX_MORE) continue;
            frame.flags = packets[i].flags;
            frame.vlan_tag = packets[i].vlan_tag;
            frame.tag = packets[i].tag;
            received.push_back(std::move(frame));
            frame = Received();
        }
        if (frame.buffers) faults.emplace_back("a frame was handed over in part");
    }
}

// --- interrupts
// ----------------------------------------------------------------------------------------

int Machine::irq_setup(nic_irq_mode mode, std::uint32_t count, std::uint64_t* addresses,
                       std::uint32_t* data) {
    if (platform.refuse_irq[mode]) return -NIC_ENOSPC;
    irq_mode = mode;
    vectors_ = count;
    for (std::uint32_t v = 0; mode != NIC_IRQ_INTX && v < count; v++) {
        addresses[v] = kMessageAddress + 0x10 * v;
        data[v] = kMessageData + v;
    }
    return 0;
}

void Machine::message(std::uint64_t address, std::uint32_t data) {
    const std::uint64_t vector = (address - kMessageAddress) / 0x10;
    if (irq_mode <= NIC_IRQ_INTX || vector >= vectors_ || data != kMessageData + vector) {
        faults.emplace_back("a message that nobody asked for");
        return;
    }
    pending_.push_back(static_cast<std::uint32_t>(vector));
}

void Machine::interrupt(std::uint32_t vector) {
    interrupts[vector]++;
    const std::uint32_t now = nic_interrupt(driver.get(), vector);
    events |= now;
    if (now & (NIC_EVENT_RX | NIC_EVENT_TX)) poll_due_ = true;
    if (now & NIC_EVENT_LINK) link_due_ = true;
}

void Machine::take_interrupts() {
    while (!pending_.empty()) {
        const std::uint32_t vector = pending_.front();
        pending_.pop_front();
        interrupt(vector);
    }
    // A level that the handler cannot lower would be a storm: it is taken again after the next
    // event, so a test that waits for something else ends and the count tells.
    if (pin_ && irq_mode == NIC_IRQ_INTX) interrupt(0);
}

/// What interrupts asked for; never inside a call of the driver, which is interrupted, not entered
/// again.
void Machine::work() {
    if (working_ || !polling) return;
    working_ = true;
    if (poll_due_) {
        poll_due_ = false;
        poll();
        nic_interrupt_enable(driver.get(), NIC_EVENT_RX | NIC_EVENT_TX);
    }
    if (link_due_ && handle_link) {
        link_due_ = false;
        if (nic_link_poll(driver.get(), &link) != 0) link.up = false;
    }
    working_ = false;
}

// --- memory
// --------------------------------------------------------------------------------------------

std::uint64_t Machine::map(void* at, std::uint32_t size, bool reads, bool writes,
                           std::uint64_t packet) {
    const std::uint64_t bus = next_bus_;
    mappings_[bus] = {static_cast<std::uint8_t*>(at), size, reads, writes, packet};
    next_bus_ += size + 256;  // a gap: running over the end is noticed
    return bus;
}

Machine::Mapping* Machine::find(std::uint64_t address, std::uint32_t size_bytes,
                                std::uint64_t& offset) {
    auto it = mappings_.upper_bound(address);
    if (it == mappings_.begin()) return nullptr;
    --it;
    offset = address - it->first;
    return offset + size_bytes <= it->second.size ? &it->second : nullptr;
}

DmaStatus Machine::read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                        std::uint64_t& packet) {
    std::uint64_t offset = 0;
    const Mapping* mapping = find(address, size_bytes, offset);
    if (!mapping || !mapping->device_reads) {
        faults.emplace_back("the device read what it was not given");
        return DmaStatus::kUnsupportedRequest;
    }
    std::memcpy(target, mapping->at + offset, size_bytes);
    packet = mapping->packet;
    return DmaStatus::kOk;
}

DmaStatus Machine::write(std::uint64_t address, const std::uint8_t* source,
                         std::uint32_t size_bytes, std::uint64_t packet) {
    std::uint64_t offset = 0;
    Mapping* mapping = find(address, size_bytes, offset);
    if (!mapping || !mapping->device_writes) {
        faults.emplace_back("the device wrote where it may not");
        return DmaStatus::kUnsupportedRequest;
    }
    std::memcpy(mapping->at + offset, source, size_bytes);
    mapping->packet = packet;
    return DmaStatus::kOk;
}

// --- peer
// ------------------------------------------------------------------------------------------------

void Peer::offer(std::uint16_t anar, std::uint16_t ctrl1000) {
    LinkAbilities abilities;
    abilities.present = true;
    abilities.anar = anar;
    abilities.ctrl1000 = ctrl1000;
    wire_.advertise(abilities);
}

void Peer::send(std::vector<std::uint8_t> bytes, bool good_fcs, std::uint64_t packet) {
    if (bytes.size() < 60) bytes.resize(60);
    FramePtr frame = world_.frames.take();
    frame->resize(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    frame->packet = packet;
    if (!good_fcs) frame->pin_fcs(~frame->fcs());
    const Picoseconds start_ps = std::max(world_.timeline.now_ps(), free_ps_);
    const Picoseconds end_ps = start_ps + nanoseconds(8) * (8 + frame->wire_bytes());
    free_ps_ = end_ps + nanoseconds(96);
    wire_.transmit(std::move(frame), start_ps, end_ps);
}

void Peer::receive(FramePtr frame, Picoseconds, Picoseconds) {
    if (!frame->fcs_good()) bad_fcs++;
    frames.emplace_back(frame->data(), frame->data() + frame->size_bytes());
    packets.push_back(frame->packet);
}

}  // namespace doorbell::bringup
