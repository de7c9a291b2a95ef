#pragma once

#include <cstdint>

#include "hw/base/event_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/request_ring.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/wire/wire_path.hpp"

namespace doorbell::wire {

/// The far end of a direction: propagation, and arrival in order. Decorators that add frames or
/// time make frames overlap; here they queue, as they would in the switch that did it to them.
class WireDelivery final : public WirePath {
public:
    /// A frame that would have to wait longer is lost: bounds the memory of a wire whose faults
    /// make more traffic than it can carry.
    static constexpr Picoseconds kBacklogLimit_ps = milliseconds(10);
    /// IEEE 802.3 clause 4.4.2: 96 bit times; preamble and start delimiter are 8 bytes.
    static constexpr std::uint32_t kGapBytes = 12;
    static constexpr std::uint32_t kPreambleBytes = 8;

    /// Called with each arriving frame before the endpoint gets it.
    class Arrival {
    public:
        virtual ~Arrival() = default;
        virtual void arrived(const Frame& frame, Picoseconds time_ps) = 0;
    };

    WireDelivery(Timeline& timeline, EventPort events, Picoseconds propagation_ps);
    ~WireDelivery() override;

    void connect(EthernetEndpoint& endpoint) { endpoint_ = &endpoint; }
    void watch(Arrival* arrival) { arrival_ = arrival; }

    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    std::uint64_t clear() override;

    [[nodiscard]] std::uint64_t delivered_frames() const { return delivered_frames_; }
    [[nodiscard]] std::uint64_t delivered_bytes() const { return delivered_bytes_; }
    [[nodiscard]] std::uint64_t backlog_drops() const { return backlog_drops_; }

private:
    struct Flight {
        FramePtr frame;
        Picoseconds start_ps = 0;
        Picoseconds end_ps = 0;
    };
    void deliver();

    Timeline& timeline_;
    EventPort events_;
    Picoseconds propagation_ps_;
    EthernetEndpoint* endpoint_ = nullptr;
    Arrival* arrival_ = nullptr;

    RequestRing<Flight> flights_;
    Picoseconds busy_until_ps_ = 0;
    std::uint64_t delivered_frames_ = 0;
    std::uint64_t delivered_bytes_ = 0;
    std::uint64_t backlog_drops_ = 0;
    Task deliver_;
};

}  // namespace doorbell::wire
