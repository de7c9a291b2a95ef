#pragma once

#include <nlohmann/json.hpp>
#include <string>

/// What people and build servers read, made from `result.json`: the report never knows more than
/// the evidence does.
namespace doorbell::report {

struct TextOptions {
    bool colour = false;
    int verbosity = 0;  ///< -1 verdict only, 0 normal, 1 all metrics, 2 also the guests' tables.
};

/// `folder`: where the run left its files, as the user would name it.
[[nodiscard]] std::string text_report(const nlohmann::json& result, const std::string& folder,
                                      const TextOptions& options);

/// JUnit XML: a test suite per scenario, a test case per run (and sweep point).
[[nodiscard]] std::string junit_report(const nlohmann::json& results);

/// "10.0 MB", "1.5 s", "940 Mb/s", by the unit a metric's name ends in; plain when it has none.
[[nodiscard]] std::string humane(const std::string& metric, const nlohmann::json& value);

}  // namespace doorbell::report
