#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/pcie_bench/delay_line.hpp"
#include "testbench/pcie_bench/descriptor_driver.hpp"
#include "testbench/pcie_bench/descriptor_queue.hpp"
#include "testbench/pcie_bench/host_memory.hpp"
#include "testbench/pcie_bench/load.hpp"
#include "testbench/pcie_bench/requester.hpp"

namespace doorbell::pcie_bench {

/// A NIC reduced to its descriptor traffic, and its driver, at one of pcie-bench's disciplines. The
/// driver sends as fast as its ring allows. The wire is a loop: a frame that has left comes back as
/// one received, so that both directions run at one rate, and what has no place in host memory yet
/// stays in the packet buffer, which holds sending back.
///
///     driver ─tail─▶ fetch ─▶ read data ─▶ [ packet buffer ] ─ wire ─▶ write data ─▶ driver
///       ▲ head read, DD           ▼ write-back, interrupt                 ▼ write-back, interrupt
///
/// Each step waits for the one before: a tail write has arrived before its descriptor is fetched,
/// the descriptor before its data is, and so on. The CPU takes no time and may wait for several
/// registers at once: it is the link that is measured.
class DisciplinePlayer final : public Player, private DmaClient, private RegisterPath {
public:
    /// Host memory that rings and buffers take.
    [[nodiscard]] static std::uint64_t memory_bytes(const DisciplineLoad& load);

    DisciplinePlayer(const DisciplineLoad& load, Timeline& timeline, HostMemory& memory,
                     Requester& device, EventPort events);

    void start() override;
    [[nodiscard]] bool finished() const override {
        return received_ >= load_.warm_up + load_.frames;
    }
    void visit_metrics(MetricVisitor& visitor) const override;

    /// Data of the frames received in the measured time, and of those sent.
    [[nodiscard]] double rx_gbps() const { return gbps(end_.received - begin_.received); }
    [[nodiscard]] double tx_gbps() const { return gbps(end_.sent - begin_.sent); }
    /// The slower of the two.
    [[nodiscard]] double discipline_gbps() const;
    /// Whether that is all the wire carries, to one part in a thousand.
    [[nodiscard]] bool keeps_up() const;
    [[nodiscard]] std::uint64_t misdelivered() const { return rx_driver_.misdelivered(); }

private:
    struct TailWrite {
        Direction direction = Direction::kTx;
        std::uint32_t tail = 0;
    };
    struct HeadRead {
        Direction direction = Direction::kTx;
        std::uint32_t head = 0;
        std::uint64_t covers = 0;
    };
    /// Where the counters stood.
    struct Mark {
        Picoseconds time_ps = 0;
        std::uint64_t sent = 0;
        std::uint64_t received = 0;
        std::uint64_t upstream_bytes = 0;
        std::uint64_t downstream_bytes = 0;
        std::uint64_t upstream_busy_ns = 0;
        std::uint64_t downstream_busy_ns = 0;
    };

    // --- registers ---
    void write_tail(Direction direction, std::uint32_t tail) override;
    void read_head(Direction direction, std::uint64_t covers) override;
    void head_looked_up(HeadRead read);

    // --- frames ---
    void read_frames();
    void dma_complete(const DmaCompletion& completion) override;
    void frame_read(std::uint32_t place);
    void frame_left();
    void write_frames();
    void frame_received();

    [[nodiscard]] Mark mark() const;
    [[nodiscard]] double gbps(std::uint64_t frames) const;
    [[nodiscard]] std::uint32_t place(std::uint64_t frame) const {
        return static_cast<std::uint32_t>(frame % load_.buffer_frames);
    }
    [[nodiscard]] std::uint8_t* bytes_of(std::uint64_t frame) {
        return &buffer_[std::size_t{place(frame)} * load_.data_bytes()];
    }
    [[nodiscard]] DescriptorQueue& queue(Direction direction) {
        return direction == Direction::kTx ? tx_ : rx_;
    }
    [[nodiscard]] DescriptorDriver& driver(Direction direction) {
        return direction == Direction::kTx ? tx_driver_ : rx_driver_;
    }

    const DisciplineLoad load_;
    Timeline& timeline_;
    Requester& device_;
    EventPort events_;
    DescriptorDriver tx_driver_;
    DescriptorDriver rx_driver_;
    DescriptorQueue tx_;
    DescriptorQueue rx_;
    DelayLine<TailWrite> tail_writes_;  ///< Under way to the device.
    DelayLine<HeadRead> head_reads_;    ///< The same.
    DelayLine<HeadRead> heads_;         ///< Under way to the driver.

    // Frames by their numbers, which only grow:
    // received_ <= written_ <= left_ <= sending_ <= reading_ <= received_ + buffer_frames
    std::uint64_t reading_ = 0;
    std::uint64_t sending_ = 0;
    std::uint64_t left_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t received_ = 0;
    std::vector<std::uint8_t> buffer_;
    std::vector<bool> there_;  ///< A frame's data has been read.
    DelayLine<std::uint32_t> reads_;
    DelayLine<std::uint64_t> wire_;
    Picoseconds wire_free_ps_ = 0;
    std::uint64_t tails_ = 0;
    std::uint64_t heads_read_ = 0;
    std::uint64_t interrupts_ = 0;
    Mark begin_;
    Mark end_;
};

}  // namespace doorbell::pcie_bench
