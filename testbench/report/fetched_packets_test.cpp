#include "testbench/report/fetched_packets.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace doorbell::report {
namespace {

using namespace regs::i82574l;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kRing = 0x10000;
constexpr std::uint32_t kCount = 8;

Bytes pattern(std::uint32_t size_bytes, std::uint8_t first) {
    Bytes bytes(size_bytes);
    std::iota(bytes.begin(), bytes.end(), first);
    return bytes;
}

Bytes descriptor(std::uint64_t address, std::uint32_t length, bool end) {
    TxWords words;
    tx_legacy::BUFFER_ADDRESS.put(words, address);
    tx_legacy::LENGTH.put(words, length);
    tx_legacy::EOP.put(words, end ? 1 : 0);
    Bytes bytes(16);
    words.store(bytes.data());
    return bytes;
}

Bytes context_descriptor() {
    TxWords words;
    tx_data::DEXT.put(words, 1);
    tx_data::DTYP.put(words, tx_data::DTYP_CONTEXT);
    Bytes bytes(16);
    words.store(bytes.data());
    return bytes;
}

Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

class Fetched : public ::testing::Test {
protected:
    Fetched() { packets.place_ring(0, kRing, kCount * 16); }
    void give(std::uint32_t index, const Bytes& descriptors) {
        EXPECT_TRUE(packets.descriptors(kRing + 16 * index, descriptors));
    }
    /// The next whole packet; empty when there is none.
    Bytes next() {
        FetchedPackets::Packet packet;
        if (!packets.take(packet)) return {};
        identity = packet.identity;
        return packet.bytes;
    }
    FetchedPackets packets;
    std::uint64_t identity = 0;
};

TEST_F(Fetched, a_packet_is_all_its_buffers_in_whatever_order_they_come) {
    give(0, context_descriptor() + descriptor(0x1000, 20, false) + descriptor(0x2000, 30, true));
    EXPECT_EQ(next(), Bytes());
    packets.data(0x2000, pattern(30, 100), 7);
    packets.data(0x100A, pattern(10, 10), 9);
    EXPECT_EQ(next(), Bytes()) << "ten bytes are missing";
    packets.data(0x1000, pattern(10, 0), 0);
    EXPECT_EQ(next(), pattern(20, 0) + pattern(30, 100));
    EXPECT_EQ(identity, 9u) << "that of the first buffer that has one";
    EXPECT_EQ(next(), Bytes());
}

TEST_F(Fetched, packets_come_in_the_order_of_the_ring_although_it_wraps_and_pieces_overtake) {
    give(6, descriptor(0x1000, 10, true));
    give(0, descriptor(0x3000, 10, true));  // The second piece of the batch is here first.
    give(7, descriptor(0x2000, 10, true));
    packets.data(0x3000, pattern(10, 30), 3);
    packets.data(0x2000, pattern(10, 20), 2);
    EXPECT_EQ(next(), Bytes()) << "the first of the ring is missing";
    packets.data(0x1000, pattern(10, 10), 1);
    EXPECT_EQ(next(), pattern(10, 10));
    EXPECT_EQ(next(), pattern(10, 20));
    EXPECT_EQ(next(), pattern(10, 30));
}

TEST_F(Fetched, one_buffer_may_be_sent_twice) {
    give(0, descriptor(0x1000, 10, true) + descriptor(0x1000, 10, true));
    packets.data(0x1000, pattern(10, 1), 0);
    packets.data(0x1000, pattern(10, 2), 0);
    EXPECT_EQ(next(), pattern(10, 1));
    EXPECT_EQ(next(), pattern(10, 2));
}

TEST_F(Fetched, a_restart_and_a_ring_elsewhere_forget_what_was_fetched) {
    for (const bool moved : {false, true}) {
        give(3, descriptor(0x1000, 10, true));
        give(5, descriptor(0x5000, 10, true));
        if (moved) {
            packets.place_ring(0, kRing, kCount * 16 - 16);
        } else {
            packets.restart(0);
        }
        packets.data(0x1000, pattern(10, 1), 0);
        EXPECT_EQ(next(), Bytes());
        give(0, descriptor(0x2000, 10, true));
        packets.data(0x2000, pattern(10, 2), 0);
        EXPECT_EQ(next(), pattern(10, 2)) << "it begins anywhere";
        for (std::uint32_t index = 1; index < 5; index++) give(index, context_descriptor());
        give(5, descriptor(0x6000, 10, true));
        packets.data(0x6000, pattern(10, 6), 0);
        EXPECT_EQ(next(), pattern(10, 6)) << "a descriptor of before is none of now";
    }
}

TEST_F(Fetched, a_packet_of_more_buffers_than_the_ring_has_is_forgotten) {
    for (std::uint32_t i = 0; i < kCount; i++) {
        give(i, descriptor(0x1000, 100, false));
        packets.data(0x1000, pattern(100, 1), 7);
    }
    give(0, descriptor(0x2000, 60, true));
    packets.data(0x2000, pattern(60, 2), 8);
    EXPECT_EQ(next(), pattern(60, 2));
    EXPECT_EQ(identity, 8u);
}

TEST_F(Fetched, a_packet_beyond_4_mib_is_forgotten) {
    packets.place_ring(0, kRing, 128 * 16);
    const std::uint32_t kLegacyMost = 0xffff;
    for (std::uint32_t i = 0; i < 64; i++) give(i, descriptor(0x100000, kLegacyMost, false));
    give(64, descriptor(0x200000, kLegacyMost, true));
    for (std::uint32_t i = 0; i < 64; i++) packets.data(0x100000, pattern(kLegacyMost, 0), 7);
    packets.data(0x200000, pattern(kLegacyMost, 1), 8);
    EXPECT_EQ(next(), pattern(kLegacyMost, 1));
}

TEST_F(Fetched, what_was_taken_no_longer_counts) {
    packets.place_ring(0, kRing, 128 * 16);
    for (std::uint32_t i = 0; i < 200; i++) {
        give(i % 128, descriptor(0x100000, 0xffff, true));
        packets.data(0x100000, pattern(0xffff, 0), 7);
        ASSERT_EQ(next().size(), 0xffffu) << i;
    }
}

TEST_F(Fetched, a_ring_that_is_not_for_transmission_is_none_of_ours) {
    EXPECT_FALSE(packets.descriptors(0x90000, descriptor(0x1000, 10, true)));
    packets.place_ring(1, 0x90000, 64);
    EXPECT_TRUE(packets.descriptors(0x90000, descriptor(0x1000, 10, true)));
}

}  // namespace
}  // namespace doorbell::report
