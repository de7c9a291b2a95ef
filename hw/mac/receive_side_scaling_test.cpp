#include "hw/mac/receive_side_scaling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

// The public verification suite of receive side scaling (Microsoft, "Verifying the RSS hash
// calculation"): a key, and hashes of given packets.
constexpr ToeplitzHash::Key kKey = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
                                    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
                                    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
                                    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};

struct Vector {
    Bytes source;
    std::uint32_t source_port;
    Bytes destination;
    std::uint32_t destination_port;
    std::uint32_t addresses_hash;
    std::uint32_t tcp_hash;
};
const Vector kIpv4[] = {
    {{66, 9, 149, 187}, 2794, {161, 142, 100, 80}, 1766, 0x323e8fc2, 0x51ccc178},
    {{199, 92, 111, 2}, 14230, {65, 69, 140, 83}, 4739, 0xd718262a, 0xc626b0ea},
    {{24, 19, 198, 95}, 12898, {12, 22, 207, 184}, 38024, 0xd2d0a5de, 0x5c2b394a},
    {{38, 27, 205, 30}, 48228, {209, 142, 163, 6}, 2217, 0x82989176, 0xafc7327f},
    {{153, 39, 163, 191}, 44251, {202, 188, 127, 2}, 1303, 0x5d1809c5, 0x10e828a2},
};
const Vector kIpv6[] = {
    // 3ffe:2501:200:1fff::7 to 3ffe:2501:200:3::1
    {{0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x1f, 0xff, 0, 0, 0, 0, 0, 0, 0, 7},
     2794,
     {0x3f, 0xfe, 0x25, 0x01, 0x02, 0x00, 0x00, 0x03, 0, 0, 0, 0, 0, 0, 0, 1},
     1766,
     0x2cc18cd5,
     0x40207d3d},
    // 3ffe:501:8::260:97ff:fe40:efab to ff02::1
    {{0x3f, 0xfe, 0x05, 0x01, 0, 8, 0, 0, 0x02, 0x60, 0x97, 0xff, 0xfe, 0x40, 0xef, 0xab},
     14230,
     {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1},
     4739,
     0x0f0c461c,
     0xdde51bbf},
    // 3ffe:1900:4545:3:200:f8ff:fe21:67cf to fe80::200:f8ff:fe21:67cf
    {{0x3f, 0xfe, 0x19, 0, 0x45, 0x45, 0, 3, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     44251,
     {0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0x02, 0, 0xf8, 0xff, 0xfe, 0x21, 0x67, 0xcf},
     38024,
     0x4b61e985,
     0x02d1feef},
};

/// The definition, bit by bit, with nothing of the code under test: the key is shifted left once
/// for each bit of the input, and its first 32 bits are added where that bit is 1.
std::uint32_t slow_toeplitz(const Bytes& input) {
    std::vector<bool> key;
    for (const std::uint8_t byte : kKey) {
        for (int bit = 7; bit >= 0; bit--) key.push_back((byte >> bit & 1) != 0);
    }
    std::uint32_t result = 0;
    std::size_t position = 0;
    for (const std::uint8_t byte : input) {
        for (int bit = 7; bit >= 0; bit--, position++) {
            if ((byte >> bit & 1) == 0) continue;
            std::uint32_t window = 0;
            for (std::size_t i = 0; i < 32; i++)
                window = window << 1 | (key[position + i] ? 1u : 0u);
            result ^= window;
        }
    }
    return result;
}

Bytes joined(const Vector& v, bool ports) {
    Bytes input = v.source;
    input.insert(input.end(), v.destination.begin(), v.destination.end());
    for (const std::uint32_t port : {v.source_port, v.destination_port}) {
        if (!ports) break;
        input.push_back(static_cast<std::uint8_t>(port >> 8));
        input.push_back(static_cast<std::uint8_t>(port));
    }
    return input;
}

/// A frame from a vector; `protocol` 6 is TCP.
Bytes frame_of(const Vector& v, std::uint8_t protocol, bool fragment = false) {
    const bool six = v.source.size() == 16;
    Bytes f(14, 0);
    f[12] = six ? 0x86 : 0x08;
    f[13] = six ? 0xdd : 0x00;
    if (six) {
        f.insert(f.end(), {0x60, 0, 0, 0, 0, 20, protocol, 64});
    } else {
        f.insert(f.end(), {0x45, 0, 0, 40, 0, 1, static_cast<std::uint8_t>(fragment ? 0x20 : 0), 0,
                           64, protocol, 0, 0});
    }
    const Bytes input = joined(v, true);
    f.insert(f.end(), input.begin(), input.end());
    f.resize(f.size() + 16, 0);
    f[f.size() - 8] = 0x50;
    return f;
}

class ReceiveSideScaling : public testing::Test {
protected:
    ReceiveSideScaling() {
        config.hash.set_key(kKey);
        config.hashes = config.steers = true;
        for (std::size_t i = 0; i < config.table.size(); i++) {
            config.table[i] = static_cast<std::uint8_t>(i % 3 == 0 ? 1 : 0);
        }
    }
    RssResult run(const Bytes& f) const {
        return scale(config,
                     locate_headers({}, f.data(), static_cast<std::uint32_t>(f.size()), 12));
    }
    RssConfig config;
};

TEST_F(ReceiveSideScaling, GivesTheHashesOfTheVerificationSuite) {
    for (const Vector& v : kIpv4) {
        config.ipv4 = true;
        config.tcp_ipv4 = false;
        EXPECT_EQ(run(frame_of(v, 6)).hash, v.addresses_hash);
        EXPECT_EQ(run(frame_of(v, 6)).type, RssType::kIpv4);
        config.tcp_ipv4 = true;
        EXPECT_EQ(run(frame_of(v, 6)).hash, v.tcp_hash);
        EXPECT_EQ(run(frame_of(v, 6)).type, RssType::kTcpIpv4);
    }
    for (const Vector& v : kIpv6) {
        config.ipv6 = true;
        config.tcp_ipv6 = false;
        EXPECT_EQ(run(frame_of(v, 6)).hash, v.addresses_hash);
        EXPECT_EQ(run(frame_of(v, 6)).type, RssType::kIpv6);
        config.tcp_ipv6 = true;
        EXPECT_EQ(run(frame_of(v, 6)).hash, v.tcp_hash);
        EXPECT_EQ(run(frame_of(v, 6)).type, RssType::kTcpIpv6);
    }
}

TEST_F(ReceiveSideScaling, AgreesWithTheDefinitionOnRandomPackets) {
    config.tcp_ipv4 = config.tcp_ipv6 = true;
    Prng prng(3);
    for (int round = 0; round < 2000; round++) {
        Vector v = round % 2 == 0 ? kIpv4[0] : kIpv6[0];
        for (std::uint8_t& byte : v.source) byte = static_cast<std::uint8_t>(prng.next());
        for (std::uint8_t& byte : v.destination) byte = static_cast<std::uint8_t>(prng.next());
        v.source_port = static_cast<std::uint32_t>(prng.below(65536));
        ASSERT_EQ(run(frame_of(v, 6)).hash, slow_toeplitz(joined(v, true)));
    }
}

TEST_F(ReceiveSideScaling, TheLowSevenBitsOfTheHashChooseTheEntry) {
    config.tcp_ipv4 = true;
    for (const Vector& v : kIpv4) {
        const std::uint32_t entry = v.tcp_hash & 0x7f;
        EXPECT_EQ(run(frame_of(v, 6)).queue, entry % 3 == 0 ? 1u : 0u);
    }
    config.steers = false;
    for (const Vector& v : kIpv4) EXPECT_EQ(run(frame_of(v, 6)).queue, 0u);
}

TEST_F(ReceiveSideScaling, WhatNoFieldFitsHasTypeAndHashZeroAndGoesToQueueZero) {
    config.table.fill(1);
    config.tcp_ipv4 = true;
    for (const Bytes& f : {frame_of(kIpv4[0], 17), frame_of(kIpv4[0], 6, true),
                           frame_of(kIpv6[0], 6), Bytes(60, 0)}) {
        const RssResult result = run(f);
        EXPECT_EQ(result.type, RssType::kNone);
        EXPECT_EQ(result.hash, 0u);
        EXPECT_EQ(result.queue, 0u);
    }
    EXPECT_EQ(run(frame_of(kIpv4[0], 6)).queue, 1u);
}

TEST_F(ReceiveSideScaling, AFragmentAndUdpAreHashedByTheirAddresses) {
    config.ipv4 = config.tcp_ipv4 = true;
    for (const Bytes& f : {frame_of(kIpv4[1], 17), frame_of(kIpv4[1], 6, true)}) {
        EXPECT_EQ(run(f).type, RssType::kIpv4);
        EXPECT_EQ(run(f).hash, kIpv4[1].addresses_hash);
    }
}

TEST_F(ReceiveSideScaling, ExtendedKindsUseTheAddressesOfAMobileNode) {
    // kIpv6[0] with its source in a home address option, and another one in the IP header.
    const Vector& v = kIpv6[0];
    Bytes f = frame_of(v, 6);
    Bytes options = {6, 2, 1, 2, 0, 0, 201, 16};
    options.insert(options.end(), v.source.begin(), v.source.end());
    std::fill(f.begin() + 14 + 8, f.begin() + 14 + 24, std::uint8_t{0x11});
    f.insert(f.begin() + 14 + 40, options.begin(), options.end());
    f[14 + 5] = static_cast<std::uint8_t>(20 + options.size());
    f[14 + 6] = 60;
    Vector moved = v;
    moved.source.assign(16, 0x11);

    config.tcp_ipv6_extended = true;
    EXPECT_EQ(run(f).hash, v.tcp_hash);
    EXPECT_EQ(run(f).type, RssType::kTcpIpv6);
    config.tcp_ipv6_extended = false;
    config.tcp_ipv6 = true;
    EXPECT_EQ(run(f).hash, slow_toeplitz(joined(moved, true)));
    config.tcp_ipv6 = false;
    config.ipv6_extended = config.ipv6 = true;
    EXPECT_EQ(run(f).hash, v.addresses_hash);
    EXPECT_EQ(run(f).type, RssType::kIpv6Extended);
    config.ipv6_extended = false;
    EXPECT_EQ(run(f).hash, slow_toeplitz(joined(moved, false)));
    EXPECT_EQ(run(f).type, RssType::kIpv6);
}

}  // namespace
}  // namespace doorbell
