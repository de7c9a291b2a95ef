#include "hw/irq/cause_rules.hpp"

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

constexpr std::uint32_t kOther = r::ICR_OTHER.mask();
constexpr std::uint32_t kSixOthers = r::ICR_LSC.mask() | r::ICR_RXO.mask() | r::ICR_MDAC.mask() |
                                     r::ICR_SRPD.mask() | r::ICR_ACK.mask() | r::ICR_MNG.mask();
constexpr std::uint32_t kEightOthers = kSixOthers | r::ICR_RXSEQ.mask() | r::ICR_TXD_LOW.mask();

}  // namespace

void CauseRules::reset() {
    causes_ = 0;
    ims_ = 0;
    int_asserted_ = false;
}

std::uint32_t CauseRules::other_causes() const {
    return params_.u12_other_causes == InterruptParams::OtherCauses::kSix ? kSixOthers
                                                                          : kEightOthers;
}

std::uint32_t CauseRules::icr() const {
    return causes_ | r::ICR_INT_ASSERTED.put(0, int_asserted_ ? 1 : 0);
}

std::uint32_t CauseRules::set(std::uint32_t causes, const Settings& settings) {
    causes &= kCauseMask;
    if (settings.msix && (causes & other_causes()) != 0) causes |= kOther;
    causes_ |= causes;
    latch_int_asserted();
    return causes;
}

// Latched when a request comes into being and cleared with the causes (section 8.1): a handler that
// masks first and reads ICR afterwards still learns that it was this device.
void CauseRules::latch_int_asserted() {
    const bool any = params_.u2_int_asserted == InterruptParams::IntAsserted::kAnyCause;
    if ((any ? causes_ : active()) != 0) int_asserted_ = true;
}

void CauseRules::recompute_int_asserted() {
    int_asserted_ = false;
    latch_int_asserted();
}

void CauseRules::clear_all() {
    causes_ = 0;
    int_asserted_ = false;
}

std::uint32_t CauseRules::read_icr(const Settings& settings) {
    const std::uint32_t value = icr();
    if (int_asserted_ && settings.iame) ims_ &= ~settings.iam;
    // Judged by what stood before the auto-mask.
    bool clears = true;
    if (!bool(value & r::ICR_INT_ASSERTED.mask()) && ims_ != 0) {
        switch (params_.u1_icr_read) {
            case InterruptParams::IcrRead::kByMode:
                clears = !settings.msix;
                break;
            case InterruptParams::IcrRead::kAlwaysClear:
                clears = true;
                break;
            case InterruptParams::IcrRead::kNeverClear:
                clears = false;
                break;
        }
    }
    if (clears) clear_all();
    return value;
}

void CauseRules::write_icr(std::uint32_t value, const Settings& settings) {
    if (int_asserted_ && settings.iame) ims_ &= ~settings.iam;
    causes_ &= ~value;
    // Clearing OTHER clears what stands behind it (section 8.3).
    if ((value & kOther) != 0) causes_ &= ~other_causes();
    recompute_int_asserted();
}

std::uint32_t CauseRules::write_ims(std::uint32_t value) {
    const std::uint32_t uncovered = value & kCauseMask & ~ims_;
    ims_ |= value & kCauseMask;
    latch_int_asserted();
    return uncovered;
}

void CauseRules::write_imc(std::uint32_t value) {
    ims_ &= ~value;
}

void CauseRules::auto_clear(std::uint32_t causes) {
    causes_ &= ~causes;
    if (params_.u3_eiac_clears_ims) ims_ &= ~causes;
    recompute_int_asserted();
}

std::uint32_t CauseRules::auto_mask(std::uint32_t causes, std::uint32_t iam) {
    if (params_.u4_auto_mask == InterruptParams::AutoMask::kClearIam) return iam & ~causes;
    ims_ &= ~(iam & causes);
    return iam;
}

}  // namespace doorbell
