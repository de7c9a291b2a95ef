#pragma once

#include <nlohmann/json.hpp>

#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"
#include "testbench/cli/run_plan.hpp"
#include "testbench/report/run_result.hpp"

namespace doorbell::cli {

/// Broken when it does not say.
[[nodiscard]] report::Verdict verdict_of(const nlohmann::json& result);

/// "the run could not be started: ..."
[[nodiscard]] std::string not_started_text(const ChildEnd& end);

/// What a run's process left in its folder. One that left nothing, or that ended in another way
/// than its result says (a sanitizer's finding at the end, a crash while it was put away), has
/// broken; a result that says so takes the place of the other.
[[nodiscard]] nlohmann::json child_result(const PlannedRun& run, const ChildEnd& end,
                                          const RunOptions& options, const ProgramPaths& paths);

}  // namespace doorbell::cli
