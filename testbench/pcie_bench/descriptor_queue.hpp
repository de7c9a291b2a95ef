#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/pcie_bench/delay_line.hpp"
#include "testbench/pcie_bench/descriptor_driver.hpp"

namespace doorbell::pcie_bench {

/// The device's side of one ring: fetches descriptors ahead of their use, hands them out in order,
/// gives them back, and interrupts.
///
///     numbers of descriptors, which only grow:
///     completed_ <= taken_ <= fetched_ <= tail_
class DescriptorQueue final : private DmaClient {
public:
    /// `fetched` is called when there is a next descriptor, `written_back` when the host can see
    /// what was given back.
    DescriptorQueue(Direction direction, const DirectionRules& rules, const RingPlace& ring,
                    Timeline& timeline, DmaPort& dma, EventPort events,
                    std::function<void()> fetched, std::function<void()> written_back);

    /// The tail register has been written.
    void tail(std::uint32_t position);
    /// A descriptor is on the chip and not taken.
    [[nodiscard]] bool has_descriptor() const;
    [[nodiscard]] Descriptor take();
    /// The oldest taken one is done with; `length` of data, which is in its buffer.
    void complete(std::uint32_t length);
    /// The head register.
    [[nodiscard]] std::uint32_t head() const { return ring_.position(completed_); }

private:
    /// One read of descriptors, and where they stay until each has been taken.
    struct Fetch {
        std::uint64_t first = 0;
        std::uint32_t count = 0;
        bool arrived = false;
        std::vector<std::uint8_t> bytes;
    };

    void fetch();
    void write_back();
    void dma_complete(const DmaCompletion& completion) override;
    void arrived(std::uint32_t place);
    [[nodiscard]] Fetch& fetch_at(std::uint64_t number) {
        return fetches_[number % fetches_.size()];
    }

    const Direction direction_;
    const DirectionRules rules_;
    const RingPlace ring_;
    Timeline& timeline_;
    DmaPort& dma_;
    EventPort events_;
    const std::function<void()> fetched_call_;
    const std::function<void()> written_back_call_;
    std::uint64_t tail_ = 0;
    std::uint64_t fetched_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t completed_ = 0;
    std::vector<Fetch> fetches_;      ///< Used in turn; from the oldest not used up
    std::uint64_t oldest_fetch_ = 0;  ///< to the next.
    std::uint64_t next_fetch_ = 0;
    std::vector<std::uint8_t> shadow_;  ///< The ring as it is written back.
    DelayLine<std::uint32_t> arrivals_;
};

}  // namespace doorbell::pcie_bench
