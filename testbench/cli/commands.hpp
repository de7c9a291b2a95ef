#pragma once

#include <string>
#include <vector>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"

/// The commands besides `run`. Each returns the exit code.
namespace doorbell::cli {

/// The scenarios that ship, with their descriptions.
[[nodiscard]] int list_command(const ProgramPaths& paths, Format format, bool names_only);

/// "scenario", "metrics", "nic", "guest", "events", or a scenario.
[[nodiscard]] int describe_command(const ProgramPaths& paths, const std::string& topic,
                                   const std::vector<std::string>& sets);

/// Decodes scenarios, every point of their sweeps, and runs none.
[[nodiscard]] int check_command(const ProgramPaths& paths,
                                const std::vector<std::string>& scenarios,
                                const std::vector<std::string>& sets);

/// The register map, one register, or a decoded value.
[[nodiscard]] int regs_command(const std::vector<std::string>& arguments, Format format);

/// The tests of the build tree the program stands in. A run of fewer tests than are registered has
/// failed.
[[nodiscard]] int test_command(const ProgramPaths& paths,
                               const std::vector<std::string>& ctest_arguments);

}  // namespace doorbell::cli
