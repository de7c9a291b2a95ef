#pragma once

#include <array>
#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/device_state.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/mac/transmit_pacer.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/descriptor_ring.hpp"
#include "hw/rings/queue_engine_params.hpp"
#include "hw/rings/tx_fifo.hpp"
#include "hw/rings/tx_gatherer.hpp"

namespace doorbell {

/// The transmit half: from the doorbell to the wire and to the write-back (specification 6).
///
///   TDT -> DescriptorRing (prefetch) -> TxGatherer (data into TxFifo) -> finish_frame -> wire
///                                \-> done in order -> write-back -> CausePort
///
/// Everything is looked at again (`run`) whenever something arrives; what has no time of its own is
/// computed, not scheduled: a frame's start from when its data is there and the wire is free, the
/// room of sent frames from their ends.
class TxEngine final : public DescriptorRingOwner, public TxGatherer::Listener {
public:
    TxEngine(regs::RegisterFile& registers, Timeline& timeline, DmaPort& dma, CausePort& causes,
             StatsPort& stats, EthernetPort& wire, FramePool& frames, const DeviceState& state,
             EventPort events, const QueueEngineParams& params);
    ~TxEngine() override;

    void reset(std::uint32_t fifo_bytes);
    /// Decodes the registers anew and looks at what may run.
    void configure();
    void flush_write_backs();
    [[nodiscard]] bool write_backs_pending() const;
    void visit_metrics(MetricVisitor& visitor) const;

    // --- flow control ---
    /// The partner's PAUSE: the frame on the wire ends, no data frame starts before `until_ps`.
    void pause(Picoseconds until_ps);
    /// Sends XOFF, with the time in FCTTV, or XON, before any data frame. At most one waits for the
    /// wire: a newer one takes its place.
    void request_pause_frame(bool xoff);

    void descriptors_arrived(std::uint32_t queue) override;
    void written_back(std::uint32_t queue, const WrittenBack& what) override;
    void ring_stopped(std::uint32_t queue) override;
    void data_arrived() override { run(); }

private:
    enum class PauseRequest : std::uint8_t { kNone, kXoff, kXon };

    struct Counters {
        std::uint64_t frames = 0;
        std::uint64_t bytes = 0;
        std::uint64_t checksum_skipped = 0;
        std::uint64_t abandoned = 0;
        Picoseconds wire_wait_ps = 0;
        Picoseconds room_wait_ps = 0;
    };

    void install_hooks();
    void decode();
    void show_fifo();
    [[nodiscard]] std::uint32_t fifo_pointer(std::uint64_t total_bytes) const;
    void restart_ring(std::uint32_t queue);
    [[nodiscard]] bool wire_usable() const;
    [[nodiscard]] Picoseconds pipeline_ps() const {
        return params_.tx_pipeline_cycles * params_.clock_ps;
    }
    [[nodiscard]] WireOffloads wire_offloads() const;
    [[nodiscard]] std::array<bool, kTxQueues> may_run() const;

    void run();
    void complete(std::uint32_t queue, Picoseconds now_ps);
    void write_back(std::uint32_t queue, bool deferred);
    void raise_levels(std::uint32_t queue, std::uint32_t before, std::uint32_t after);
    void hand_over(Picoseconds now_ps);
    [[nodiscard]] bool wait_for_wire(Picoseconds start_ps, Picoseconds now_ps);
    void send_pause_frame(Picoseconds now_ps);
    void send(TxEntry& entry, Picoseconds start_ps, const WireOffloads& offloads);
    void put_on_wire(FramePtr frame, const TransmitPacer::Slot& slot);
    void arm(Picoseconds now_ps);
    void note_wire_wait(Picoseconds ready_ps, Picoseconds start_ps);
    void note_room_wait(Picoseconds now_ps);

    regs::RegisterFile& registers_;
    Timeline& timeline_;
    CausePort& causes_;
    StatsPort& stats_;
    EthernetPort& wire_;
    FramePool& frames_;
    const DeviceState& state_;
    EventPort events_;
    const QueueEngineParams params_;
    const TxOffloadParams offload_params_;

    TxConfig config_;
    DescriptorRing ring0_;
    DescriptorRing ring1_;
    const std::array<DescriptorRing*, kTxQueues> rings_;
    TxFifo fifo_;
    TxGatherer gatherer_;
    TransmitPacer pacer_;
    Task wake_;

    const bool wire_takes_work_;  ///< Some of it, some of the time.
    bool running_ = false;
    bool again_ = false;
    bool flush_ = false;
    bool flow_control_ = false;  ///< CTRL.RFCE or CTRL.TFCE in full duplex.
    PauseRequest pause_request_ = PauseRequest::kNone;
    Picoseconds lookahead_ps_ = 0;
    Picoseconds hand_over_due_ps_ = kNever;
    std::uint64_t frame_number_;
    std::uint32_t train_ = 0;  ///< Counts segmented packets, for a wire that wants to know.
    Counters counters_;
    Picoseconds last_start_ps_ = 0;
    Picoseconds room_wanted_since_ps_ = kNever;
    /// TDFH, TDFT, TDFHS, TDFTS, TDFPC: what software added to them.
    std::array<std::uint32_t, 5> fifo_offsets_{};
};

}  // namespace doorbell
