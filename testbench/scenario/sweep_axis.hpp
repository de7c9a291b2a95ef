#pragma once

#include <memory>
#include <string>
#include <vector>

#include "testbench/scenario/config_reader.hpp"

namespace doorbell::scenario {

/// An axis of a sweep from the command line: a key, and the values it takes.
struct SweepAxis {
    std::string key;
    Position key_at;
    std::vector<std::unique_ptr<ConfigNode>> values;  ///< Each once, in the order of writing.
};

/// An axis has at most so many values, a sweep so many runs.
inline constexpr std::size_t kMostSweepPoints = 10'000;

/// Reads `KEY=ITEM,ITEM,...`. An item is a value as `--set` takes it, or a range with both ends:
/// `64:1500:4` in steps (1 when none is given; down with a negative one), `64:4096:x2` by factors.
/// Quotes and brackets keep commas and colons. No values, and a diagnostic at the column, when it
/// is none.
[[nodiscard]] SweepAxis read_axis(const std::string& argument, Sources& sources,
                                  Diagnostics& diagnostics);

}  // namespace doorbell::scenario
