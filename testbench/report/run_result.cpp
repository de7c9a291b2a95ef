#include "testbench/report/run_result.hpp"

#include "testbench/report/symptoms.hpp"

namespace doorbell::report {
namespace {

nlohmann::json to_json(const MetricValue& value) {
    return std::visit([](const auto& v) { return nlohmann::json(v); }, value);
}

nlohmann::json to_json(const std::optional<MetricValue>& value) {
    return value ? to_json(*value) : nlohmann::json(nullptr);
}

}  // namespace

const char* to_string(Verdict verdict) {
    switch (verdict) {
        case Verdict::kPass:
            return "pass";
        case Verdict::kFail:
            return "fail";
        case Verdict::kError:
            return "error";
        case Verdict::kBroken:
            return "broken";
    }
    return "broken";
}

nlohmann::json to_json(const RunResult& result) {
    nlohmann::json metrics = nlohmann::json::object();
    for (const auto& [name, value] : result.metrics.values()) metrics[name] = to_json(value);
    nlohmann::json symptoms = nlohmann::json::object();
    if (result.verdict != Verdict::kPass) {
        for (const auto& [name, value] : result.metrics.values()) {
            if (is_symptom(name) && compare(value, std::uint64_t{0}) != 0) {
                symptoms[name] = to_json(value);
            }
        }
    }
    nlohmann::json expectations = nlohmann::json::array();
    for (const ExpectationResult& e : result.expectations) {
        expectations.push_back({{"text", e.text},
                                {"why", e.why},
                                {"actual", to_json(e.actual)},
                                {"limit", to_json(e.limit)},
                                {"passed", e.passed}});
    }
    return {{"scenario", result.scenario},
            {"settings", result.settings},
            {"seed", result.seed},
            {"verdict", to_string(result.verdict)},
            {"failures", result.failures},
            {"simulated_ns", result.simulated_ns},
            {"host_cpu_ns", result.host_cpu_ns},
            {"kernel_events", result.kernel_events},
            {"trace_hash", result.trace_hash ? nlohmann::json(*result.trace_hash) : nullptr},
            {"metrics", metrics},
            {"symptoms", symptoms},
            {"expectations", expectations},
            {"artifacts", result.artifacts},
            {"tables", result.tables},
            {"replay", result.replay}};
}

}  // namespace doorbell::report
