#pragma once

#include <cstdint>

#include "hw/base/prng.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// A host whose answers to DMA reads have been measured and published.
enum class MeasuredHost : std::uint8_t {
    kNone,
    kHaswellE5,      ///< Xeon E5-2637 v3, the one of the paper's figures.
    kHaswellE52620,  ///< Xeon E5-2620 v3
    kBroadwellE5,    ///< Xeon E5-2630 v4
    kIvyBridgeE5,    ///< Xeon E5-2620 v2
    kSandyBridgeE5,  ///< Xeon E5-2630
    kHaswellE3,      ///< Xeon E3-1226 v3
};

struct MemoryLatencyParams {
    /// Without a measured host: the median.
    Picoseconds memory_latency_ps = nanoseconds(185);
    /// Without a measured host: 95 % within +53 ns of the median, 99.9 % within +306 ns. Off:
    /// always the median.
    bool memory_latency_spread = false;

    MeasuredHost host = MeasuredHost::kNone;
    /// With a measured host: how many reads find their data not in the last-level cache, and how
    /// much later the median of those is. The paper's figures mix both: medians with a warm cache,
    /// 95 % and 99.9 % with a cold one. A share of 15 % has all of them.
    std::uint32_t llc_cold_percent = 15;
    Picoseconds llc_cold_ps = nanoseconds(40);
    /// The memory hangs on the other socket.
    bool remote_numa = false;
    Picoseconds remote_numa_ps = nanoseconds(107);

    /// From the link into the device's own memory, per byte of a read, after its last completion.
    /// Without a measured host: this; with one: what was measured.
    Picoseconds delivery_ps_per_byte = 0;
};

/// How long memory takes to answer a read request.
///
/// The measured ones are those of pcie-bench (Neugebauer et al., "Understanding PCIe performance
/// for end host networking", SIGCOMM 2018; data: github.com/pcie-bench/data, lat_dma_details_cdf of
/// an NFP-6000 in a Gen3 x8 slot: 2^24 reads of 64 bytes from a window of 8 KiB), of which the
/// idle link's part has been taken away.
class MemoryLatency {
public:
    explicit MemoryLatency(const MemoryLatencyParams& params);

    [[nodiscard]] Picoseconds draw(Prng& prng) const {
        return constant_ ? median_ps_ : draw_spread(prng);
    }
    [[nodiscard]] Picoseconds delivery_ps_per_byte() const { return delivery_ps_per_byte_; }

private:
    [[nodiscard]] Picoseconds draw_spread(Prng& prng) const;

    MemoryLatencyParams params_;
    bool constant_;
    Picoseconds median_ps_;
    Picoseconds delivery_ps_per_byte_;
};

}  // namespace doorbell
