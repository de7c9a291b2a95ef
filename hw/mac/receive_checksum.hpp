#pragma once

#include <cstdint>

#include "hw/mac/packet_layout.hpp"

namespace doorbell {

/// PKTTYPE of the extended receive descriptor (specification 5.7).
enum class PacketType : std::uint8_t { kMac = 0, kIpv4 = 1, kIpv4L4 = 2, kIpv6 = 5, kIpv6L4 = 6 };

/// RXCSUM and the bits of RFCTL that concern it, decoded when they are written.
struct ReceiveChecksumConfig {
    std::uint32_t packet_start = 0;  ///< RXCSUM.PCSS
    bool ip = false;                 ///< RXCSUM.IPOFLD
    bool l4 = false;                 ///< RXCSUM.TUOFLD
    bool fragment_payload = false;   ///< RXCSUM.IPPCSE
    bool packet_sum = true;          ///< Not RXCSUM.PCSD: the descriptor has room for the sum.
    bool ipv6_l4 = true;             ///< Not RFCTL.IPV6_XSUM_DIS
};

/// What the descriptor reports about the contents of a frame, by the names of its bits.
struct ReceiveChecksum {
    PacketType type = PacketType::kMac;
    bool ixsm = false;
    bool ipcs = false;
    bool ipe = false;
    bool tcpcs = false;
    bool udpcs = false;
    bool udpv = false;
    bool tcpe = false;
    bool ip_identified = false;  ///< `ip_identification` is one (IPIDV).
    std::uint16_t ip_identification = 0;
    std::uint16_t packet_sum = 0;
    bool tcp_ack = false;
    bool tcp_data = false;  ///< The TCP segment carries payload.
};

/// Checks what is enabled in a frame (without FCS, as it will be stored) whose headers have been
/// located (specification 7.3).
[[nodiscard]] ReceiveChecksum check_received(const ReceiveChecksumConfig& config,
                                             const PacketLayout& layout, const std::uint8_t* frame,
                                             std::uint32_t size_bytes);

}  // namespace doorbell
