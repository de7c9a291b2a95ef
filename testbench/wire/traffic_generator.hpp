#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "hw/base/byte_time.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"

/// A source and sink of frames at a link's end, without a guest. Plain C++ over a timeline; nothing
/// is allocated per frame.
namespace doorbell::wire {

/// What a generator sends: IPv4 datagrams numbered from 0 whose payload follows from their number,
/// as the guest's packet_generator sends and its packet_sink verifies.
struct GeneratorParams {
    std::uint32_t size_bytes = 64;  ///< With FCS and, if there is one, VLAN tag.
    std::uint64_t count = 0;        ///< Frames; 0: none, it only takes what comes.
    std::uint32_t rate_mbps = 1000;
    /// 0: back to back. Else a frame every 1/rate_fps seconds, on average to the picosecond.
    std::uint64_t rate_fps = 0;
    Picoseconds start_ps = 0;
    std::array<std::uint8_t, 6> from{};
    std::array<std::uint8_t, 6> to{};
    std::uint16_t vlan_tag = 0;  ///< 0: untagged.
    std::uint16_t port = 9;
    std::uint64_t first_frame_number = 0;
    /// Identity of the first packet, by which the event stream knows each one on its way; the next
    /// follow. 0: they have none.
    std::uint64_t first_packet = 0;

    /// Headers, the number and the FCS.
    static constexpr std::uint32_t kLeastBytes = 64;
    static constexpr std::uint32_t kMostBytes = 9728;
};

class TrafficGenerator final : public EthernetEndpoint {
public:
    TrafficGenerator(Timeline& timeline, FramePool& frames, const GeneratorParams& params);
    ~TrafficGenerator() override;
    TrafficGenerator(const TrafficGenerator&) = delete;
    TrafficGenerator& operator=(const TrafficGenerator&) = delete;

    /// The cable's end, and who is at the other one: it is sent nothing before it listens.
    void connect(EthernetPort& cable, const EthernetEndpoint& other);
    /// Offers a link and, when the other end listens, begins.
    void start();
    [[nodiscard]] bool done() const { return sent_ == params_.count; }

    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void partner(const LinkAbilities&) override {}

    /// Names without prefix: "sent.frames", "received.start_gap_min_ps", ...
    void visit_metrics(MetricVisitor& visitor) const;

private:
    void step();
    [[nodiscard]] FramePtr make();
    void fill(std::uint8_t* payload, std::uint64_t place, std::uint32_t size_bytes) const;
    void count_number(const Frame& frame);

    Timeline& timeline_;
    FramePool& frames_;
    const GeneratorParams params_;
    EthernetPort* cable_ = nullptr;
    const EthernetEndpoint* other_ = nullptr;
    Task step_;

    std::vector<std::uint8_t> headers_;
    std::uint32_t ip_at_ = 0;
    std::uint64_t header_sum_ = 0;  ///< Of the UDP pseudo-header and header.
    std::vector<std::uint8_t> pattern_;

    ByteTime byte_time_;
    Picoseconds next_ps_ = 0;  ///< Start of the next frame.
    std::uint64_t period_ps_;  ///< With rate_fps: whole picoseconds, and what is left over.
    std::uint64_t period_left_;
    std::uint64_t period_fraction_ = 0;
    bool began_ = false;
    std::uint64_t sent_ = 0;

    struct Received {
        std::uint64_t frames = 0;
        std::uint64_t bytes = 0;
        std::uint64_t damaged = 0;
        std::uint64_t missing = 0;
        std::uint64_t next_number = 0;
        Picoseconds last_start_ps = 0;
        Picoseconds gap_min_ps = kNever;
        Picoseconds gap_max_ps = 0;
    } received_;
};

}  // namespace doorbell::wire
