#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "hw/base/frame.hpp"

/// Between real frames and the large packets that a host kernel likes: segments of a TCP packet are
/// put together, and a large packet is cut into segments. Plain functions; a layout is judged
/// before anything is written, whoever the bytes came from.
namespace doorbell::wire {

/// The headers of a TCP segment, as offsets into its frame.
struct TcpLayout {
    std::uint32_t ip = 0;
    std::uint32_t tcp = 0;
    std::uint32_t payload = 0;
    bool ipv6 = false;

    [[nodiscard]] std::uint32_t tcp_header_bytes() const { return payload - tcp; }
};

/// The headers of a frame whose TCP header starts at `tcp`; nothing when it cannot be so. Tags of
/// 802.1Q and 802.1ad may stand before the type.
[[nodiscard]] std::optional<TcpLayout> tcp_layout(const std::uint8_t* data,
                                                  std::uint32_t size_bytes, std::uint32_t tcp);

/// Payload bytes as the IP header has them (a frame may be padded); nothing when it says more than
/// there is.
[[nodiscard]] std::optional<std::uint32_t> tcp_payload_bytes(const TcpLayout& layout,
                                                             const std::uint8_t* data,
                                                             std::uint32_t size_bytes);

/// Where an unfinished checksum starts and where, from there, it belongs.
struct ChecksumPlace {
    std::uint32_t start = 0;
    std::uint32_t offset = 0;
};
/// Finishes a checksum whose field holds the sum of the pseudo-header. False, and nothing is
/// changed, when its place is not in the frame.
bool finish_checksum(std::uint8_t* data, std::uint32_t size_bytes, const ChecksumPlace& place);

/// Segments of one packet, collected until they are the packet again, or as much of it as came.
class SegmentTrain {
public:
    /// Total length in IPv4 and payload length in IPv6 have 16 bits.
    static constexpr std::uint32_t kMaximumIpBytes = 65'535;
    /// Half of what one writev takes.
    static constexpr std::size_t kMaximumSegments = 512;

    [[nodiscard]] bool empty() const { return frames_.empty(); }
    /// Takes the frame if it starts a train or is the next of this one; else leaves it.
    [[nodiscard]] bool add(FramePtr& frame);
    /// Nothing more can be added.
    [[nodiscard]] bool complete() const { return complete_; }

    /// What the train is as one packet: its header is that of the first frame, corrected in place.
    struct Packet {
        bool ipv6 = false;
        bool congestion_reduced = false;  ///< CWR is set: belongs to the first segment only.
        std::uint32_t segments = 0;
        std::uint32_t segment_bytes = 0;  ///< Of payload, in all but the last.
        std::uint32_t header_bytes = 0;
        ChecksumPlace checksum;
        std::uint32_t size_bytes = 0;
    };
    /// Appends the pieces of the packet to `pieces`; they hold until `clear`.
    Packet join(std::vector<iovec>& pieces);
    void clear();

private:
    [[nodiscard]] bool start(const Frame& frame);
    [[nodiscard]] bool continues(const Frame& frame) const;

    std::vector<FramePtr> frames_;
    std::vector<std::uint32_t> payload_bytes_;
    TcpLayout layout_;
    std::uint32_t total_payload_bytes_ = 0;
    bool complete_ = false;
};

/// Cuts a large TCP packet with an unfinished checksum into segments of `segment_bytes` of payload:
/// lengths, identification, sequence number, flags and checksums are those of real frames.
class SegmentCutter {
public:
    /// False: this is not such a packet, or its segments fit into no frame.
    [[nodiscard]] bool start(const std::uint8_t* data, std::uint32_t size_bytes, std::uint32_t tcp,
                             std::uint32_t segment_bytes);
    [[nodiscard]] bool done() const { return offset_ >= payload_bytes_; }
    /// The next segment into an empty frame.
    void next(Frame& frame);

private:
    const std::uint8_t* data_ = nullptr;
    TcpLayout layout_;
    std::uint32_t payload_bytes_ = 0;
    std::uint32_t segment_bytes_ = 0;
    std::uint32_t offset_ = 0;
    std::uint32_t index_ = 0;
};

}  // namespace doorbell::wire
