#pragma once

#include <cstdint>
#include <vector>

/// Frames as an IP stack would make them, and their checksums computed the plain way (RFC 1071).
namespace doorbell::bringup {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::uint8_t kDriverMac[6] = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
inline constexpr std::uint8_t kPeerMac[6] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x99};

inline std::uint32_t get16(const Bytes& bytes, std::size_t at) {
    return static_cast<std::uint32_t>(bytes[at] << 8 | bytes[at + 1]);
}
inline std::uint32_t get32(const Bytes& bytes, std::size_t at) {
    return get16(bytes, at) << 16 | get16(bytes, at + 2);
}
inline void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}
inline void put32(Bytes& bytes, std::size_t at, std::uint32_t value) {
    put16(bytes, at, value >> 16);
    put16(bytes, at + 2, value);
}

/// One's complement sum of [from, to), folded; not complemented.
inline std::uint32_t sum16(const Bytes& bytes, std::size_t from, std::size_t to,
                           std::uint32_t start = 0) {
    std::uint32_t sum = start;
    for (std::size_t i = from; i < to; i += 2) {
        sum += static_cast<std::uint32_t>(bytes[i] << 8) + (i + 1 < to ? bytes[i + 1] : 0u);
    }
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    return sum;
}

/// Not periodic in powers of two.
inline Bytes payload(std::size_t size, std::uint8_t seed = 1) {
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; i++) {
        bytes[i] = static_cast<std::uint8_t>(seed + i + i / 256);
    }
    return bytes;
}

/// A frame without an IP header: addresses, EtherType 0x88B5 (local experiments), payload.
inline Bytes plain(std::size_t size, std::uint8_t seed = 1, bool from_driver = true) {
    Bytes frame = payload(size, seed);
    const std::uint8_t* to = from_driver ? kPeerMac : kDriverMac;
    const std::uint8_t* from = from_driver ? kDriverMac : kPeerMac;
    for (std::size_t i = 0; i < 6; i++) {
        frame[i] = to[i];
        frame[6 + i] = from[i];
    }
    put16(frame, 12, 0x88B5);
    return frame;
}

/// Ethernet, IP and TCP or UDP header with `data`. All checksums are 0.
struct Datagram {
    Bytes frame;
    std::size_t l3 = 14;
    std::size_t l4 = 0;
    std::size_t checksum = 0;
    std::size_t header = 0;
    bool tcp = true;
    bool ipv6 = false;

    std::uint32_t pseudo_sum(std::uint32_t length) const {
        const std::uint32_t protocol = tcp ? 6 : 17;
        const std::size_t from = ipv6 ? l3 + 8 : l3 + 12;
        return sum16(frame, from, from + (ipv6 ? 32 : 8), protocol + length);
    }
    /// What a correct receiver finds: 0xFFFF when right.
    std::uint32_t l4_check() const {
        const std::size_t end = ipv6 ? l3 + 40 + get16(frame, l3 + 4) : l3 + get16(frame, l3 + 2);
        const auto length = static_cast<std::uint32_t>(end - l4);
        return sum16(frame, l4, end, pseudo_sum(length));
    }
    std::uint32_t ip_check() const { return sum16(frame, l3, l4); }
    void fill_checksums() {
        if (!ipv6) put16(frame, l3 + 10, ~sum16(frame, l3, l4));
        put16(frame, checksum, 0);
        put16(frame, checksum, ~l4_check());
    }
};

inline Datagram datagram(bool tcp, bool ipv6, const Bytes& data, bool from_driver = true) {
    Datagram d;
    d.tcp = tcp;
    d.ipv6 = ipv6;
    d.l4 = d.l3 + (ipv6 ? 40 : 20);
    d.checksum = d.l4 + (tcp ? 16 : 6);
    d.header = d.l4 + (tcp ? 20 : 8);
    d.frame = plain(d.header, 0, from_driver);
    for (std::size_t i = 14; i < d.header; i++) d.frame[i] = 0;
    put16(d.frame, 12, ipv6 ? 0x86DD : 0x0800);
    const auto length = static_cast<std::uint32_t>(d.header - d.l4 + data.size());
    if (ipv6) {
        d.frame[14] = 0x60;
        put16(d.frame, 18, length);
        d.frame[20] = tcp ? 6 : 17;
        d.frame[21] = 64;
        d.frame[22 + 15] = 1;
        d.frame[38 + 15] = 2;
    } else {
        d.frame[14] = 0x45;
        put16(d.frame, 16, 20 + length);
        put16(d.frame, 18, 0x1234);
        d.frame[22] = 64;
        d.frame[23] = tcp ? 6 : 17;
        put32(d.frame, 26, 0x0A000001);
        put32(d.frame, 30, 0x0A000002);
    }
    put16(d.frame, d.l4, 5001);
    put16(d.frame, d.l4 + 2, 5002);
    if (tcp) {
        put32(d.frame, d.l4 + 4, 0x11223344);
        put32(d.frame, d.l4 + 8, 0x55667788);
        d.frame[d.l4 + 12] = 0x50;
        d.frame[d.l4 + 13] = 0x19;  // FIN, PSH, ACK
        put16(d.frame, d.l4 + 14, 0x2000);
    } else {
        put16(d.frame, d.l4 + 4, length);
    }
    d.frame.insert(d.frame.end(), data.begin(), data.end());
    return d;
}

/// A tag behind the addresses.
inline Bytes tagged(const Bytes& frame, std::uint16_t tag) {
    Bytes result(frame.begin(), frame.begin() + 12);
    result.resize(16);
    put16(result, 12, 0x8100);
    put16(result, 14, tag);
    result.insert(result.end(), frame.begin() + 12, frame.end());
    return result;
}

}  // namespace doorbell::bringup
