#pragma once

#include <cstdint>
#include <memory>

#include "hw/base/cause_port.hpp"
#include "hw/base/device_state.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/frame_time_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/queue_engine.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/queue_engine_params.hpp"

namespace doorbell {

/// Two transmit and two receive rings of the 82574L, its receive filter and its packet buffer.
/// Doorbells and configuration come in as hooks on the register file, frames of the wire through
/// `receive`; frames leave through `wire`.
class QueueEngine82574l final : public QueueEngine {
public:
    /// Everything referred to outlives the engine. Installs its hooks; `reset()` comes before use.
    QueueEngine82574l(regs::RegisterFile& registers, Timeline& timeline, DmaPort& dma,
                      CausePort& causes, StatsPort& stats, EthernetPort& wire, FramePool& frames,
                      const DeviceState& state, EventPort events,
                      const QueueEngineParams& params = {});
    ~QueueEngine82574l() override;
    QueueEngine82574l(const QueueEngine82574l&) = delete;
    QueueEngine82574l& operator=(const QueueEngine82574l&) = delete;

    /// To be called when the registers have their reset values, and with the DMA engine's reset:
    /// nothing of the older epoch may complete afterwards.
    void reset() override;
    /// Who stamps received frames.
    void bind(FrameTimePort& times);
    /// Also after registers changed without a bus write (RA0 loaded from the NVM): decodes the
    /// filter configuration anew.
    void device_state_changed() override;
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    [[nodiscard]] bool listens() const override;
    [[nodiscard]] bool has_room(std::uint32_t wire_bytes) const override;
    void flush_write_backs(Direction direction) override;
    [[nodiscard]] bool write_backs_pending(Direction direction) const override;
    void visit_metrics(MetricVisitor& visitor) const override;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace doorbell
