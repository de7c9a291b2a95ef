#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/run_options.hpp"
#include "testbench/report/run_result.hpp"
#include "testbench/scenario/scenario.hpp"

namespace doorbell::cli {

struct SimulationOptions {
    std::uint64_t seed = 1;
    std::filesystem::path folder;           ///< Where evidence goes; exists.
    std::filesystem::path scenario_folder;  ///< Images with a path are relative to it.
    Capture capture = Capture::kWire;
    Trace trace = Trace::kNone;
    bool hash = false;
    /// Called now and then with the simulated time; empty: no progress is shown.
    std::function<void(Picoseconds)> progress;
};

/// One run: hosts, NICs and links of a scenario on one SystemC kernel. One per process: the kernel
/// elaborates once.
class Simulation {
public:
    Simulation(const scenario::Scenario& scenario, const SimulationOptions& options,
               const ProgramPaths& paths);
    ~Simulation();

    /// Runs to the end and fills in everything but scenario, settings and replay. What the model
    /// throws becomes a broken run, not an exception.
    void run(report::RunResult& result);

private:
    struct System;
    std::unique_ptr<System> system_;
};

}  // namespace doorbell::cli
