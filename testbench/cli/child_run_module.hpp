#pragma once

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

/// The child's half of `doorbell run`: one run in this process, evidence and result.json in its
/// folder. Returns the exit code.
[[nodiscard]] int child_run(const RunOptions& options, const ProgramPaths& paths);

}  // namespace doorbell::cli
