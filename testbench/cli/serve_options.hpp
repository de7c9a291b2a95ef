#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

/// What `doorbell serve` was asked for.
struct ServeOptions {
    std::string socket;
    std::string wire = "none";
    std::string rom;
    std::string capture;
    std::vector<std::string> sets;
    std::string time = "wall";
    std::uint32_t rate_mbps = 0;  ///< 0: no limit.
    std::uint32_t busy_poll_us = 50;  ///< 0: it sleeps at once.
    bool once = false;
    int verbosity = 0;  ///< -1 with -q.
};

/// What `doorbell inspect` was asked for.
struct InspectOptions {
    std::string socket;
    Format format = Format::kText;
};

}  // namespace doorbell::cli
