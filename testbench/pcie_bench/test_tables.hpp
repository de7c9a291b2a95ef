#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "hw/pcie/pcie_link.hpp"
#include "testbench/pcie_bench/load.hpp"

/// What the tests hold formulas and players against: figures of pcie-bench's model for Gen3 x8, MPS
/// 256, MRRS 512, RCB 64, in Gb/s of each direction.
namespace doorbell::pcie_bench {

inline PcieLinkParams gen3_x8() {
    PcieLinkParams params;
    params.generation = 3;
    params.lanes = 8;
    params.max_payload_bytes = 256;
    params.max_read_request_bytes = 512;
    params.read_completion_boundary_bytes = 64;
    return params;
}

struct BandwidthRow {
    std::uint32_t frame_bytes;  ///< With the FCS, which PCIe does not move.
    double write, read, both;
};
inline constexpr BandwidthRow kBandwidth[] = {{64, 41.35, 43.41, 32.16},
                                              {256, 52.85, 53.63, 48.62},
                                              {512, 52.89, 53.66, 50.70},
                                              {1024, 52.91, 53.67, 50.72}};

struct DisciplineRow {
    std::uint32_t frame_bytes;
    double ethernet;  ///< What 40 Gb/s Ethernet carries.
    double simple, kernel, dpdk;

    [[nodiscard]] std::array<std::pair<Discipline, double>, 3> columns() const {
        return {{{Discipline::kSimple, simple},
                 {Discipline::kKernel, kernel},
                 {Discipline::kDpdk, dpdk}}};
    }
};
inline constexpr DisciplineRow kDisciplines[] = {{64, 28.57, 11.58, 15.72, 18.07},
                                                 {256, 36.52, 29.65, 35.32, 37.97},
                                                 {512, 38.20, 38.09, 42.44, 44.27},
                                                 {1024, 39.08, 43.54, 46.24, 47.30}};

}  // namespace doorbell::pcie_bench
