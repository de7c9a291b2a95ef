#include "hw/wake/wake_filter.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/base/bits.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

namespace r = regs::i82574l;
using Bytes = std::vector<std::uint8_t>;

// WUFC's bits (section 2.8).
constexpr std::uint32_t kMag = 1u << 1;
constexpr std::uint32_t kEx = 1u << 2;
constexpr std::uint32_t kMc = 1u << 3;
constexpr std::uint32_t kBc = 1u << 4;
constexpr std::uint32_t kArp = 1u << 5;
constexpr std::uint32_t kIpv4 = 1u << 6;
constexpr std::uint32_t kIpv6 = 1u << 7;
constexpr std::uint32_t kFlx0 = 1u << 16;

const Bytes kOwn = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
const Bytes kOther = {0x02, 0x00, 0x00, 0x82, 0x57, 0x41};
const Bytes kAll(6, 0xFF);
const Bytes kGroup = {0x01, 0xAA, 0x00, 0x12, 0x34, 0x56};

Bytes frame(const Bytes& destination, std::uint16_t type, const Bytes& body) {
    Bytes bytes = destination;
    bytes.insert(bytes.end(), {2, 0, 0, 0, 0, 1});
    bytes.push_back(static_cast<std::uint8_t>(type >> 8));
    bytes.push_back(static_cast<std::uint8_t>(type));
    bytes.insert(bytes.end(), body.begin(), body.end());
    if (bytes.size() < 60) bytes.resize(60);
    return bytes;
}

Bytes magic(const Bytes& station, std::size_t before = 0, std::size_t ones = 6) {
    Bytes body(before, 0x11);
    body.insert(body.end(), ones, 0xFF);
    for (int i = 0; i < 16; i++) body.insert(body.end(), station.begin(), station.end());
    return body;
}

class WakeFilter : public ::testing::Test {
protected:
    WakeFilter() {
        file.poke(r::RAL, 0x82000002);
        file.poke(r::RAH, 0x80004057);
    }
    [[nodiscard]] std::uint32_t matched(const Bytes& bytes) const {
        return wake_filters_matched(decode_wake_config(file), bytes.data(),
                                    static_cast<std::uint32_t>(bytes.size()));
    }
    regs::RegisterFile file{r::kMap};
};

TEST_F(WakeFilter, directed_frames_are_told_by_their_destination) {
    EXPECT_EQ(matched(frame(kOwn, 0x88B5, {})), kEx);
    EXPECT_EQ(matched(frame(kOther, 0x88B5, {})), 0u);
    EXPECT_EQ(matched(frame(kAll, 0x88B5, {})), kBc);
    EXPECT_EQ(matched(frame(kGroup, 0x88B5, {})), 0u);
    file.poke(r::MTA, 1u << (0x563 & 31), 0x563 >> 5);  // Section 7.1: MO 0 of this address.
    EXPECT_EQ(matched(frame(kGroup, 0x88B5, {})), kMc);
}

TEST_F(WakeFilter, a_group_address_may_stand_among_the_exact_ones) {
    file.poke(r::RAL, 0x1200AA01, 5);
    file.poke(r::RAH, 0x80005634, 5);
    EXPECT_EQ(matched(frame(kGroup, 0x88B5, {})), kMc);
    file.poke(r::RAH, 0x00005634, 5);
    EXPECT_EQ(matched(frame(kGroup, 0x88B5, {})), 0u) << "AV is 0";
}

TEST_F(WakeFilter, a_magic_packet_may_begin_anywhere) {
    EXPECT_EQ(matched(frame(kAll, 0x0842, magic(kOwn))), kBc | kMag);
    EXPECT_EQ(matched(frame(kOwn, 0x0800, magic(kOwn, 42))), kEx | kMag);
    EXPECT_EQ(matched(frame(kAll, 0x0842, magic(kOwn, 3, 9))), kBc | kMag) << "more ones";
    EXPECT_EQ(matched(frame(kAll, 0x0842, magic(kOwn, 0, 5))), kBc) << "too few ones";
    EXPECT_EQ(matched(frame(kAll, 0x0842, magic(kOther))), kBc) << "another's";
    EXPECT_EQ(matched(frame(kOther, 0x0842, magic(kOwn))), 0u) << "not let in";
    Bytes cut = frame(kAll, 0x0842, magic(kOwn));
    cut.pop_back();
    EXPECT_EQ(matched(cut), kBc) << "fifteen and a bit";
    Bytes wrong = frame(kAll, 0x0842, magic(kOwn));
    wrong[wrong.size() - 8] ^= 1;
    EXPECT_EQ(matched(wrong), kBc);
}

TEST_F(WakeFilter, an_entry_that_names_a_source_wakes_for_no_destination) {
    file.poke(r::RAL, 0x82000002, 3);
    file.poke(r::RAH, 0x80014157, 3);  // AV, ASEL 01
    EXPECT_EQ(matched(frame(kOther, 0x88B5, {})), 0u);
    file.poke(r::RAH, 0x80004157, 3);
    EXPECT_EQ(matched(frame(kOther, 0x88B5, {})), kEx);
}

Bytes arp(std::uint8_t operation, const Bytes& target) {
    Bytes body = {0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 1, 10, 0, 0, 9, 0, 0, 0, 0, 0, 0};
    body.insert(body.end(), target.begin(), target.end());
    return body;
}

TEST_F(WakeFilter, arp_requests_ask_for_a_valid_ipv4_address) {
    const Bytes address = {10, 0, 0, 2};
    file.poke(r::IP4AT, 0x0200000A, 2);
    EXPECT_EQ(matched(frame(kAll, 0x0806, arp(1, address))), kBc) << "not valid";
    file.poke(r::IPAV, 1u << 2);
    EXPECT_EQ(matched(frame(kAll, 0x0806, arp(1, address))), kBc | kArp);
    EXPECT_EQ(matched(frame(kAll, 0x0806, arp(2, address))), kBc) << "a reply";
    EXPECT_EQ(matched(frame(kAll, 0x0806, arp(1, {10, 0, 0, 3}))), kBc);
}

TEST_F(WakeFilter, arp_requests_may_be_tagged) {
    file.poke(r::IP4AT, 0x0200000A, 0);
    file.poke(r::IPAV, 1);
    Bytes tagged = frame(kAll, 0x8100, {0x00, 0x05, 0x08, 0x06});
    const Bytes body = arp(1, {10, 0, 0, 2});
    std::copy(body.begin(), body.end(), tagged.begin() + 18);
    EXPECT_EQ(matched(tagged), kBc | kArp);
}

TEST_F(WakeFilter, ip_packets_to_a_valid_address) {
    Bytes ipv4(40, 0);
    ipv4[0] = 0x45;
    const Bytes address = {192, 168, 1, 7};
    std::copy(address.begin(), address.end(), ipv4.begin() + 16);
    file.poke(r::IP4AT, 0x0701A8C0, 1);
    file.poke(r::IPAV, 1u << 1);
    EXPECT_EQ(matched(frame(kOwn, 0x0800, ipv4)), kEx | kIpv4);
    ipv4[19] = 8;
    EXPECT_EQ(matched(frame(kOwn, 0x0800, ipv4)), kEx);

    Bytes ipv6(48, 0);
    ipv6[0] = 0x60;
    for (std::uint8_t i = 0; i < 16; i++) ipv6[24 + i] = static_cast<std::uint8_t>(0x20 + i);
    for (std::uint32_t i = 0; i < 4; i++) file.poke(r::IP6AT, load_le32(&ipv6[24 + 4 * i]), i);
    EXPECT_EQ(matched(frame(kOwn, 0x86DD, ipv6)), kEx) << "not valid";
    file.poke(r::IPAV, 1u << 16);
    EXPECT_EQ(matched(frame(kOwn, 0x86DD, ipv6)), kEx | kIpv6);
    ipv6[39] ^= 1;
    EXPECT_EQ(matched(frame(kOwn, 0x86DD, ipv6)), kEx);
}

TEST_F(WakeFilter, flexible_filters_compare_the_bytes_that_their_mask_names) {
    // Filter 1: byte 12 is 0x88, byte 20 is 0x42; 21 bytes long. Filter 3 wants byte 0 to be 1.
    file.poke(r::FFLT, 21, 1);
    file.poke(r::FFMT, 1u << 1, 12);
    file.poke(r::FFVT, 0x88u << 8, 12);
    file.poke(r::FFMT, 1u << 1, 20);
    file.poke(r::FFVT, 0x42u << 8, 20);
    file.poke(r::FFLT, 1, 3);
    file.poke(r::FFMT, 1u << 3, 0);
    file.poke(r::FFVT, 0x01u << 24, 0);
    Bytes bytes = frame(kOwn, 0x88B5, {});
    EXPECT_EQ(matched(bytes), kEx);
    bytes[20] = 0x42;
    EXPECT_EQ(matched(bytes), kEx | kFlx0 << 1);
    file.poke(r::FFLT, 61, 1);
    EXPECT_EQ(matched(bytes), kEx) << "the frame is shorter than the filter";
    file.poke(r::FFLT, 0, 1);
    EXPECT_EQ(matched(bytes), kEx) << "no length, no match";
}

TEST_F(WakeFilter, a_filter_without_mask_matches_every_frame_that_is_let_in) {
    file.poke(r::FFLT, 14, 0);
    EXPECT_EQ(matched(frame(kOwn, 0x88B5, {})), kEx | kFlx0);
    EXPECT_EQ(matched(frame(kOther, 0x88B5, {})), 0u);
    file.poke(r::RCTL, r::RCTL_UPE.mask());
    EXPECT_EQ(matched(frame(kOther, 0x88B5, {})), kFlx0);
}

TEST_F(WakeFilter, frames_cut_anywhere_are_read_within_their_bounds) {
    file.poke(r::IPAV, 0x1000F);
    file.poke(r::FFLT, 2047, 0);
    for (const int type : {0x0800, 0x0806, 0x86DD, 0x8100}) {
        const Bytes whole = frame(kAll, static_cast<std::uint16_t>(type), magic(kOwn));
        for (std::size_t size = 0; size < whole.size(); size++) {
            const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
            EXPECT_EQ(matched(cut) & (kMag | kFlx0), 0u);
        }
    }
}

}  // namespace
}  // namespace doorbell
