#include "testbench/report/metric_registry.hpp"

#include <fmt/format.h>

namespace doorbell::report {

int compare(const MetricValue& a, const MetricValue& b) {
    const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
    const auto* a_integer = std::get_if<std::uint64_t>(&a);
    const auto* b_integer = std::get_if<std::uint64_t>(&b);
    if (a_integer != nullptr && b_integer != nullptr) return sign(*a_integer, *b_integer);
    const auto* a_word = std::get_if<std::string>(&a);
    const auto* b_word = std::get_if<std::string>(&b);
    if (a_word != nullptr && b_word != nullptr) return sign(a_word->compare(*b_word), 0);
    if (a_word != nullptr || b_word != nullptr) return a_word != nullptr ? 1 : -1;
    return sign(real_of(a), real_of(b));
}

double real_of(const MetricValue& value) {
    if (const auto* whole = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*whole);
    if (const auto* real = std::get_if<double>(&value)) return *real;
    return 0;
}

std::string to_string(const MetricValue& value) {
    return std::visit([](const auto& v) { return fmt::format("{}", v); }, value);
}

const MetricValue* MetricRegistry::find(const std::string& name) const {
    const auto it = values_.find(name);
    return it == values_.end() ? nullptr : &it->second;
}

}  // namespace doorbell::report
