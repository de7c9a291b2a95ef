#pragma once

#include <cstdint>

#include "hw/base/bits.hpp"

namespace doorbell {

/// Where things are in an Ethernet frame (IEEE 802.3 clause 3.1, 802.1Q clause 9).
namespace ethernet {

inline constexpr std::uint32_t kAddressBytes = 6;
inline constexpr std::uint32_t kSourceOffset = 6;
inline constexpr std::uint32_t kTypeOffset = 12;
inline constexpr std::uint32_t kHeaderBytes = 14;
inline constexpr std::uint32_t kVlanTagBytes = 4;
inline constexpr std::uint32_t kTagOffset = 14;  ///< The tag's value, behind its EtherType.
inline constexpr std::uint32_t kFcsBytes = 4;
inline constexpr std::uint32_t kPreambleBytes = 8;  ///< Start delimiter included.
inline constexpr std::uint32_t kMinimumFrameBytes = 64;
inline constexpr std::uint32_t kMaximumFrameBytes = 1522;  ///< FCS and one tag included.

inline constexpr std::uint16_t kTypeIpv4 = 0x0800;
inline constexpr std::uint16_t kTypeIpv6 = 0x86dd;
/// Smaller values are 802.3 lengths: an LLC header follows (IEEE 802.3 clause 3.2.6).
inline constexpr std::uint16_t kFirstType = 0x0600;

/// A MAC address as a number: the first byte on the wire in bits 7:0, as RAL and RAH hold it.
using Address = std::uint64_t;
inline constexpr Address kBroadcast = 0xffff'ffff'ffff;

inline Address load_address(const std::uint8_t* p) {
    return load_le32(p) | static_cast<Address>(load_le16(p + 4)) << 32;
}
inline void store_address(std::uint8_t* p, Address address) {
    store_le32(p, static_cast<std::uint32_t>(address));
    store_le16(p + 4, static_cast<std::uint16_t>(address >> 32));
}
/// The group bit is the first bit on the wire.
constexpr bool is_group(Address address) {
    return (address & 1) != 0;
}

}  // namespace ethernet
}  // namespace doorbell
