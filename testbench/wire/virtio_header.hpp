#pragma once

#include <cstdint>

namespace doorbell::wire {

/// What a TAP device with IFF_VNET_HDR puts before each packet (virtio 1.2, section 5.1.6, without
/// `num_buffers`), in the byte order of the machine.
struct VirtioHeader {
    static constexpr std::uint8_t kNeedsChecksum = 1;  ///< `flags`

    static constexpr std::uint8_t kWhole = 0;  ///< `gso_type`
    static constexpr std::uint8_t kTcpIpv4 = 1;
    static constexpr std::uint8_t kTcpIpv6 = 4;
    static constexpr std::uint8_t kCongestion = 0x80;  ///< With one of those of TCP.

    std::uint8_t flags = 0;
    std::uint8_t gso_type = kWhole;
    std::uint16_t header_bytes = 0;
    std::uint16_t segment_bytes = 0;
    std::uint16_t checksum_start = 0;
    std::uint16_t checksum_offset = 0;
};
static_assert(sizeof(VirtioHeader) == 10);

}  // namespace doorbell::wire
