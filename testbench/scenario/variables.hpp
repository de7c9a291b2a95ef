#pragma once

#include <map>
#include <set>
#include <string>

#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::scenario {

/// The ${...} of a scenario. A variable's value may hold others.
class Variables {
public:
    void define(const std::string& name, std::string value, Position at = {}) {
        table_[name] = {std::move(value), at};
    }
    /// Replaces every ${name}; an unknown one, or a circle, is reported at `at`.
    std::string expand(const std::string& text, const Position& at, Diagnostics& diagnostics);
    /// Reports the variables of [workload] that nothing used.
    void refuse_unused(Diagnostics& diagnostics) const;

private:
    struct Variable {
        std::string value;
        Position at;
    };
    std::string expand(const std::string& text, const Position& at, Diagnostics& diagnostics,
                       int depth);
    [[nodiscard]] std::vector<std::string> names() const;

    std::map<std::string, Variable> table_;
    std::set<std::string> used_;
};

}  // namespace doorbell::scenario
