#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "testbench/cli/run_plan.hpp"
#include "testbench/cli/sweep/file_digests.hpp"
#include "testbench/cli/sweep/sweep_options.hpp"
#include "testbench/report/metric_catalogue.hpp"

namespace doorbell::cli {

/// A point of a sweep: one run with one seed.
struct SweepPoint {
    PlannedRun run;
    std::uint64_t seed = 1;
    /// What makes the run what it is: equal for two runs that cannot differ.
    std::string identity;
    /// Files it depends on that nobody may change while the sweep runs.
    std::vector<std::string> files;
    /// Words of its programs, and the digests of the files that some of them name. Which of those
    /// it reads and which it writes is known when it has run.
    std::map<std::string, std::string> words;
    [[nodiscard]] std::string label() const;  ///< "workload.size=64 seed=1", for people.
};

struct SweepPlan {
    std::string name;  ///< The scenario's.
    std::filesystem::path out;
    RunOptions run;                 ///< Of each point, but for its seed.
    std::vector<std::string> axes;  ///< Keys that vary, in the order of the table's columns.
    std::vector<SweepPoint> points;
    std::map<std::string, std::string> digests;           ///< Of the points' files.
    std::vector<std::string> metrics;                     ///< Patterns of the table's columns.
    std::vector<report::MetricDescription> metric_texts;  ///< '*' for what varies in a name.

    [[nodiscard]] RunOptions options_of(const SweepPoint& point) const;
    /// nullptr when the catalogue has none of that name.
    [[nodiscard]] const report::MetricDescription* describe(const std::string& metric) const;
};

/// Reads the scenario and every point of it; prints all mistakes and returns nothing when there is
/// one.
[[nodiscard]] std::optional<SweepPlan> plan_sweep(const SweepOptions& options,
                                                  const ProgramPaths& paths);

/// The folder of a point below the sweep's: by its settings, so that it keeps its place when an
/// axis grows. What a file system would not take is replaced, and a hash tells apart what that made
/// equal.
[[nodiscard]] std::string point_folder(
    const std::vector<std::pair<std::string, std::string>>& settings, std::uint64_t seed);

/// A file of the plan that is another than it was planned with; empty when none is.
[[nodiscard]] std::string changed_file(const SweepPlan& plan, const SweepPoint& point,
                                       FileDigests& digests);

/// What a process elsewhere needs to run points; `paths` are this program's.
[[nodiscard]] nlohmann::json to_json(const SweepPlan& plan,
                                     const std::vector<const SweepPoint*>& points);
[[nodiscard]] SweepPlan plan_from_json(const nlohmann::json& json);

}  // namespace doorbell::cli
