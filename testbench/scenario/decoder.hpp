#pragma once

#include <cstdint>
#include <string>

#include "testbench/scenario/config_node.hpp"
#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/knowledge.hpp"
#include "testbench/scenario/scenario.hpp"

namespace doorbell::scenario {

/// What a run adds to the file.
struct RunSettings {
    std::string out_folder;  ///< ${out}
    std::uint64_t seed = 1;  ///< ${seed}
};

/// Makes a scenario of a configuration without sweep. Every mistake is reported; the scenario is of
/// use only when none was.
[[nodiscard]] Scenario decode(const ConfigNode& root, const RunSettings& run,
                              const Knowledge& knowledge, Diagnostics& diagnostics);

}  // namespace doorbell::scenario
