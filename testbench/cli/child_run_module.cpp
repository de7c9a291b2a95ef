#include "testbench/cli/child_run_module.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "hw/nic/nic_params.hpp"
#include "testbench/cli/program_knowledge.hpp"
#include "testbench/cli/run_plan.hpp"
#include "testbench/cli/simulation_module.hpp"
#include "testbench/cli/terminal.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {
namespace {

using report::RunResult;
using report::Verdict;

/// The configuration a run had, defaults of the NIC's parameters included: a scenario file that
/// runs the same.
std::string resolved_text(const scenario::ScenarioFile& file, std::size_t point,
                          std::uint64_t seed) {
    auto root = file.resolved(point);
    std::string text = fmt::format("# What this run was; run it again with --seed {}.\n", seed);
    text += scenario::to_toml(*root);
    text += "\n# Parameters of a NIC that stand nowhere above have these values:\n";
    const NicParams defaults;
    for (const NicParam& param : nic_param_table()) {
        text += fmt::format("#   {} = {}\n", param.name, to_string(get_nic_param(defaults, param)));
    }
    return text;
}

/// An output an earlier run left must not be taken for this one's: were nothing written, it would
/// be compared, and found good. What is no plain file (a link, /dev/null) is left alone.
void remove_old_outputs(const scenario::Scenario& scenario) {
    namespace fs = std::filesystem;
    for (const scenario::Verification& verification : scenario.verifications) {
        std::error_code ignored;
        const fs::path output = verification.output;
        if (fs::is_regular_file(fs::symlink_status(output, ignored))) fs::remove(output, ignored);
    }
}

void describe_run(RunResult& result, const PlannedRun& run, const RunOptions& options,
                  const ProgramPaths& paths) {
    result.scenario = run.name;
    result.seed = options.seed;
    for (const std::string& set : options.sets) {
        const std::size_t equals = set.find('=');
        result.settings[set.substr(0, equals)] = set.substr(equals + 1);
    }
    result.settings.insert(run.point_settings.begin(), run.point_settings.end());
    result.replay = replay_command(run, options, paths);
}

}  // namespace

int child_run(const RunOptions& options, const ProgramPaths& paths) {
    const std::filesystem::path file_path = options.scenarios.at(0);
    const scenario::ScenarioFile file(file_path, options.sets, options.sweep);
    if (!file.good()) {
        std::cerr << file.diagnostics().text();
        return static_cast<int>(Verdict::kError);
    }
    const ProgramKnowledge knowledge(paths, file_path.parent_path());
    scenario::Diagnostics diagnostics;
    const scenario::Scenario scenario =
        file.decode(options.point, {options.out, options.seed}, knowledge, diagnostics);
    if (!diagnostics.empty()) {
        std::cerr << diagnostics.text();
        return static_cast<int>(Verdict::kError);
    }

    RunResult result;
    // Shipped scenarios go by their name.
    std::string name = file_path.string();
    if (scenario_path(paths, scenario.name) == file_path) name = scenario.name;
    describe_run(
        result,
        {name, scenario.name, file_path, options.out, options.point, file.point(options.point)},
        options, paths);
    SimulationOptions simulation_options;
    simulation_options.seed = options.seed;
    simulation_options.folder = options.out;
    simulation_options.scenario_folder = file_path.parent_path();
    simulation_options.capture = options.capture;
    simulation_options.trace = options.trace;
    simulation_options.hash = options.hash;
    std::unique_ptr<ProgressLine> progress;
    if (options.progress) {
        progress = std::make_unique<ProgressLine>(scenario.name);
        simulation_options.progress = [&](Picoseconds now_ps) { progress->update(now_ps); };
    }

    const std::filesystem::path folder = options.out;
    std::ofstream(folder / "resolved.toml") << resolved_text(file, options.point, options.seed);
    result.artifacts["configuration"] = "resolved.toml";
    remove_old_outputs(scenario);
    Simulation simulation(scenario, simulation_options, paths);
    simulation.run(result);
    progress.reset();
    result.artifacts["result"] = "result.json";
    std::ofstream out(folder / "result.json");
    // What a guest said need not be UTF-8.
    out << to_json(result).dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    out.close();
    if (!out) {
        std::cerr << fmt::format("error: '{}' cannot be written\n",
                                 (folder / "result.json").string());
        return static_cast<int>(Verdict::kError);
    }
    return static_cast<int>(result.verdict);
}

}  // namespace doorbell::cli
