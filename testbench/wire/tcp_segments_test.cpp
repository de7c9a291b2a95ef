#include "testbench/wire/tcp_segments.hpp"

#include <gtest/gtest.h>

#include "testbench/wire/far_side_test_support.hpp"

namespace doorbell::wire {
namespace {

using test::Bytes;
using test::TcpPacket;

/// A packet with `payload_bytes`, its checksum unfinished, as a host kernel hands it over.
TcpPacket large_packet(bool ipv6, std::uint32_t payload_bytes, unsigned tags = 0) {
    TcpPacket packet;
    packet.ipv6 = ipv6;
    packet.tags = tags;
    packet.unfinished = true;
    packet.payload = test::pattern(payload_bytes, payload_bytes + 7);
    return packet;
}

std::vector<FramePtr> cut(FramePool& pool, const TcpPacket& packet, std::uint32_t segment_bytes) {
    const Bytes bytes = packet.bytes();
    SegmentCutter cutter;
    std::vector<FramePtr> segments;
    EXPECT_TRUE(cutter.start(bytes.data(), static_cast<std::uint32_t>(bytes.size()),
                             packet.tcp_offset(), segment_bytes));
    while (!cutter.done()) {
        segments.push_back(pool.take());
        cutter.next(*segments.back());
    }
    return segments;
}

/// Marks finished segments as a NIC would have left them: with the checksum to be done.
void leave_unfinished(const TcpPacket& packet, std::vector<FramePtr>& segments,
                      std::uint32_t segment_bytes) {
    for (std::size_t i = 0; i < segments.size(); i++) {
        Frame& frame = *segments[i];
        std::uint8_t* ip = frame.data() + packet.ip_offset();
        std::uint8_t* tcp = frame.data() + packet.tcp_offset();
        const std::uint32_t tcp_bytes = frame.size_bytes() - packet.tcp_offset();
        store_be16(tcp + 16, static_cast<std::uint16_t>(test::pseudo_sum(ip, 6, tcp_bytes)));
        frame.hints.checksum_unfinished = true;
        frame.hints.checksum_start = static_cast<std::uint16_t>(packet.tcp_offset());
        frame.hints.checksum_offset = 16;
        frame.hints.train = 9;
        frame.hints.segment_index = static_cast<std::uint16_t>(i);
        frame.hints.last_segment = i + 1 == segments.size();
        frame.hints.header_bytes = static_cast<std::uint16_t>(packet.header_bytes());
        frame.hints.segment_bytes = static_cast<std::uint16_t>(segment_bytes);
    }
}

Bytes flatten(const std::vector<iovec>& pieces) {
    Bytes out;
    for (const iovec& piece : pieces) {
        const auto* bytes = static_cast<const std::uint8_t*>(piece.iov_base);
        out.insert(out.end(), bytes, bytes + piece.iov_len);
    }
    return out;
}

struct Shape {
    bool ipv6;
    unsigned tags;
    std::uint32_t payload_bytes;
    std::uint32_t segment_bytes;
};

std::vector<Shape> shapes() {
    std::vector<Shape> all;
    for (const bool ipv6 : {false, true}) {
        for (const unsigned tags : {0u, 1u, 2u}) {
            for (const std::uint32_t segment : {1u, 2u, 536u, 1447u, 1448u, 8948u}) {
                for (const std::uint32_t payload :
                     {1u, segment - (segment > 1), segment, segment + 1, 3 * segment,
                      segment > 500 ? 65'400u - (ipv6 ? 20 : 0) : 400u}) {
                    all.push_back({ipv6, tags, payload, segment});
                }
            }
        }
    }
    return all;
}

std::ostream& operator<<(std::ostream& out, const Shape& shape) {
    return out << (shape.ipv6 ? "IPv6, " : "IPv4, ") << shape.tags << " tags, "
               << shape.payload_bytes << " bytes in segments of " << shape.segment_bytes;
}

TEST(SegmentsOfAnyShape, CutPiecesAreRealFramesWithEveryChecksumRight) {
    for (const Shape& shape : shapes()) {
        SCOPED_TRACE(::testing::PrintToString(shape));
        FramePool pool;
        const TcpPacket packet = large_packet(shape.ipv6, shape.payload_bytes, shape.tags);
        const auto segments = cut(pool, packet, shape.segment_bytes);
        const std::uint32_t count =
            (shape.payload_bytes + shape.segment_bytes - 1) / shape.segment_bytes;
        ASSERT_EQ(segments.size(), count);
        Bytes payload;
        for (std::uint32_t i = 0; i < count; i++) {
            const Frame& frame = *segments[i];
            EXPECT_EQ(test::problem_of(frame), "") << "segment " << i;
            const std::uint8_t* tcp = frame.data() + packet.tcp_offset();
            EXPECT_EQ(load_be32(tcp + 4), packet.sequence + i * shape.segment_bytes);
            EXPECT_EQ((tcp[13] & 0x08) != 0, i + 1 == count) << "PSH only in the last";
            if (!shape.ipv6) {
                EXPECT_EQ(load_be16(frame.data() + packet.ip_offset() + 4),
                          static_cast<std::uint16_t>(packet.identification + i));
            }
            payload.insert(payload.end(), frame.data() + packet.header_bytes(),
                           frame.data() + frame.size_bytes());
        }
        EXPECT_EQ(payload, packet.payload);
    }
}

TEST(SegmentsOfAnyShape, JoinedAgainTheyAreThePacketThatWasCut) {
    for (const Shape& shape : shapes()) {
        SCOPED_TRACE(::testing::PrintToString(shape));
        FramePool pool;
        const TcpPacket packet = large_packet(shape.ipv6, shape.payload_bytes, shape.tags);
        auto segments = cut(pool, packet, shape.segment_bytes);
        leave_unfinished(packet, segments, shape.segment_bytes);
        SegmentTrain train;
        for (FramePtr& frame : segments) {
            EXPECT_FALSE(train.complete());
            ASSERT_TRUE(train.add(frame));
        }
        EXPECT_TRUE(train.complete());
        std::vector<iovec> pieces;
        const SegmentTrain::Packet joined = train.join(pieces);
        EXPECT_EQ(flatten(pieces), packet.bytes());
        EXPECT_EQ(joined.size_bytes, packet.bytes().size());
        EXPECT_EQ(joined.segment_bytes, shape.segment_bytes);
        EXPECT_EQ(joined.segments, segments.size());
        EXPECT_EQ(joined.header_bytes, packet.header_bytes());
        EXPECT_EQ(joined.checksum.start, packet.tcp_offset());
        EXPECT_EQ(joined.ipv6, shape.ipv6);
        train.clear();
    }
}

TEST(TcpSegments, FinAndPshComeFromTheLastSegmentAndCwrFromTheFirst) {
    FramePool pool;
    TcpPacket packet = large_packet(false, 3000);
    packet.flags = 0x80 | 0x18 | 0x01;  // CWR, ACK, PSH, FIN
    auto segments = cut(pool, packet, 1000);
    ASSERT_EQ(segments.size(), 3u);
    const auto flags = [&](std::size_t i) { return segments[i]->data()[packet.tcp_offset() + 13]; };
    EXPECT_EQ(flags(0), 0x90);
    EXPECT_EQ(flags(1), 0x10);
    EXPECT_EQ(flags(2), 0x19);
    leave_unfinished(packet, segments, 1000);
    SegmentTrain train;
    for (FramePtr& frame : segments) ASSERT_TRUE(train.add(frame));
    std::vector<iovec> pieces;
    EXPECT_TRUE(train.join(pieces).congestion_reduced);
    EXPECT_EQ(flatten(pieces), packet.bytes());
    train.clear();
}

TEST(TcpSegments, AnInterruptedTrainIsTheBeginningOfThePacketWithTheLengthsOfWhatCame) {
    FramePool pool;
    TcpPacket packet = large_packet(true, 5000);
    auto segments = cut(pool, packet, 1000);
    leave_unfinished(packet, segments, 1000);
    SegmentTrain train;
    ASSERT_TRUE(train.add(segments[0]));
    ASSERT_TRUE(train.add(segments[1]));
    std::vector<iovec> pieces;
    train.join(pieces);
    TcpPacket half = packet;
    half.payload.resize(2000);
    half.flags = 0x10;  // PSH has not come yet.
    EXPECT_EQ(flatten(pieces), half.bytes());
    train.clear();

    // What follows starts a train of its own, with its own sequence number.
    for (std::size_t i = 2; i < 5; i++) ASSERT_TRUE(train.add(segments[i]));
    pieces.clear();
    train.join(pieces);
    TcpPacket rest = packet;
    rest.sequence += 2000;
    rest.payload.erase(rest.payload.begin(), rest.payload.begin() + 2000);
    EXPECT_EQ(flatten(pieces), rest.bytes());
    train.clear();
}

TEST(TcpSegments, ATrainTakesOnlyItsOwnSegmentsInTheirOrder) {
    FramePool pool;
    const TcpPacket packet = large_packet(false, 4000);
    auto segments = cut(pool, packet, 1000);
    leave_unfinished(packet, segments, 1000);
    SegmentTrain train;
    ASSERT_TRUE(train.add(segments[0]));
    EXPECT_FALSE(train.add(segments[2])) << "one is missing between";
    segments[1]->hints.train = 10;
    EXPECT_FALSE(train.add(segments[1])) << "of another packet";
    segments[1]->hints.train = 9;
    segments[1]->hints.header_bytes++;
    EXPECT_FALSE(train.add(segments[1])) << "its header is another";
    segments[1]->hints.header_bytes--;
    segments[1]->hints.checksum_unfinished = false;
    EXPECT_FALSE(train.add(segments[1])) << "its checksum is done";
    segments[1]->hints.checksum_unfinished = true;
    EXPECT_TRUE(train.add(segments[1]));
    train.clear();
}

TEST(TcpSegments, APaddedLastSegmentCountsByItsIpLength) {
    FramePool pool;
    TcpPacket packet = large_packet(false, 1001);
    packet.tcp_options_bytes = 0;
    auto segments = cut(pool, packet, 1000);
    leave_unfinished(packet, segments, 1000);
    ASSERT_EQ(segments[1]->size_bytes(), 55u);
    segments[1]->resize(60);
    SegmentTrain train;
    for (FramePtr& frame : segments) ASSERT_TRUE(train.add(frame));
    std::vector<iovec> pieces;
    train.join(pieces);
    EXPECT_EQ(flatten(pieces), packet.bytes());
    train.clear();
}

TEST(TcpSegments, ATrainThatWouldBeLongerThanIpCanSayStopsBefore) {
    FramePool pool;
    const TcpPacket packet = large_packet(false, 9000);
    SegmentTrain train;
    std::uint32_t taken = 0;
    for (std::uint32_t i = 0; i < 20; i++) {
        auto segments = cut(pool, packet, 9000);
        leave_unfinished(packet, segments, 9000);
        segments[0]->hints.segment_index = static_cast<std::uint16_t>(i);
        segments[0]->hints.last_segment = false;
        if (!train.add(segments[0])) break;
        taken++;
    }
    EXPECT_EQ(taken, 7u);
    train.clear();
}

TEST(TcpSegments, HintsThatDoNotFitTheFrameStartNoTrain) {
    FramePool pool;
    const TcpPacket packet = large_packet(false, 2000);
    const auto refused = [&](auto&& change) {
        auto segments = cut(pool, packet, 1000);
        leave_unfinished(packet, segments, 1000);
        change(*segments[0]);
        SegmentTrain train;
        const bool taken = train.add(segments[0]);
        train.clear();
        return !taken;
    };
    EXPECT_FALSE(refused([](Frame&) {}));
    EXPECT_TRUE(refused([](Frame& f) { f.hints.checksum_start = 9000; }));
    EXPECT_TRUE(refused([](Frame& f) { f.hints.checksum_start = 4; }));
    EXPECT_TRUE(refused([](Frame& f) { f.hints.checksum_offset = 6; }));
    EXPECT_TRUE(refused([](Frame& f) { f.hints.header_bytes = 80; }));
    EXPECT_TRUE(refused([](Frame& f) { f.hints.segment_bytes = 0; }));
    EXPECT_TRUE(refused([](Frame& f) { f.data()[14] = 0x65; }));
    EXPECT_TRUE(refused([](Frame& f) { f.data()[12] = 0x88; }));
    EXPECT_TRUE(refused([](Frame& f) { store_be16(f.data() + 16, 9000); }));
    EXPECT_TRUE(refused([](Frame& f) { store_be16(f.data() + 16, 3); }));
    EXPECT_TRUE(refused([](Frame& f) {
        f.data()[34 + 12] = 0xf0;
        f.resize(80);
    }));
    EXPECT_TRUE(refused([](Frame& f) { f.resize(20); }));
}

TEST(TcpSegments, WhatIsNoLargePacketIsNotCut) {
    SegmentCutter cutter;
    const TcpPacket packet = large_packet(false, 3000);
    const Bytes bytes = packet.bytes();
    const auto size = static_cast<std::uint32_t>(bytes.size());
    EXPECT_FALSE(cutter.start(bytes.data(), size, packet.tcp_offset(), 0));
    EXPECT_FALSE(cutter.start(bytes.data(), size, size, 1000));
    EXPECT_FALSE(cutter.start(bytes.data(), size, ~0u, 1000));
    EXPECT_FALSE(cutter.start(bytes.data(), packet.header_bytes(), packet.tcp_offset(), 1000));
    EXPECT_FALSE(cutter.start(bytes.data(), 10, packet.tcp_offset(), 1000));
    EXPECT_TRUE(cutter.start(bytes.data(), size, packet.tcp_offset(), 1000));

    const TcpPacket huge = large_packet(false, 30'000);
    const Bytes huge_bytes = huge.bytes();
    EXPECT_FALSE(cutter.start(huge_bytes.data(), static_cast<std::uint32_t>(huge_bytes.size()),
                              huge.tcp_offset(), 20'000))
        << "such a segment fits into no frame";
}

TEST(TcpSegments, AnUnfinishedChecksumIsFinishedWhereItIsAndNowhereElse) {
    FramePool pool;
    for (const bool ipv6 : {false, true}) {
        TcpPacket packet = large_packet(ipv6, 777);
        FramePtr frame = test::make_frame(pool, packet.bytes());
        EXPECT_NE(test::problem_of(*frame), "");
        EXPECT_TRUE(finish_checksum(frame->data(), frame->size_bytes(), {packet.tcp_offset(), 16}));
        EXPECT_EQ(test::problem_of(*frame), "");
        packet.unfinished = false;
        EXPECT_EQ(Bytes(frame->data(), frame->data() + frame->size_bytes()), packet.bytes());
    }
    Bytes outside(10, 0xab);
    EXPECT_FALSE(finish_checksum(outside.data(), 10, {10, 0}));
    EXPECT_FALSE(finish_checksum(outside.data(), 10, {4, 5}));
    EXPECT_FALSE(finish_checksum(outside.data(), 10, {0, ~0u}));
    EXPECT_EQ(outside, Bytes(10, 0xab));
    EXPECT_TRUE(finish_checksum(outside.data(), 10, {4, 4}));
}

}  // namespace
}  // namespace doorbell::wire
