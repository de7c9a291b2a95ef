#pragma once

#include <cstdint>
#include <deque>

#include "testbench/wire/far_side.hpp"

namespace doorbell::wire {

/// What the far sides have in common: an offer of a link, the way in with a bounded queue in front
/// of a NIC that has no room, taps and counters.
class FarSideBase : public FarSide {
public:
    /// A switch port of today: everything to 1000BASE-T, symmetric PAUSE (IEEE 802.3 28.2, 40.5).
    [[nodiscard]] static LinkAbilities gigabit_partner();

    void attach(EthernetEndpoint& endpoint) override;
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) final;
    void advertise(const LinkAbilities& abilities) override;
    [[nodiscard]] WireOffloads offloads() const final;
    void flush() override;
    void tap(WireTap* tap) final { tap_ = tap; }
    void visit_metrics(MetricVisitor& visitor) const override;

protected:
    /// Frames that wait for room in the NIC; beyond it they are lost.
    static constexpr std::size_t kWaitingFrames = 1024;

    explicit FarSideBase(const FarSideContext& context);
    ~FarSideBase() override;

    /// A frame leaves the NIC. Complete unless `outward_offloads` says otherwise.
    virtual void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) = 0;
    /// What the partner offers when a NIC is attached.
    [[nodiscard]] virtual LinkAbilities first_offer() const { return gigabit_partner(); }
    /// What the outside takes off the NIC when nobody looks on.
    [[nodiscard]] virtual WireOffloads outward_offloads() const { return {false, false, true}; }
    /// What the partner offers; `present` false takes the link down.
    void offer(const LinkAbilities& abilities);

    /// Where PAUSE frames of the NIC end. They never pass a link partner (IEEE 802.3 annex 31B): it
    /// gives the NIC nothing while they say so.
    enum class PauseEnds : std::uint8_t { kHere, kHereAndSeen, kBeyond };
    [[nodiscard]] virtual PauseEnds pause_ends() const { return PauseEnds::kHere; }
    /// Frames whose FCS is wrong go out as well.
    [[nodiscard]] virtual bool carries_damage() const { return false; }

    enum class Padding : std::uint8_t { kToMinimum, kAsItIs };
    /// A frame arrives from outside, complete: goes to the NIC with the next `deliver`. Short ones
    /// are padded as the sender's MAC would have done, unless they come with their FCS.
    void arrive(FramePtr frame, Padding padding = Padding::kToMinimum);
    /// Hands over what there is room for; not from within a call of the NIC's.
    void deliver();
    /// Nothing waits: more may be read.
    [[nodiscard]] bool all_delivered() const { return waiting_.empty(); }

    void count_lost_outward() { lost_outward_++; }
    void count_lost_inward() { lost_inward_++; }

    [[nodiscard]] FramePool& frames() { return context_.frames; }
    void say(const std::string& line) const {
        if (context_.say) context_.say(line);
    }
    const FarSideContext context_;

private:
    [[nodiscard]] bool obey_pause(const Frame& frame);

    EthernetEndpoint* endpoint_ = nullptr;
    LinkAbilities our_offer_;
    LinkAbilities nic_offer_;
    WireTap* tap_ = nullptr;
    std::deque<FramePtr> waiting_;
    std::uint64_t frames_outward_ = 0;
    std::uint64_t bytes_outward_ = 0;
    std::uint64_t frames_inward_ = 0;
    std::uint64_t bytes_inward_ = 0;
    std::uint64_t lost_outward_ = 0;
    std::uint64_t lost_inward_ = 0;
    std::uint64_t held_back_ = 0;
    std::uint64_t pauses_ = 0;
    Picoseconds paused_until_ps_ = 0;
    Task pause_over_;
};

}  // namespace doorbell::wire
