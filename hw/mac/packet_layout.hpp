#pragma once

#include <cstdint>

namespace doorbell {

/// The bits of RFCTL that say how far a frame is looked into.
struct HeaderParsing {
    bool ipv6 = true;             ///< Not IPV6_DIS: else an IPv6 frame is one of an unknown type.
    bool ipv6_extensions = true;  ///< Not IPV6_EX_DIS
    bool ipv6_addresses = true;   ///< Not NEW_IPV6_EXT_DIS: routing headers and home addresses.
};

/// Where the headers of a frame are, found once for all who look into it: checksums, the hash of
/// RSS, header split.
///
///     | Ethernet, tag | IP, extension headers | TCP or UDP | payload .... | padding, FCS
///                     network                 transport    payload        end
///
/// The pointers go into the frame and stay right when its tag is stripped.
struct PacketLayout {
    enum class Network : std::uint8_t { kNone, kIpv4, kIpv6 };
    static constexpr std::uint8_t kProtocolTcp = 6;
    static constexpr std::uint8_t kProtocolUdp = 17;

    Network ip = Network::kNone;
    bool whole = false;     ///< The frame holds as much as the IP header promises.
    bool fragment = false;  ///< `transport` is the end of the IP headers, nothing behind is known.
    /// Extension headers were passed that change the addresses or may: no checksum is reported.
    bool extended = false;
    std::uint8_t protocol = 0;  ///< TCP or UDP with a whole header at `transport`, else 0.
    const std::uint8_t* network = nullptr;
    const std::uint8_t* transport = nullptr;
    const std::uint8_t* payload = nullptr;
    const std::uint8_t* end = nullptr;
    // IPv6 only: other addresses than those in the IP header (RFC 6275), nullptr for none.
    const std::uint8_t* home_source = nullptr;
    const std::uint8_t* home_destination = nullptr;

    [[nodiscard]] bool tcp() const { return protocol == kProtocolTcp; }
    [[nodiscard]] bool udp() const { return protocol == kProtocolUdp; }
};

/// `type_offset` is where the EtherType of the payload is: behind a tag that is in the frame.
[[nodiscard]] PacketLayout locate_headers(const HeaderParsing& parsing, const std::uint8_t* frame,
                                          std::uint32_t size_bytes, std::uint32_t type_offset);

}  // namespace doorbell
