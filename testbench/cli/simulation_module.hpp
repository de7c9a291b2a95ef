#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
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

/// The host number of a link's end that no host of the simulation has: what is there stands
/// outside.
inline constexpr std::uint32_t kOutsideHost = ~std::uint32_t{0};

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

    // --- instead of `run`: a foreign clock leads, and a NIC outside is at the end of a link ---

    /// Elaborates and starts the hosts. Returns why not, in one sentence; "" when all is well.
    [[nodiscard]] std::string start();
    [[nodiscard]] Picoseconds next_event_time() const;
    void advance_until(Picoseconds until_ps);
    /// The end of the cable that is outside (the link with a `kOutsideHost`), and who is there.
    [[nodiscard]] EthernetPort& outside_port();
    void attach_outside(EthernetEndpoint& endpoint);
    /// Why a guest has given up; "" while all live.
    [[nodiscard]] std::string panic_text() const;
    void visit_metrics(MetricVisitor& visitor) const;

private:
    struct System;
    std::unique_ptr<System> system_;
};

}  // namespace doorbell::cli
