#include "hw/mac/receive_side_scaling.hpp"

#include "hw/mac/internet_headers.hpp"

namespace doorbell {
namespace {

using namespace internet;

struct Addresses {
    const std::uint8_t* source;
    const std::uint8_t* destination;
    std::uint32_t bytes;
};

std::uint32_t hash_of(const ToeplitzHash& hash, const Addresses& addresses) {
    return hash.of(0, addresses.source, addresses.bytes) ^
           hash.of(addresses.bytes, addresses.destination, addresses.bytes);
}

std::uint32_t hash_of(const ToeplitzHash& hash, const Addresses& addresses,
                      const std::uint8_t* ports) {
    return hash_of(hash, addresses) ^ hash.of(2 * addresses.bytes, ports, kPortsBytes);
}

void hash_ipv4(const RssConfig& config, const PacketLayout& layout, RssResult& result) {
    const Addresses addresses{layout.network + kIpv4Source, layout.network + kIpv4Destination,
                              kIpv4AddressBytes};
    if (layout.tcp() && config.tcp_ipv4) {
        result.type = RssType::kTcpIpv4;
        result.hash = hash_of(config.hash, addresses, layout.transport);
    } else if (config.ipv4) {
        result.type = RssType::kIpv4;
        result.hash = hash_of(config.hash, addresses);
    }
}

/// The kinds with "extended" in their name take the addresses of a mobile node from the extension
/// headers, when there are any.
void hash_ipv6(const RssConfig& config, const PacketLayout& layout, RssResult& result) {
    const Addresses header{layout.network + kIpv6Source, layout.network + kIpv6Destination,
                           kIpv6AddressBytes};
    Addresses home = header;
    if (layout.home_source != nullptr) home.source = layout.home_source;
    if (layout.home_destination != nullptr) home.destination = layout.home_destination;

    if (layout.tcp() && (config.tcp_ipv6_extended || config.tcp_ipv6)) {
        result.type = RssType::kTcpIpv6;
        result.hash =
            hash_of(config.hash, config.tcp_ipv6_extended ? home : header, layout.transport);
    } else if (config.ipv6_extended) {
        result.type = RssType::kIpv6Extended;
        result.hash = hash_of(config.hash, home);
    } else if (config.ipv6) {
        result.type = RssType::kIpv6;
        result.hash = hash_of(config.hash, header);
    }
}

}  // namespace

RssResult scale(const RssConfig& config, const PacketLayout& layout) {
    RssResult result;
    if (layout.ip == PacketLayout::Network::kIpv4) hash_ipv4(config, layout, result);
    if (layout.ip == PacketLayout::Network::kIpv6) hash_ipv6(config, layout, result);
    if (config.steers && result.type != RssType::kNone) {
        result.queue = config.table[result.hash % RssConfig::kEntries];
    }
    return result;
}

}  // namespace doorbell
