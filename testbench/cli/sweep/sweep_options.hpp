#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

enum class Executor : std::uint8_t { kLocal, kSlurm };
enum class Plots : std::uint8_t { kAuto, kAlways, kNever };

/// What `doorbell sweep` was asked for.
struct SweepOptions {
    std::string scenario;
    /// Of each point: `--set`, `--axis`, captures, traces, the first seed.
    RunOptions run;
    std::uint64_t seeds = 1;
    std::vector<std::string> metrics;  ///< Patterns; empty: what the expectations name.
    unsigned jobs = 0;                 ///< 0: as many as there are CPUs.
    std::string command_line;          ///< As the user typed it, to be run again.
    bool fresh = false;
    bool dry_run = false;
    Plots plots = Plots::kAuto;

    Executor executor = Executor::kLocal;
    std::string slurm_args;
    unsigned points_per_task = 1;
    bool no_wait = false;
};

/// How a task of a Slurm job array is asked for: the plan it is of.
struct SweepTaskOptions {
    std::string plan;
    /// Until the sweep has noted the job; a file system over a network shows late what is new.
    double patience_s = 120;
};

}  // namespace doorbell::cli
