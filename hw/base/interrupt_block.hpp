#pragma once

#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/metrics.hpp"

namespace doorbell {

/// Causes to interrupts, of one personality (82574L: hw/irq). Messages leave through the DMA port,
/// behind the write-backs they announce.
class InterruptBlock : public CausePort {
public:
    /// A new epoch: causes, masks and timers are gone, the pin is released.
    virtual void reset() = 0;
    /// MSI or MSI-X were enabled, disabled, masked or re-addressed in configuration space, INTx was
    /// disabled, or the function may master the bus again.
    virtual void configuration_changed() = 0;
    /// BAR3: the MSI-X table and PBA; dword accesses.
    virtual std::uint32_t msix_read(std::uint32_t offset) = 0;
    virtual void msix_write(std::uint32_t offset, std::uint32_t value) = 0;
    /// The INTx line before Command.INTx_disable, for the configuration Status register.
    virtual bool pin_requested() const = 0;
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

}  // namespace doorbell
