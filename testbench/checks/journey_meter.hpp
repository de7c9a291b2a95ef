#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hw/base/event_port.hpp"
#include "testbench/pcie_bench/latency_samples.hpp"

/// How long a frame takes between the driver and the wire, from the event stream: from the doorbell
/// to the descriptor that says it is done, and from the wire to that descriptor and to the reader.
namespace doorbell::checks {

/// Listens to all of the run; what begins between `begin` and `end` counts. After the first frames
/// nothing is allocated but room for samples.
class JourneyMeter final : public EventListener {
public:
    /// Sources of events: the NIC, and the guest that drives it.
    JourneyMeter(std::uint16_t nic, std::uint16_t guest);

    void begin(Picoseconds now_ps) { begin_ps_ = now_ps; }
    void end(Picoseconds now_ps) { end_ps_ = now_ps; }
    void event(const Event& event) override;
    /// Frames whose end nobody saw are none of the samples.
    void finish();

    using Samples = pcie_bench::LatencySamples;
    [[nodiscard]] const Samples& doorbell_to_done() const { return doorbell_to_done_; }
    [[nodiscard]] const Samples& wire_to_done() const { return wire_to_done_; }
    [[nodiscard]] const Samples& wire_to_reader() const { return wire_to_reader_; }

private:
    static constexpr std::uint32_t kQueues = 2;
    static constexpr std::uint32_t kMostDescriptors = 4096;  ///< In a driver's ring.
    /// More frames than a NIC and its driver's ring hold.
    static constexpr std::uint32_t kFrames = 16384;
    static constexpr std::size_t kSamples = 65536;  ///< Room for a start.
    /// A frame that has arrived.
    struct Arrival {
        std::uint64_t frame = 0;  ///< 0: none.
        Picoseconds arrived_ps = 0;
        Picoseconds done_ps = 0;  ///< Its last descriptor's so far; 0: none.
    };
    struct Queue {
        std::uint32_t tail = 0;
        std::vector<Picoseconds> rung_ps;  ///< When the doorbell gave the descriptor; 0: not since.
    };

    [[nodiscard]] bool counts(Picoseconds time_ps) const {
        return time_ps >= begin_ps_ && time_ps < end_ps_;
    }
    void rung(Queue& queue, std::uint32_t tail, Picoseconds now_ps);
    void arrived(const Event& event);
    void close(Arrival& arrival);

    const std::uint16_t nic_;
    const std::uint16_t guest_;
    Picoseconds begin_ps_ = kNever;
    Picoseconds end_ps_ = kNever;
    std::array<Queue, kQueues> queues_;
    std::vector<Arrival> arrivals_;        ///< By the frame's number.
    std::vector<Picoseconds> read_since_;  ///< By the packet's identity: when its frame arrived.
    std::vector<std::uint64_t> packets_;   ///< Whose that is.
    Samples doorbell_to_done_{kSamples};
    Samples wire_to_done_{kSamples};
    Samples wire_to_reader_{kSamples};
};

}  // namespace doorbell::checks
