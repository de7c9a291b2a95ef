#pragma once

#include <array>
#include <cstdint>

#include "hw/base/dma_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/rings/descriptor_ring.hpp"
#include "hw/rings/tx_descriptor.hpp"
#include "hw/rings/tx_fifo.hpp"

namespace doorbell {

inline constexpr std::uint32_t kTxQueues = 2;

/// What the transmit registers say, decoded when they are written.
struct TxConfig {
    bool enabled = false;  ///< TCTL.EN
    bool pad = false;      ///< TCTL.PSP
    bool vlan = false;     ///< CTRL.VME
    std::uint16_t vet = 0;
    bool report_every = false;  ///< IVAR bit 31
    struct Queue {
        bool enabled = false;     ///< TARC.ENABLE
        std::uint32_t burst = 1;  ///< TARC.COUNT, packets in a row while the other queue waits
        std::uint32_t low = 0;    ///< TXDCTL.LWTHRESH, in descriptors; 0 is off
    };
    std::array<Queue, kTxQueues> queues;
};

/// Turns descriptors into frames in the transmit FIFO: takes them from the rings in turn, reads the
/// data they point to straight into frames, and cuts what is to be segmented as it comes, so that
/// nothing larger than a frame is ever held. Reads of many packets are under way at once, as far
/// as the packet buffer has room.
class TxGatherer final : public DmaClient {
public:
    class Listener {
    public:
        virtual ~Listener() = default;
        virtual void data_arrived() = 0;
    };
    struct Counters {
        std::uint64_t tso_packets = 0;
        std::uint64_t tso_segments = 0;
    };

    TxGatherer(std::array<DescriptorRing*, kTxQueues> rings, TxFifo& fifo, FramePool& frames,
               Timeline& timeline, DmaPort& dma, StatsPort& stats, const TxConfig& config,
               bool context_per_queue, Listener& listener);

    void reset();
    /// Takes descriptors of the queues that may run as far as room and requests allow.
    void gather(const std::array<bool, kTxQueues>& may_run);
    /// Bytes of the packet buffer that the next step waits for; 0: it waits for something else.
    [[nodiscard]] std::uint32_t blocked_bytes() const { return blocked_bytes_; }

    /// A ring stopped: the packet being gathered from it will never be whole.
    void abandon_open(std::uint32_t queue);
    /// A ring was set up anew: nothing unfinished of it will be sent.
    void abandon_unfinished(std::uint32_t queue);
    /// An entry has been handed over or dropped: it does not need its header any more.
    static void release_header(TxEntry& entry);

    [[nodiscard]] const Counters& counters() const { return counters_; }

    void dma_complete(const DmaCompletion& completion) override;

private:
    /// Requests under way, which bounds what waits in the DMA engine.
    static constexpr std::uint32_t kReads = 64;
    /// Packets under segmentation at once.
    static constexpr std::uint32_t kHeaders = 4;
    static constexpr std::uint32_t kNoEntry = ~std::uint32_t{0};
    /// Longest frame of the part, 9728 bytes with FCS, without a tag to insert.
    static constexpr std::uint32_t kMaximumBytes = 9728 - Frame::kFcsBytes;

    enum class Progress : std::uint8_t { kDone, kBlocked, kFault };

    struct Read {
        std::uint32_t entry = kNoEntry;
        TsoHeader* header = nullptr;
        std::uint32_t queue = 0;
        std::uint32_t generation = 0;
        std::uint64_t descriptor = 0;
    };
    /// The packet whose descriptors are being taken.
    struct OpenPacket {
        bool active = false;
        bool tso = false;
        std::uint32_t queue = 0;
        std::uint32_t entry = kNoEntry;  ///< The frame being filled.
        TxInstructions what;
        std::uint32_t headroom = 0;
        TsoHeader* header = nullptr;
        std::uint32_t segments = 0;
    };

    [[nodiscard]] bool choose_queue(const std::array<bool, kTxQueues>& may_run);
    [[nodiscard]] Progress step();
    [[nodiscard]] Progress begin(const TxBuffer& buffer);
    [[nodiscard]] Progress begin_segmentation();
    [[nodiscard]] Progress gather_plain(const TxBuffer& buffer);
    [[nodiscard]] Progress gather_segments(const TxBuffer& buffer);
    [[nodiscard]] Progress gather_header(const TxBuffer& buffer);
    [[nodiscard]] Progress open_entry(std::uint32_t body_bytes);
    [[nodiscard]] Progress reserve(TxEntry& entry, std::uint32_t body_bytes);
    void close_plain(const TxBuffer& buffer);
    void close_segment(bool last);
    void finish_packet();
    void finish_descriptor(const TxWords& words);
    [[nodiscard]] Progress fail(RingFault fault);
    [[nodiscard]] Progress read(std::uint64_t address, std::uint32_t size_bytes,
                                std::uint8_t* target, std::uint32_t entry, TsoHeader* header);
    void drop_failed(const Read& read);
    [[nodiscard]] TxContext& context() { return contexts_[context_per_queue_ ? queue_ : 0]; }
    [[nodiscard]] DescriptorRing& ring() { return *rings_[queue_]; }

    const std::array<DescriptorRing*, kTxQueues> rings_;
    TxFifo& fifo_;
    FramePool& frames_;
    Timeline& timeline_;
    DmaPort& dma_;
    StatsPort& stats_;
    const TxConfig& config_;
    const bool context_per_queue_;
    Listener& listener_;

    std::array<TxContext, kTxQueues> contexts_;
    std::array<TsoHeader, kHeaders> headers_;
    OpenPacket open_;
    std::uint32_t queue_ = 0;              ///< Whose turn it is.
    std::uint32_t packets_left_ = 0;       ///< In this turn.
    std::uint32_t descriptor_offset_ = 0;  ///< Bytes of the next descriptor that are requested.
    std::uint32_t blocked_bytes_ = 0;

    std::array<Read, kReads> reads_;
    std::array<std::uint8_t, kReads> free_reads_{};
    std::uint32_t free_read_count_ = 0;
    std::uint32_t epoch_ = 0;
    Counters counters_;
};

}  // namespace doorbell
