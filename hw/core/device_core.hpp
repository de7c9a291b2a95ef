#pragma once

#include <cstdint>

#include "hw/base/device_state.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/interrupt_block.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/phy_port.hpp"
#include "hw/base/queue_engine.hpp"
#include "hw/base/timeline.hpp"
#include "hw/core/core_params.hpp"
#include "hw/core/leds.hpp"
#include "hw/core/mdic.hpp"
#include "hw/core/reset_sequence.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// What configuration space allows the function.
struct FunctionState {
    bool bus_master_enabled = false;
    bool awake = true;  ///< D0
    bool msi_enabled = false;
    bool msix_enabled = false;
};

/// Owner of CTRL and STATUS, of resets and the epoch, of MDIO and of what "link up" means. It
/// decides; the engines read `state()` and are told when it changed.
class DeviceCore final : public PhyListener {
public:
    /// Whom the core speaks to; made after it, since they read its state.
    struct Peers {
        Phy& phy;
        InterruptBlock& interrupts;
        QueueEngine& queues;
        DmaPort& dma;
        ResetTargets& targets;
    };

    DeviceCore(const CoreParams& params, Timeline& timeline, regs::RegisterFile& registers,
               EventPort events);
    void bind(const Peers& peers);

    [[nodiscard]] const DeviceState& state() const { return state_; }

    void reset(ResetCause cause);
    /// Configuration space changed.
    void function_changed(const FunctionState& function);
    /// The NVM has been loaded: CTRL may have changed, and after a reset of the PHY the OEM bits go
    /// on to it.
    void nvm_loaded();
    void phy_link_changed(const PhyLink& link) override;
    /// STATUS.GIO_MASTER_EN as it is now, for accesses that run no hooks.
    [[nodiscard]] std::uint32_t status_word() const;
    void visit_metrics(MetricVisitor& visitor) const;

private:
    void install_hooks();
    void write_ctrl(const regs::RegisterFile::Write& write);
    void derive_transmit_part();
    void load_reset_values();
    void reset_phy_line();
    [[nodiscard]] PhyPower power_asleep() const;
    [[nodiscard]] bool update_bus_master();
    [[nodiscard]] bool update_link();
    [[nodiscard]] std::uint32_t resolved_speed_mbps() const;
    [[nodiscard]] bool resolved_full_duplex() const;
    void tell_engines();

    CoreParams params_;
    Timeline& timeline_;
    regs::RegisterFile& registers_;
    EventPort events_;
    Mdic mdic_;
    Leds leds_;

    Phy* phy_ = nullptr;
    InterruptBlock* interrupts_ = nullptr;
    QueueEngine* queues_ = nullptr;
    DmaPort* dma_ = nullptr;
    ResetTargets* targets_ = nullptr;

    DeviceState state_;
    FunctionState function_;
    bool resetting_ = false;
    bool phy_awaits_oem_bits_ = false;
    std::uint64_t link_ups_ = 0;
    std::uint64_t link_downs_ = 0;
    std::uint64_t resets_ = 0;
};

}  // namespace doorbell
