#include "testbench/cli/child_result.hpp"

#include <fmt/format.h>

#include <csignal>
#include <fstream>

namespace doorbell::cli {

using nlohmann::json;
using report::Verdict;

Verdict verdict_of(const json& result) {
    const std::string text = result["verdict"];
    for (const Verdict verdict :
         {Verdict::kPass, Verdict::kFail, Verdict::kError, Verdict::kBroken}) {
        if (text == to_string(verdict)) return verdict;
    }
    return Verdict::kBroken;
}

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
    broken.failures.push_back(fmt::format("the run ended with {}", end.text()));
    result = to_json(broken);
    std::ofstream(file) << result.dump(2) << "\n";
    return result;
}

}  // namespace doorbell::cli
