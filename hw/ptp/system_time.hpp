#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// SYSTIM as a rule: INCVALUE is added once in every INCPERIOD cycles of a free-running clock
/// (specification 2.11). Nothing ticks: the value is computed when somebody asks.
class SystemTime {
public:
    explicit SystemTime(Picoseconds cycle_ps) : cycle_ps_(cycle_ps) {}

    /// Stands at 0.
    void reset() { *this = SystemTime(cycle_ps_); }

    /// TIMINCA: goes on from where it stands; a period of 0 stops it.
    void set_increment(std::uint32_t period_cycles, std::uint32_t increment, Picoseconds now_ps) {
        set(at(now_ps), now_ps);
        period_cycles_ = period_cycles;
        increment_ = increment;
    }
    void set(std::uint64_t value, Picoseconds now_ps) {
        value_ = value;
        since_cycle_ = now_ps / cycle_ps_;
    }
    /// TIMADJ: bit 63 says that the other 63 are to be subtracted.
    void adjust(std::uint64_t sign_and_amount, Picoseconds now_ps) {
        constexpr std::uint64_t kSign = std::uint64_t{1} << 63;
        const std::uint64_t amount = sign_and_amount & ~kSign;
        const std::uint64_t before = at(now_ps);
        const std::uint64_t phase = phase_cycles(now_ps);
        set((sign_and_amount & kSign) != 0 ? before - amount : before + amount, now_ps);
        since_cycle_ -= phase;  // An adjustment does not disturb the rhythm.
    }

    [[nodiscard]] std::uint64_t at(Picoseconds when_ps) const {
        if (period_cycles_ == 0) return value_;
        return value_ + cycles_since(when_ps) / period_cycles_ * increment_;
    }

private:
    [[nodiscard]] std::uint64_t cycles_since(Picoseconds when_ps) const {
        const std::uint64_t cycle = when_ps / cycle_ps_;
        return cycle > since_cycle_ ? cycle - since_cycle_ : 0;
    }
    [[nodiscard]] std::uint64_t phase_cycles(Picoseconds when_ps) const {
        return period_cycles_ == 0 ? 0 : cycles_since(when_ps) % period_cycles_;
    }

    Picoseconds cycle_ps_;
    std::uint64_t value_ = 0;
    std::uint64_t since_cycle_ = 0;  ///< The cycle at which SYSTIM was `value_`.
    std::uint32_t period_cycles_ = 0;
    std::uint32_t increment_ = 0;
};

}  // namespace doorbell
