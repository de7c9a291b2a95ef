#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>

#include "hw/base/metrics.hpp"

namespace doorbell::report {

/// Numbers, and words where a number says nothing (what bounds a rate).
using MetricValue = std::variant<std::uint64_t, double, std::string>;

/// -1, 0, 1 as `a` is below, equal to or above `b`. Integers of 64 bits compare exactly; a word
/// equals itself and is above every number.
[[nodiscard]] int compare(const MetricValue& a, const MetricValue& b);
/// A number as a double; of a word 0.
[[nodiscard]] double real_of(const MetricValue& value);
[[nodiscard]] std::string to_string(const MetricValue& value);

/// All metrics of a run by full name, in the order of names.
class MetricRegistry {
public:
    /// Collects into the registry with a prefix in front: "host.a.nic0.".
    class Collector final : public MetricVisitor {
    public:
        Collector(MetricRegistry& registry, std::string prefix)
            : registry_(registry), prefix_(std::move(prefix)) {}
        void metric(std::string_view name, std::uint64_t value) override {
            registry_.set(prefix_ + std::string(name), value);
        }
        void metric_real(std::string_view name, double value) override {
            registry_.set(prefix_ + std::string(name), value);
        }

    private:
        MetricRegistry& registry_;
        std::string prefix_;
    };
    [[nodiscard]] Collector under(std::string prefix) { return {*this, std::move(prefix)}; }

    void set(std::string name, MetricValue value) { values_[std::move(name)] = std::move(value); }
    /// nullptr when there is none of that name.
    [[nodiscard]] const MetricValue* find(const std::string& name) const;
    [[nodiscard]] const std::map<std::string, MetricValue>& values() const { return values_; }

private:
    std::map<std::string, MetricValue> values_;
};

}  // namespace doorbell::report
