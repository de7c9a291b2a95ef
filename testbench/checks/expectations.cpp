#include "testbench/checks/expectations.hpp"

#include <cassert>
#include <optional>

#include "testbench/scenario/decode_text.hpp"

namespace doorbell::checks {
namespace {

using report::MetricValue;

using report::real_of;

/// The metric of that name, or the sum of those that the pattern matches.
std::optional<MetricValue> value_of(const std::string& name,
                                    const report::MetricRegistry& metrics) {
    if (name.find('*') == std::string::npos) {
        const MetricValue* value = metrics.find(name);
        return value == nullptr ? std::nullopt : std::optional<MetricValue>(*value);
    }
    std::optional<MetricValue> sum;
    for (const auto& [metric, value] : metrics.values()) {
        if (!scenario::matches(name, metric)) continue;
        const auto* whole = std::get_if<std::uint64_t>(&value);
        if (!sum) {
            sum = value;
        } else if (auto* total = std::get_if<std::uint64_t>(&*sum);
                   total != nullptr && whole != nullptr) {
            *total += *whole;
        } else {
            sum = real_of(*sum) + real_of(value);
        }
    }
    return sum;
}

std::optional<MetricValue> limit_of(const scenario::Expectation& expectation,
                                    const report::MetricRegistry& metrics) {
    if (expectation.word) return *expectation.word;
    if (const auto* whole = std::get_if<std::uint64_t>(&expectation.limit)) return *whole;
    if (const auto* real = std::get_if<double>(&expectation.limit)) return *real;
    auto other = value_of(std::get<std::string>(expectation.limit), metrics);
    if (other && expectation.times != 1) other = real_of(*other) * expectation.times;
    return other;
}

bool holds(const std::string& op, int order) {
    if (op == "==") return order == 0;
    if (op == "!=") return order != 0;
    if (op == "<") return order < 0;
    if (op == "<=") return order <= 0;
    if (op == ">") return order > 0;
    if (op == ">=") return order >= 0;
    assert(false && "the decoder lets no other operator through");
    return false;
}

}  // namespace

std::vector<report::ExpectationResult> evaluate(
    const std::vector<scenario::Expectation>& expectations, const report::MetricRegistry& metrics) {
    std::vector<report::ExpectationResult> results;
    for (const scenario::Expectation& expectation : expectations) {
        report::ExpectationResult result;
        result.text = expectation.text();
        result.why = expectation.why;
        result.actual = value_of(expectation.metric, metrics);
        result.limit = limit_of(expectation, metrics);
        result.passed = result.actual && result.limit &&
                        holds(expectation.op, report::compare(*result.actual, *result.limit));
        results.push_back(std::move(result));
    }
    return results;
}

}  // namespace doorbell::checks
