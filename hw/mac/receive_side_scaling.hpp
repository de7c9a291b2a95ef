#pragma once

#include <array>
#include <cstdint>

#include "hw/mac/packet_layout.hpp"
#include "hw/mac/toeplitz.hpp"

namespace doorbell {

/// RSS type of a receive descriptor: what the hash was computed over (specification 5.7).
enum class RssType : std::uint8_t {
    kNone = 0,
    kTcpIpv4 = 1,
    kIpv4 = 2,
    kTcpIpv6 = 3,
    kIpv6Extended = 4,
    kIpv6 = 5,
};

/// MRQC, RETA and RSSRK, and what else decides about RSS, decoded when they are written.
struct RssConfig {
    static constexpr std::uint32_t kEntries = 128;

    bool hashes = false;  ///< Descriptors carry type and hash.
    bool steers = false;  ///< MRQC.MRQE = 01: RETA chooses the queue.
    bool tcp_ipv4 = false;
    bool ipv4 = false;
    bool tcp_ipv6_extended = false;
    bool ipv6_extended = false;
    bool ipv6 = false;
    bool tcp_ipv6 = false;
    ToeplitzHash hash;
    std::array<std::uint8_t, kEntries> table{};  ///< RETA: the queue of each entry.
};

struct RssResult {
    RssType type = RssType::kNone;
    std::uint32_t hash = 0;
    std::uint32_t queue = 0;
};

/// Type, hash and queue of a good frame (specification 7.4). A frame that no enabled field fits has
/// type and hash 0 and goes to queue 0.
[[nodiscard]] RssResult scale(const RssConfig& config, const PacketLayout& layout);

}  // namespace doorbell
