#pragma once

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

/// `doorbell run`: reads all scenarios, then runs each point of each in a process of its own, and
/// reports. Returns the exit code: the worst of all.
[[nodiscard]] int run_command(const RunOptions& options, const ProgramPaths& paths);

}  // namespace doorbell::cli
