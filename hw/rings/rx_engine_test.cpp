#include <gtest/gtest.h>

#include "hw/base/generated/events.hpp"
#include "hw/base/prng.hpp"
#include "hw/rings/test_support/ring_bench.hpp"

namespace doorbell::test {
namespace {

using namespace regs::i82574l;

/// A good unicast frame of `wire_bytes` (FCS included) comes in.
Bytes arrive(RingBench& bench, std::uint32_t wire_bytes, std::uint32_t seed = 0,
             std::uint64_t packet = 0) {
    FramePtr frame = bench.frames.take();
    Bytes bytes = pattern(wire_bytes - 4, seed);
    bytes[0] = 0x02;   // unicast
    bytes[12] = 0x88;  // a type nobody looks into
    bytes[13] = 0xb5;
    frame->resize(wire_bytes - 4);
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    frame->packet = packet;
    frame->number = 1000 + seed;
    bench.engine.receive(std::move(frame), bench.timeline.now_ps(), bench.timeline.now_ps());
    return bytes;
}

void arrive_bytes(RingBench& bench, const Bytes& bytes) {
    FramePtr frame = bench.frames.take();
    frame->resize(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    bench.engine.receive(std::move(frame), bench.timeline.now_ps(), bench.timeline.now_ps());
}

TEST(RxEngine, StoresAFrameAndReportsIt) {
    RingBench bench;
    EventRecorder events;
    bench.hub.attach(events);
    RxDriver driver(bench);
    driver.enable();
    driver.fill(8);
    bench.settle();
    const Bytes sent = arrive(bench, 100, 3, 4711);
    bench.settle();
    const RxDriver::Received received = driver.take();
    EXPECT_EQ(received.bytes, sent);
    EXPECT_EQ(received.packet, 4711u) << "identity travels with the data";
    EXPECT_EQ(rx_legacy::EOP.get(received.descriptor), 1u);
    EXPECT_EQ(driver.head(), 1u);
    EXPECT_EQ(bench.causes.rx_stored[0], 1u);
    EXPECT_EQ(bench.causes.rx_frames[0], 1u);
    EXPECT_EQ(bench.stats.value(Stat::kGPRC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kGORC), 100u);
    EXPECT_EQ(bench.stats.value(Stat::kTPR), 1u);
    const std::vector<Event> stored = events.of(EventType::kFrameStored);
    ASSERT_EQ(stored.size(), 1u);
    EXPECT_EQ(stored[0].packet, 4711u);
    EXPECT_EQ(stored[0].frame, 1003u);
    EXPECT_EQ(stored[0].args[2], 0u) << "index of its last descriptor";
    EXPECT_EQ(events.of(EventType::kFrameAccept).size(), 1u);
}

TEST(RxEngine, DataIsVisibleBeforeTheDescriptorSaysSo) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    driver.fill(8);
    bench.settle();
    const Bytes sent = arrive(bench, 1000);
    while (!driver.ready()) {
        ASSERT_NE(bench.timeline.next_event_time(), kNever);
        bench.timeline.advance_until(bench.timeline.next_event_time());
    }
    EXPECT_EQ(driver.take().bytes, sent);
}

TEST(RxEngine, AcceptsOnlyLegalLengths) {
    struct Case {
        std::uint32_t wire_bytes;
        bool long_enabled;
        bool accepted;
        Stat counted;
    };
    for (const Case& c :
         {Case{63, false, false, Stat::kRUC}, Case{64, false, true, Stat::kPRC64},
          Case{65, false, true, Stat::kPRC127}, Case{1518, false, true, Stat::kPRC1522},
          Case{1519, false, true, Stat::kPRC1522}, Case{1522, false, true, Stat::kPRC1522},
          Case{1523, false, false, Stat::kROC}, Case{1523, true, true, Stat::kPRC1522},
          Case{9728, true, true, Stat::kPRC1522}, Case{9729, true, false, Stat::kROC}}) {
        SCOPED_TRACE(c.wire_bytes);
        RingBench bench;
        RxDriver driver(bench, 64, 2048);
        bench.set(RCTL_LPE, c.long_enabled ? 1 : 0);
        driver.enable();
        driver.fill(32);
        bench.settle();
        arrive(bench, c.wire_bytes);
        bench.settle();
        EXPECT_EQ(driver.ready(), c.accepted);
        EXPECT_EQ(bench.stats.value(c.counted), 1u);
        EXPECT_EQ(bench.stats.value(Stat::kGPRC), c.accepted ? 1u : 0u);
        EXPECT_EQ(bench.stats.value(Stat::kTPR), 1u);
        EXPECT_EQ(bench.stats.value(Stat::kTOR), c.wire_bytes);
        EXPECT_EQ(bench.stats.value(Stat::kRLEC), c.accepted ? 0u : 1u);
        EXPECT_EQ(bench.metric("rx.frames"), c.accepted ? 1u : 0u);
    }
}

TEST(RxEngine, SpreadsALongFrameOverConsecutiveBuffers) {
    struct Case {
        std::uint32_t bsize;
        std::uint32_t bsex;
        std::uint32_t flxbuf;
        std::uint32_t bytes;
    };
    for (const Case& c :
         {Case{3, 0, 0, 256}, Case{2, 0, 0, 512}, Case{1, 0, 0, 1024}, Case{0, 0, 0, 2048},
          Case{3, 1, 0, 4096}, Case{2, 1, 0, 8192}, Case{1, 1, 0, 16384}, Case{3, 0, 3, 3072}}) {
        SCOPED_TRACE(c.bytes);
        RingBench bench;
        RxDriver driver(bench, 64, c.bytes);
        bench.set(RCTL_LPE, 1);
        bench.set(RCTL_BSIZE, c.bsize);
        bench.set(RCTL_BSEX, c.bsex);
        bench.set(RCTL_FLXBUF, c.flxbuf);
        driver.enable();
        driver.fill(63);
        bench.settle();
        const Bytes sent = arrive(bench, 9000);
        bench.settle();
        Bytes received;
        for (;;) {
            const RxDriver::Received part = driver.take();
            received.insert(received.end(), part.bytes.begin(), part.bytes.end());
            if (rx_legacy::EOP.get(part.descriptor) == 1) break;
            ASSERT_EQ(part.bytes.size(), c.bytes) << "only the last buffer may be part filled";
        }
        EXPECT_EQ(received, sent);
        EXPECT_FALSE(driver.ready());
    }
}

TEST(RxEngine, StoresTheTrueCrcWithoutSecrc) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    bench.set(RCTL_SECRC, 0);
    driver.fill(8);
    bench.settle();
    Bytes expected = arrive(bench, 100);
    const std::uint32_t fcs = ethernet_fcs(expected.data(), expected.size());
    for (std::uint32_t i = 0; i < 4; i++) {
        expected.push_back(static_cast<std::uint8_t>(fcs >> (8 * i)));
    }
    bench.settle();
    EXPECT_EQ(driver.take().bytes, expected);
}

TEST(RxEngine, StripsATagIntoTheDescriptorWithVme) {
    Bytes tagged = pattern(100);
    tagged[0] = 0x02;
    const Bytes tag = {0x81, 0x00, 0x61, 0x23};
    std::copy(tag.begin(), tag.end(), tagged.begin() + 12);
    Bytes untagged = tagged;
    untagged.erase(untagged.begin() + 12, untagged.begin() + 16);
    for (const bool vme : {false, true}) {
        RingBench bench;
        RxDriver driver(bench);
        bench.set(CTRL_VME, vme ? 1 : 0);
        driver.enable();
        bench.set(RCTL_SECRC, 0);
        driver.fill(8);
        bench.settle();
        arrive_bytes(bench, tagged);
        bench.settle();
        RxDriver::Received received = driver.take();
        EXPECT_EQ(rx_legacy::VP.get(received.descriptor), vme ? 1u : 0u) << "U13";
        EXPECT_EQ(rx_legacy::VLAN.get(received.descriptor), vme ? 0x6123u : 0u);
        const std::uint32_t fcs = ethernet_fcs(tagged.data(), tagged.size());
        ASSERT_GE(received.bytes.size(), 4u);
        EXPECT_EQ(load_le32(received.bytes.data() + received.bytes.size() - 4), fcs)
            << "the FCS of the wire";
        received.bytes.resize(received.bytes.size() - 4);
        EXPECT_EQ(received.bytes, vme ? untagged : tagged);
    }
}

TEST(RxEngine, DropsOrStoresBadFramesBySbp) {
    for (const bool sbp : {false, true}) {
        RingBench bench;
        RxDriver driver(bench);
        driver.enable();
        bench.set(RCTL_SBP, sbp ? 1 : 0);
        driver.fill(8);
        bench.settle();
        FramePtr frame = bench.frames.take();
        frame->resize(60);
        std::memset(frame->data(), 2, 60);
        frame->materialise_fcs();
        frame->data()[30] ^= 1;
        bench.engine.receive(std::move(frame), 0, 0);
        bench.settle();
        EXPECT_EQ(driver.ready(), sbp);
        EXPECT_EQ(bench.stats.value(Stat::kCRCERRS), 1u);
        EXPECT_EQ(bench.stats.value(Stat::kGPRC), 0u);
        EXPECT_EQ(bench.metric("drops.crc_error_frames"), sbp ? 0u : 1u);
        if (sbp) {
            EXPECT_EQ(rx_legacy::CE.get(driver.take().descriptor), 1u);
        }
    }
}

TEST(RxEngine, SkipsADescriptorWithoutABuffer) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    driver.post(0);
    driver.doorbell();
    driver.fill(4);
    bench.settle();
    const Bytes sent = arrive(bench, 100);
    bench.settle();
    const RxDriver::Received null = driver.take();
    EXPECT_EQ(rx_legacy::LENGTH.get(null.descriptor), 0u);
    EXPECT_EQ(rx_legacy::EOP.get(null.descriptor), 0u);
    EXPECT_EQ(driver.take().bytes, sent);
}

TEST(RxEngine, SeesNothingWhileTheReceiverIsOff) {
    RingBench bench;
    RxDriver driver(bench);
    driver.fill(8);
    arrive(bench, 100);
    bench.settle();
    EXPECT_EQ(bench.dma.operations, 0u) << "not even a descriptor is fetched";
    EXPECT_EQ(bench.stats.value(Stat::kTPR), 0u);
    EXPECT_EQ(bench.metric("drops.receiver_off_frames"), 1u);
    driver.enable();
    bench.state.link_up = false;
    arrive(bench, 100);
    bench.settle();
    EXPECT_EQ(bench.metric("drops.receiver_off_frames"), 2u);
}

TEST(RxEngine, WaitsInTheFifoForADescriptorAndCountsRnbcOnce) {
    for (const bool rxo : {false, true}) {
        QueueEngineParams params;
        params.u18_rxo_on_descriptor_shortage = rxo;
        RingBench bench(params);
        RxDriver driver(bench);
        driver.enable();
        const Bytes first = arrive(bench, 100, 1);
        const Bytes second = arrive(bench, 100, 2);
        bench.settle();
        EXPECT_EQ(bench.stats.value(Stat::kRNBC), 1u) << "the second has not come to the head yet";
        EXPECT_EQ((bench.causes.raised & ICR_RXO.mask()) != 0, rxo);
        driver.fill(1);
        bench.settle();
        EXPECT_EQ(driver.take().bytes, first);
        EXPECT_EQ(bench.stats.value(Stat::kRNBC), 2u);
        driver.fill(1);
        bench.settle();
        EXPECT_EQ(driver.take().bytes, second);
        EXPECT_EQ(bench.stats.value(Stat::kRNBC), 2u);
        EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u);
    }
}

TEST(RxEngine, LosesWhatTheFifoCannotHoldAndNothingElse) {
    RingBench bench;
    bench.set(PBA_RXA, 4);
    bench.reset();
    RxDriver driver(bench);
    driver.enable();
    std::vector<Bytes> sent;
    // 1514 + 4 bytes take 1536: two fit into 4096, and 64-byte frames of 80 into what is left.
    for (std::uint32_t i = 0; i < 4; i++) sent.push_back(arrive(bench, 1518, i));
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 2u);
    EXPECT_EQ(bench.causes.times[ICR_RXO.mask()], 2u);
    EXPECT_EQ(bench.stats.value(Stat::kICRXOC), 0u) << "counted where causes are raised";
    EXPECT_EQ(bench.stats.value(Stat::kGPRC), 2u) << "a missed frame is not a good one received";
    sent.push_back(arrive(bench, 64, 4));
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 2u);
    EXPECT_EQ(bench.metric("drops.fifo_overrun_frames"), 2u);
    driver.fill(8);
    bench.settle();
    EXPECT_EQ(driver.take().bytes, sent[0]);
    EXPECT_EQ(driver.take().bytes, sent[1]);
    EXPECT_EQ(driver.take().bytes, sent[4]);
    EXPECT_FALSE(driver.ready());
    EXPECT_EQ(bench.metric("rx.fifo_peak_bytes"), 2u * 1536 + 80);
}

TEST(RxEngine, RaisesRxdmt0WhenTheFreeDescriptorsFallToTheFraction) {
    for (const std::uint32_t rdmts : {0u, 1u, 2u}) {
        RingBench bench;
        RxDriver driver(bench, 64);
        bench.set(RCTL_RDMTS, rdmts);
        driver.enable();
        driver.fill(63);
        bench.settle();
        std::uint32_t frames = 0;
        while ((bench.causes.raised & ICR_RXDMT0.mask()) == 0 && frames < 63) {
            arrive(bench, 64);
            bench.settle();
            frames++;
        }
        EXPECT_EQ(63 - frames, 64u >> (rdmts + 1));
        arrive(bench, 64);
        bench.settle();
        EXPECT_EQ(bench.causes.times[ICR_RXDMT0.mask()], 1u) << "on the way down, once";
    }
}

TEST(RxEngine, RxqTakesThePlaceOfRxdmt0InMsixMode) {
    RingBench bench;
    bench.state.msix_enabled = true;
    RxDriver driver(bench, 64);
    driver.enable();
    driver.fill(63);
    for (std::uint32_t i = 0; i < 60; i++) {
        arrive(bench, 64);
        bench.settle();
    }
    EXPECT_EQ(bench.causes.raised & ICR_RXDMT0.mask(), 0u);
}

TEST(RxEngine, BatchesWriteBacksByWthreshAndFlushesThemOnRequest) {
    RingBench bench;
    RxDriver driver(bench);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_WTHRESH, 4);
    driver.enable();
    driver.fill(32);
    bench.settle();
    for (std::uint32_t i = 0; i < 3; i++) arrive(bench, 100, i);
    bench.settle();
    EXPECT_FALSE(driver.ready());
    EXPECT_EQ(bench.causes.rx_stored[0], 3u) << "RDTR and RADV have to start";
    EXPECT_TRUE(bench.engine.write_backs_pending(Direction::kRx));
    arrive(bench, 100, 3);
    bench.settle();
    EXPECT_TRUE(driver.ready());
    EXPECT_EQ(bench.dma.requests[DmaKind::kWriteBack], 1u);
    EXPECT_EQ(bench.causes.rx_reports[0], 1u);
    EXPECT_EQ(bench.causes.rx_frames[0], 4u);
    arrive(bench, 100, 4);
    bench.settle();
    bench.engine.flush_write_backs(Direction::kRx);
    bench.settle();
    EXPECT_EQ(bench.causes.rx_frames[0], 5u);
    EXPECT_FALSE(bench.engine.write_backs_pending(Direction::kRx));
}

TEST(RxEngine, WritesBackEachFrameWhenRdtrIsZeroWhateverTheThreshold) {
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_WTHRESH, 32);
    driver.enable();
    driver.fill(32);
    bench.settle();
    arrive(bench, 100);
    bench.settle();
    EXPECT_TRUE(driver.ready());
}

TEST(RxEngine, AThresholdBeyondTheStoreCannotStopTheRing) {
    RingBench bench;
    RxDriver driver(bench, 256);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_GRAN, 0);
    bench.set(RXDCTL_WTHRESH, 63);  // 252 descriptors, the store has 64
    driver.enable();
    driver.fill(255);
    bench.settle();
    for (std::uint32_t i = 0; i < 200; i++) {
        arrive(bench, 64, i);
        bench.settle();
    }
    EXPECT_GE(bench.causes.rx_frames[0], 128u);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u);
}

TEST(RxEngine, KeepsEveryFrameWhileTheRingWraps) {
    RingBench bench;
    RxDriver driver(bench, 24);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_PTHRESH, 16);
    bench.set(RXDCTL_HTHRESH, 4);
    driver.enable();
    driver.fill(23);
    Prng prng(5);
    std::vector<Bytes> sent;
    std::size_t taken = 0;
    for (std::uint32_t i = 0; i < 2000; i++) {
        sent.push_back(arrive(bench, 64 + static_cast<std::uint32_t>(prng.below(1400)), i));
        bench.timeline.advance_by(nanoseconds(prng.below(20'000)));
        while (driver.ready()) {
            ASSERT_EQ(driver.take().bytes, sent[taken]) << taken;
            taken++;
            driver.fill(1);
        }
    }
    bench.settle();
    while (driver.ready()) {
        ASSERT_EQ(driver.take().bytes, sent[taken]) << taken;
        taken++;
        driver.fill(1);
        bench.settle();
    }
    EXPECT_EQ(taken, sent.size());
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u);
    EXPECT_LE(bench.frames.made(), 30u);
}

/// A TCP acknowledgement without payload from 10.0.0.1:1234 to 10.0.0.2:5678. Checksums by hand
/// (RFC 1071). IP: 4500+0028+1234+4000+4006+0a00+0001+0a00+0002 = EB65, complement 149A. TCP: the
/// pseudo-header 0a00+0001+0a00+0002+0006+0014 = 141D and the segment 04d2+162e+0001+0002+5010+2000
/// = 8B13 give 9F30, complement 60CF.
Bytes acknowledgement() {
    Bytes frame = {0x02, 0, 0,  0,  0,    1,    2,    0,    0,    0,    0,    2,    0x08, 0x00,
                   0x45, 0, 0,  40, 0x12, 0x34, 0x40, 0,    64,   6,    0x14, 0x9a, 10,   0,
                   0,    1, 10, 0,  0,    2,    0x04, 0xd2, 0x16, 0x2e, 0,    0,    0,    1,
                   0,    0, 0,  2,  0x50, 0x10, 0x20, 0x00, 0x60, 0xcf, 0,    0};
    frame.resize(60, 0);
    return frame;
}

std::uint32_t plain_sum(const Bytes& bytes, std::size_t from) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < bytes.size(); i += 2) {
        sum += bytes[i] * 256u + (i + 1 < bytes.size() ? bytes[i + 1] : 0u);
    }
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

TEST(RxEngine, ReportsContentInExtendedDescriptors) {
    Bytes frame = acknowledgement();
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RFCTL_EXTEN, 1);
    bench.set(RXCSUM_PCSS, 14);
    driver.enable();
    driver.fill(8);
    bench.settle();
    arrive_bytes(bench, frame);
    bench.settle();
    const RxDriver::Received good = driver.take(true);
    EXPECT_EQ(good.bytes, frame);
    EXPECT_EQ(rx_extended::EOP.get(good.descriptor), 1u);
    EXPECT_EQ(rx_extended::IPCS.get(good.descriptor), 1u);
    EXPECT_EQ(rx_extended::IPE.get(good.descriptor), 0u);
    EXPECT_EQ(rx_extended::TCPCS.get(good.descriptor), 1u);
    EXPECT_EQ(rx_extended::TCPE.get(good.descriptor), 0u);
    EXPECT_EQ(rx_extended::PKTTYPE.get(good.descriptor), rx_extended::PKTTYPE_IPV4_L4);
    EXPECT_EQ(rx_extended::IPIDV.get(good.descriptor), 1u);
    EXPECT_EQ(rx_extended::IP_ID.get(good.descriptor), 0x1234u);
    EXPECT_EQ(rx_extended::CSUM.get(good.descriptor), plain_sum(frame, 14));
    EXPECT_EQ(rx_extended::ACK.get(good.descriptor), 1u);

    frame[40] ^= 0x01;
    bench.set(RXCSUM_PCSD, 1);
    arrive_bytes(bench, frame);
    bench.settle();
    const RxDriver::Received bad = driver.take(true);
    EXPECT_EQ(rx_extended::TCPE.get(bad.descriptor), 1u);
    EXPECT_EQ(rx_extended::IPE.get(bad.descriptor), 0u);
    EXPECT_EQ(rx_extended::RSS_HASH.get(bad.descriptor), 0u) << "PCSD: no checksum there";
}

TEST(RxEngine, ReportsContentInLegacyDescriptors) {
    Bytes frame = acknowledgement();
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RXCSUM_PCSS, 20);
    driver.enable();
    driver.fill(8);
    arrive_bytes(bench, frame);
    bench.settle();
    const Descriptor good = driver.take().descriptor;
    EXPECT_EQ(rx_legacy::IPCS.get(good), 1u);
    EXPECT_EQ(rx_legacy::TCPCS.get(good), 1u);
    EXPECT_EQ(rx_legacy::UDPCS.get(good), 0u);
    EXPECT_EQ(rx_legacy::IPE.get(good) | rx_legacy::TCPE.get(good), 0u);
    EXPECT_EQ(rx_legacy::CSUM.get(good), plain_sum(frame, 20));
    frame[24] ^= 0x01;
    arrive_bytes(bench, frame);
    bench.settle();
    const Descriptor bad = driver.take().descriptor;
    EXPECT_EQ(rx_legacy::IPE.get(bad), 1u);
    EXPECT_EQ(rx_legacy::TCPE.get(bad), 0u);
}

TEST(RxEngine, ChecksContentBehindATagInEitherMode) {
    Bytes frame = acknowledgement();
    const Bytes tag = {0x81, 0x00, 0x00, 0x07};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    for (const bool vme : {false, true}) {
        RingBench bench;
        RxDriver driver(bench);
        bench.set(CTRL_VME, vme ? 1 : 0);
        driver.enable();
        driver.fill(8);
        arrive_bytes(bench, frame);
        bench.settle();
        const Descriptor d = driver.take().descriptor;
        EXPECT_EQ(rx_legacy::TCPCS.get(d), 1u) << vme;
        EXPECT_EQ(rx_legacy::TCPE.get(d), 0u) << vme;
    }
}

TEST(RxEngine, RaisesAckAsRfctlWants) {
    Bytes with_data = acknowledgement();
    with_data[17] = 42;  // Two bytes of the padding become payload.
    for (const bool disabled : {false, true}) {
        for (const bool pure_only : {false, true}) {
            for (const bool data : {false, true}) {
                RingBench bench;
                RxDriver driver(bench);
                bench.set(RFCTL_ACK_DIS, disabled ? 1 : 0);
                bench.set(RFCTL_ACKD_DIS, pure_only ? 1 : 0);
                driver.enable();
                driver.fill(8);
                arrive_bytes(bench, data ? with_data : acknowledgement());
                bench.settle();
                const bool expected = !disabled && !(pure_only && data);
                EXPECT_EQ((bench.causes.raised & ICR_ACK.mask()) != 0, expected);
            }
        }
    }
}

TEST(RxEngine, RaisesSrpdForFramesBelowTheLimit) {
    RingBench bench;
    RxDriver driver(bench);
    bench.write(RSRPD, 200);
    driver.enable();
    driver.fill(8);
    arrive(bench, 204);
    bench.settle();
    EXPECT_EQ(bench.causes.raised & ICR_SRPD.mask(), 0u) << "200 bytes are stored";
    arrive(bench, 203);
    bench.settle();
    EXPECT_NE(bench.causes.raised & ICR_SRPD.mask(), 0u);
    EXPECT_EQ(bench.causes.rx_stored_at_last_raise, 2u)
        << "its own delay has begun: SRPD ends it and flushes the write-back (section 8.4)";
}

TEST(RxEngine, SbpMarksALengthErrorAsRxe) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    bench.set(RCTL_SBP, 1);
    driver.fill(8);
    arrive(bench, 1523);
    bench.settle();
    const Descriptor d = driver.take().descriptor;
    EXPECT_EQ(rx_legacy::RXE.get(d), 1u);
    EXPECT_EQ(rx_legacy::CE.get(d), 0u);
}

/// Nothing that long is legal; the wire may bring it all the same.
TEST(RxEngine, AFrameAsLongAsItsMemoryIsStoredWithoutItsFcs) {
    RingBench bench;
    RxDriver driver(bench, 64, 16384);
    bench.set(RCTL_BSEX, 1);
    bench.set(RCTL_BSIZE, 1);
    driver.enable();
    bench.set(RCTL_SBP, 1);
    bench.set(RCTL_SECRC, 0);
    driver.fill(8);
    arrive(bench, Frame::kCapacityBytes + 4);
    bench.settle();
    EXPECT_EQ(driver.take().bytes.size(), Frame::kCapacityBytes);
}

TEST(RxEngine, PrefetchesByItsThresholds) {
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_PTHRESH, 32);
    bench.set(RXDCTL_HTHRESH, 4);
    driver.enable();
    driver.fill(8);
    bench.settle();
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 1u);
    driver.fill(3);
    bench.settle();
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 1u) << "fewer than HTHRESH";
    driver.fill(1);
    bench.settle();
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 2u);
    driver.fill(22);
    bench.settle();
    driver.fill(8);
    bench.settle();
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 3u) << "PTHRESH are on the chip";
}

TEST(RxEngine, TheTablesTakeEffectWordByWord) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    driver.fill(8);
    Bytes group = pattern(60);
    const Bytes address = {0x01, 0xaa, 0x00, 0x12, 0x34, 0x56};
    std::copy(address.begin(), address.end(), group.begin());
    arrive_bytes(bench, group);
    bench.settle();
    EXPECT_FALSE(driver.ready());
    bench.write(MTA, 1u << (0x563 & 31), 0x563 >> 5);  // Appendix B of the specification
    arrive_bytes(bench, group);
    bench.settle();
    EXPECT_EQ(rx_legacy::PIF.get(driver.take().descriptor), 1u);

    Bytes tagged = pattern(60);
    const Bytes tag = {0x81, 0x00, 0x01, 0x23};
    std::copy(tag.begin(), tag.end(), tagged.begin() + 12);
    tagged[0] = 0x02;
    bench.set(RCTL_VFE, 1);
    arrive_bytes(bench, tagged);
    bench.settle();
    EXPECT_EQ(bench.metric("drops.vlan_filter_frames"), 1u);
    bench.write(VFTA, 1u << (0x123 & 31), 0x123 >> 5);
    arrive_bytes(bench, tagged);
    bench.settle();
    EXPECT_EQ(rx_legacy::PIF.get(driver.take().descriptor), 0u);
    EXPECT_EQ(bench.metric("drops.vlan_filter_frames"), 1u);
}

TEST(RxEngine, AReservedAselMatchesNothing) {
    Bytes frame = pattern(60);
    const Bytes address = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
    std::copy(address.begin(), address.end(), frame.begin());
    for (const std::uint32_t asel : {0u, 2u, 3u}) {
        RingBench bench;
        RxDriver driver(bench);
        driver.enable();
        bench.set(RCTL_UPE, 0);
        driver.fill(8);
        bench.write(RAL, 0x33221102, 1);
        bench.write(RAH, 0x80005544 | asel << 16, 1);
        arrive_bytes(bench, frame);
        bench.settle();
        EXPECT_EQ(driver.ready(), asel == 0) << asel;
    }
}

TEST(RxEngine, DecodesFilterRegistersWhenTheyAreWritten) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    bench.set(RCTL_UPE, 0);
    driver.fill(8);
    Bytes frame = pattern(60);
    const Bytes address = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
    std::copy(address.begin(), address.end(), frame.begin());
    arrive_bytes(bench, frame);
    bench.settle();
    EXPECT_FALSE(driver.ready());
    EXPECT_EQ(bench.metric("drops.address_filter_frames"), 1u);
    bench.write(RAL, 0x33221102, 5);
    bench.write(RAH, 0x80005544, 5);
    arrive_bytes(bench, frame);
    bench.settle();
    EXPECT_TRUE(driver.ready());

    // RA0 comes from the NVM without a bus write: the core says so.
    RingBench other;
    RxDriver other_driver(other);
    other_driver.enable();
    other.set(RCTL_UPE, 0);
    other_driver.fill(8);
    other.registers.poke(RAL, 0x33221102, 0);
    other.registers.poke(RAH, 0x80005544, 0);
    other.engine.device_state_changed();
    arrive_bytes(other, frame);
    other.settle();
    EXPECT_TRUE(other_driver.ready());
}

TEST(RxEngine, PacketSplitIsRefusedLoudly) {
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RFCTL_EXTEN, 1);
    bench.set(RCTL_DTYP, 1);
    driver.enable();
    driver.fill(8);
    arrive(bench, 100);
    bench.settle();
    EXPECT_EQ(bench.metric("rx.ring_faults"), 1u);
}

TEST(RxEngine, StartsAgainInANewRingWithWhatWaits) {
    RingBench bench;
    RxDriver old_ring(bench, 64, 256);
    bench.set(RCTL_BSIZE, 3);
    old_ring.enable();
    old_ring.fill(2);
    bench.settle();
    const Bytes sent = arrive(bench, 1000);  // two of four buffers are there
    bench.settle();
    EXPECT_TRUE(old_ring.ready() || bench.engine.write_backs_pending(Direction::kRx));
    RxDriver new_ring(bench, 64, 256);
    new_ring.fill(8);
    bench.settle();
    Bytes received;
    for (std::uint32_t i = 0; i < 4; i++) {
        const RxDriver::Received part = new_ring.take();
        received.insert(received.end(), part.bytes.begin(), part.bytes.end());
        EXPECT_EQ(rx_legacy::EOP.get(part.descriptor), i == 3 ? 1u : 0u);
    }
    EXPECT_EQ(received, sent);
}

TEST(RxEngine, BulkTrafficCostsLessThanThreeActivationsPerFrame) {
    RingBench bench;
    RxDriver driver(bench, 1024);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_PTHRESH, 32);
    bench.set(RXDCTL_HTHRESH, 4);
    bench.set(RXDCTL_WTHRESH, 4);
    driver.enable();
    driver.fill(1023);
    bench.settle();
    std::uint64_t activations = 0;
    constexpr std::uint32_t kFrames = 1000;
    for (std::uint32_t i = 0; i < kFrames; i++) {
        arrive(bench, 1518, i);
        activations++;
        const Picoseconds next_arrival = bench.timeline.now_ps() + 12'304'000;
        while (bench.timeline.next_event_time() <= next_arrival) {
            bench.timeline.advance_until(bench.timeline.next_event_time());
            activations++;
        }
        bench.timeline.advance_until(next_arrival);
    }
    EXPECT_LT(activations, 5 * kFrames / 2);
    EXPECT_EQ(bench.stats.value(Stat::kGPRC), kFrames);
    EXPECT_LE(bench.frames.made(), 4u);
}

}  // namespace
}  // namespace doorbell::test
