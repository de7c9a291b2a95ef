#pragma once

#include <cstdint>

#include "hw/base/device_state.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/dma/dma_engine.hpp"
#include "hw/pcie/pcie_link.hpp"

namespace doorbell::pcie_bench {

/// A device that is nothing but a DMA engine on a PCIe link: both are the NIC's own.
class Requester {
public:
    Requester(const PcieLinkParams& pcie, const DmaParams& dma, std::uint64_t seed,
              Timeline& timeline, HostPort& host, EventPort events)
        : link_(pcie, seed), engine_(dma, timeline, host, link_, state_, events) {
        state_.bus_master = true;
    }

    [[nodiscard]] DmaEngine& dma() { return engine_; }
    [[nodiscard]] PcieLink& link() { return link_; }

    void visit_metrics(MetricVisitor& visitor) const {
        engine_.visit_metrics(visitor);
        link_.visit_metrics(visitor);
    }

private:
    DeviceState state_;
    PcieLink link_;
    DmaEngine engine_;
};

/// Plays a load on a requester.
class Player {
public:
    virtual ~Player() = default;
    /// Starts at the timeline's present.
    virtual void start() = 0;
    /// All that was to be measured has been.
    [[nodiscard]] virtual bool finished() const = 0;
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

}  // namespace doorbell::pcie_bench
