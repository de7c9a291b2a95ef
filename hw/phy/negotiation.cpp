#include "hw/phy/negotiation.hpp"

#include "hw/phy/phy_registers.hpp"

namespace doorbell::phy {

namespace {

struct Mode {
    std::uint32_t speed_mbps;
    bool full_duplex;
    bool gigabit;  ///< The ability stands in register 9, else in register 4.
    MdioField field;
};

/// Best first. 1000BASE-T half duplex is missing: the part does not do it.
constexpr Mode kPriority[] = {
    {1000, true, true, kCtrl1000Full},    {100, true, false, kAbility100Full},
    {100, false, false, kAbility100Half}, {10, true, false, kAbility10Full},
    {10, false, false, kAbility10Half},
};

bool offers(const LinkAbilities& end, const Mode& mode) {
    return mode.field.get(mode.gigabit ? end.ctrl1000 : end.anar) != 0;
}

Resolution resolve_negotiated(const LinkAbilities& mine, const LinkAbilities& theirs) {
    const bool lowest_first = mine.lowest_first || theirs.lowest_first;
    Resolution result;
    for (const Mode& mode : kPriority) {
        if (!offers(mine, mode) || !offers(theirs, mode)) continue;
        result = {true, mode.speed_mbps, mode.full_duplex};
        if (!lowest_first) break;
    }
    return result;
}

/// `negotiator` hears the idle signal of an end that is forced to `speed_mbps`.
bool detects(const LinkAbilities& negotiator, std::uint32_t speed_mbps) {
    if (speed_mbps == 100) return kAbility100Half.get(negotiator.anar) != 0;
    if (speed_mbps == 10) return kAbility10Half.get(negotiator.anar) != 0;
    return false;  // 1000BASE-T has no link without negotiation.
}

}  // namespace

Resolution resolve(const LinkAbilities& mine, const LinkAbilities& theirs) {
    if (!mine.present || !theirs.present) return {};
    if (mine.negotiates && theirs.negotiates) {
        return resolve_negotiated(mine, theirs);
    }
    if (mine.negotiates) {
        return {detects(mine, theirs.speed_mbps), theirs.speed_mbps, false};
    }
    if (theirs.negotiates) {
        return {detects(theirs, mine.speed_mbps), mine.speed_mbps, mine.full_duplex};
    }
    return {mine.speed_mbps == theirs.speed_mbps, mine.speed_mbps, mine.full_duplex};
}

PauseResolution resolve_pause(std::uint16_t my_anar, std::uint16_t their_anar) {
    const bool my_pause = kAbilityPause.get(my_anar) != 0;
    const bool my_asymmetric = kAbilityAsymmetric.get(my_anar) != 0;
    const bool their_pause = kAbilityPause.get(their_anar) != 0;
    const bool their_asymmetric = kAbilityAsymmetric.get(their_anar) != 0;
    if (my_pause && their_pause) return {true, true};
    if (my_asymmetric && their_asymmetric) {
        if (!my_pause && their_pause) return {true, false};
        if (my_pause && !their_pause) return {false, true};
    }
    return {};
}

ClockRole resolve_clock_role(const LinkAbilities& mine, const LinkAbilities& theirs) {
    const auto master_if = [](bool master) {
        return master ? ClockRole::kMaster : ClockRole::kSlave;
    };
    const bool my_manual = kCtrl1000Manual.get(mine.ctrl1000) != 0;
    const bool their_manual = kCtrl1000Manual.get(theirs.ctrl1000) != 0;
    const unsigned my_value = kCtrl1000MasterValue.get(mine.ctrl1000);
    const unsigned their_value = kCtrl1000MasterValue.get(theirs.ctrl1000);
    if (my_manual && their_manual && my_value == their_value) return ClockRole::kFault;
    if (my_manual) return master_if(my_value != 0);
    if (their_manual) return master_if(their_value == 0);
    const unsigned my_type = kCtrl1000PortType.get(mine.ctrl1000);
    const unsigned their_type = kCtrl1000PortType.get(theirs.ctrl1000);
    if (my_type != their_type) return master_if(my_type > their_type);
    if (mine.master_seed == theirs.master_seed) return ClockRole::kTie;
    return master_if(mine.master_seed > theirs.master_seed);
}

}  // namespace doorbell::phy
