#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

/// Everything a run may leave in its folder: its own evidence.
inline constexpr const char* kEvidenceFiles[] = {"result.json", "wire.pcapng", "events.trace",
                                                 "events.jsonl", "resolved.toml"};

/// One process to run: a scenario at a point of its sweep.
struct PlannedRun {
    std::string scenario;  ///< As the user named it.
    std::string name;      ///< The scenario's own name.
    std::filesystem::path file;
    std::filesystem::path folder;  ///< For its evidence.
    std::size_t point = 0;
    std::vector<std::pair<std::string, std::string>> point_settings;
};

/// The command with which this program does one run in a process.
[[nodiscard]] std::vector<std::string> child_command(const PlannedRun& run,
                                                     const RunOptions& options,
                                                     const ProgramPaths& paths);
/// The one command with which a user does a run again.
[[nodiscard]] std::string replay_command(const PlannedRun& run, const RunOptions& options,
                                         const ProgramPaths& paths);
/// The file of a scenario as the user named it; empty, and said on stderr, when there is none.
[[nodiscard]] std::filesystem::path find_scenario(const ProgramPaths& paths,
                                                  const std::string& name);
/// Where the evidence of a run goes. `several`: more than one scenario, or a sweep.
[[nodiscard]] std::filesystem::path run_folder(const RunOptions& options, const std::string& name,
                                               bool several_scenarios, std::size_t points,
                                               std::size_t point);

}  // namespace doorbell::cli
