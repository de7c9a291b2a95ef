#pragma once

#include <cassert>
#include <cstdint>

#include "testbench/pcie_bench/load.hpp"

namespace doorbell::pcie_bench {

/// How often, in packets, driver and device do what a packet costs besides its data. 0: never.
struct DirectionRules {
    std::uint32_t tail_every;        ///< Descriptors that one write of the tail announces.
    std::uint32_t fetch;             ///< Descriptors that one read fetches.
    std::uint32_t write_back_every;  ///< Descriptors that one write gives back.
    std::uint32_t interrupt_every;
    std::uint32_t head_read_every;
};

struct DisciplineRules {
    DirectionRules tx;
    DirectionRules rx;
};

/// The three of pcie-bench's model (Neugebauer et al., SIGCOMM 2018, section 3): a simple NIC, an
/// 82599 below a kernel's driver, and below one that polls.
constexpr DisciplineRules rules_of(Discipline discipline) {
    switch (discipline) {
        case Discipline::kSimple:
            return {{1, 1, 0, 1, 1}, {1, 1, 1, 1, 1}};
        case Discipline::kKernel:
            return {{1, 40, 8, 32, 1}, {32, 1, 1, 32, 8}};
        case Discipline::kDpdk:
            return {{32, 40, 8, 0, 0}, {32, 1, 1, 0, 0}};
    }
    assert(false && "a discipline is one of three");
    return {};
}

inline constexpr std::uint32_t kDescriptorBytes = 16;

}  // namespace doorbell::pcie_bench
