#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "hw/base/event_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/wire/wire_decorators.hpp"
#include "testbench/wire/wire_delivery.hpp"

/// A cable between two ends: forwards what each end offers, carries frames at the speed they were
/// sent with, and loses them when it is pulled. Plain C++ over a timeline.
namespace doorbell::wire {

/// What one direction of a link does to frames; rates in parts per million of the frames.
struct FaultParams {
    std::uint32_t loss_ppm = 0;
    std::uint32_t duplicate_ppm = 0;
    std::uint32_t reorder_ppm = 0;
    std::uint32_t corrupt_ppm = 0;
    std::uint32_t delay_ppm = 0;
    std::uint64_t delay_limit_ns = 100'000;
};

struct LinkParams {
    /// What the cable can carry: offers beyond it do not reach the far end (a cable with two pairs
    /// has no 1000BASE-T), frames sent faster are lost. For what-if studies any number.
    std::uint32_t rate_mbps = 1000;
    /// Copper: 5 ns per metre, so 2 m by default.
    Picoseconds propagation_ps = nanoseconds(10);
    std::array<FaultParams, 2> faults;  ///< 0: from end 0 to end 1, 1: back.
};

/// Sees every frame at both ends of a link: on its way out and on its way in.
class WireTap {
public:
    virtual ~WireTap() = default;
    virtual void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) = 0;
    virtual void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) = 0;
};

/// Counts what enters a link, frame by frame, while it happens. Cheaper than a tap: it is not shown
/// the frame.
class LinkMeter {
public:
    virtual ~LinkMeter() = default;
    /// At `end` a frame enters; called when it is handed over, which may be before `start_ps`.
    virtual void frame_enters(std::uint32_t end, Picoseconds start_ps, Picoseconds end_ps) = 0;
};

class Link {
public:
    /// `timelines`: the ones of the NICs at the ends. What arrives at a NIC runs on that NIC's own,
    /// so that the wire costs no activation of its own.
    Link(const std::array<Timeline*, 2>& timelines, FramePool& frames, EventPort events,
         const LinkParams& params, std::uint64_t seed, std::uint32_t link_index);
    /// Both ends on one timeline.
    Link(Timeline& timeline, FramePool& frames, EventPort events, const LinkParams& params,
         std::uint64_t seed, std::uint32_t link_index)
        : Link(std::array<Timeline*, 2>{&timeline, &timeline}, frames, events, params, seed,
               link_index) {}
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;

    /// The port for the NIC at end 0 or 1, and the NIC to deliver to.
    [[nodiscard]] EthernetPort& port(std::uint32_t end);
    void attach(std::uint32_t end, EthernetEndpoint& endpoint);
    void tap(WireTap* tap) { tap_ = tap; }
    void measure(LinkMeter* meter) { meter_ = meter; }

    /// Plugs or pulls the cable; both ends are told. What is on its way is lost.
    void plug(bool connected);
    [[nodiscard]] bool plugged() const { return plugged_; }
    /// Direction 0 leads from end 0 to end 1.
    void set_faults(std::uint32_t direction, const FaultParams& faults);
    [[nodiscard]] const FaultParams& faults(std::uint32_t direction) const;

    /// Names without prefix: "forward.frames", "backward.drops.loss", ...
    void visit_metrics(MetricVisitor& visitor) const;

private:
    class End;
    struct Way;

    void transmit(std::uint32_t end, FramePtr frame, Picoseconds start_ps, Picoseconds end_ps);
    void advertise(std::uint32_t end, const LinkAbilities& abilities);
    void tell_partner(std::uint32_t end);
    [[nodiscard]] LinkAbilities as_carried(LinkAbilities abilities) const;
    [[nodiscard]] Picoseconds now_ps() const { return timelines_[0]->now_ps(); }
    [[nodiscard]] bool too_fast(const Frame& frame, Picoseconds duration_ps) const;

    std::array<Timeline*, 2> timelines_;
    EventPort events_;
    LinkParams params_;
    bool plugged_ = true;
    WireTap* tap_ = nullptr;
    LinkMeter* meter_ = nullptr;
    std::array<std::unique_ptr<End>, 2> ends_;
    std::array<std::unique_ptr<Way>, 2> ways_;
};

}  // namespace doorbell::wire
