#pragma once

#include <map>
#include <set>
#include <string>

#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::scenario {

/// The ${...} of a scenario. A variable's value may hold others.
class Variables {
public:
    void define(const std::string& name, std::string value, Position at = {},
                Position value_at = {}) {
        table_[name] = {std::move(value), at, value_at};
    }
    /// Replaces every ${name}; an unknown one, or a circle, is reported at `at`.
    std::string expand(const std::string& text, const Position& at, Diagnostics& diagnostics);
    /// Where to show a mistake in the expanded text: at the `--set` one of its variables came
    /// from, else at `at`.
    [[nodiscard]] Position origin(const std::string& text, const Position& at) const;
    /// Where to show that a word is wrong, as written before its variables were replaced: at that
    /// `--set`; at the value of the variable when the word is just one; else at `at`.
    [[nodiscard]] Position definition(const std::string& word, const Position& at) const;
    /// Reports the variables of [workload] that nothing used.
    void refuse_unused(Diagnostics& diagnostics) const;

private:
    struct Variable {
        std::string value;
        Position at;        ///< Of its name.
        Position value_at;  ///< Of its value.
    };
    std::string expand(const std::string& text, const Position& at, Diagnostics& diagnostics,
                       int depth);
    [[nodiscard]] Position origin(const std::string& text, const Position& at, int depth) const;
    [[nodiscard]] Position definition(const std::string& word, const Position& at, int depth) const;
    [[nodiscard]] std::vector<std::string> names() const;

    std::map<std::string, Variable> table_;
    std::set<std::string> used_;
};

}  // namespace doorbell::scenario
