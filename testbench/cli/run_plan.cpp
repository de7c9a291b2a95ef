#include "testbench/cli/run_plan.hpp"

#include <fmt/format.h>

#include <iostream>

#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::cli {
namespace {

const char* name_of(Capture capture) {
    switch (capture) {
        case Capture::kNone:
            return "none";
        case Capture::kWire:
            return "wire";
        case Capture::kAll:
            return "all";
    }
    return "wire";
}

}  // namespace

std::vector<std::string> child_command(const PlannedRun& run, const RunOptions& options,
                                       const ProgramPaths& paths) {
    std::vector<std::string> command = {paths.executable.string(), "run", run.file.string(),
                                        "--child"};
    const auto add = [&](std::string option, std::string value) {
        command.push_back(std::move(option));
        command.push_back(std::move(value));
    };
    add("--point", std::to_string(run.point));
    add("--seed", std::to_string(options.seed));
    add("--out", run.folder.string());
    add("--capture", name_of(options.capture));
    for (const std::string& set : options.sets) add("--set", set);
    for (const std::string& axis : options.sweep.axes) add("--axis", axis);
    if (!options.sweep.own) command.emplace_back("--no-sweep");
    if (options.hash) command.emplace_back("--hash");
    if (options.trace == Trace::kBinary) command.emplace_back("--trace=binary");
    if (options.trace == Trace::kJson) command.emplace_back("--trace=json");
    if (options.verbosity < 0) command.emplace_back("--quiet");
    for (int i = 0; i < options.verbosity; i++) command.emplace_back("--verbose");
    if (options.progress) command.emplace_back("--progress");
    return command;
}

std::string replay_command(const PlannedRun& run, const RunOptions& options,
                           const ProgramPaths& paths) {
    std::string command = shell_quoted(paths.command) + " run " + shell_quoted(run.scenario);
    for (const std::string& set : options.sets) command += " --set " + shell_quoted(set);
    for (const auto& [key, value] : run.point_settings) {
        command += " --set " + shell_quoted(key + "=" + value);
    }
    // One run, whatever its neighbours in the sweep change besides.
    if (!run.point_settings.empty() || !options.sweep.own) command += " --no-sweep";
    return command + fmt::format(" --seed {}", options.seed);
}

std::filesystem::path find_scenario(const ProgramPaths& paths, const std::string& name) {
    const std::filesystem::path file = scenario_path(paths, name);
    if (name.find('/') != std::string::npos || std::filesystem::exists(file)) return file;
    if (file.extension() == ".toml" && file == name) {
        std::cerr << fmt::format("error: {}: no such file\n", name);
        return {};
    }
    std::cerr << fmt::format("error: there is no scenario '{}'\n", name);
    const std::string help = scenario::suggestion(name, shipped_scenarios(paths));
    if (!help.empty()) std::cerr << "      = help: " << help << "\n";
    return {};
}

std::filesystem::path run_folder(const RunOptions& options, const std::string& name,
                                 bool several_scenarios, std::size_t points, std::size_t point) {
    std::filesystem::path folder = options.out.empty() ? std::filesystem::path("out") / name
                                                       : std::filesystem::path(options.out);
    if (several_scenarios && !options.out.empty()) folder /= name;
    if (points > 1) folder /= fmt::format("{:03}", point);
    return folder;
}

}  // namespace doorbell::cli
