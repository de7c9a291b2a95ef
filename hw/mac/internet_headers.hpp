#pragma once

#include <cstdint>

/// Where things are in the headers of the Internet protocols.
namespace doorbell::internet {

// RFC 791
inline constexpr std::uint32_t kIpv4MinimumBytes = 20;
inline constexpr std::uint32_t kIpv4Length = 2;
inline constexpr std::uint32_t kIpv4Identification = 4;
inline constexpr std::uint32_t kIpv4Fragment = 6;
inline constexpr std::uint16_t kIpv4FragmentMask = 0x3fff;  ///< More Fragments and the offset
inline constexpr std::uint32_t kIpv4Protocol = 9;
inline constexpr std::uint32_t kIpv4Source = 12;
inline constexpr std::uint32_t kIpv4Destination = 16;
inline constexpr std::uint32_t kIpv4AddressBytes = 4;

// RFC 8200
inline constexpr std::uint32_t kIpv6Bytes = 40;
inline constexpr std::uint32_t kIpv6Length = 4;
inline constexpr std::uint32_t kIpv6Next = 6;
inline constexpr std::uint32_t kIpv6Source = 8;
inline constexpr std::uint32_t kIpv6Destination = 24;
inline constexpr std::uint32_t kIpv6AddressBytes = 16;
inline constexpr std::uint8_t kIpv6HopByHop = 0;
inline constexpr std::uint8_t kIpv6Routing = 43;
inline constexpr std::uint8_t kIpv6Fragment = 44;
inline constexpr std::uint8_t kIpv6DestinationOptions = 60;
inline constexpr std::uint32_t kIpv6ExtensionUnit = 8;

// RFC 6275: mobile nodes
inline constexpr std::uint8_t kHomeAddressOption = 0xc9;
inline constexpr std::uint8_t kRoutingTypeHome = 2;

// RFC 9293, RFC 768
inline constexpr std::uint32_t kTcpMinimumBytes = 20;
inline constexpr std::uint32_t kTcpDataOffset = 12;
inline constexpr std::uint32_t kTcpFlags = 13;
inline constexpr std::uint8_t kTcpFlagAck = 0x10;
inline constexpr std::uint32_t kUdpBytes = 8;
inline constexpr std::uint32_t kUdpLength = 4;
inline constexpr std::uint32_t kUdpChecksum = 6;
inline constexpr std::uint32_t kPortsBytes = 4;  ///< Source and destination port come first.

}  // namespace doorbell::internet
