#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testbench/qemu/differential/program.hpp"

namespace doorbell::differential {

/// The grammar: programs that a driver could be, chosen by (seed, index) and nothing else.
/// `left_out` names registers that random writes leave alone.
[[nodiscard]] Program generate(std::uint64_t seed, std::uint64_t index,
                               const std::vector<std::string>& left_out);

/// Names of what programs are about.
[[nodiscard]] std::vector<const char*> themes();

}  // namespace doorbell::differential
