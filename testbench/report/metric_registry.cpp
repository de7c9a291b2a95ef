#include "testbench/report/metric_registry.hpp"

#include <fmt/format.h>

namespace doorbell::report {

int compare(const MetricValue& a, const MetricValue& b) {
    const auto sign = [](auto x, auto y) { return x < y ? -1 : x > y ? 1 : 0; };
    const auto* a_integer = std::get_if<std::uint64_t>(&a);
    const auto* b_integer = std::get_if<std::uint64_t>(&b);
    if (a_integer != nullptr && b_integer != nullptr) return sign(*a_integer, *b_integer);
    const auto real = [](const MetricValue& value) {
        return std::visit([](auto v) { return static_cast<double>(v); }, value);
    };
    return sign(real(a), real(b));
}

std::string to_string(const MetricValue& value) {
    return std::visit([](auto v) { return fmt::format("{}", v); }, value);
}

const MetricValue* MetricRegistry::find(const std::string& name) const {
    const auto it = values_.find(name);
    return it == values_.end() ? nullptr : &it->second;
}

}  // namespace doorbell::report
