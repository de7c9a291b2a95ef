#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hw/base/cause_port.hpp"
#include "hw/base/device_state.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/generated/events.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/queue_engine_82574l.hpp"
#include "hw/rings/test_support/fake_dma.hpp"
#include "hw/stats/statistics.hpp"

namespace doorbell::test {

using Bytes = std::vector<std::uint8_t>;
using Descriptor = regs::Descriptor<2>;

inline Bytes bytes_of(const Frame& frame) {
    return Bytes(frame.data(), frame.data() + frame.size_bytes());
}

/// A pattern in which every byte tells where it belongs.
inline Bytes pattern(std::uint32_t size_bytes, std::uint32_t seed = 0) {
    Bytes bytes(size_bytes);
    for (std::uint32_t i = 0; i < size_bytes; i++) {
        bytes[i] = static_cast<std::uint8_t>(i * 7 + i / 251 + seed * 31);
    }
    return bytes;
}

/// Where frames go: kept with their times.
class FakeWire final : public EthernetPort {
public:
    struct Sent {
        Bytes bytes;
        std::uint64_t number;
        std::uint64_t packet;
        bool fcs_good;
        Picoseconds called_ps;
        Picoseconds start_ps;
        Picoseconds end_ps;
        FrameHints hints;
        bool time_stamp;
    };
    explicit FakeWire(const Timeline& timeline, const WireOffloads& offloads = {})
        : takes(offloads), timeline_(timeline) {}

    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        sent.push_back({bytes_of(*frame), frame->number, frame->packet, frame->fcs_good(),
                        timeline_.now_ps(), start_ps, end_ps, frame->hints, frame->time_stamp});
    }
    void advertise(const LinkAbilities&) override {}
    [[nodiscard]] WireOffloads offloads() const override { return takes; }

    WireOffloads takes;  ///< What it takes off the NIC.
    std::vector<Sent> sent;

private:
    const Timeline& timeline_;
};

class FakeCauses final : public CausePort {
public:
    void raise(std::uint32_t icr_bits) override {
        raised |= icr_bits;
        rx_stored_at_last_raise = rx_stored[0];
        for (std::uint32_t bit = 0; bit < 32; bit++) {
            if ((icr_bits >> bit & 1) != 0) times[1u << bit]++;
        }
    }
    void tx_written_back(std::uint32_t queue, bool delayed) override {
        tx_reports[queue]++;
        last_tx_delayed = delayed;
    }
    void tx_write_back_deferred(std::uint32_t queue) override { tx_deferred[queue]++; }
    void rx_frame_stored(std::uint32_t queue) override { rx_stored[queue]++; }
    void rx_written_back(std::uint32_t queue, std::uint32_t frames) override {
        rx_reports[queue]++;
        rx_frames[queue] += frames;
    }

    std::uint32_t raised = 0;
    std::map<std::uint32_t, std::uint32_t> times;
    std::uint32_t tx_reports[2] = {};
    std::uint32_t tx_deferred[2] = {};
    bool last_tx_delayed = false;
    std::uint32_t rx_stored[2] = {};
    std::uint32_t rx_stored_at_last_raise = 0;
    std::uint32_t rx_reports[2] = {};
    std::uint32_t rx_frames[2] = {};
};

class EventRecorder final : public EventListener {
public:
    void event(const Event& event) override { seen.push_back(event); }
    [[nodiscard]] std::vector<Event> of(EventType type) const {
        std::vector<Event> result;
        for (const Event& event : seen) {
            if (event.type == static_cast<std::uint16_t>(type)) result.push_back(event);
        }
        return result;
    }
    std::vector<Event> seen;
};

class MetricMap final : public MetricVisitor {
public:
    void metric(std::string_view name, std::uint64_t value) override {
        values[std::string(name)] = value;
    }
    void metric_real(std::string_view, double) override {}
    std::map<std::string, std::uint64_t> values;
};

/// A queue engine with everything it touches, and a driver that speaks to it as a driver does:
/// registers over the bus, descriptors and buffers in memory.
class RingBench {
public:
    explicit RingBench(const QueueEngineParams& params = {}, const WireOffloads& takes = {})
        : dma(timeline),
          registers(regs::i82574l::kMap),
          stats(registers),
          wire(timeline, takes),
          engine(registers, timeline, dma, causes, stats, wire, frames, state,
                 EventPort(hub, hub.add_source("nic")), params) {
        state.link_up = true;
        state.bus_master = true;
        engine.reset();
    }

    // --- registers ---
    void write(const regs::Register& reg, std::uint32_t value, std::uint32_t index = 0) {
        registers.bus_write(reg.offset_of(index), value);
    }
    [[nodiscard]] std::uint32_t read(const regs::Register& reg, std::uint32_t index = 0) {
        return registers.bus_read(reg.offset_of(index));
    }
    void set(const regs::Field& field, std::uint32_t value, std::uint32_t index = 0) {
        write(field.reg, field.put(registers.word(field.reg, index), value), index);
    }
    [[nodiscard]] std::uint64_t metric(const std::string& name) const {
        MetricMap map;
        engine.visit_metrics(map);
        const auto found = map.values.find(name);
        EXPECT_NE(found, map.values.end()) << "no metric " << name;
        return found == map.values.end() ? 0 : found->second;
    }
    /// Until nothing happens any more: a liveness check as well.
    void settle() { ASSERT_TRUE(timeline.settle(1'000'000)); }
    /// A reset as core does it: the DMA engine forgets, registers as after CTRL.RST.
    void reset() {
        dma.reset();
        registers.reset(regs::ResetKind::kSoftware);
        engine.reset();
    }

    // --- memory ---
    [[nodiscard]] std::uint64_t allocate(std::uint32_t size_bytes, std::uint32_t align = 16) {
        next_free_ = (next_free_ + align - 1) / align * align;
        const std::uint64_t address = next_free_;
        next_free_ += size_bytes;
        EXPECT_LE(next_free_, FakeDma::kBase + FakeDma::kBytes) << "the test needs more memory";
        return address;
    }
    [[nodiscard]] std::uint64_t put(const Bytes& bytes, std::uint64_t packet = 0) {
        const auto size = static_cast<std::uint32_t>(bytes.size());
        const std::uint64_t address = allocate(size + 1, 1);
        if (!bytes.empty()) std::memcpy(dma.at(address), bytes.data(), bytes.size());
        if (packet != 0) dma.name(address, size, packet);
        return address;
    }

    ManualTimeline timeline;
    FakeDma dma;
    regs::RegisterFile registers;
    Statistics stats;
    FakeCauses causes;
    FakeWire wire;
    FramePool frames;
    DeviceState state;
    EventHub hub;
    QueueEngine82574l engine;

private:
    std::uint64_t next_free_ = FakeDma::kBase + 0x1000;
};

/// The driver's side of a transmit ring.
class TxDriver {
public:
    explicit TxDriver(RingBench& bench, std::uint32_t count = 64, std::uint32_t queue = 0)
        : bench_(bench), count_(count), queue_(queue) {
        using namespace regs::i82574l;
        base_ = bench.allocate(count * 16, 128);
        bench.write(TDBAL, static_cast<std::uint32_t>(base_), queue);
        bench.write(TDBAH, static_cast<std::uint32_t>(base_ >> 32), queue);
        bench.write(TDLEN, count * 16, queue);
        bench.write(TDH, 0, queue);
        bench.write(TDT, 0, queue);
    }
    /// Starts the transmitter; rings are set up before.
    void enable(bool pad = true) {
        using namespace regs::i82574l;
        bench_.set(TCTL_PSP, pad ? 1 : 0);
        bench_.set(TCTL_EN, 1);
    }
    /// Puts a descriptor into the ring without ringing the doorbell; returns its index.
    std::uint32_t post(const Descriptor& d) {
        const std::uint32_t index = tail_;
        d.store(bench_.dma.at(base_ + index * 16));
        tail_ = (tail_ + 1) % count_;
        return index;
    }
    void doorbell() { bench_.write(regs::i82574l::TDT, tail_, queue_); }

    /// A legacy descriptor with EOP, IFCS and RS.
    [[nodiscard]] static Descriptor legacy(std::uint64_t address, std::uint32_t length) {
        using namespace regs::i82574l::tx_legacy;
        Descriptor d;
        BUFFER_ADDRESS.put(d, address);
        LENGTH.put(d, length);
        EOP.put(d, 1);
        IFCS.put(d, 1);
        RS.put(d, 1);
        return d;
    }
    /// A data descriptor without EOP and RS.
    [[nodiscard]] static Descriptor data(std::uint64_t address, std::uint32_t length) {
        using namespace regs::i82574l::tx_data;
        Descriptor d;
        BUFFER_ADDRESS.put(d, address);
        DTALEN.put(d, length);
        DTYP.put(d, DTYP_DATA);
        DEXT.put(d, DEXT_EXTENDED);
        IFCS.put(d, 1);
        return d;
    }
    static Descriptor last(Descriptor d) {
        using namespace regs::i82574l::tx_data;
        EOP.put(d, 1);
        RS.put(d, 1);
        return d;
    }
    std::uint32_t send(const Bytes& packet, std::uint64_t identity = 0) {
        const auto size = static_cast<std::uint32_t>(packet.size());
        const std::uint32_t index = post(legacy(bench_.put(packet, identity), size));
        doorbell();
        return index;
    }
    [[nodiscard]] Descriptor descriptor(std::uint32_t index) const {
        return Descriptor::load(bench_.dma.at(base_ + index * 16));
    }
    [[nodiscard]] bool done(std::uint32_t index) const {
        return regs::i82574l::tx_legacy::DD.get(descriptor(index)) != 0;
    }
    [[nodiscard]] std::uint32_t head() { return bench_.read(regs::i82574l::TDH, queue_); }
    [[nodiscard]] std::uint32_t tail() const { return tail_; }
    [[nodiscard]] std::uint64_t base() const { return base_; }

private:
    RingBench& bench_;
    std::uint32_t count_;
    std::uint32_t queue_;
    std::uint64_t base_ = 0;
    std::uint32_t tail_ = 0;
};

/// The driver's side of a receive ring: buffers of one size, taken in order by DD.
class RxDriver {
public:
    struct Received {
        Descriptor descriptor;
        Bytes bytes;
        std::uint64_t packet;
    };

    explicit RxDriver(RingBench& bench, std::uint32_t count = 64, std::uint32_t buffer_bytes = 2048)
        : bench_(bench), count_(count), buffer_bytes_(buffer_bytes), buffers_(count) {
        using namespace regs::i82574l;
        base_ = bench.allocate(count * 16, 128);
        for (std::uint64_t& buffer : buffers_) buffer = bench.allocate(buffer_bytes);
        bench.write(RDBAL, static_cast<std::uint32_t>(base_));
        bench.write(RDBAH, static_cast<std::uint32_t>(base_ >> 32));
        bench.write(RDLEN, count * 16);
        bench.write(RDH, 0);
        bench.write(RDT, 0);
    }
    /// Everything comes in, CRC stripped, unless the test says otherwise afterwards.
    void enable() {
        using namespace regs::i82574l;
        bench_.set(RCTL_UPE, 1);
        bench_.set(RCTL_SECRC, 1);
        bench_.set(RCTL_EN, 1);
    }
    /// Gives `count` buffers to the device.
    void fill(std::uint32_t count) {
        for (; count > 0; count--) post(buffers_[tail_]);
        doorbell();
    }
    void post(std::uint64_t address) {
        Descriptor d;
        regs::i82574l::rx_legacy::BUFFER_ADDRESS.put(d, address);
        d.store(bench_.dma.at(base_ + tail_ * 16));
        tail_ = (tail_ + 1) % count_;
    }
    void doorbell() { bench_.write(regs::i82574l::RDT, tail_); }

    [[nodiscard]] bool ready(bool extended = false) const {
        const Descriptor d = descriptor(next_);
        return extended ? regs::i82574l::rx_extended::DD.get(d) != 0
                        : regs::i82574l::rx_legacy::DD.get(d) != 0;
    }
    Received take(bool extended = false) {
        EXPECT_TRUE(ready(extended)) << "descriptor " << next_ << " is not done";
        Received received;
        received.descriptor = descriptor(next_);
        const std::uint64_t length =
            extended ? regs::i82574l::rx_extended::LENGTH.get(received.descriptor)
                     : regs::i82574l::rx_legacy::LENGTH.get(received.descriptor);
        const std::uint64_t buffer = buffers_[next_];
        EXPECT_LE(length, buffer_bytes_) << "stored beyond the buffer";
        const std::uint8_t* start = bench_.dma.at(buffer);
        received.bytes.assign(start, start + length);
        received.packet = bench_.dma.name_of(buffer);
        Descriptor().store(bench_.dma.at(base_ + next_ * 16));
        next_ = (next_ + 1) % count_;
        return received;
    }
    [[nodiscard]] Descriptor descriptor(std::uint32_t index) const {
        return Descriptor::load(bench_.dma.at(base_ + index * 16));
    }
    [[nodiscard]] std::uint32_t head() { return bench_.read(regs::i82574l::RDH); }

private:
    RingBench& bench_;
    std::uint32_t count_;
    std::uint32_t buffer_bytes_;
    std::vector<std::uint64_t> buffers_;
    std::uint64_t base_ = 0;
    std::uint32_t tail_ = 0;
    std::uint32_t next_ = 0;
};

}  // namespace doorbell::test
