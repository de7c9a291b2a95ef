#pragma once

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/sweep/sweep_options.hpp"

namespace doorbell::cli {

/// `doorbell sweep`: runs the points that have no result yet, here or by Slurm, and writes one
/// table of all. Returns the exit code: the worst verdict.
[[nodiscard]] int sweep_command(const SweepOptions& options, const ProgramPaths& paths);

}  // namespace doorbell::cli
