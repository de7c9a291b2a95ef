#pragma once

#include "testbench/scenario/diagnostic.hpp"
#include "testbench/scenario/scenario.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {

/// `when = "${workload.direction} == tx|both"`: whether the two sides have a word in common. What
/// cannot be read is reported, and true.
[[nodiscard]] bool holds_when(TableReader& reader, Variables& variables, Diagnostics& diagnostics);

/// A [[generator]], and [measure]. Their values may be variables, so that a sweep and
/// `--set workload.KEY` reach them.
class TrafficDecoder {
public:
    TrafficDecoder(Variables& variables, Diagnostics& diagnostics)
        : variables_(variables), diagnostics_(diagnostics) {}

    void decode_generator(const ConfigNode& node, Scenario& scenario) const;
    /// Behind hosts and links.
    void decode_measure(const ConfigNode* node, Scenario& scenario) const;

private:
    Variables& variables_;
    Diagnostics& diagnostics_;
};

}  // namespace doorbell::scenario
