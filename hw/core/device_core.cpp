#include "hw/core/device_core.hpp"

#include <algorithm>

#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// Number of a PHY reset in the event stream, after those of `ResetCause`.
constexpr std::uint64_t kPhyReset = 4;

std::uint32_t speed_code(std::uint32_t speed_mbps) {
    if (speed_mbps == 10) return r::STATUS_SPEED_MBPS_10;
    return speed_mbps == 100 ? r::STATUS_SPEED_MBPS_100 : r::STATUS_SPEED_MBPS_1000;
}

}  // namespace

DeviceCore::DeviceCore(const CoreParams& params, Timeline& timeline, regs::RegisterFile& registers,
                       EventPort events)
    : params_(params),
      timeline_(timeline),
      registers_(registers),
      events_(events),
      mdic_(params.mdic_transaction_ps, timeline, registers),
      leds_(timeline, registers, state_, events) {
    install_hooks();
}

void DeviceCore::bind(const Peers& peers) {
    phy_ = &peers.phy;
    interrupts_ = &peers.interrupts;
    queues_ = &peers.queues;
    dma_ = &peers.dma;
    targets_ = &peers.targets;
    mdic_.bind(peers.phy, peers.interrupts);
}

void DeviceCore::install_hooks() {
    using Write = regs::RegisterFile::Write;
    registers_.on_write(r::CTRL, [this](const Write& write) { write_ctrl(write); });
    registers_.on_read(r::STATUS, [this](std::uint32_t, std::uint32_t) { return status_word(); });
    registers_.on_write(r::CTRL_EXT, [this](const Write&) {
        if (update_link()) tell_engines();
    });
    registers_.on_write(r::RCTL, [this](const Write&) {
        const bool loopback = registers_.get(r::RCTL_LBM) == r::RCTL_LBM_MAC;
        if (loopback == state_.mac_loopback) return;
        state_.mac_loopback = loopback;
        tell_engines();
    });
    registers_.on_write(r::POEMB, [this](const Write& write) {
        phy_->oem_bits(static_cast<std::uint16_t>(write.now));
    });
    registers_.on_write(r::LEDCTL, [this](const Write&) { leds_.update(); });
    registers_.on_write(r::PBA, [this](const Write& write) {
        registers_.set(r::PBA_TXA, r::PBA_TXA.get(write.written));
        derive_transmit_part();
    });
    registers_.on_write(r::PBS, [this](const Write&) { derive_transmit_part(); });
    // A semaphore without another owner: whoever asks has it. Firmware, were there one, would show
    // in MDIO_HW_OWNERSHIP.
    registers_.on_write(r::EXTCNF_CTRL, [this](const Write&) {
        if (registers_.get(r::EXTCNF_CTRL_MDIO_HW_OWNERSHIP) != 0) {
            registers_.set(r::EXTCNF_CTRL_MDIO_SW_OWNERSHIP, 0);
        }
    });
    // Test and set: who reads 0 owns it.
    registers_.on_read(r::SWSM, [this](std::uint32_t, std::uint32_t stored) {
        registers_.set(r::SWSM_SMBI, 1);
        return stored;
    });
}

// U6: PBA.TXA is what RXA leaves of PBS, unless it is storage.
void DeviceCore::derive_transmit_part() {
    if (params_.u6_pba_txa != CoreParams::Txa::kDerived) return;
    const std::uint32_t total = registers_.get(r::PBS_SIZE);
    registers_.set(r::PBA_TXA, total - std::min(total, registers_.get(r::PBA_RXA)));
}

// --- resets -------------------------------------------------------------------------------------

void DeviceCore::reset(ResetCause cause) {
    resetting_ = true;
    resets_++;
    state_.epoch++;
    state_.mac_loopback = false;
    events::device_reset(events_, timeline_, {}, static_cast<std::uint64_t>(cause), state_.epoch);
    const std::uint32_t phy_was_reset = registers_.get(r::STATUS_PHYRA);
    run_reset(cause, *targets_);
    if (cause != ResetCause::kSoftware) phy_awaits_oem_bits_ = true;
    mdic_.reset();
    load_reset_values();
    reset_phy_line();
    if (cause == ResetCause::kPowerOn && params_.smbi_left_set) registers_.set(r::SWSM_SMBI, 1);
    // CTRL.RST is no reset of the PHY, and takes back the news of none.
    registers_.set(r::STATUS_PHYRA, cause == ResetCause::kSoftware ? phy_was_reset : 1);
    registers_.set(r::FACTPS_FUNC0_PS, function_.awake ? 0 : 3);
    if (cause == ResetCause::kD3ToD0) registers_.set(r::FACTPS_PM_STATE_CHANGED, 1);
    resetting_ = false;
    (void)update_bus_master();
    (void)update_link();
    leds_.update();
    tell_engines();
}

// The contract has them as well; here they can be other ones (U10, U11).
void DeviceCore::load_reset_values() {
    registers_.poke(r::CTRL, params_.u10_ctrl_reset);
    registers_.poke(r::CTRL_EXT, params_.u11_ctrl_ext_reset);
    registers_.poke(r::FACTPS, params_.u11_factps_reset);
    registers_.poke(r::GCR, params_.u11_gcr_reset);
    registers_.poke(r::LEDCTL, params_.u11_ledctl_reset);
    registers_.poke(r::MANC, params_.u11_manc_reset);
}

// CTRL.PHY_RST is a level (section 4.5): the PHY stays in reset while it is 1.
void DeviceCore::reset_phy_line() {
    const bool asserted = registers_.get(r::CTRL_PHY_RST) != 0;
    if (asserted) {
        registers_.set(r::STATUS_PHYRA, 1);
        events::device_reset(events_, timeline_, {}, kPhyReset, state_.epoch);
    }
    phy_->hardware_reset(asserted);
}

void DeviceCore::nvm_loaded() {
    leds_.update();
    if (update_link()) tell_engines();
    // CTRL.RST is no reset of the PHY (section 9.1): what software wrote there stays.
    if (!phy_awaits_oem_bits_) return;
    phy_awaits_oem_bits_ = false;
    if (registers_.get(r::EXTCNF_CTRL_OEM_WRITE_EN) == 0) return;
    phy_->oem_bits(static_cast<std::uint16_t>(registers_.word(r::POEMB)));
}

void DeviceCore::write_ctrl(const regs::RegisterFile::Write& write) {
    const std::uint32_t changed = write.before ^ write.now;
    if ((changed & r::CTRL_PHY_RST.mask()) != 0) reset_phy_line();
    if (r::CTRL_RST.get(write.written) != 0) {
        reset(ResetCause::kSoftware);
        return;
    }
    const bool bus_master_changed = update_bus_master();
    const bool link_changed = update_link();
    if (bus_master_changed || link_changed) tell_engines();
}

// --- state --------------------------------------------------------------------------------------

void DeviceCore::function_changed(const FunctionState& function) {
    const bool turned = function.awake != function_.awake;
    if (turned) registers_.set(r::FACTPS_PM_STATE_CHANGED, 1);
    function_ = function;
    state_.awake = function.awake;
    state_.msi_enabled = function.msi_enabled;
    state_.msix_enabled = function.msix_enabled;
    registers_.set(r::FACTPS_FUNC0_PS, function.awake ? 0 : 3);
    if (resetting_) return;
    if (update_bus_master() || turned) tell_engines();
    // The way back to D0 is a reset of the PHY.
    if (!function.awake) phy_->set_power(power_asleep());
}

// Without a filter nothing could wake the host, and CTRL_EXT.PHYPDEN lets the PHY go.
PhyPower DeviceCore::power_asleep() const {
    const bool wakes = registers_.word(r::WUFC) != 0 || registers_.get(r::WUC_APME) != 0;
    const bool lets_go = registers_.get(r::CTRL_EXT_PHYPDEN) != 0;
    return lets_go && !wakes ? PhyPower::kOff : PhyPower::kAsleep;
}

bool DeviceCore::update_bus_master() {
    const bool before = state_.bus_master;
    state_.bus_master = function_.bus_master_enabled && function_.awake &&
                        registers_.get(r::CTRL_GIO_MASTER_DISABLE) == 0;
    return state_.bus_master != before;
}

void DeviceCore::phy_link_changed(const PhyLink&) {
    if (update_link() && !resetting_) tell_engines();
}

std::uint32_t DeviceCore::resolved_speed_mbps() const {
    const bool forced =
        registers_.get(r::CTRL_FRCSPD) != 0 || registers_.get(r::CTRL_EXT_SPD_BYPS) != 0;
    if (!forced) return phy_->link().speed_mbps;
    switch (registers_.get(r::CTRL_SPEED)) {
        case r::CTRL_SPEED_MBPS_10:
            return 10;
        case r::CTRL_SPEED_MBPS_100:
            return 100;
        default:
            return 1000;
    }
}

bool DeviceCore::resolved_full_duplex() const {
    if (registers_.get(r::CTRL_FRCDPX) != 0) return registers_.get(r::CTRL_FD) != 0;
    return phy_->link().full_duplex;
}

// STATUS.LU is the PHY's link and CTRL.SLU (section 4.6); LSC is each change of it. Speed and
// duplex keep their last value while the link is down.
bool DeviceCore::update_link() {
    const DeviceState before = state_;
    const PhyLink& link = phy_->link();
    state_.link_up = link.up && registers_.get(r::CTRL_SLU) != 0;
    state_.phy_loopback = link.up && link.loopback;
    if (state_.link_up) {
        state_.speed_mbps = resolved_speed_mbps();
        state_.full_duplex = resolved_full_duplex();
        registers_.set(r::STATUS_SPEED, speed_code(state_.speed_mbps));
        registers_.set(r::STATUS_ASDV, speed_code(state_.speed_mbps));
        registers_.set(r::STATUS_FD, state_.full_duplex ? 1 : 0);
    }
    registers_.set(r::STATUS_LU, state_.link_up ? 1 : 0);
    const bool changed = state_.link_up != before.link_up;
    if (changed) {
        (state_.link_up ? link_ups_ : link_downs_)++;
        events::link_state(events_, timeline_, {}, state_.link_up ? 1 : 0, state_.speed_mbps,
                           state_.full_duplex ? 1 : 0);
        // A link that drops because the PHY is reset with all the rest is no cause of anything.
        if (!resetting_) interrupts_->raise(r::ICR_LSC.mask());
    }
    leds_.update();  // They show the speed as well, which CTRL may force while the link is up.
    return changed || state_.phy_loopback != before.phy_loopback ||
           state_.speed_mbps != before.speed_mbps || state_.full_duplex != before.full_duplex;
}

void DeviceCore::tell_engines() {
    dma_->device_state_changed();
    queues_->device_state_changed();
    interrupts_->configuration_changed();
}

// GIO_MASTER_EN falls when mastering is disabled and the last request is done (section 9.3).
std::uint32_t DeviceCore::status_word() const {
    const bool quiet = registers_.get(r::CTRL_GIO_MASTER_DISABLE) != 0 && dma_->outstanding() == 0;
    return r::STATUS_GIO_MASTER_EN.put(registers_.word(r::STATUS), quiet ? 0 : 1);
}

void DeviceCore::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("link.ups", link_ups_);
    visitor.metric("link.downs", link_downs_);
    visitor.metric("link.up", state_.link_up ? 1 : 0);
    visitor.metric("link.speed_mbps", state_.link_up ? state_.speed_mbps : 0);
    visitor.metric("device.resets", resets_);
    leds_.visit_metrics(visitor);
}

}  // namespace doorbell
