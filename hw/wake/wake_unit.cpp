#include "hw/wake/wake_unit.hpp"

#include <algorithm>
#include <cstring>

#include "hw/base/bits.hpp"
#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// The largest frame that a sleeping MAC looks at (FCS and one tag included).
constexpr std::uint32_t kMaximumWireBytes = 1522;

}  // namespace

WakeUnit::WakeUnit(Timeline& timeline, regs::RegisterFile& registers, EventPort events,
                   PowerManagement& power)
    : timeline_(timeline), registers_(registers), events_(events), power_(power) {
    install_hooks();
}

void WakeUnit::install_hooks() {
    using Write = regs::RegisterFile::Write;
    registers_.on_write(r::WUC, [this](const Write& write) {
        power_.set_pme_enabled(r::WUC_PME_EN.get(write.now) != 0);
        if (r::WUC_PME_STATUS.get(write.written) != 0) power_.set_pme_status(false);
        power_management_changed();
    });
    registers_.on_write(r::WUS, [this](const Write& write) { status_ = write.now; });
}

void WakeUnit::reset(bool power_on) {
    if (power_on) {
        status_ = 0;
        length_ = 0;
        std::fill(std::begin(words_), std::end(words_), 0u);
        wake_ups_ = 0;
        link_up_ = false;
        told_ = false;
    }
    registers_.poke(r::WUS, status_);
    registers_.poke(r::WUPL, length_);
    for (std::uint32_t i = 0; i < kStoredWords; i++) registers_.poke(r::WUPM, words_[i], i);
    mirror();
}

void WakeUnit::mirror() {
    registers_.set(r::WUC_PME_EN, power_.pme_enabled() ? 1 : 0);
    registers_.set(r::WUC_PME_STATUS, power_.pme_status() ? 1 : 0);
}

void WakeUnit::power_management_changed() {
    mirror();
    if (!power_.pme_status()) told_ = false;
    if (!power_.pme_status() || !power_.pme_enabled() || told_) return;
    told_ = true;
    power_.send_pme();
}

void WakeUnit::set_asleep(bool asleep) {
    if (asleep && !asleep_) config_ = decode_wake_config(registers_);
    asleep_ = asleep;
}

void WakeUnit::link_is(bool up) {
    if (up == link_up_) return;
    link_up_ = up;
    if (!asleep_ || registers_.get(r::WUFC_LNKC) == 0) return;
    wake(r::WUFC_LNKC.mask(), true);
}

void WakeUnit::frame(const Frame& frame) {
    const std::uint32_t wire_bytes = frame.wire_bytes();
    if (!link_up_ || wire_bytes < Frame::kMinimumWireBytes || wire_bytes > kMaximumWireBytes ||
        !frame.fcs_good()) {
        return;
    }
    const std::uint32_t matched = wake_filters_matched(config_, frame.data(), frame.size_bytes());
    const std::uint32_t enabled = matched & registers_.word(r::WUFC);
    // APM wakes without a driver: a magic packet, and no filter enabled (WUC.APME).
    const bool apm = (matched & r::WUFC_MAG.mask()) != 0 && registers_.get(r::WUC_APME) != 0;
    if (enabled == 0 && !apm) return;
    if (status_ == 0) keep_frame(frame);
    const bool assert_pme = enabled != 0 || registers_.get(r::WUC_APMPME) != 0;
    wake(enabled | (apm ? r::WUFC_MAG.mask() : 0), assert_pme);
}

/// The packet that woke, as far as there is room for it; later ones do not replace it.
void WakeUnit::keep_frame(const Frame& frame) {
    std::uint8_t bytes[kStoredWords * 4] = {};
    std::memcpy(bytes, frame.data(), std::min<std::size_t>(frame.size_bytes(), sizeof bytes));
    length_ = frame.wire_bytes();
    registers_.poke(r::WUPL, r::WUPL_LEN.put(0, length_));
    for (std::uint32_t i = 0; i < kStoredWords; i++) {
        words_[i] = load_le32(bytes + 4 * i);
        registers_.poke(r::WUPM, words_[i], i);
    }
}

void WakeUnit::wake(std::uint32_t filters, bool assert_pme) {
    status_ |= filters;
    wake_ups_++;
    registers_.poke(r::WUS, status_);
    events::wake_up(events_, timeline_, {}, filters, assert_pme ? 1 : 0);
    if (!assert_pme) return;
    power_.set_pme_status(true);
    power_management_changed();
}

void WakeUnit::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("wake.events", wake_ups_);
    visitor.metric("wake.status", status_);
}

}  // namespace doorbell
