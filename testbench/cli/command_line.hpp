#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include "testbench/cli/run_options.hpp"
#include "testbench/cli/serve_options.hpp"
#include "testbench/cli/sweep/sweep_options.hpp"

namespace doorbell::cli {

/// What the user typed, as CLI11 has read it.
struct CommandLine {
    RunOptions run;
    SweepOptions sweep;
    SweepTaskOptions sweep_task;
    ServeOptions serve;
    InspectOptions inspect;
    Format list_format = Format::kText;
    bool list_names = false;
    std::string topic = "scenario";
    std::vector<std::string> sets;       ///< Of describe and check.
    std::vector<std::string> scenarios;  ///< Of check.
    std::vector<std::string> registers;
    Format regs_format = Format::kText;
    std::vector<std::string> ctest_arguments;
    std::string shell;
};

/// The commands and options, reading into `line`, which outlives the result.
[[nodiscard]] std::unique_ptr<CLI::App> make_command_line(CommandLine& line);

}  // namespace doorbell::cli
