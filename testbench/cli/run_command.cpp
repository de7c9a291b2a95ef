#include "testbench/cli/run_command.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>

#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/child_result.hpp"
#include "testbench/cli/program_knowledge.hpp"
#include "testbench/cli/run_plan.hpp"
#include "testbench/cli/terminal.hpp"
#include "testbench/report/run_result.hpp"
#include "testbench/report/text_report.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {
namespace {

using nlohmann::json;
using report::Verdict;

/// Reads every scenario and point; prints all mistakes. Empty when there was one.
std::vector<PlannedRun> plan(const RunOptions& options, const ProgramPaths& paths) {
    std::vector<PlannedRun> runs;
    bool good = true;
    for (const std::string& name : options.scenarios) {
        const std::filesystem::path file = find_scenario(paths, name);
        if (file.empty()) {
            good = false;
            continue;
        }
        const scenario::ScenarioFile read(file, options.sets, options.sweep);
        if (!read.good()) {
            std::cerr << read.diagnostics().text();
            good = false;
            continue;
        }
        const ProgramKnowledge knowledge(paths, file.parent_path());
        for (std::size_t point = 0; point < read.points(); point++) {
            scenario::Diagnostics diagnostics;
            PlannedRun run{name, {}, file, {}, point, read.point(point)};
            // The folder goes by the scenario's name, and ${out} is the folder: the second reading
            // is the one that counts.
            scenario::Diagnostics first;
            run.name = read.decode(point, {"out", options.seed}, knowledge, first).name;
            run.folder =
                run_folder(options, run.name, options.scenarios.size() > 1, read.points(), point);
            (void)read.decode(point, {run.folder.string(), options.seed}, knowledge, diagnostics);
            if (!diagnostics.empty()) {
                std::cerr << diagnostics.text();
                good = false;
                break;
            }
            const auto same = [&](const PlannedRun& other) { return other.folder == run.folder; };
            if (std::any_of(runs.begin(), runs.end(), same)) {
                std::cerr << fmt::format(
                    "error: two runs would leave their evidence in '{}': '{}' is named twice, or "
                    "two "
                    "scenarios have one name\n",
                    run.folder.string(), run.name);
                good = false;
                break;
            }
            runs.push_back(std::move(run));
        }
    }
    if (!good) runs.clear();
    return runs;
}

bool prepare_folder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (error) {
        std::cerr << fmt::format("error: cannot make the folder '{}': {}\n", folder.string(),
                                 error.message());
        return false;
    }
    for (const char* name : kEvidenceFiles) {
        if (!std::filesystem::is_directory(folder / name, error)) continue;
        std::cerr << fmt::format("error: '{}' is a folder, where the evidence has its place\n",
                                 (folder / name).string());
        return false;
    }
    return true;
}

/// What an older run left must not be taken for this one's. Only when it starts: what an
/// interrupted sweep did not come to keeps what it had.
bool remove_old_evidence(const std::filesystem::path& folder) {
    std::error_code error;
    for (const char* name : kEvidenceFiles) {
        std::filesystem::remove(folder / name, error);
        if (!error) continue;
        std::cerr << fmt::format("error: cannot remove '{}' of an earlier run: {}\n",
                                 (folder / name).string(), error.message());
        return false;
    }
    return true;
}

bool write_junit(const RunOptions& options, const json& results) {
    if (options.junit.empty()) return true;
    std::ofstream file(options.junit);
    file << report::junit_report(results);
    file.close();
    if (file) return true;
    std::cerr << fmt::format("error: '{}' cannot be written: {}\n", options.junit,
                             std::strerror(errno));
    return false;
}

/// Whether the report can be written, found out before anything runs.
bool junit_can_be_written(const RunOptions& options) {
    if (options.junit.empty()) return true;
    if (std::ofstream(options.junit, std::ios::app)) return true;
    std::cerr << fmt::format("error: '{}' cannot be written: {}\n", options.junit,
                             std::strerror(errno));
    return false;
}

/// The parent's half: one process for each run.
int run_all(const RunOptions& options, const ProgramPaths& paths) {
    if (!junit_can_be_written(options)) return static_cast<int>(Verdict::kError);
    const std::vector<PlannedRun> runs = plan(options, paths);
    if (runs.empty()) return static_cast<int>(Verdict::kError);
    RunOptions child_options = options;
    child_options.progress = options.verbosity >= 0 && is_terminal(STDERR_FILENO) &&
                             (runs.size() == 1 || options.jobs == 1);
    std::vector<std::vector<std::string>> commands;
    for (const PlannedRun& run : runs) {
        if (!prepare_folder(run.folder)) return static_cast<int>(Verdict::kError);
        commands.push_back(child_command(run, child_options, paths));
    }

    json results = json::array();
    for (std::size_t i = 0; i < runs.size(); i++) results.push_back(nullptr);
    std::size_t shown = 0;
    const report::TextOptions text{use_colour(options.colour, STDOUT_FILENO), options.verbosity};
    std::size_t withheld = 0;
    const auto starting = [&](std::size_t i) { return remove_old_evidence(runs[i].folder); };
    const auto ended = [&](std::size_t index, const ChildEnd& end) {
        withheld += end.withheld ? 1 : 0;
        results[index] = child_result(runs[index], end, options, paths);
        // In the order of the plan, whatever the order in which they end.
        for (; shown < runs.size() - withheld && !results[shown].is_null(); shown++) {
            const std::string report =
                report::text_report(results[shown], runs[shown].folder.string(), text);
            if (options.format == Format::kText) {
                std::cout << report << std::flush;
            } else if (verdict_of(results[shown]) != Verdict::kPass) {
                std::cerr << report::text_report(results[shown], runs[shown].folder.string(),
                                                 {false, -1});
            }
        }
    };
    const int interrupted = run_children(commands, options.jobs, ended, starting);

    if (options.format == Format::kJson) {
        const bool one = runs.size() == 1;
        std::cout << (one ? results[0] : results).dump(2) << "\n";
    }
    Verdict worst = Verdict::kPass;
    for (const json& result : results) worst = std::max(worst, verdict_of(result));
    if (!write_junit(options, results)) worst = std::max(worst, Verdict::kError);
    if (interrupted != 0) {
        // A progress line may still stand there.
        std::cerr << (child_options.progress ? "\r\x1b[K" : "") << "interrupted";
        if (withheld != 0) {
            std::cerr << fmt::format(": {} of {} runs not started", withheld, runs.size());
        }
        std::cerr << "\n";
        return interrupted_exit_code(interrupted);
    }
    return static_cast<int>(worst);
}

}  // namespace

int run_command(const RunOptions& options, const ProgramPaths& paths) {
    return run_all(options, paths);
}

}  // namespace doorbell::cli
