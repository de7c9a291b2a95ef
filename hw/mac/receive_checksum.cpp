#include "hw/mac/receive_checksum.hpp"

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"
#include "hw/mac/internet_checksum.hpp"

namespace doorbell {
namespace {

constexpr std::uint8_t kProtocolTcp = 6;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint8_t kProtocolNone = 59;  // IPv6 "no next header": nothing we look into

// RFC 791
constexpr std::uint32_t kIpv4MinimumBytes = 20;
constexpr std::uint32_t kIpv4Length = 2;
constexpr std::uint32_t kIpv4Identification = 4;
constexpr std::uint32_t kIpv4Fragment = 6;
constexpr std::uint16_t kIpv4FragmentMask = 0x3fff;  // More Fragments and the offset
constexpr std::uint32_t kIpv4Protocol = 9;
constexpr std::uint32_t kIpv4Addresses = 12;
constexpr std::uint32_t kIpv4AddressesBytes = 8;

// RFC 8200
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint32_t kIpv6Length = 4;
constexpr std::uint32_t kIpv6Next = 6;
constexpr std::uint32_t kIpv6Addresses = 8;
constexpr std::uint32_t kIpv6AddressesBytes = 32;
constexpr std::uint8_t kIpv6HopByHop = 0;

// RFC 9293, RFC 768
constexpr std::uint32_t kTcpMinimumBytes = 20;
constexpr std::uint32_t kTcpDataOffset = 12;
constexpr std::uint32_t kTcpFlags = 13;
constexpr std::uint8_t kTcpFlagAck = 0x10;
constexpr std::uint32_t kUdpBytes = 8;
constexpr std::uint32_t kUdpLength = 4;
constexpr std::uint32_t kUdpChecksum = 6;

/// The packet sum as it was made, so that the bytes of a packet are added up once for both sums.
struct PacketSum {
    const std::uint8_t* start = nullptr;  ///< nullptr: there is none.
    const std::uint8_t* end = nullptr;
    std::uint64_t partial = 0;

    PacketSum() = default;
    PacketSum(const std::uint8_t* data, std::uint32_t size_bytes)
        : start(data), end(data + size_bytes), partial(internet_partial_sum(data, size_bytes)) {}

    /// Partial sum of a range: what the packet sum has beside its last bytes is a few headers.
    [[nodiscard]] std::uint64_t of(const std::uint8_t* data, std::uint32_t size_bytes) const {
        const bool at_the_end = start != nullptr && data >= start && data + size_bytes == end;
        if (!at_the_end || (data - start) % 2 != 0) return internet_partial_sum(data, size_bytes);
        const std::uint64_t head =
            internet_partial_sum(start, static_cast<std::size_t>(data - start));
        return internet_sum_behind(partial, head);
    }
};

/// A transport header and what follows it, padding of the frame excluded.
struct Transport {
    std::uint8_t protocol;
    const std::uint8_t* data;
    std::uint32_t size_bytes;
    const std::uint8_t* addresses;
    std::uint32_t addresses_bytes;
    const PacketSum& packet;
};

bool transport_good(const Transport& l4, std::uint32_t length) {
    const std::uint64_t pseudo_header =
        std::uint64_t{internet_sum(l4.addresses, l4.addresses_bytes)} + l4.protocol + length;
    // The protocol in the pseudo-header is not 0: either 0 of the packet's sum will do.
    return finish_internet_sum(l4.packet.of(l4.data, length), pseudo_header) == kInternetSumGood;
}

void check_tcp(const ReceiveChecksumConfig& config, const Transport& l4, ReceiveChecksum& result) {
    const std::uint32_t header = (l4.data[kTcpDataOffset] >> 4) * 4u;
    result.tcp_ack = (l4.data[kTcpFlags] & kTcpFlagAck) != 0;
    result.tcp_data = l4.size_bytes > header;
    if (!config.l4) return;
    result.tcpcs = true;
    result.tcpe = !transport_good(l4, l4.size_bytes);
}

void check_udp(const ReceiveChecksumConfig& config, const Transport& l4, ReceiveChecksum& result) {
    if (!config.l4 || load_be16(l4.data + kUdpChecksum) == 0) return;
    const std::uint32_t length = load_be16(l4.data + kUdpLength);
    const bool length_good = length >= kUdpBytes && length <= l4.size_bytes;
    result.tcpcs = true;
    result.udpcs = true;
    result.udpv = true;
    result.tcpe = !length_good || !transport_good(l4, length);
}

/// Returns whether a whole transport header is there.
bool check_transport(const ReceiveChecksumConfig& config, const Transport& l4,
                     ReceiveChecksum& result) {
    if (l4.protocol == kProtocolTcp && l4.size_bytes >= kTcpMinimumBytes) {
        check_tcp(config, l4, result);
        return true;
    }
    if (l4.protocol == kProtocolUdp && l4.size_bytes >= kUdpBytes) {
        check_udp(config, l4, result);
        return true;
    }
    return false;
}

void check_ipv4(const ReceiveChecksumConfig& config, const std::uint8_t* ip, std::uint32_t room,
                const PacketSum& packet, ReceiveChecksum& result) {
    const std::uint32_t header = (ip[0] & 0xf) * 4u;
    if (ip[0] >> 4 != 4 || header < kIpv4MinimumBytes || header > room) {
        result.ixsm = true;
        return;
    }
    result.type = PacketType::kIpv4;
    result.ip_identified = true;
    result.ip_identification = load_be16(ip + kIpv4Identification);
    if (config.ip) {
        result.ipcs = true;
        result.ipe = internet_sum(ip, header) != kInternetSumGood;
    }
    const std::uint32_t length = load_be16(ip + kIpv4Length);
    if (length < header || length > room) return;
    const std::uint32_t payload = length - header;
    if ((load_be16(ip + kIpv4Fragment) & kIpv4FragmentMask) != 0) {
        if (config.fragment_payload && config.packet_sum) {
            result.packet_sum = internet_sum(ip + header, payload);
        }
        return;
    }
    const Transport l4{ip[kIpv4Protocol],   ip + header,         payload,
                       ip + kIpv4Addresses, kIpv4AddressesBytes, packet};
    if (check_transport(config, l4, result)) result.type = PacketType::kIpv4L4;
}

void check_ipv6(const ReceiveChecksumConfig& config, const std::uint8_t* ip, std::uint32_t room,
                const PacketSum& packet, ReceiveChecksum& result) {
    if (room < kIpv6Bytes || ip[0] >> 4 != 6) {
        result.ixsm = true;
        return;
    }
    result.type = PacketType::kIpv6;
    const std::uint32_t payload = load_be16(ip + kIpv6Length);
    if (!config.ipv6_l4 || payload > room - kIpv6Bytes) return;
    std::uint8_t next = ip[kIpv6Next];
    std::uint32_t offset = 0;
    // Hop-by-hop options come first and once (RFC 8200 4.1). Routing, fragment and destination
    // headers change the pseudo-header or hide the rest: nothing is reported behind them.
    if (next == kIpv6HopByHop) {
        if (!config.ipv6_extensions || payload < 8) return;
        const std::uint8_t* options = ip + kIpv6Bytes;
        next = options[0] == kIpv6HopByHop ? kProtocolNone : options[0];
        offset = (options[1] + 1u) * 8;
        if (offset > payload) return;
    }
    const Transport l4{
        next,  ip + kIpv6Bytes + offset, payload - offset, ip + kIpv6Addresses, kIpv6AddressesBytes,
        packet};
    if (check_transport(config, l4, result)) result.type = PacketType::kIpv6L4;
}

}  // namespace

ReceiveChecksum check_received(const ReceiveChecksumConfig& config, const std::uint8_t* frame,
                               std::uint32_t size_bytes, std::uint32_t type_offset) {
    ReceiveChecksum result;
    PacketSum packet;
    if (config.packet_sum && config.packet_start < size_bytes) {
        packet = PacketSum(frame + config.packet_start, size_bytes - config.packet_start);
        result.packet_sum = finish_internet_sum(packet.partial);
    }
    const std::uint32_t network = type_offset + 2;
    const std::uint32_t room = size_bytes > network ? size_bytes - network : 0;
    const std::uint16_t type = room > 0 ? load_be16(frame + type_offset) : std::uint16_t{0};
    if (type == ethernet::kTypeIpv4 && room >= kIpv4MinimumBytes) {
        check_ipv4(config, frame + network, room, packet, result);
    } else if (type == ethernet::kTypeIpv6 && config.ipv6) {
        check_ipv6(config, frame + network, room, packet, result);
    } else {
        result.ixsm = true;  // Other types, and 802.3 lengths with LLC or SNAP behind.
    }
    return result;
}

}  // namespace doorbell
