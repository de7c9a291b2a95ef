#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic_params.hpp"
#include "testbench/pcie_bench/host_memory.hpp"
#include "testbench/pcie_bench/requester.hpp"
#include "testbench/scenario/scenario.hpp"

namespace doorbell::cli {

/// The device of a [dma] or [discipline]: a NIC's link and DMA engine, memory, and what plays on
/// it.
class LoadRun {
public:
    /// Of a scenario that has one.
    LoadRun(const scenario::Scenario& scenario, std::uint64_t seed, Timeline& timeline,
            EventPort events);

    void start() { player_->start(); }
    [[nodiscard]] bool finished() const { return player_->finished(); }
    /// What has not finished, for people.
    [[nodiscard]] std::string running() const;
    void visit_metrics(MetricVisitor& visitor) const;

private:
    [[nodiscard]] std::unique_ptr<pcie_bench::Player> make_player(std::uint64_t seed,
                                                                  Timeline& timeline,
                                                                  EventPort events);

    const scenario::Load load_;
    const NicParams params_;
    pcie_bench::HostMemory memory_;
    pcie_bench::Requester device_;
    const std::unique_ptr<pcie_bench::Player> player_;
};

}  // namespace doorbell::cli
