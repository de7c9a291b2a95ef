#include "hw/ptp/ptp_message.hpp"

#include "hw/base/bits.hpp"

namespace doorbell {
namespace {

// Ethernet, IP and UDP (IEEE 802.3 3.1, RFC 791, RFC 8200, RFC 768).
constexpr std::uint32_t kTypeOffset = 12;
constexpr std::uint32_t kTypeBytes = 2;
constexpr std::uint32_t kTagBytes = 4;
constexpr std::uint16_t kTypeIpv4 = 0x0800;
constexpr std::uint16_t kTypeIpv6 = 0x86DD;
constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv4Fragment = 6;
constexpr std::uint16_t kFragmentOffset = 0x1FFF;
constexpr std::uint32_t kIpv4Protocol = 9;
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint32_t kIpv6NextHeader = 6;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint32_t kUdpDestination = 2;
constexpr std::uint32_t kUdpBytes = 8;

// PTP: the places are the same in both versions as far as they are used here.
constexpr std::uint32_t kPtpSource = 22;
constexpr std::uint32_t kPtpSequence = 30;
constexpr std::uint32_t kPtpControl = 32;
/// Through the control field: what is shorter is no message.
constexpr std::uint32_t kPtpBytes = 33;

/// Where the UDP header is, 0 when there is none.
std::uint32_t udp_offset(const std::uint8_t* frame, std::uint32_t size, std::uint32_t ip,
                         std::uint16_t type) {
    if (type == kTypeIpv4) {
        if (size - ip < kIpv4Bytes || frame[ip] >> 4 != 4) return 0;
        const bool first = (load_be16(frame + ip + kIpv4Fragment) & kFragmentOffset) == 0;
        const std::uint32_t header_bytes = (frame[ip] & 0xFu) * 4;
        if (header_bytes < kIpv4Bytes || !first || frame[ip + kIpv4Protocol] != kProtocolUdp) {
            return 0;
        }
        return ip + header_bytes;
    }
    if (type != kTypeIpv6 || size - ip < kIpv6Bytes || frame[ip] >> 4 != 6) return 0;
    return frame[ip + kIpv6NextHeader] == kProtocolUdp ? ip + kIpv6Bytes : 0;
}

}  // namespace

std::uint8_t PtpMessage::v1_control() const {
    return header[kPtpControl];
}
std::uint8_t PtpMessage::v2_message_type() const {
    return header[0] & 0xF;
}
std::uint64_t PtpMessage::source() const {
    return load_le32(header + kPtpSource) | std::uint64_t{load_le16(header + kPtpSource + 4)} << 32;
}
std::uint16_t PtpMessage::sequence() const {
    return load_be16(header + kPtpSequence);
}

PtpMessage find_ptp_message(const std::uint8_t* frame, std::uint32_t size_bytes,
                            const PtpPlaces& places) {
    std::uint32_t type_offset = kTypeOffset;
    if (size_bytes >= kTypeOffset + kTagBytes + kTypeBytes &&
        load_be16(frame + kTypeOffset) == places.vet) {
        type_offset += kTagBytes;
    }
    if (size_bytes < type_offset + kTypeBytes) return {};
    const std::uint16_t type = load_be16(frame + type_offset);
    std::uint32_t start = type_offset + kTypeBytes;
    const bool layer2 = type == places.ether_type;
    if (!layer2) {
        const std::uint32_t udp = udp_offset(frame, size_bytes, start, type);
        if (udp == 0 || size_bytes < udp + kUdpBytes) return {};
        if (load_be16(frame + udp + kUdpDestination) != places.udp_port) return {};
        start = udp + kUdpBytes;
    }
    if (size_bytes < start + kPtpBytes) return {};
    return {layer2, frame + start};
}

}  // namespace doorbell
