#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/bits.hpp"

/// PTP messages in frames, byte by byte after IEEE 1588 and the RFCs of what carries them.
namespace doorbell::ptp_test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint16_t kEventPort = 319;

/// A message of 44 bytes: type and version, source 00-1B-19-...-01, sequence 0x1234.
inline Bytes message(std::uint8_t v2_type, std::uint8_t version, std::uint8_t v1_control) {
    Bytes m(44, 0);
    m[0] = v2_type;
    m[1] = version;
    for (std::uint8_t i = 0; i < 10; i++) m[20 + i] = static_cast<std::uint8_t>(0xA0 + i);
    m[30] = 0x12;
    m[31] = 0x34;
    m[32] = v1_control;
    return m;
}

inline Bytes ethernet(std::uint16_t type, const Bytes& body, bool tagged = false) {
    Bytes frame = {0x01, 0x1B, 0x19, 0, 0, 0, 0x02, 0, 0, 0, 0, 1};
    if (tagged) frame.insert(frame.end(), {0x81, 0x00, 0x60, 0x05});
    frame.push_back(static_cast<std::uint8_t>(type >> 8));
    frame.push_back(static_cast<std::uint8_t>(type));
    frame.insert(frame.end(), body.begin(), body.end());
    if (frame.size() < 60) frame.resize(60);
    return frame;
}

inline Bytes layer2(const Bytes& m, bool tagged = false) {
    return ethernet(0x88F7, m, tagged);
}

inline Bytes udp(const Bytes& m, std::uint16_t port) {
    Bytes u(8, 0);
    store_be16(&u[0], port);
    store_be16(&u[2], port);
    store_be16(&u[4], static_cast<std::uint16_t>(8 + m.size()));
    u.insert(u.end(), m.begin(), m.end());
    return u;
}

inline Bytes ipv4(const Bytes& m, std::uint16_t port = kEventPort, std::uint32_t option_bytes = 0) {
    const Bytes u = udp(m, port);
    Bytes ip(20 + option_bytes, 0);
    ip[0] = static_cast<std::uint8_t>(0x40 | (5 + option_bytes / 4));
    store_be16(&ip[2], static_cast<std::uint16_t>(ip.size() + u.size()));
    ip[8] = 1;
    ip[9] = 17;
    ip.insert(ip.end(), u.begin(), u.end());
    return ethernet(0x0800, ip);
}

inline Bytes ipv6(const Bytes& m, std::uint16_t port = kEventPort) {
    const Bytes u = udp(m, port);
    Bytes ip(40, 0);
    ip[0] = 0x60;
    store_be16(&ip[4], static_cast<std::uint16_t>(u.size()));
    ip[6] = 17;
    ip[7] = 1;
    ip.insert(ip.end(), u.begin(), u.end());
    return ethernet(0x86DD, ip);
}

}  // namespace doorbell::ptp_test
