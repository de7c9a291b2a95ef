#include "hw/pcie/memory_latency.hpp"

#include <array>
#include <cassert>

namespace doorbell {

namespace {

constexpr std::size_t kPoints = 13;
constexpr std::uint64_t kMillion = 1'000'000;
/// Shares of the reads, per million; the median is the fifth.
constexpr std::array<std::uint32_t, kPoints> kRanks = {0,       10'000,  50'000,   250'000, 500'000,
                                                       750'000, 900'000, 950'000,  990'000, 995'000,
                                                       999'000, 999'900, 1'000'000};
constexpr std::size_t kMedian = 4;

/// Nanoseconds that so many of the reads took at most. The card counts in units of 13.3 ns; a
/// reading stands for the half unit before and behind it.
using Quantiles = std::array<std::uint32_t, kPoints>;

struct Measured {
    Quantiles warm, cold;
};
// Rarer than one in a hundred thousand are reads that a host's own interrupts held for 10 us: the
// last point of the warm rows leaves those out. The E3's rows end before the milliseconds of its
// power management.
constexpr std::array<Measured, 6> kMeasured = {{
    // Haswell E5-2637 v3
    {{540, 563, 581, 589, 598, 604, 612, 616, 620, 624, 632, 645, 667},
     {620, 623, 633, 637, 642, 647, 657, 660, 873, 895, 923, 966, 1'080}},
    // Haswell E5-2620 v3
    {{513, 537, 541, 546, 552, 559, 564, 566, 575, 596, 606, 743, 1'007},
     {580, 582, 590, 596, 600, 604, 606, 614, 762, 826, 867, 922, 1'047}},
    // Broadwell E5-2630 v4
    {{513, 536, 542, 554, 558, 563, 566, 567, 578, 579, 590, 599, 627},
     {580, 593, 594, 597, 602, 606, 614, 619, 890, 929, 962, 1'015, 1'167}},
    // Ivy Bridge E5-2620 v2
    {{527, 546, 554, 560, 568, 574, 578, 579, 585, 590, 593, 605, 673},
     {593, 607, 608, 613, 620, 627, 632, 633, 728, 761, 793, 846, 953}},
    // Sandy Bridge E5-2630
    {{513, 534, 542, 554, 559, 564, 568, 574, 580, 621, 724, 752, 780},
     {580, 594, 597, 608, 613, 618, 624, 631, 751, 768, 802, 845, 1'033}},
    // Haswell E3-1226 v3
    {{500, 1'144, 1'155, 1'207, 1'219, 1'995, 2'219, 3'477, 5'775, 11'410, 12'666, 12'700, 12'733},
     {487, 1'142, 1'154, 1'207, 1'218, 1'992, 2'218, 3'476, 5'689, 6'564, 11'984, 12'000, 12'033}},
}};

/// What of those is not the memory's: 24 bytes up and 84 down a Gen3 x8 link (57.885 Gb/s), 200 ns
/// each way, and the delivery of 64 bytes.
constexpr Picoseconds kLinkPart_ps = 424'300;
/// The slope of the medians measured at 4, 16, 32, 64, 256, 768, 1280 and 2048 bytes, by least
/// squares, less the link's: the card moves what it has read on into its own memory. The sizes
/// between them were left to be predicted. The same on every host, as it should be.
constexpr Picoseconds kMeasuredDelivery_ps_per_byte = 146;

Picoseconds quantile_ps(const Quantiles& quantiles, std::uint64_t rank) {
    std::size_t i = 1;
    while (rank >= kRanks[i]) i++;
    const std::uint64_t low_ps = quantiles[i - 1] * 1'000u, high_ps = quantiles[i] * 1'000u;
    const std::uint64_t into = rank - kRanks[i - 1], span = kRanks[i] - kRanks[i - 1];
    return low_ps + (high_ps - low_ps) * into / span;
}

/// The inverse of the distribution with which pcie-bench's paper describes a 64-byte read, linear
/// between its points. Below the median it gives no figure: half of the reads are spread evenly
/// over the 20 ns before it.
Picoseconds published_spread(Picoseconds median_ps, std::uint64_t rank) {
    if (rank < 5'000) {
        const Picoseconds early_ps = nanoseconds(20) * (5'000 - rank) / 5'000;
        return median_ps > early_ps ? median_ps - early_ps : 0;
    }
    if (rank < 9'500) return median_ps + nanoseconds(53) * (rank - 5'000) / 4'500;
    if (rank < 9'990) {
        return median_ps + nanoseconds(53) + nanoseconds(253) * (rank - 9'500) / 490;
    }
    return median_ps + nanoseconds(306);
}

}  // namespace

MemoryLatency::MemoryLatency(const MemoryLatencyParams& params)
    : params_(params),
      constant_(params.host == MeasuredHost::kNone && !params.memory_latency_spread),
      median_ps_(params.memory_latency_ps + (params.remote_numa ? params.remote_numa_ps : 0)),
      delivery_ps_per_byte_(params.host == MeasuredHost::kNone ? params.delivery_ps_per_byte
                                                               : kMeasuredDelivery_ps_per_byte) {
    assert(params.llc_cold_percent <= 100);
}

Picoseconds MemoryLatency::draw_spread(Prng& prng) const {
    if (params_.host == MeasuredHost::kNone)
        return published_spread(median_ps_, prng.below(10'000));
    const Measured& host = kMeasured[static_cast<std::size_t>(params_.host) - 1];
    const bool cold = prng.below(100) < params_.llc_cold_percent;
    const Quantiles& quantiles = cold ? host.cold : host.warm;
    const std::uint64_t rank = prng.below(kMillion);
    Picoseconds latency_ps = quantile_ps(quantiles, rank) - kLinkPart_ps;
    if (params_.remote_numa) latency_ps += params_.remote_numa_ps;
    if (!cold) return latency_ps;
    // The cold row around its own median, and that where the parameter puts it.
    return latency_ps + host.warm[kMedian] * Picoseconds{1'000} + params_.llc_cold_ps -
           host.cold[kMedian] * Picoseconds{1'000};
}

}  // namespace doorbell
