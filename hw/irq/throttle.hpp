#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// ITR or EITR[n]: the least time between two interrupts (datasheet 10.2.4.2; section 8.5). The
/// interval counts from the interrupt that was issued, with the register's value of now: software
/// that shortens it while it runs is served at the shorter time.
class Throttle {
public:
    static constexpr Picoseconds kUnitPs = nanoseconds(256);

    /// When the next interrupt may be issued: `now_ps` or later.
    [[nodiscard]] Picoseconds earliest_ps(Picoseconds now_ps, std::uint32_t interval) const {
        if (!running_ || interval == 0) return now_ps;
        const Picoseconds end_ps = issued_ps_ + interval * kUnitPs;
        return end_ps > now_ps ? end_ps : now_ps;
    }
    void issued(Picoseconds now_ps) {
        issued_ps_ = now_ps;
        running_ = true;
    }
    /// Reset, or CTRL_EXT.INT_TIMERS_CLEAR_ENA: what runs is over.
    void expire() { running_ = false; }

private:
    Picoseconds issued_ps_ = 0;
    bool running_ = false;
};

}  // namespace doorbell
