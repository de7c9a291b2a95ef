#include "testbench/cli/child_result.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

namespace doorbell::cli {

using nlohmann::json;
using report::Verdict;

std::string not_started_text(const ChildEnd& end) {
    return "the run could not be started" + (end.why.empty() ? "" : ": " + end.why);
}

Verdict verdict_of(const json& result) {
    const auto found = result.find("verdict");
    const std::string text =
        found != result.end() && found->is_string() ? found->get<std::string>() : "";
    for (const Verdict verdict :
         {Verdict::kPass, Verdict::kFail, Verdict::kError, Verdict::kBroken}) {
        if (text == to_string(verdict)) return verdict;
    }
    return Verdict::kBroken;
}

namespace {

/// How a user looks into a process that a signal ended.
void add_ways_to_find_out(report::RunResult& result, const PlannedRun& run,
                          const RunOptions& options, const ProgramPaths& paths) {
    std::string command;
    for (const std::string& word : child_command(run, options, paths)) {
        command += " " + shell_quoted(word);
    }
    result.failures.push_back("debugger: gdb --args" + command);
    ProgramPaths sanitized = paths;
    sanitized.command = "build/asan-ubsan/bin/doorbell";
    result.failures.push_back("sanitizers: ./doorbell build asan-ubsan && " +
                              replay_command(run, options, sanitized));
}

/// What a run that died wrote until then; a capture may end in the middle of a frame.
void list_what_it_left(report::RunResult& result, const std::filesystem::path& folder) {
    result.artifacts["result"] = "result.json";
    const auto add = [&](const char* kind, const char* file) {
        std::error_code error;
        if (std::filesystem::exists(folder / file, error)) result.artifacts[kind] = file;
    };
    add("configuration", "resolved.toml");
    add("capture", "wire.pcapng");
    add("trace", "events.trace");
    add("trace", "events.jsonl");
}

}  // namespace

json child_result(const PlannedRun& run, const ChildEnd& end, const RunOptions& options,
                  const ProgramPaths& paths) {
    const std::filesystem::path file = run.folder / "result.json";
    std::ifstream stream(file);
    json result = json::parse(stream, nullptr, false);
    const bool whole = !result.is_discarded() && result.is_object();
    if (whole && end.exit_code == static_cast<int>(verdict_of(result))) return result;

    report::RunResult broken;
    broken.scenario = run.name;
    broken.settings.insert(run.point_settings.begin(), run.point_settings.end());
    broken.seed = options.seed;
    broken.replay = replay_command(run, options, paths);
    // Killed on the user's behalf, or never begun: nothing broke.
    const bool stopped = !end.started || end.signal == SIGINT || end.signal == SIGTERM;
    broken.verdict = stopped ? Verdict::kError : Verdict::kBroken;
    if (end.withheld) {
        // Its folder is left alone: nothing of this run is in it.
        broken.failures.emplace_back("not started: interrupted");
        return to_json(broken);
    }
    if (!end.started) {
        broken.failures.push_back(not_started_text(end));
    } else if (stopped) {
        broken.failures.push_back(fmt::format("interrupted by {}", end.text()));
    } else {
        broken.failures.push_back(fmt::format("the run ended with {}", end.text()));
        if (end.signal != 0) add_ways_to_find_out(broken, run, options, paths);
    }
    list_what_it_left(broken, run.folder);
    result = to_json(broken);
    std::ofstream(file) << result.dump(2) << "\n";
    return result;
}

}  // namespace doorbell::cli
