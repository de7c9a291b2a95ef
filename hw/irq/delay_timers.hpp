#pragma once

#include <cstdint>

#include "hw/base/timeline.hpp"

namespace doorbell {

/// The pair of timers that holds back one cause: a packet timer that each event restarts (RDTR,
/// TIDV) and an absolute one that only the first event starts (RADV, TADV; datasheet 7.4.4;
/// section 8.4). RAID is a pair whose packet timer is not used. Whoever comes first ends both.
class DelayTimers {
public:
    static constexpr Picoseconds kUnitPs = nanoseconds(1'024);

    enum class Expiry : std::uint8_t { kPacket, kAbsolute };

    /// `expired` is called when the delay is over, with both timers stopped.
    DelayTimers(Timeline& timeline, std::function<void(Expiry)> expired)
        : timeline_(timeline), expired_(std::move(expired)), task_([this] { expire(); }) {}
    ~DelayTimers() { timeline_.cancel(task_); }
    DelayTimers(const DelayTimers&) = delete;
    DelayTimers& operator=(const DelayTimers&) = delete;

    /// An event that is to be announced with delay, in units; 0 = this timer is off.
    void start(std::uint32_t packet_delay, std::uint32_t absolute_delay) {
        const Picoseconds now_ps = timeline_.now_ps();
        if (packet_delay != 0) packet_due_ps_ = now_ps + packet_delay * kUnitPs;
        if (absolute_delay != 0 && absolute_due_ps_ == kNever) {
            absolute_due_ps_ = now_ps + absolute_delay * kUnitPs;
        }
        const Picoseconds due_ps =
            packet_due_ps_ < absolute_due_ps_ ? packet_due_ps_ : absolute_due_ps_;
        if (due_ps == kNever) return;
        // In bulk each frame moves the packet timer on: the task stays where it is and looks
        // again when it is called, instead of being moved for each frame.
        if (!task_.scheduled() || task_.due_ps() > due_ps) timeline_.schedule(task_, due_ps);
    }
    /// The delayed cause has been announced, or there is nothing to announce any more.
    void stop() {
        packet_due_ps_ = kNever;
        absolute_due_ps_ = kNever;
        timeline_.cancel(task_);
    }
    [[nodiscard]] bool running() const {
        return packet_due_ps_ != kNever || absolute_due_ps_ != kNever;
    }

private:
    void expire() {
        const Picoseconds due_ps =
            packet_due_ps_ < absolute_due_ps_ ? packet_due_ps_ : absolute_due_ps_;
        if (due_ps > timeline_.now_ps()) {
            timeline_.schedule(task_, due_ps);
            return;
        }
        const Expiry expiry =
            absolute_due_ps_ <= packet_due_ps_ ? Expiry::kAbsolute : Expiry::kPacket;
        stop();
        expired_(expiry);
    }

    Timeline& timeline_;
    std::function<void(Expiry)> expired_;
    Picoseconds packet_due_ps_ = kNever;
    Picoseconds absolute_due_ps_ = kNever;
    Task task_;
};

}  // namespace doorbell
