#pragma once

#include <vector>

#include "testbench/report/run_result.hpp"
#include "testbench/scenario/scenario.hpp"

namespace doorbell::checks {

/// Holds every expectation against the metrics of a run. One whose metric the run does not have has
/// failed: nothing passes by not being there.
[[nodiscard]] std::vector<report::ExpectationResult> evaluate(
    const std::vector<scenario::Expectation>& expectations, const report::MetricRegistry& metrics);

}  // namespace doorbell::checks
