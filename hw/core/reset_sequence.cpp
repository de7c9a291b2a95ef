#include "hw/core/reset_sequence.hpp"

namespace doorbell {

namespace {

/// Specification 9.1, row by row. D3hot to D0 keeps what is sticky in configuration space, which
/// knows that itself; CTRL.RST keeps the registers that the contract marks.
struct Reach {
    regs::ResetKind registers;
    bool configuration;
    bool phy;
    bool msix_table;
    bool nvm_image;
    NvmLoad load;
};

constexpr Reach kReach[] = {
    /* power-on  */ {regs::ResetKind::kPowerOn, true, true, true, true, NvmLoad::kFull},
    /* PCIe      */ {regs::ResetKind::kPowerOn, true, true, true, false, NvmLoad::kFull},
    /* D3 to D0  */ {regs::ResetKind::kPowerOn, false, true, true, false, NvmLoad::kFull},
    /* CTRL.RST  */ {regs::ResetKind::kSoftware, false, false, false, false, NvmLoad::kAddress},
};

}  // namespace

// DMA stops first, so that nothing of the old epoch completes into the new one. Registers have
// their reset values before the engines look at them. Configuration space takes its IDs from the
// NVM. The PHY goes before the interrupts: that its link drops is no cause of the new epoch. What
// the NVM brings comes last, and later.
void run_reset(ResetCause cause, ResetTargets& targets) {
    const Reach& reach = kReach[static_cast<std::uint8_t>(cause)];
    targets.reset_dma();
    targets.reset_registers(reach.registers);
    if (reach.nvm_image) targets.restore_nvm();
    if (reach.configuration) targets.reset_configuration_space();
    targets.reset_wake_up(cause == ResetCause::kPowerOn);
    if (reach.phy) targets.reset_phy();
    if (reach.msix_table) targets.reset_msix_table();
    targets.reset_interrupts();
    targets.reset_queues();
    targets.reset_time_stamps();
    targets.load_nvm(reach.load);
}

}  // namespace doorbell
