#pragma once

#include <cstdint>

#include "hw/base/metrics.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/descriptor_ring.hpp"

/// What the registers and metrics of both directions have in common.
namespace doorbell {

/// Lengths are in units of 128 bytes (specification 5.1).
inline constexpr std::uint32_t kRingLengthUnit = 128;

inline RingGeometry make_geometry(std::uint32_t low, std::uint32_t high, std::uint32_t length) {
    return {std::uint64_t{high} << 32 | low, length * kRingLengthUnit};
}
inline RingGeometry tx_geometry(const regs::RegisterFile& registers, std::uint32_t queue) {
    using namespace regs::i82574l;
    return make_geometry(registers.word(TDBAL, queue), registers.word(TDBAH, queue),
                         registers.get(TDLEN_LEN, queue));
}
inline RingGeometry rx_geometry(const regs::RegisterFile& registers, std::uint32_t queue) {
    using namespace regs::i82574l;
    return make_geometry(registers.word(RDBAL, queue), registers.word(RDBAH, queue),
                         registers.get(RDLEN_LEN, queue));
}

/// The unit of the thresholds while GRAN is 0.
constexpr std::uint32_t descriptors_per_line(std::uint32_t cache_line_bytes) {
    const std::uint32_t fit = cache_line_bytes / RingGeometry::kDescriptorBytes;
    return fit > 0 ? fit : 1;
}

void visit_ring_metrics(MetricVisitor& visitor, Direction direction,
                        const DescriptorRing::Counters& counters);

}  // namespace doorbell
