#include "hw/rings/flow_control.hpp"

#include <algorithm>

#include "hw/base/generated/events.hpp"
#include "hw/mac/pause.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

using namespace regs::i82574l;

namespace {

constexpr std::uint64_t kReceived = static_cast<std::uint64_t>(Direction::kRx);

/// FCRTH and FCRTL hold bytes in units of 8.
constexpr std::uint32_t kWatermarkUnit = 8;

}  // namespace

FlowControl::FlowControl(regs::RegisterFile& registers, Timeline& timeline,
                         const DeviceState& state, EventPort events, TxEngine& tx,
                         const QueueEngineParams& params)
    : registers_(registers),
      timeline_(timeline),
      state_(state),
      events_(events),
      tx_(tx),
      params_(params),
      resume_([this] { resume(); }),
      refresh_([this] { send_xoff(); }) {
    install_hooks();
}

FlowControl::~FlowControl() {
    timeline_.cancel(resume_);
    timeline_.cancel(refresh_);
}

void FlowControl::install_hooks() {
    using Write = regs::RegisterFile::Write;
    for (const regs::Register* reg : {&CTRL, &FCRTL, &FCRTH}) {
        registers_.on_write(*reg, [this](const Write&) { configure(); });
    }
    registers_.on_write(TCTL, [this](const Write& write) {
        if (TCTL_SWXOFF.get(write.written) != 0 && generates_) tx_.request_pause_frame(true);
    });
}

void FlowControl::reset() {
    timeline_.cancel(resume_);
    timeline_.cancel(refresh_);
    paused_ = false;  // STATUS and the transmitter are as new as well.
    configure();
}

void FlowControl::configure() {
    const bool connected = state_.link_up || state_.mac_loopback || state_.phy_loopback;
    const bool possible = connected && state_.full_duplex && state_.awake;
    obeys_ = possible && registers_.get(CTRL_RFCE) != 0;
    generates_ = possible && registers_.get(CTRL_TFCE) != 0;
    if (paused_ && !obeys_) resume();
    if (!generates_) timeline_.cancel(refresh_);
    set_watermarks();
}

void FlowControl::set_watermarks() {
    if (space_ == nullptr) return;
    const std::uint32_t high = generates_ ? registers_.get(FCRTH_RTH) * kWatermarkUnit : 0;
    // Without XON the low watermark means nothing: below the high one, XOFF may be sent anew. A low
    // watermark of 0 is the empty buffer.
    const bool xon = registers_.get(FCRTL_XONE) != 0;
    const std::uint32_t low = registers_.get(FCRTL_RTL) * kWatermarkUnit;
    space_->set_watermarks(high, xon ? std::max(low, 1u) : high, this);
}

// --- the partner stops us
// -------------------------------------------------------------------------

/// Each PAUSE replaces the time of the one before; 0 is XON.
void FlowControl::pause_received(std::uint16_t quanta, PacketRef ref) {
    if (!obeys_) return;
    const Picoseconds now_ps = timeline_.now_ps();
    events::pause_frame(events_, now_ps, ref, kReceived, quanta);
    if (quanta == 0) {
        if (paused_) resume();
        return;
    }
    const Picoseconds until_ps =
        now_ps + pause::bit_times(std::uint64_t{quanta} * pause::kQuantumBits,
                                  params_.rate_mbps(state_.speed_mbps));
    if (!paused_) paused_since_ps_ = now_ps;
    paused_ = true;
    registers_.set(STATUS_TXOFF, 1);
    events::transmit_pause(events_, now_ps, {}, 1, until_ps);
    timeline_.schedule(resume_, until_ps);
    tx_.pause(until_ps);
}

void FlowControl::resume() {
    const Picoseconds now_ps = timeline_.now_ps();
    timeline_.cancel(resume_);
    paused_ = false;
    paused_ps_ += now_ps - paused_since_ps_;
    registers_.set(STATUS_TXOFF, 0);
    events::transmit_pause(events_, now_ps, {}, 0, now_ps);
    tx_.pause(now_ps);
}

// --- we stop the partner
// --------------------------------------------------------------------------

void FlowControl::send_xoff() {
    tx_.request_pause_frame(true);
    const std::uint32_t refresh = registers_.get(FCRTV_FCRTV);
    if (refresh == 0) return;
    // No sooner than the frame has left, whatever a driver wrote.
    const std::uint64_t bits =
        std::max(std::uint64_t{refresh} * params_.fcrtv_unit_bits, pause::kWireBits);
    timeline_.schedule(refresh_, timeline_.now_ps() +
                                     pause::bit_times(bits, params_.rate_mbps(state_.speed_mbps)));
}

void FlowControl::below_low_watermark() {
    timeline_.cancel(refresh_);
    if (registers_.get(FCRTL_XONE) != 0) tx_.request_pause_frame(false);
}

void FlowControl::visit_metrics(MetricVisitor& visitor) const {
    const Picoseconds open_ps = paused_ ? timeline_.now_ps() - paused_since_ps_ : 0;
    visitor.metric("tx.paused_ns", (paused_ps_ + open_ps) / nanoseconds(1));
}

}  // namespace doorbell
