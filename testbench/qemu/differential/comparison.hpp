#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "testbench/qemu/differential/device.hpp"
#include "testbench/qemu/differential/known_gaps.hpp"

namespace doorbell::differential {

/// The first thing that differs and that no gap explains.
struct Difference {
    Observation model;
    Observation qemu;
    std::size_t word = 0;
    std::string what;  ///< One sentence, when it is not a matter of bits.
};

/// Compares what two devices did with one program; counts the gaps that were needed. Ends at the
/// first difference (what follows is mostly its consequence) unless all are wanted.
[[nodiscard]] std::vector<Difference> compare(const Program& program,
                                              const std::vector<Observation>& model,
                                              const std::vector<Observation>& qemu,
                                              std::vector<Gap>& gaps, bool all = false);

/// Both values, decoded by the contract.
[[nodiscard]] std::string describe(const Program& program, const Difference& difference);

/// The smallest program found by leaving out operations for which `still_fails` holds.
[[nodiscard]] Program shrink(const Program& program,
                             const std::function<bool(const Program&)>& still_fails);

}  // namespace doorbell::differential
