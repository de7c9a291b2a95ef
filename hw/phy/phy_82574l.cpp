#include "hw/phy/phy_82574l.hpp"

#include "hw/base/generated/events.hpp"
#include "hw/phy/negotiation.hpp"

namespace doorbell {

using namespace phy;  // The registers' names.

/// One register: where, its value after reset, what can be written, what reading clears. Rows
/// 0..15 are registers 0..15; those come first so that `common` needs no search.
struct Phy82574l::Row {
    std::uint8_t page;
    std::uint8_t reg;
    std::uint16_t reset;
    std::uint16_t writable;
    std::uint16_t read_clears;
};

namespace {

constexpr std::uint8_t kEveryPage = 0xFF;
constexpr std::uint32_t kNoRow = ~0u;
constexpr std::uint64_t kSeedStream = 0x504859;
constexpr std::uint32_t kMasterSeeds = 1u << 11;
/// Behind the sixteen common registers.
constexpr std::uint32_t kPageSelectRow = kFirstPagedRegister;
/// BMSR without link (IEEE 22.2.4.2; section 4.3): 10 and 100 Mb/s, extended status, preamble
/// suppression, negotiation, extended capabilities.
constexpr std::uint16_t kBmsrReset = 0x7949;

}  // namespace

const Phy82574l::Row Phy82574l::kRows[kStoredRows] = {
    {kEveryPage, kBmcr, 0x1140, 0x7DC0, 0},
    {kEveryPage, kBmsr, kBmsrReset, 0, 0},
    {kEveryPage, kPhyId1, 0x0141, 0, 0},
    {kEveryPage, kPhyId2, 0x0CB1, 0, 0},
    {kEveryPage, kAnar, 0x0DE1, 0xAFFF, 0},
    {kEveryPage, kAnlpar, 0, 0, 0},
    {kEveryPage, kAner, 0x0004, 0, kAnerPageReceived.mask()},
    {kEveryPage, kAnnp, 0x2001, 0xB7FF, 0},
    {kEveryPage, kAnlprnp, 0, 0, 0},
    {kEveryPage, kCtrl1000, 0x0F00, 0xFF00, 0},
    {kEveryPage, kStat1000, 0, 0, 0x00FF},
    {kEveryPage, 11, 0, 0, 0},
    {kEveryPage, 12, 0, 0, 0},
    {kEveryPage, 13, 0, 0, 0},
    {kEveryPage, 14, 0, 0, 0},
    {kEveryPage, kExtStatus, 0x3000, 0, 0},
    {kEveryPage, kPageSelect, 0, 0x007F, 0},
    {0, kCopperControl1, 0x3360, 0xFFFF, 0},
    {0, kCopperStatus1, 0, 0, 0},
    {0, 18, 0, 0xFFFF, 0},  // Interrupt enable.
    {0, 19, 0, 0, 0xFFFF},  // Interrupt status.
    {0, 20, 0, 0xFFFF, 0},  // Copper control 3.
    {0, 21, 0, 0, 0xFFFF},  // Receive errors.
    {0, kOem, 0, 0xFFFF, 0},
    {0, 26, 0, 0xFFFF, 0},  // Copper control 2.
    {0, 29, 0, 0xFFFF, 0},  // Bias setting, address and data.
    {0, 30, 0, 0xFFFF, 0},
    {2, 16, 0x0088, 0xFFFF, 0},  // MAC control 1.
    {2, 18, 0, 0xFFFF, 0},       // MAC interrupt enable.
    {2, 21, 0x1046, 0xFFFF, 0},  // MAC control 2: the speed of the MAC interface.
    {3, 16, 0, 0xFFFF, 0},       // LED function, polarity, timer, LED 4 and 5.
    {3, 17, 0, 0xFFFF, 0},
    {3, 18, 0x4005, 0xFFFF, 0},
    {3, 19, 0, 0xFFFF, 0},
};

Phy82574l::Phy82574l(const PhyParams& params, Timeline& timeline, EthernetPort& wire,
                     PhyListener& listener, EventPort events, std::uint64_t seed)
    : params_(params),
      timeline_(timeline),
      wire_(wire),
      listener_(listener),
      events_(events),
      seed_(seed),
      prng_(seed, kSeedStream),
      negotiation_task_([this] { finish(); }),
      hang_task_([this] { hang(); }) {
    reset_registers();
}

Phy82574l::~Phy82574l() {
    timeline_.cancel(negotiation_task_);
    timeline_.cancel(hang_task_);
}

// --- resets -------------------------------------------------------------------------------------

void Phy82574l::reset_registers() {
    for (std::uint32_t row = 0; row < kStoredRows; row++) words_[row] = kRows[row].reset;
    words_[row_of(0, kOem)] = oem_default_;
}

void Phy82574l::power_on_reset() {
    in_reset_ = false;
    link_was_lost_ = true;
    prng_ = Prng(seed_, kSeedStream);
    // What POEMB says comes anew, later: an older wish for a slow link is no longer one.
    oem_default_ = 0;
    slow_asleep_ = no_gigabit_asleep_ = false;
    power_ = PhyPower::kAwake;
    reset_registers();
    restart();
}

void Phy82574l::hardware_reset(bool asserted) {
    if (asserted == in_reset_) return;
    in_reset_ = asserted;
    if (!asserted) reset_registers();
    restart();
}

// Bits of POEMB, which the MAC side loads into register 25 (section 4.4): what they say about the
// advertisement counts from the next negotiation on, which bit 10 asks for.
void Phy82574l::oem_bits(std::uint16_t poemb) {
    constexpr MdioField kPoembSmartPowerDown{0};
    constexpr MdioField kPoembLowPowerLinkUp{1};
    constexpr MdioField kPoembLowPowerLinkUpAsleep{2};
    constexpr MdioField kPoembDisable1000Asleep{3};
    constexpr MdioField kPoembDisable1000{6};
    constexpr MdioField kPoembRestartAn{10};
    std::uint16_t oem = 0;
    oem = kOemSmartPowerDown.put(oem, kPoembSmartPowerDown.get(poemb));
    oem = kOemLowPowerLinkUp.put(oem, kPoembLowPowerLinkUp.get(poemb));
    oem = kOemDisable1000.put(oem, kPoembDisable1000.get(poemb));
    oem_default_ = oem;
    slow_asleep_ = kPoembLowPowerLinkUpAsleep.get(poemb) != 0;
    no_gigabit_asleep_ = kPoembDisable1000Asleep.get(poemb) != 0;
    words_[row_of(0, kOem)] = oem;
    if (kPoembRestartAn.get(poemb) != 0) restart_negotiation();
}

// A link that may go on as it is does; another one is negotiated at once: nobody is there to ask.
void Phy82574l::set_power(PhyPower power) {
    if (power == power_) return;
    const LinkAbilities before = offer();
    power_ = power;
    const LinkAbilities after = offer();
    const bool other = before.present != after.present ||
                       before.lowest_first != after.lowest_first ||
                       before.ctrl1000 != after.ctrl1000;
    if (other) restart();
}

// --- MDIO ---------------------------------------------------------------------------------------

std::uint32_t Phy82574l::row_of(std::uint32_t page, std::uint32_t reg) {
    if (reg < kFirstPagedRegister) return reg;
    for (std::uint32_t row = kFirstPagedRegister; row < kStoredRows; row++) {
        const Row& candidate = kRows[row];
        if (candidate.reg == reg && (candidate.page == kEveryPage || candidate.page == page)) {
            return row;
        }
    }
    return kNoRow;
}

std::uint32_t Phy82574l::selected_row(std::uint32_t reg) const {
    return row_of(kPageSelectPage.get(words_[kPageSelectRow]), reg);
}

bool Phy82574l::mdio_read(std::uint32_t phy_address, std::uint32_t reg, std::uint16_t& value) {
    value = 0;
    if (phy_address != kAddress || reg >= kRegisters || in_reset_) return false;
    const std::uint32_t row = selected_row(reg);
    if (row == kNoRow) return !params_.u19_unknown_register_is_error;
    if (row == kBmsr) {
        value = read_bmsr();
    } else if (kRows[row].page == 0 && reg == kCopperStatus1) {
        value = copper_status();
    } else {
        value = words_[row];
    }
    // As the watchdog of a driver recognises it: both error counters full, again and again.
    const bool receive_errors = kRows[row].page == 0 && reg == kReceiveErrors;
    if (link_.deaf && receive_errors) value = 0xFFFF;
    if (link_.deaf && row == kStat1000) value |= kStat1000IdleErrors.mask();
    words_[row] = static_cast<std::uint16_t>(words_[row] & ~kRows[row].read_clears);
    return true;
}

bool Phy82574l::mdio_write(std::uint32_t phy_address, std::uint32_t reg, std::uint16_t value) {
    if (phy_address != kAddress || reg >= kRegisters || in_reset_) return false;
    const std::uint32_t row = selected_row(reg);
    if (row == kNoRow) return !params_.u19_unknown_register_is_error;
    if (row == kBmcr) {
        write_bmcr(value);
        return true;
    }
    const std::uint16_t before = words_[row];
    words_[row] =
        static_cast<std::uint16_t>((before & ~kRows[row].writable) | (value & kRows[row].writable));
    if (kRows[row].page != 0) return true;
    if (reg == kCopperControl1 &&
        kCopperControl1PowerDown.get(before) != kCopperControl1PowerDown.get(value)) {
        restart();
    } else if (reg == kOem && kOemRestartAn.get(value) != 0) {
        words_[row] = kOemRestartAn.put(words_[row], 0);
        restart_negotiation();
    }
    return true;
}

// Link status is latched low: once link was lost, one read says so, and the next says what is
// (IEEE 22.2.4.2.13).
std::uint16_t Phy82574l::read_bmsr() {
    const bool up = state_ == State::kUp;
    std::uint16_t value = kBmsrReset;
    value = kBmsrLink.put(value, up && !link_was_lost_ ? 1 : 0);
    value = kBmsrAnComplete.put(value, up && offer_.negotiates ? 1 : 0);
    value = kBmsrRemoteFault.put(value, kAbilityRemoteFault.get(common(kAnlpar)));
    link_was_lost_ = false;
    return value;
}

std::uint16_t Phy82574l::copper_status() const {
    if (!link_.up) return 0;
    std::uint16_t value = 0;
    const unsigned speed = link_.speed_mbps == 1000 ? 2 : link_.speed_mbps == 100 ? 1 : 0;
    value = kCopperStatusSpeed.put(value, speed);
    value = kCopperStatusFullDuplex.put(value, link_.full_duplex ? 1 : 0);
    value = kCopperStatusResolved.put(value, 1);
    value = kCopperStatusLink.put(value, 1);
    if (link_.full_duplex) {
        const PauseResolution pause = resolve_pause(offer_.anar, common(kAnlpar));
        value = kCopperStatusTxPause.put(value, pause.transmit ? 1 : 0);
        value = kCopperStatusRxPause.put(value, pause.receive ? 1 : 0);
    }
    return value;
}

void Phy82574l::write_bmcr(std::uint16_t value) {
    const std::uint16_t before = common(kBmcr);
    std::uint16_t now = static_cast<std::uint16_t>(value & kRows[kBmcr].writable);
    // A soft reset keeps what says how to negotiate; the accesses that follow work at once.
    if (kBmcrReset.get(value) != 0) {
        now = kBmcrLoopback.put(now, 0);
        now = kBmcrPowerDown.put(now, 0);
    }
    common(kBmcr) = now;
    if (kBmcrReset.get(value) != 0 || now != before) return restart();
    if (kBmcrAnRestart.get(value) != 0) restart_negotiation();
}

// --- link ---------------------------------------------------------------------------------------

bool Phy82574l::powered() const {
    return !in_reset_ && power_ != PhyPower::kOff && kBmcrPowerDown.get(common(kBmcr)) == 0 &&
           kCopperControl1PowerDown.get(page0(kCopperControl1)) == 0;
}

std::uint32_t Phy82574l::forced_speed_mbps() const {
    if (kBmcrSpeedHigh.get(common(kBmcr)) != 0) return 1000;
    return kBmcrSpeedLow.get(common(kBmcr)) != 0 ? 100 : 10;
}

LinkAbilities Phy82574l::offer() const {
    LinkAbilities offer;
    const std::uint16_t bmcr = common(kBmcr);
    offer.present = powered() && kBmcrLoopback.get(bmcr) == 0;
    offer.negotiates = kBmcrAnEnable.get(bmcr) != 0;
    if (!offer.present) return offer;
    if (offer.negotiates) {
        offer.anar = common(kAnar);
        offer.ctrl1000 = common(kCtrl1000);
        const bool asleep = power_ == PhyPower::kAsleep;
        offer.lowest_first = kOemLowPowerLinkUp.get(page0(kOem)) != 0 || (asleep && slow_asleep_);
        if (kOemDisable1000.get(page0(kOem)) != 0 || (asleep && no_gigabit_asleep_)) {
            offer.ctrl1000 = kCtrl1000Full.put(kCtrl1000Half.put(offer.ctrl1000, 0), 0);
        }
    } else {
        offer.speed_mbps = forced_speed_mbps();
        offer.full_duplex = kBmcrFullDuplex.get(bmcr) != 0;
    }
    return offer;
}

void Phy82574l::restart_negotiation() {
    if (kBmcrAnEnable.get(common(kBmcr)) != 0) restart();
}

void Phy82574l::restart() {
    offer_ = offer();
    offer_.master_seed = static_cast<std::uint16_t>(prng_.below(kMasterSeeds));
    begin();
    wire_.advertise(offer_);
}

void Phy82574l::partner(const LinkAbilities& abilities) {
    partner_ = abilities;
    if (powered() && kBmcrLoopback.get(common(kBmcr)) == 0) begin();
}

void Phy82574l::begin() {
    timeline_.cancel(negotiation_task_);
    common(kAnlpar) = 0;
    common(kAner) = kRows[kAner].reset;
    common(kStat1000) = 0;
    if (!powered()) {
        enter(State::kDown, {});
        return;
    }
    if (kBmcrLoopback.get(common(kBmcr)) != 0) {
        enter(State::kUp,
              {true, forced_speed_mbps(), kBmcrFullDuplex.get(common(kBmcr)) != 0, true});
        return;
    }
    enter(State::kNegotiating, {});
    if (!partner_.present) return;
    const bool both = offer_.negotiates && partner_.negotiates;
    timeline_.schedule(negotiation_task_, timeline_.now_ps() + (both ? params_.autonegotiation_ps
                                                                     : params_.forced_link_ps));
}

void Phy82574l::finish() {
    const Resolution result = resolve(offer_, partner_);
    if (!result.link) return;  // Nothing in common: it goes on trying.
    const bool gigabit = result.speed_mbps == 1000 && offer_.negotiates && partner_.negotiates;
    const ClockRole role = resolve_clock_role(offer_, partner_);
    // The other end finds the same at the same time; the first to draw again is enough.
    if (gigabit && role == ClockRole::kTie) return restart();
    show_partner(role, gigabit);
    if (gigabit && role == ClockRole::kFault) return;
    enter(State::kUp, {true, result.speed_mbps, result.full_duplex, false});
}

// What a negotiation leaves in the registers (IEEE 28.2.4.1, 40.5.1.1).
void Phy82574l::show_partner(ClockRole role, bool gigabit_link) {
    if (!offer_.negotiates || !partner_.negotiates) return;
    common(kAnlpar) = kAbilityAck.put(partner_.anar, 1);
    std::uint16_t aner = kRows[kAner].reset;
    aner = kAnerPartnerNegotiates.put(aner, 1);
    aner = kAnerPageReceived.put(aner, 1);
    // 1000BASE-T abilities travel in next pages.
    const bool offers = (partner_.ctrl1000 & (kCtrl1000Full.mask() | kCtrl1000Half.mask())) != 0;
    aner = kAnerPartnerNextPage.put(aner, offers ? 1 : 0);
    common(kAner) = aner;
    if (!offers) return;
    std::uint16_t stat = 0;
    stat = kStat1000PartnerFull.put(stat, kCtrl1000Full.get(partner_.ctrl1000));
    stat = kStat1000PartnerHalf.put(stat, kCtrl1000Half.get(partner_.ctrl1000));
    if (!gigabit_link) {
        // Of the clock and of the receivers a slower link has nothing to say.
    } else if (role == ClockRole::kFault) {
        stat = kStat1000MasterFault.put(stat, 1);
    } else {
        stat = kStat1000LocalOk.put(stat, 1);
        stat = kStat1000RemoteOk.put(stat, 1);
        stat = kStat1000Master.put(stat, role == ClockRole::kMaster ? 1 : 0);
    }
    common(kStat1000) = stat;
}

// An erratum (section 11): link stays up and nothing is received until the PHY is reset.
void Phy82574l::hang() {
    link_.deaf = true;
    listener_.phy_link_changed(link_);
}

void Phy82574l::enter(State state, const PhyLink& link) {
    const bool changed =
        link.up != link_.up || link.loopback != link_.loopback ||
        (link.up && (link.speed_mbps != link_.speed_mbps || link.full_duplex != link_.full_duplex));
    if (link_.up && !link.up) link_was_lost_ = true;
    if (state != state_ || changed) {
        events::phy_state(events_, timeline_, {}, static_cast<std::uint64_t>(state),
                          link.speed_mbps, link.full_duplex ? 1 : 0);
    }
    state_ = state;
    link_ = link;
    timeline_.cancel(hang_task_);
    if (link.up && !link.loopback && params_.erratum_receive_hang_ps > 0) {
        timeline_.schedule(hang_task_, timeline_.now_ps() + params_.erratum_receive_hang_ps);
    }
    if (changed) listener_.phy_link_changed(link_);
}

}  // namespace doorbell
