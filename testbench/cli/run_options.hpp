#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {

enum class Capture : std::uint8_t { kNone, kWire, kAll };
enum class Trace : std::uint8_t { kNone, kBinary, kJson };
enum class Format : std::uint8_t { kText, kJson };
enum class Colour : std::uint8_t { kAuto, kAlways, kNever };

/// What `doorbell run` was asked for.
struct RunOptions {
    std::vector<std::string> scenarios;
    std::vector<std::string> sets;
    scenario::SweepChoice sweep;
    std::uint64_t seed = 1;
    unsigned jobs = 1;
    std::string out;  ///< Empty: out/<scenario>.
    Format format = Format::kText;
    std::string junit;
    Capture capture = Capture::kWire;
    Trace trace = Trace::kNone;
    bool hash = false;
    int verbosity = 0;  ///< -1 with -q.
    Colour colour = Colour::kAuto;

    // How one process of the program asks another to do one run.
    bool is_child = false;
    std::size_t point = 0;
    bool progress = false;
};

}  // namespace doorbell::cli
