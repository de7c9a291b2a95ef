#pragma once

#include <cstdint>

#include "hw/pcie/pcie_link.hpp"
#include "testbench/pcie_bench/load.hpp"

/// The closed formulas of pcie-bench's bandwidth model: what the bytes on the link allow when
/// nothing waits for anything. What is played is held against them, so they share nothing with the
/// link's own arithmetic but its parameters. Data travels in whole dwords.
namespace doorbell::pcie_bench {

/// Of each direction when both run.
[[nodiscard]] double dma_gbps(const DmaLoad& load, const PcieLinkParams& link);

/// Bytes on the link for one packet sent and one received.
struct PacketBytes {
    double upstream = 0;
    double downstream = 0;
};
[[nodiscard]] PacketBytes packet_bytes(const DisciplineLoad& load, const PcieLinkParams& link);
/// Data of each direction when both run; at most what the wire carries.
[[nodiscard]] double discipline_gbps(const DisciplineLoad& load, const PcieLinkParams& link);
/// Data that the wire carries; 0 when it bounds nothing.
[[nodiscard]] double wire_gbps(const DisciplineLoad& load);

}  // namespace doorbell::pcie_bench
