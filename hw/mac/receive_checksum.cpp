#include "hw/mac/receive_checksum.hpp"

#include "hw/base/bits.hpp"
#include "hw/mac/internet_checksum.hpp"
#include "hw/mac/internet_headers.hpp"

namespace doorbell {
namespace {

using namespace internet;

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

/// The layout names TCP or UDP only when a whole header is there.
void check_transport(const ReceiveChecksumConfig& config, const PacketLayout& layout,
                     const std::uint8_t* addresses, std::uint32_t addresses_bytes,
                     const PacketSum& packet, ReceiveChecksum& result) {
    const Transport l4{layout.protocol,
                       layout.transport,
                       static_cast<std::uint32_t>(layout.end - layout.transport),
                       addresses,
                       addresses_bytes,
                       packet};
    if (layout.tcp()) {
        check_tcp(config, l4, result);
    } else {
        check_udp(config, l4, result);
    }
}

void check_ipv4(const ReceiveChecksumConfig& config, const PacketLayout& layout,
                const PacketSum& packet, ReceiveChecksum& result) {
    const std::uint8_t* ip = layout.network;
    result.type = PacketType::kIpv4;
    result.ip_identified = true;
    result.ip_identification = load_be16(ip + kIpv4Identification);
    if (config.ip) {
        const auto header = static_cast<std::size_t>(layout.transport - ip);
        result.ipcs = true;
        result.ipe = internet_sum(ip, header) != kInternetSumGood;
    }
    if (layout.fragment && layout.whole && config.fragment_payload && config.packet_sum) {
        const auto payload = static_cast<std::size_t>(layout.end - layout.transport);
        result.packet_sum = internet_sum(layout.transport, payload);
    }
    if (layout.protocol == 0) return;
    result.type = PacketType::kIpv4L4;
    check_transport(config, layout, ip + kIpv4Source, 2 * kIpv4AddressBytes, packet, result);
}

/// Routing, fragment and destination headers change the pseudo-header or hide the rest: nothing is
/// reported behind them.
void check_ipv6(const ReceiveChecksumConfig& config, const PacketLayout& layout,
                const PacketSum& packet, ReceiveChecksum& result) {
    result.type = PacketType::kIpv6;
    if (!config.ipv6_l4 || layout.protocol == 0 || layout.extended) return;
    result.type = PacketType::kIpv6L4;
    check_transport(config, layout, layout.network + kIpv6Source, 2 * kIpv6AddressBytes, packet,
                    result);
}

}  // namespace

ReceiveChecksum check_received(const ReceiveChecksumConfig& config, const PacketLayout& layout,
                               const std::uint8_t* frame, std::uint32_t size_bytes) {
    ReceiveChecksum result;
    PacketSum packet;
    if (config.packet_sum && config.packet_start < size_bytes) {
        packet = PacketSum(frame + config.packet_start, size_bytes - config.packet_start);
        result.packet_sum = finish_internet_sum(packet.partial);
    }
    switch (layout.ip) {
        case PacketLayout::Network::kIpv4:
            check_ipv4(config, layout, packet, result);
            break;
        case PacketLayout::Network::kIpv6:
            check_ipv6(config, layout, packet, result);
            break;
        case PacketLayout::Network::kNone:
            result.ixsm = true;  // Other types, and 802.3 lengths with LLC or SNAP behind.
            break;
    }
    return result;
}

}  // namespace doorbell
