#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/sweep/sweep_plan.hpp"

namespace doorbell::cli {

/// What a point left, and where and how long it ran: host times are kept apart from the result.
struct PointResult {
    nlohmann::json result;  ///< result.json
    std::string host;
    double wall_s = 0;
};

/// The result in a point's folder, when it is this very point's and whole: the stamp beside it,
/// which is written last, names the point's identity, the files it read, and the result.
[[nodiscard]] std::optional<PointResult> read_result(const SweepPoint& point);
/// Whether a result is kept when the sweep is run again. What broke, or was the machine's fault,
/// is tried anew.
[[nodiscard]] bool is_final(const PointResult& result);
/// What is in the folder is no result of this point any more.
void forget_result(const SweepPoint& point);

/// How a point ended.
struct PointEnd {
    std::optional<PointResult> result;
    std::string why;       ///< There is none because ...
    bool pending = false;  ///< ... it is still to come, from where it was handed to.
};

/// Runs points in processes, at most `jobs` at a time, and stamps what they leave. Returns the
/// signal that interrupted us, 0 when none did; what had not ended then has no result.
int run_points(const SweepPlan& plan, const std::vector<const SweepPoint*>& points,
               const ProgramPaths& paths, unsigned jobs,
               const std::function<void(const SweepPoint&, const PointEnd&)>& ended);

}  // namespace doorbell::cli
