#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "testbench/report/metric_registry.hpp"

namespace doorbell::report {

/// How a run ended; the number is the exit code.
enum class Verdict : int {
    kPass = 0,
    kFail = 1,    ///< An expectation did not hold, or the time was up.
    kError = 2,   ///< The user's: command line, scenario, files.
    kBroken = 3,  ///< The model or the driver broke.
};
[[nodiscard]] const char* to_string(Verdict verdict);

struct ExpectationResult {
    std::string text;  ///< As the scenario says it: "workload.identical == 1".
    std::string why;   ///< The scenario's reason; may be empty.
    std::optional<MetricValue> actual;
    std::optional<MetricValue> limit;
    bool passed = false;
};

/// Everything a run leaves behind, before it becomes `result.json`.
struct RunResult {
    std::string scenario;
    std::map<std::string, std::string> settings;  ///< `--set` and the sweep's point.
    std::uint64_t seed = 1;
    Verdict verdict = Verdict::kBroken;
    std::vector<std::string> failures;  ///< Why it is not a pass, one sentence each.
    std::uint64_t simulated_ns = 0;
    std::uint64_t host_cpu_ns = 0;
    std::uint64_t kernel_events = 0;
    std::optional<std::string> trace_hash;
    MetricRegistry metrics;
    std::vector<ExpectationResult> expectations;
    std::map<std::string, std::string> artifacts;  ///< Kind to file, relative to the folder.
    /// Per host, the tables a user knows from a shell: "route", "arp", "softirqs", ...
    std::map<std::string, std::map<std::string, std::string>> tables;
    std::string replay;  ///< The one command that does it again.
};

[[nodiscard]] nlohmann::json to_json(const RunResult& result);

}  // namespace doorbell::report
