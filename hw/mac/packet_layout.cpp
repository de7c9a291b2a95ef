#include "hw/mac/packet_layout.hpp"

#include <algorithm>

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"
#include "hw/mac/internet_headers.hpp"

namespace doorbell {
namespace {

using namespace internet;

/// Extension headers of a packet that are looked at: a chain of more hides what follows.
constexpr unsigned kMaximumExtensions = 8;

std::uint32_t bytes_between(const std::uint8_t* from, const std::uint8_t* to) {
    return static_cast<std::uint32_t>(to - from);
}

void locate_transport(PacketLayout& layout, std::uint8_t protocol) {
    layout.payload = layout.transport;
    const std::uint32_t room = bytes_between(layout.transport, layout.end);
    if (protocol == PacketLayout::kProtocolTcp && room >= kTcpMinimumBytes) {
        layout.protocol = protocol;
        const std::uint32_t header = (layout.transport[kTcpDataOffset] >> 4) * 4u;
        if (header >= kTcpMinimumBytes && header <= room) layout.payload += header;
    } else if (protocol == PacketLayout::kProtocolUdp && room >= kUdpBytes) {
        layout.protocol = protocol;
        layout.payload += kUdpBytes;
    }
}

void locate_ipv4(PacketLayout& layout, const std::uint8_t* ip, std::uint32_t room) {
    if (room < kIpv4MinimumBytes) return;
    const std::uint32_t header = (ip[0] & 0xf) * 4u;
    if (ip[0] >> 4 != 4 || header < kIpv4MinimumBytes || header > room) return;
    layout.ip = PacketLayout::Network::kIpv4;
    layout.network = ip;
    layout.transport = layout.payload = ip + header;
    const std::uint32_t length = load_be16(ip + kIpv4Length);
    layout.whole = length >= header && length <= room;
    layout.end = layout.whole ? ip + length : layout.transport;
    layout.fragment = (load_be16(ip + kIpv4Fragment) & kIpv4FragmentMask) != 0;
    if (layout.whole && !layout.fragment) locate_transport(layout, ip[kIpv4Protocol]);
}

/// Options are type, length, value; type 0 is a single byte (RFC 8200 4.2).
const std::uint8_t* find_home_address(const std::uint8_t* header, std::uint32_t bytes) {
    std::uint32_t at = 2;
    while (at + 2 <= bytes) {
        if (header[at] == 0) {
            at++;
            continue;
        }
        const std::uint32_t length = header[at + 1];
        if (header[at] == kHomeAddressOption) {
            const bool fits = length == kIpv6AddressBytes && at + 2 + length <= bytes;
            return fits ? header + at + 2 : nullptr;
        }
        at += 2 + length;
    }
    return nullptr;
}

void note_addresses(PacketLayout& layout, std::uint8_t kind, const std::uint8_t* header,
                    std::uint32_t bytes) {
    if (kind == kIpv6DestinationOptions) {
        const std::uint8_t* home = find_home_address(header, bytes);
        if (home != nullptr) layout.home_source = home;
    } else if (header[2] == kRoutingTypeHome && bytes >= kIpv6ExtensionUnit + kIpv6AddressBytes) {
        layout.home_destination = header + kIpv6ExtensionUnit;
    }
}

/// Passes what may be passed. Hop-by-hop options come first and once (RFC 8200 4.1).
void walk_extensions(const HeaderParsing& parsing, PacketLayout& layout) {
    std::uint8_t next = layout.network[kIpv6Next];
    for (unsigned passed = 0; passed < kMaximumExtensions; passed++) {
        const std::uint8_t* header = layout.transport;
        const std::uint32_t room = bytes_between(header, layout.end);
        if (next == kIpv6Fragment) {
            layout.fragment = true;
            if (parsing.ipv6_extensions && room >= kIpv6ExtensionUnit) {
                layout.transport += kIpv6ExtensionUnit;
            }
            return;
        }
        const bool hop_by_hop = next == kIpv6HopByHop && passed == 0;
        const bool readdresses =
            parsing.ipv6_addresses && (next == kIpv6Routing || next == kIpv6DestinationOptions);
        if (!hop_by_hop && !readdresses) return locate_transport(layout, next);
        if (!parsing.ipv6_extensions || room < kIpv6ExtensionUnit) return;
        const std::uint32_t bytes = (header[1] + 1u) * kIpv6ExtensionUnit;
        if (bytes > room) return;
        if (readdresses) {
            layout.extended = true;
            note_addresses(layout, next, header, bytes);
        }
        layout.transport += bytes;
        next = header[0];
    }
}

void locate_ipv6(const HeaderParsing& parsing, PacketLayout& layout, const std::uint8_t* ip,
                 std::uint32_t room) {
    if (room < kIpv6Bytes || ip[0] >> 4 != 6) return;
    layout.ip = PacketLayout::Network::kIpv6;
    layout.network = ip;
    layout.transport = ip + kIpv6Bytes;
    const std::uint32_t length = load_be16(ip + kIpv6Length);
    layout.whole = length <= room - kIpv6Bytes;
    layout.end = layout.whole ? layout.transport + length : layout.transport;
    if (layout.whole) walk_extensions(parsing, layout);
    layout.payload = std::max(layout.payload, layout.transport);
}

}  // namespace

PacketLayout locate_headers(const HeaderParsing& parsing, const std::uint8_t* frame,
                            std::uint32_t size_bytes, std::uint32_t type_offset) {
    PacketLayout layout;
    const std::uint32_t network = type_offset + 2;
    if (size_bytes <= network) return layout;
    const std::uint16_t type = load_be16(frame + type_offset);
    if (type == ethernet::kTypeIpv4) {
        locate_ipv4(layout, frame + network, size_bytes - network);
    } else if (type == ethernet::kTypeIpv6 && parsing.ipv6) {
        locate_ipv6(parsing, layout, frame + network, size_bytes - network);
    }
    return layout;
}

}  // namespace doorbell
