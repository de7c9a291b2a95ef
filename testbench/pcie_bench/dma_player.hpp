#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/dma_port.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/pcie_bench/delay_line.hpp"
#include "testbench/pcie_bench/latency_samples.hpp"
#include "testbench/pcie_bench/load.hpp"
#include "testbench/pcie_bench/requester.hpp"

namespace doorbell::pcie_bench {

/// The places in a window where transfers go: multiples of the stride, none across a page unless
/// it is larger than one, as the buffers of a driver lie.
class Window {
public:
    explicit Window(const DmaLoad& load);
    /// At least 1.
    [[nodiscard]] std::uint64_t places() const { return places_; }
    /// From the start of the window.
    [[nodiscard]] std::uint64_t offset(std::uint64_t place) const {
        return place / per_page_ * page_bytes_ + place % per_page_ * stride_bytes_;
    }

private:
    std::uint64_t stride_bytes_;
    std::uint64_t page_bytes_;
    std::uint64_t per_page_;
    std::uint64_t places_;
};

/// Moves bytes between a device and a window of host memory, as pcie-bench does: each transfer to a
/// place of its own, a bounded number under way, the next as soon as one is done. The first
/// `warm_up` are not counted; bandwidth and latency are of the `transfers` that come to their end
/// next, and the load goes on until the last of them has.
///
///     start ─ issue ─▶ [ in_flight slots ] ─ done ─▶ issue ─▶ ...
///                             done: the read's last byte is here, the write is visible
class DmaPlayer final : public Player, private DmaClient {
public:
    /// Addresses of the window start at `base`; what is random comes of `seed`.
    DmaPlayer(const DmaLoad& load, std::uint64_t seed, Timeline& timeline, DmaPort& dma,
              std::uint64_t base);

    void start() override;
    [[nodiscard]] bool finished() const override {
        return done_ >= load_.warm_up + load_.transfers;
    }
    /// Those of the measured transfers. Bytes of each direction when both run.
    void visit_metrics(MetricVisitor& visitor) const override;

    [[nodiscard]] double goodput_gbps() const;
    /// Of a read from its issue to its last byte, of a write to its visibility; of a write and read
    /// from the issue of the write to the last byte of the read.
    [[nodiscard]] const LatencySamples& latencies() const { return latencies_; }
    [[nodiscard]] std::uint64_t failed() const { return failed_; }
    /// Reads that did not see the write before them.
    [[nodiscard]] std::uint64_t stale() const { return stale_; }

private:
    struct Slot {
        Picoseconds issued_ps = 0;
        Picoseconds latency_ps = 0;
        std::uint64_t number = 0;  ///< Of the transfer; stands in what it writes.
        std::uint32_t parts = 0;   ///< Under way: a read, a write.
    };

    void issue(std::uint32_t slot);
    void dma_complete(const DmaCompletion& completion) override;
    void check_read(std::uint32_t slot);
    void part_done(std::uint32_t slot, bool timed);
    void done(const Slot& slot);
    [[nodiscard]] std::uint64_t next_offset();
    [[nodiscard]] std::uint8_t* source_of(std::uint32_t slot);
    [[nodiscard]] std::uint8_t* target_of(std::uint32_t slot);

    const DmaLoad load_;
    const Window window_;
    Timeline& timeline_;
    DmaPort& dma_;
    const std::uint64_t base_;
    Prng prng_;
    std::uint64_t next_place_ = 0;
    std::uint64_t issued_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t failed_ = 0;
    std::uint64_t stale_ = 0;
    Picoseconds measured_from_ps_ = 0;
    Picoseconds measured_to_ps_ = 0;
    LatencySamples latencies_;
    std::vector<Slot> slots_;
    std::vector<std::uint8_t> buffers_;  ///< A source and a target for each slot.
    DelayLine<std::uint32_t> reads_;     ///< Slots whose read memory has answered.
};

}  // namespace doorbell::pcie_bench
