#pragma once

#include <array>
#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/device_state.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/frame_time_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/packet_buffer/rx_fifo.hpp"
#include "hw/rings/descriptor_ring.hpp"
#include "hw/rings/flow_control.hpp"
#include "hw/rings/queue_engine_params.hpp"
#include "hw/rings/rx_config.hpp"

namespace doorbell {

/// The receive half: from the last bit of a frame to the write-back (specification 7).
///
///   wire -> judge_frame -> RxFifo -> buffers of the next descriptors -> write-back -> CausePort
///                              RDT -> DescriptorRing (prefetch)
///
/// Data and write-back of a frame are posted one behind the other: they become visible in this
/// order without anybody waiting in between.
class RxEngine final : public DescriptorRingOwner, public DmaClient {
public:
    RxEngine(regs::RegisterFile& registers, Timeline& timeline, DmaPort& dma, CausePort& causes,
             StatsPort& stats, FlowControl& flow_control, const DeviceState& state,
             EventPort events, const QueueEngineParams& params);
    ~RxEngine() override;

    void reset(std::uint32_t fifo_bytes);
    /// Decodes the registers anew and looks at what may run.
    void configure();
    void receive(FramePtr frame);
    void bind(FrameTimePort& times) { times_ = &times; }
    [[nodiscard]] bool listens() const;
    [[nodiscard]] bool has_room(std::uint32_t wire_bytes) const;
    void flush_write_backs();
    [[nodiscard]] bool write_backs_pending() const;
    void visit_metrics(MetricVisitor& visitor) const;

    void descriptors_arrived(std::uint32_t queue) override;
    void written_back(std::uint32_t queue, const WrittenBack& what) override;
    void ring_stopped(std::uint32_t queue) override;
    void dma_complete(const DmaCompletion& completion) override;

private:
    /// A frame in the receive FIFO.
    struct Entry {
        FramePtr frame;
        std::uint32_t queue = 0;
        const std::uint8_t* data = nullptr;  ///< First byte to be stored: behind a stripped tag.
        std::uint32_t store_bytes = 0;
        std::uint32_t offset = 0;  ///< Bytes that have been given to the DMA engine.
        std::uint32_t header_bytes =
            0;  ///< Packet split: what goes into the header buffer, if any.
        std::uint32_t pending_writes = 0;
        std::uint32_t last_index = 0;
        Picoseconds ready_ps = 0;  ///< Through the chip's pipeline.
        bool issued = false;
        bool failed = false;
        bool waited = false;  ///< For a descriptor: counted in RNBC.
        RxReport report;
    };
    /// What a full FIFO waits for.
    enum class HeldUpBy : std::uint8_t {
        kStore,         ///< Everything in it is on its way to host memory.
        kFetch,         ///< Descriptors are there, but not yet on the chip.
        kNoDescriptor,  ///< The driver has given none, or the ring stopped.
    };
    static constexpr std::size_t kHeldUpByCount = 3;
    struct Counters {
        std::uint64_t frames = 0;
        std::uint64_t bytes = 0;
        std::uint64_t stored = 0;
        std::uint64_t failed = 0;  ///< Their buffer was not in host memory.
        std::uint64_t shortages = 0;
        std::uint64_t null_descriptors = 0;
        std::array<std::uint64_t, static_cast<std::size_t>(DropReason::kCount)> drops{};
        std::array<std::uint64_t, kHeldUpByCount> overruns{};
    };

    void install_hooks();
    void show_fifo();
    [[nodiscard]] std::uint32_t fifo_pointer(std::uint64_t total_bytes) const;
    void decode();
    [[nodiscard]] HeldUpBy what_holds_up();
    void restart_ring(std::uint32_t queue);
    [[nodiscard]] bool may_run() const;

    void drop(const Frame& frame, DropReason reason);
    void fill_entry(Entry& entry, FramePtr frame, const ReceiveVerdict& verdict, bool tagged,
                    const PacketLayout& layout) const;
    [[nodiscard]] std::uint32_t split_point(const PacketLayout& layout,
                                            const std::uint8_t* data) const;
    void run();
    void store_frames();
    [[nodiscard]] bool store_next(Entry& entry, std::uint32_t position);
    [[nodiscard]] bool store_split(Entry& entry, std::uint32_t position);
    void write_data(Entry& entry, std::uint32_t position, std::uint64_t address,
                    std::uint32_t size_bytes);
    void wait_for_descriptor(Entry& entry);
    void check_threshold(std::uint32_t queue, std::uint32_t before);
    void write_back(std::uint32_t queue, bool frame_end);
    void retire_stored();
    void raise_content_causes(const Entry& entry);

    regs::RegisterFile& registers_;
    Timeline& timeline_;
    DmaPort& dma_;
    CausePort& causes_;
    StatsPort& stats_;
    FlowControl& flow_control_;
    const DeviceState& state_;
    EventPort events_;
    const QueueEngineParams params_;
    FrameTimePort* times_ = nullptr;

    RxConfig config_;
    DescriptorRing ring0_;
    DescriptorRing ring1_;
    const std::array<DescriptorRing*, kRxQueues> rings_;
    RxFifo<Entry> fifo_;
    /// What software added to RDFH, RDFT, RDFHS, RDFTS and RDFPC by writing them.
    std::array<std::uint32_t, 5> fifo_offsets_{};
    std::uint32_t in_store_ = 0;  ///< Entries at the head of the FIFO that are given out whole.
    bool running_ = false;
    bool again_ = false;
    std::uint32_t epoch_ = 0;
    Counters counters_;
    const Picoseconds pipeline_ps_;
    Task pipeline_task_;  ///< For the head of the FIFO.
};

}  // namespace doorbell
