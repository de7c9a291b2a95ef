#include "hw/mac/receive_checksum.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/base/bits.hpp"

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// One's complement sum, written without the code under test.
std::uint32_t sum_of(const Bytes& bytes, std::size_t from, std::size_t to, std::uint32_t seed = 0) {
    std::uint32_t sum = seed;
    for (std::size_t i = from; i < to; i += 2) {
        sum += bytes[i] * 256u + (i + 1 < to ? bytes[i + 1] : 0u);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

void put16(Bytes& bytes, std::size_t at, std::uint32_t value) {
    bytes[at] = static_cast<std::uint8_t>(value >> 8);
    bytes[at + 1] = static_cast<std::uint8_t>(value);
}

constexpr std::size_t kIp = 14;

void seal_ipv4(Bytes& f) {
    put16(f, kIp + 10, 0);
    put16(f, kIp + 10, ~sum_of(f, kIp, kIp + 20));
}

/// A valid packet with `payload` bytes behind its transport header, padded to 60 bytes with ones.
Bytes packet(bool ipv4, bool tcp, std::uint32_t payload) {
    const std::uint32_t network = ipv4 ? 20 : 40;
    const std::uint32_t transport = tcp ? 20 : 8;
    const std::uint32_t l4 = kIp + network;
    Bytes f(l4 + transport + payload);
    for (std::size_t i = 0; i < f.size(); i++) f[i] = static_cast<std::uint8_t>(i * 11 + 3);
    put16(f, 12, ipv4 ? 0x0800 : 0x86dd);
    const std::uint32_t l4_bytes = transport + payload;
    if (ipv4) {
        f[kIp] = 0x45;
        put16(f, kIp + 2, network + l4_bytes);
        put16(f, kIp + 4, 0xbeef);
        put16(f, kIp + 6, 0x4000);
        f[kIp + 9] = tcp ? 6 : 17;
        seal_ipv4(f);
    } else {
        f[kIp] = 0x60;
        put16(f, kIp + 4, l4_bytes);
        f[kIp + 6] = tcp ? 6 : 17;
    }
    if (tcp) {
        f[l4 + 12] = 0x50;
        f[l4 + 13] = 0x10;
    } else {
        put16(f, l4 + 4, l4_bytes);
    }
    const std::size_t field = l4 + (tcp ? 16 : 6);
    put16(f, field, 0);
    const std::uint32_t pseudo = sum_of(f, kIp + (ipv4 ? 12 : 8), l4, (tcp ? 6u : 17u) + l4_bytes);
    put16(f, field, ~sum_of(f, l4, f.size(), pseudo));
    if (f.size() < 60) f.resize(60, 0xff);
    return f;
}

ReceiveChecksumConfig everything() {
    ReceiveChecksumConfig config;
    config.ip = true;
    config.l4 = true;
    return config;
}

ReceiveChecksum check(const Bytes& f, const ReceiveChecksumConfig& config = everything(),
                      const HeaderParsing& parsing = {}, std::uint32_t type_offset = 12) {
    const auto size = static_cast<std::uint32_t>(f.size());
    return check_received(config, locate_headers(parsing, f.data(), size, type_offset), f.data(),
                          size);
}

TEST(ReceiveChecksum, AcceptsGoodPacketsOfEveryKindAndLength) {
    for (const bool ipv4 : {true, false}) {
        for (const bool tcp : {true, false}) {
            for (const std::uint32_t payload : {0u, 1u, 2u, 17u, 1000u, 1401u}) {
                SCOPED_TRACE(testing::Message() << ipv4 << tcp << " " << payload);
                const ReceiveChecksum result = check(packet(ipv4, tcp, payload));
                EXPECT_EQ(result.type, ipv4 ? PacketType::kIpv4L4 : PacketType::kIpv6L4);
                EXPECT_EQ(result.ipcs, ipv4);
                EXPECT_FALSE(result.ipe);
                EXPECT_TRUE(result.tcpcs);
                EXPECT_EQ(result.udpcs, !tcp);
                EXPECT_EQ(result.udpv, !tcp);
                EXPECT_FALSE(result.tcpe);
                EXPECT_FALSE(result.ixsm);
                EXPECT_EQ(result.ip_identified, ipv4);
                EXPECT_EQ(result.tcp_ack, tcp);
                EXPECT_EQ(result.tcp_data, tcp && payload > 0);
            }
        }
    }
    EXPECT_EQ(check(packet(true, true, 0)).ip_identification, 0xbeef);
}

TEST(ReceiveChecksum, EveryFlippedBitOfAHeaderIsFound) {
    const Bytes good = packet(true, true, 40);
    for (std::size_t byte = kIp + 12; byte < good.size(); byte++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            if (byte == kIp + 20 + 12) continue;  // the data offset is parsed
            Bytes bad = good;
            bad[byte] = static_cast<std::uint8_t>(bad[byte] ^ 1u << bit);
            const ReceiveChecksum result = check(bad);
            EXPECT_EQ(result.ipe, byte < kIp + 20) << byte;
            EXPECT_TRUE(result.tcpe) << byte;  // addresses are part of the pseudo-header
        }
    }
}

TEST(ReceiveChecksum, ReportsOnlyWhatRxcsumEnables) {
    ReceiveChecksumConfig config = everything();
    config.ip = false;
    EXPECT_FALSE(check(packet(true, true, 5), config).ipcs);
    EXPECT_TRUE(check(packet(true, true, 5), config).tcpcs);
    config = everything();
    config.l4 = false;
    EXPECT_TRUE(check(packet(true, true, 5), config).ipcs);
    EXPECT_FALSE(check(packet(true, true, 5), config).tcpcs);
    EXPECT_FALSE(check(packet(true, false, 5), config).udpcs);
    EXPECT_EQ(check(packet(true, true, 5), config).type, PacketType::kIpv4L4);
}

TEST(ReceiveChecksum, AUdpPacketWithoutChecksumIsNotChecked) {
    Bytes f = packet(true, false, 30);
    put16(f, kIp + 20 + 6, 0);
    const ReceiveChecksum result = check(f);
    EXPECT_FALSE(result.tcpcs);
    EXPECT_FALSE(result.udpcs);
    EXPECT_FALSE(result.udpv);
    EXPECT_FALSE(result.tcpe);
    EXPECT_EQ(result.type, PacketType::kIpv4L4);
}

TEST(ReceiveChecksum, AUdpLengthBeyondThePacketIsAnError) {
    for (const std::uint32_t length : {7u, 39u}) {
        Bytes f = packet(true, false, 30);
        put16(f, kIp + 20 + 4, length);
        EXPECT_TRUE(check(f).tcpe) << length;
    }
}

TEST(ReceiveChecksum, FragmentsHaveNoTransportResult) {
    for (const std::uint32_t fragment : {0x2000u, 0x0001u, 0x1fffu}) {
        Bytes f = packet(true, true, 30);
        put16(f, kIp + 6, fragment);
        seal_ipv4(f);
        ReceiveChecksumConfig config = everything();
        ReceiveChecksum result = check(f, config);
        EXPECT_FALSE(result.tcpcs);
        EXPECT_TRUE(result.ipcs);
        EXPECT_EQ(result.type, PacketType::kIpv4);
        EXPECT_EQ(result.packet_sum, sum_of(f, 0, f.size())) << "the whole packet";
        config.fragment_payload = true;
        result = check(f, config);
        EXPECT_EQ(result.packet_sum, sum_of(f, kIp + 20, kIp + 20 + 50)) << "IPPCSE";
    }
}

TEST(ReceiveChecksum, ThePacketSumStartsAtPcss) {
    const Bytes f = packet(true, true, 100);
    for (const std::uint32_t pcss : {0u, 1u, 14u, 34u, 100u, 255u}) {
        ReceiveChecksumConfig config = everything();
        config.packet_start = pcss;
        const std::uint32_t expected = pcss < f.size() ? sum_of(f, pcss, f.size()) : 0;
        EXPECT_EQ(check(f, config).packet_sum, expected) << pcss;
    }
}

TEST(ReceiveChecksum, TheTransportIsJudgedTheSameWhereverThePacketSumStarts) {
    for (const std::uint32_t payload : {3u, 100u, 101u}) {
        const Bytes good = packet(true, true, payload);
        Bytes bad = good;
        bad[kIp + 20 + 20 + payload - 1] ^= 0x10;
        for (std::uint32_t pcss = 0; pcss < 70; pcss++) {
            ReceiveChecksumConfig config = everything();
            config.packet_start = pcss;
            EXPECT_FALSE(check(good, config).tcpe) << pcss << " " << payload;
            EXPECT_TRUE(check(bad, config).tcpe) << pcss << " " << payload;
        }
        ReceiveChecksumConfig config = everything();
        config.packet_sum = false;
        EXPECT_FALSE(check(good, config).tcpe);
        EXPECT_TRUE(check(bad, config).tcpe);
    }
}

TEST(ReceiveChecksum, WhatIsNotIpIsToBeIgnored) {
    Bytes arp = packet(true, true, 0);
    put16(arp, 12, 0x0806);
    Bytes llc = packet(true, true, 0);
    put16(llc, 12, 0x0030);
    for (const Bytes& f : {arp, llc}) {
        const ReceiveChecksum result = check(f);
        EXPECT_TRUE(result.ixsm);
        EXPECT_FALSE(result.ipcs);
        EXPECT_EQ(result.type, PacketType::kMac);
    }
}

TEST(ReceiveChecksum, ParsesBehindATagThatStaysInTheFrame) {
    Bytes f = packet(true, true, 30);
    const Bytes tag = {0x81, 0x00, 0x00, 0x05};
    f.insert(f.begin() + 12, tag.begin(), tag.end());
    const ReceiveChecksum result = check(f, everything(), {}, 16);
    EXPECT_TRUE(result.tcpcs);
    EXPECT_FALSE(result.tcpe);
}

TEST(ReceiveChecksum, LooksBehindHopByHopOptionsOnly) {
    const Bytes plain = packet(false, true, 30);
    Bytes f = plain;
    Bytes options = {6, 0, 1, 4, 0, 0, 0, 0};  // next TCP, one unit, PadN
    f.insert(f.begin() + kIp + 40, options.begin(), options.end());
    f[kIp + 6] = 0;
    put16(f, kIp + 4, 50 + 8);
    EXPECT_TRUE(check(f).tcpcs);
    EXPECT_FALSE(check(f).tcpe);
    HeaderParsing parsing;
    parsing.ipv6_extensions = false;
    EXPECT_FALSE(check(f, everything(), parsing).tcpcs);
    for (const std::uint8_t header : {std::uint8_t{43}, std::uint8_t{44}, std::uint8_t{60}}) {
        f[kIp + 6] = header;
        EXPECT_FALSE(check(f).tcpcs) << int{header};
        EXPECT_EQ(check(f).type, PacketType::kIpv6);
    }
}

TEST(ReceiveChecksum, RfctlSwitchesIpv6Off) {
    const Bytes f = packet(false, true, 30);
    ReceiveChecksumConfig config = everything();
    config.ipv6_l4 = false;
    EXPECT_FALSE(check(f, config).tcpcs);
    EXPECT_EQ(check(f, config).type, PacketType::kIpv6);
    HeaderParsing parsing;
    parsing.ipv6 = false;
    EXPECT_EQ(check(f, everything(), parsing).type, PacketType::kMac);
}

TEST(ReceiveChecksum, NeverReadsBeyondATruncatedOrLyingPacket) {
    for (const bool ipv4 : {true, false}) {
        for (const bool tcp : {true, false}) {
            const Bytes whole = packet(ipv4, tcp, 20);
            for (std::size_t size = 0; size < whole.size(); size++) {
                // A vector of its own: a read beyond it is found by the sanitizer.
                const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
                const ReceiveChecksum result = check(cut);
                EXPECT_FALSE(result.tcpcs) << size;
            }
            for (const std::size_t at : {kIp, kIp + 2, kIp + 3, kIp + 4, kIp + 5, kIp + 6}) {
                for (unsigned value = 0; value < 256; value++) {
                    Bytes lying = whole;
                    lying[at] = static_cast<std::uint8_t>(value);
                    static_cast<void>(check(lying));
                }
            }
        }
    }
}

}  // namespace
}  // namespace doorbell
