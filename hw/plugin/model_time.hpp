#pragma once

#include <cstdint>

#include "hw/base/time.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell::plugin {

/// Whose time a served NIC lives in: a timeline of its own, or the kernel of a simulation that
/// holds more than the NIC. The pair of functions is the only way it moves.
class ModelClock {
public:
    virtual ~ModelClock() = default;
    [[nodiscard]] virtual Timeline& timeline() = 0;
    [[nodiscard]] const Timeline& timeline() const {
        return const_cast<ModelClock*>(this)->timeline();
    }
    /// kNever when nothing is due.
    [[nodiscard]] virtual Picoseconds next_event_time() const = 0;
    /// Runs everything due up to and at `until_ps`, then stands there.
    virtual void advance_until(Picoseconds until_ps) = 0;
};

/// The time of a NIC alone.
class NicClock final : public ModelClock {
public:
    [[nodiscard]] Timeline& timeline() override { return timeline_; }
    [[nodiscard]] Picoseconds next_event_time() const override {
        return timeline_.next_event_time();
    }
    void advance_until(Picoseconds until_ps) override { timeline_.advance_until(until_ps); }

private:
    ManualTimeline timeline_;
};

/// The outside's monotonic time. The model never asks it.
class HostClock {
public:
    virtual ~HostClock() = default;
    [[nodiscard]] virtual std::uint64_t now_ns() const = 0;
};

enum class Pace : std::uint8_t {
    kWall,  ///< Simulated time follows the host's clock.
    kFast,  ///< It jumps to the next event when nothing else is to be done.
};

/// Leads the model's time. What is due within `kAhead` is done at once: no sleep is that short, and
/// the guest cannot tell.
class ModelTime {
public:
    static constexpr Picoseconds kAhead = microseconds(5);

    ModelTime(ModelClock& clock, const HostClock& host, Pace pace)
        : clock_(clock), host_(host), pace_(pace), host_start_ns_(host.now_ns()) {}

    /// Does what is due now.
    void settle() {
        Picoseconds now_ps = clock_.timeline().now_ps();
        if (pace_ == Pace::kWall) {
            const Picoseconds wall_ps = wall_now_ps();
            if (wall_ps > now_ps) now_ps = wall_ps;
        }
        // Bounded, so that a model that always has something to do lets the outside in.
        for (int i = 0; i < kMaxSteps; i++) {
            const Picoseconds next_ps = clock_.next_event_time();
            if (next_ps > now_ps + kAhead) break;
            clock_.advance_until(next_ps);
        }
        if (now_ps > clock_.timeline().now_ps() && now_ps < clock_.next_event_time()) {
            clock_.advance_until(now_ps);
        }
    }

    /// The turn is over: with kFast, the next event.
    void turn_over() {
        if (pace_ != Pace::kFast) return;
        const Picoseconds next_ps = clock_.next_event_time();
        if (next_ps != kNever) clock_.advance_until(next_ps);
    }

    /// How long nothing is due, in nanoseconds of the host; -1 for ever.
    [[nodiscard]] std::int64_t idle_ns() const {
        const Picoseconds next_ps = clock_.next_event_time();
        if (next_ps == kNever) return -1;
        if (pace_ == Pace::kFast) return 0;
        const Picoseconds now_ps = wall_now_ps() + kAhead;
        if (next_ps <= now_ps) return 0;
        return static_cast<std::int64_t>((next_ps - now_ps) / nanoseconds(1));
    }

    [[nodiscard]] Picoseconds now_ps() const { return clock_.timeline().now_ps(); }
    [[nodiscard]] Pace pace() const { return pace_; }

private:
    static constexpr int kMaxSteps = 100'000;

    [[nodiscard]] Picoseconds wall_now_ps() const {
        return nanoseconds(host_.now_ns() - host_start_ns_);
    }

    ModelClock& clock_;
    const HostClock& host_;
    Pace pace_;
    std::uint64_t host_start_ns_;
};

}  // namespace doorbell::plugin
