#pragma once

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/serve_options.hpp"

namespace doorbell::cli {

/// Serves one NIC at a Unix socket until it is told to stop; the exit code of `run` when
/// interrupted.
[[nodiscard]] int serve_command(const ServeOptions& options, const ProgramPaths& paths);

/// Asks a running server for its state and prints it.
[[nodiscard]] int inspect_command(const InspectOptions& options);

}  // namespace doorbell::cli
