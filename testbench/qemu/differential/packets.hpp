#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell::differential {

/// A frame with what an offload has to know about it. Without FCS.
struct Packet {
    std::vector<std::uint8_t> bytes;
    std::uint32_t l3 = 0;       ///< Offset of the IP header; 0: none.
    std::uint32_t l4 = 0;       ///< Offset of the TCP or UDP header; 0: none.
    std::uint32_t payload = 0;  ///< Offset of what they carry.
    bool ipv6 = false;
    bool tcp = false;
};

/// What a random packet may be.
struct PacketWish {
    std::uint64_t destination = 0;  ///< MAC address, first byte on the wire highest.
    std::uint32_t max_payload_bytes = 1400;
    bool tagged = false;  ///< VLAN tag in the data.
    std::uint16_t tag = 0;
    bool bad_checksums = false;  ///< Sometimes one of them is wrong.
    bool fragments = false;      ///< IPv4 fragments among them.
    bool ip_only = false;
    bool tcp_only = false;
};

/// Ethernet with IPv4 or IPv6, TCP or UDP or something else, or no IP at all; checksums are right
/// unless wished otherwise; at least 60 bytes.
[[nodiscard]] Packet random_packet(Prng& prng, const PacketWish& wish);

/// One's complement sum of a range, folded to 16 bits, not inverted.
[[nodiscard]] std::uint16_t internet_sum(const std::uint8_t* bytes, std::size_t size,
                                         std::uint32_t seed = 0);
/// The sum of the pseudo header of a packet whose TCP or UDP length is `l4_bytes`.
[[nodiscard]] std::uint16_t pseudo_header_sum(const Packet& packet, std::uint32_t l4_bytes);

}  // namespace doorbell::differential
