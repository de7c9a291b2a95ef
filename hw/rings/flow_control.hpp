#pragma once

#include <cstdint>

#include "hw/base/device_state.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/packet_buffer/packet_buffer.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/queue_engine_params.hpp"
#include "hw/rings/tx_engine.hpp"

namespace doorbell {

/// PAUSE both ways (IEEE 802.3 annex 31B; specification 7.1 step 3 and 7.6); full duplex only.
///
///     RxEngine   PAUSE from the partner, CTRL.RFCE      -> the transmitter stops, STATUS.TXOFF
///     FifoSpace  fill above FCRTH, CTRL.TFCE            -> XOFF with FCTTV, again after FCRTV
///                fill below FCRTL, FCRTL.XONE as well   -> XON
///     TCTL.SWXOFF                                       -> one XOFF
///
/// What was negotiated is software's affair: it writes CTRL.RFCE and CTRL.TFCE.
class FlowControl final : public WatermarkListener {
public:
    FlowControl(regs::RegisterFile& registers, Timeline& timeline, const DeviceState& state,
                EventPort events, TxEngine& tx, const QueueEngineParams& params);
    ~FlowControl() override;
    FlowControl(const FlowControl&) = delete;
    FlowControl& operator=(const FlowControl&) = delete;

    /// The receive half of the packet buffer, whose fill decides.
    void watch(FifoSpace& space) { space_ = &space; }
    void reset();
    /// Registers or the state of the link changed.
    void configure();
    /// A PAUSE frame that CTRL.RFCE lets act.
    void pause_received(std::uint16_t quanta, PacketRef ref);
    void visit_metrics(MetricVisitor& visitor) const;

    void above_high_watermark() override { send_xoff(); }
    void below_low_watermark() override;

private:
    void install_hooks();
    void set_watermarks();
    void send_xoff();
    void resume();

    regs::RegisterFile& registers_;
    Timeline& timeline_;
    const DeviceState& state_;
    EventPort events_;
    TxEngine& tx_;
    const QueueEngineParams params_;

    FifoSpace* space_ = nullptr;
    bool obeys_ = false;
    bool generates_ = false;
    bool paused_ = false;
    Picoseconds paused_since_ps_ = 0;
    Picoseconds paused_ps_ = 0;
    Task resume_;   ///< The time of the last XOFF is over.
    Task refresh_;  ///< FCRTV: the fill is still above FCRTH.
};

}  // namespace doorbell
