#include "hw/mac/packet_layout.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

constexpr std::uint32_t kIp = 14;

Bytes ipv4(std::uint8_t protocol, std::uint32_t options = 0, std::uint32_t payload = 40) {
    Bytes f(kIp + 20 + options + payload, 0);
    const std::uint32_t length = 20 + options + payload;
    f[12] = 0x08;
    f[kIp] = static_cast<std::uint8_t>(0x45 + options / 4);
    f[kIp + 2] = static_cast<std::uint8_t>(length >> 8);
    f[kIp + 3] = static_cast<std::uint8_t>(length);
    f[kIp + 9] = protocol;
    f[kIp + 20 + options + 12] = 0x50;  // TCP: 20 bytes
    return f;
}

/// Extension headers as bytes; the next header of each is filled in.
Bytes ipv6(std::uint8_t protocol, std::vector<std::pair<std::uint8_t, Bytes>> extensions = {},
           std::uint32_t payload = 40) {
    Bytes f(kIp + 40, 0);
    f[12] = 0x86;
    f[13] = 0xdd;
    f[kIp] = 0x60;
    std::size_t next = kIp + 6;
    for (auto& [kind, bytes] : extensions) {
        f[next] = kind;
        next = f.size();
        f.insert(f.end(), bytes.begin(), bytes.end());
    }
    f[next] = protocol;
    const std::size_t transport = f.size();
    f.resize(f.size() + payload, 0);
    f[transport + 12] = 0x50;
    const std::size_t length = f.size() - kIp - 40;
    f[kIp + 4] = static_cast<std::uint8_t>(length >> 8);
    f[kIp + 5] = static_cast<std::uint8_t>(length);
    return f;
}

struct Offsets {
    std::ptrdiff_t transport;
    std::ptrdiff_t payload;
    std::ptrdiff_t end;
    bool operator==(const Offsets& other) const {
        return transport == other.transport && payload == other.payload && end == other.end;
    }
};

PacketLayout locate(const Bytes& f, const HeaderParsing& parsing = {}, std::uint32_t type = 12) {
    return locate_headers(parsing, f.data(), static_cast<std::uint32_t>(f.size()), type);
}
Offsets offsets(const Bytes& f, const PacketLayout& layout) {
    return {layout.transport - f.data(), layout.payload - f.data(), layout.end - f.data()};
}

TEST(PacketLayout, FindsTheEndsOfIpv4Headers) {
    Bytes f = ipv4(6);
    f.resize(f.size() + 6, 0xff);  // padding
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{34, 54, 74}));
    f = ipv4(6, 8);
    f[kIp + 28 + 12] = 0x80;  // TCP with 12 bytes of options
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{42, 74, 82}));
    f = ipv4(17);
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{34, 42, 74}));
    f = ipv4(1);
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{34, 34, 74})) << "ICMP: the end of the IP header";
    EXPECT_EQ(locate(f).protocol, 0);
}

TEST(PacketLayout, LooksBehindATag) {
    Bytes f = ipv4(6);
    f.insert(f.begin() + 12, {0x81, 0x00, 0x00, 0x05});
    EXPECT_EQ(offsets(f, locate(f, {}, 16)), (Offsets{38, 58, 78}));
    EXPECT_EQ(locate(f).ip, PacketLayout::Network::kNone);
}

// RFC 8200 4.1: they come first, and once.
TEST(PacketLayout, HopByHopOptionsElsewhereHideWhatFollows) {
    const Bytes options(8, 0);
    EXPECT_EQ(locate(ipv6(6, {{0, options}})).protocol, 6);
    EXPECT_EQ(locate(ipv6(6, {{60, options}})).protocol, 6) << "destination options";
    EXPECT_EQ(locate(ipv6(6, {{0, options}, {60, options}})).protocol, 6);
    EXPECT_EQ(locate(ipv6(6, {{60, options}, {0, options}})).protocol, 0);
    EXPECT_EQ(locate(ipv6(6, {{0, options}, {0, options}})).protocol, 0);
}

TEST(PacketLayout, AFragmentHasNoTransport) {
    for (const std::uint8_t flags :
         {std::uint8_t{0x20}, std::uint8_t{0x01}}) {  // more fragments; an offset
        Bytes f = ipv4(6);
        f[kIp + 6] = flags;
        EXPECT_TRUE(locate(f).fragment);
        EXPECT_EQ(locate(f).protocol, 0);
        EXPECT_EQ(offsets(f, locate(f)), (Offsets{34, 34, 74}));
    }
    Bytes whole = ipv4(6);
    whole[kIp + 6] = 0x40;  // do not fragment
    EXPECT_FALSE(locate(whole).fragment);
    const Bytes six = ipv6(6, {{44, Bytes(8, 0)}});
    EXPECT_TRUE(locate(six).fragment);
    EXPECT_EQ(offsets(six, locate(six)), (Offsets{62, 62, 102}));
}

TEST(PacketLayout, FindsTheEndsOfIpv6Headers) {
    Bytes f = ipv6(6);
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{54, 74, 94}));
    EXPECT_FALSE(locate(f).extended);
    f = ipv6(17, {{0, Bytes(8, 0)}});
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{62, 70, 102}));
    EXPECT_FALSE(locate(f).extended);
}

TEST(PacketLayout, FindsTheAddressesOfAMobileNode) {
    // RFC 6275: option 201 of 16 bytes behind two bytes of padding; routing header of type 2.
    Bytes options = {0, 2, 1, 0, 0, 0, 201, 16};
    for (std::uint8_t i = 0; i < 16; i++) options.push_back(static_cast<std::uint8_t>(0xa0 + i));
    Bytes routing = {0, 2, 2, 1, 0, 0, 0, 0};
    for (std::uint8_t i = 0; i < 16; i++) routing.push_back(static_cast<std::uint8_t>(0xb0 + i));
    const Bytes f = ipv6(6, {{43, routing}, {60, options}});
    const PacketLayout layout = locate(f);
    EXPECT_TRUE(layout.tcp());
    EXPECT_TRUE(layout.extended);
    ASSERT_NE(layout.home_source, nullptr);
    ASSERT_NE(layout.home_destination, nullptr);
    EXPECT_EQ(layout.home_source[0], 0xa0);
    EXPECT_EQ(layout.home_destination[0], 0xb0);
    EXPECT_EQ(offsets(f, layout), (Offsets{102, 122, 142}));

    HeaderParsing parsing;
    parsing.ipv6_addresses = false;  // RFCTL.NEW_IPV6_EXT_DIS
    EXPECT_EQ(locate(f, parsing).home_source, nullptr);
    EXPECT_EQ(locate(f, parsing).protocol, 0);
    EXPECT_EQ(offsets(f, locate(f, parsing)), (Offsets{54, 54, 142}));
    parsing = {};
    parsing.ipv6_extensions = false;  // RFCTL.IPV6_EX_DIS
    EXPECT_EQ(locate(f, parsing).protocol, 0);
    parsing = {};
    parsing.ipv6 = false;  // RFCTL.IPV6_DIS
    EXPECT_EQ(locate(f, parsing).ip, PacketLayout::Network::kNone);
}

TEST(PacketLayout, AHeaderThatLiesAboutItsLengthHidesWhatFollows) {
    Bytes f = ipv4(6);
    f[kIp + 3] = 200;  // longer than the frame
    EXPECT_FALSE(locate(f).whole);
    EXPECT_EQ(locate(f).protocol, 0);
    EXPECT_EQ(locate(f).ip, PacketLayout::Network::kIpv4);
    f = ipv4(6, 0, 19);  // less than a TCP header
    EXPECT_EQ(locate(f).protocol, 0);
    f = ipv4(6);
    f[kIp + 20 + 12] = 0xf0;  // 60 bytes of header in 40
    EXPECT_EQ(offsets(f, locate(f)), (Offsets{34, 34, 74}));
    f = ipv4(6);
    f[kIp] = 0x44;  // 16 bytes of IP header
    EXPECT_EQ(locate(f).ip, PacketLayout::Network::kNone);
}

TEST(PacketLayout, NeverLeavesTheFrameWhateverIsInIt) {
    Prng prng(7);
    const Bytes seeds[] = {ipv4(6, 8), ipv6(6, {{0, Bytes(16, 1)}, {43, Bytes(24, 2)}}),
                           ipv6(17, {{60, Bytes(24, 201)}, {44, Bytes(8, 0)}})};
    for (std::uint32_t round = 0; round < 30'000; round++) {
        const Bytes& seed = seeds[round % 3];
        // A vector of its own: a read beyond it is found by the sanitizer.
        Bytes f(seed.begin(),
                seed.begin() + static_cast<std::ptrdiff_t>(prng.below(seed.size() + 1)));
        for (std::uint32_t i = 0; i < 4 && f.size() > 14; i++) {
            f[14 + prng.below(f.size() - 14)] = static_cast<std::uint8_t>(prng.next());
        }
        const PacketLayout layout = locate(f);
        if (layout.ip == PacketLayout::Network::kNone) continue;
        const std::uint8_t* last = f.data() + f.size();
        ASSERT_LE(f.data() + kIp, layout.network);
        ASSERT_LT(layout.network, layout.transport);
        ASSERT_LE(layout.transport, layout.payload);
        ASSERT_LE(layout.payload, last);
        ASSERT_LE(layout.transport, layout.end);
        ASSERT_LE(layout.end, last);
        if (layout.protocol != 0) {
            ASSERT_LE(layout.transport + 8, layout.end);
        }
        for (const std::uint8_t* address : {layout.home_source, layout.home_destination}) {
            if (address == nullptr) continue;
            ASSERT_LE(address + 16, layout.end);
        }
    }
}

}  // namespace
}  // namespace doorbell
