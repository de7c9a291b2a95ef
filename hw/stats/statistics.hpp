#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hw/base/stats_port.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

struct StatisticsParams {
    /// U21: reading the high half of an octet counter clears both halves, else only itself.
    bool u21_high_read_clears_pair = true;
};

/// The statistics registers of the 82574L. A counter lives in its register: it sticks at all ones,
/// the contract clears it when it is read, and a reset of the register file is its reset. The
/// octet counters (GORC, GOTC, TOR, TOT) are pairs: reading LOW clears nothing.
class Statistics final : public StatsPort {
public:
    explicit Statistics(regs::RegisterFile& registers, const StatisticsParams& params = {});

    void count(Stat stat, std::uint64_t amount = 1) override;
    /// The value of a counter, without side effect.
    [[nodiscard]] std::uint64_t value(Stat stat) const;

private:
    /// Where a counter is stored; `high` of a 64-bit octet counter is its second half.
    struct Words {
        std::uint32_t* low = nullptr;
        std::uint32_t* high = nullptr;
    };

    std::array<Words, static_cast<std::size_t>(Stat::kCount)> words_;
};

}  // namespace doorbell
