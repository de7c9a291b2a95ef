#pragma once

#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/metrics.hpp"

namespace doorbell {

/// What configuration space says about interrupts; the NIC keeps it up to date.
struct InterruptConfiguration {
    bool intx_disabled = false;  ///< Command bit 10.
    bool msi_enabled = false;
    std::uint64_t msi_address = 0;
    std::uint32_t msi_data = 0;
    bool msix_enabled = false;
    bool msix_function_masked = false;
    bool awake = true;  ///< D0: otherwise no interrupt of any kind.
};

/// Causes to interrupts, of one personality (82574L: hw/irq). Messages leave through the DMA port,
/// behind the write-backs they announce.
class InterruptBlock : public CausePort {
public:
    /// Whose write-backs the delay timers flush. Before anything else, once.
    virtual void bind(WriteBackPort& queues) = 0;
    /// A new epoch: causes, masks and timers are gone, the pin is released.
    virtual void reset() = 0;
    /// Power-on, PCIe and D3 resets: CTRL.RST leaves the table alone.
    virtual void reset_msix_table() = 0;
    /// MSI or MSI-X were enabled, disabled, masked or re-addressed in configuration space, INTx was
    /// disabled, or the function may master the bus again.
    virtual void configuration_changed() = 0;
    /// BAR3: the MSI-X table and PBA; dword accesses.
    [[nodiscard]] virtual std::uint32_t msix_read(std::uint32_t offset) = 0;
    virtual void msix_write(std::uint32_t offset, std::uint32_t value) = 0;
    /// As `msix_read`, for debug access.
    [[nodiscard]] virtual std::uint32_t msix_debug_read(std::uint32_t offset) const = 0;
    /// The INTx line before Command.INTx_disable, for the configuration Status register.
    [[nodiscard]] virtual bool pin_requested() const = 0;
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

}  // namespace doorbell
