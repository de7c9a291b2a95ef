#include "hw/rings/queue_engine_82574l.hpp"

#include <utility>

#include "hw/packet_buffer/packet_buffer.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/rings/flow_control.hpp"
#include "hw/rings/rx_engine.hpp"
#include "hw/rings/tx_engine.hpp"

namespace doorbell {

struct QueueEngine82574l::Parts {
    Parts(regs::RegisterFile& register_file, Timeline& timeline, DmaPort& dma, CausePort& causes,
          StatsPort& stats, EthernetPort& wire, FramePool& frames, const DeviceState& state,
          EventPort events, const QueueEngineParams& params)
        : registers(register_file),
          tx(registers, timeline, dma, causes, stats, wire, frames, state, events, params),
          flow_control(registers, timeline, state, events, tx, params),
          rx(registers, timeline, dma, causes, stats, flow_control, state, events, params) {}

    regs::RegisterFile& registers;
    TxEngine tx;
    FlowControl flow_control;
    RxEngine rx;
};

QueueEngine82574l::QueueEngine82574l(regs::RegisterFile& registers, Timeline& timeline,
                                     DmaPort& dma, CausePort& causes, StatsPort& stats,
                                     EthernetPort& wire, FramePool& frames,
                                     const DeviceState& state, EventPort events,
                                     const QueueEngineParams& params)
    : parts_(std::make_unique<Parts>(registers, timeline, dma, causes, stats, wire, frames, state,
                                     events, params)) {}

QueueEngine82574l::~QueueEngine82574l() = default;

void QueueEngine82574l::reset() {
    // PBA survives a software reset and takes effect with it: drivers write it, then reset.
    const PacketBufferSplit split =
        split_packet_buffer(parts_->registers.get(regs::i82574l::PBA_RXA),
                            parts_->registers.get(regs::i82574l::PBS_SIZE));
    parts_->tx.reset(split.tx_bytes);
    parts_->rx.reset(split.rx_bytes);
    parts_->flow_control.reset();
}

void QueueEngine82574l::bind(FrameTimePort& times) {
    parts_->rx.bind(times);
}

void QueueEngine82574l::device_state_changed() {
    parts_->rx.configure();
    parts_->tx.configure();
    parts_->flow_control.configure();
}

void QueueEngine82574l::receive(FramePtr frame, Picoseconds, Picoseconds) {
    parts_->rx.receive(std::move(frame));
}

void QueueEngine82574l::flush_write_backs(Direction direction) {
    if (direction == Direction::kTx) {
        parts_->tx.flush_write_backs();
    } else {
        parts_->rx.flush_write_backs();
    }
}

bool QueueEngine82574l::write_backs_pending(Direction direction) const {
    return direction == Direction::kTx ? parts_->tx.write_backs_pending()
                                       : parts_->rx.write_backs_pending();
}

bool QueueEngine82574l::listens() const {
    return parts_->rx.listens();
}

bool QueueEngine82574l::has_room(std::uint32_t wire_bytes) const {
    return parts_->rx.has_room(wire_bytes);
}

void QueueEngine82574l::visit_metrics(MetricVisitor& visitor) const {
    parts_->tx.visit_metrics(visitor);
    parts_->flow_control.visit_metrics(visitor);
    parts_->rx.visit_metrics(visitor);
}

}  // namespace doorbell
