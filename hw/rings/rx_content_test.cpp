#include <gtest/gtest.h>

#include "hw/rings/test_support/arriving.hpp"

/// Which frames come in, and what their descriptors say of them.
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

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

TEST(RxContent, AcceptsOnlyLegalLengths) {
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

TEST(RxContent, StoresTheTrueCrcWithoutSecrc) {
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

TEST(RxContent, StripsATagIntoTheDescriptorWithVme) {
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

TEST(RxContent, DropsOrStoresBadFramesBySbp) {
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
            const Descriptor d = driver.take().descriptor;
            EXPECT_EQ(rx_legacy::CE.get(d), 1u);
            EXPECT_EQ(rx_legacy::RXE.get(d), 0u);
            EXPECT_EQ(rx_legacy::IXSM.get(d), 1u);
        }
    }
}

TEST(RxContent, SbpMarksWhatIsTooShortOrTooLongWithABadCrcAsACrcError) {
    for (const std::uint32_t size : {50u, 1600u}) {
        RingBench bench;
        RxDriver driver(bench);
        driver.enable();
        bench.set(RCTL_SBP, 1);
        driver.fill(8);
        FramePtr frame = bench.frames.take();
        frame->resize(size);
        std::memset(frame->data(), 2, size);
        frame->pin_fcs(frame->fcs() ^ 1);
        bench.engine.receive(std::move(frame), 0, 0);
        bench.settle();
        const Descriptor d = driver.take().descriptor;
        EXPECT_EQ(rx_legacy::CE.get(d), 1u) << size;
        EXPECT_EQ(rx_legacy::RXE.get(d), 0u) << size;
        EXPECT_EQ(bench.stats.value(size < 64 ? Stat::kRFC : Stat::kRJC), 1u);
    }
}

TEST(RxContent, ReportsContentInExtendedDescriptors) {
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

TEST(RxContent, ReportsContentInLegacyDescriptors) {
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

TEST(RxContent, ChecksContentBehindATagInEitherMode) {
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

TEST(RxContent, RaisesAckAsRfctlWants) {
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

TEST(RxContent, RaisesSrpdForFramesBelowTheLimit) {
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

TEST(RxContent, SbpMarksALengthErrorAsRxe) {
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
TEST(RxContent, AFrameAsLongAsItsMemoryIsStoredWithoutItsFcs) {
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

TEST(RxContent, TheTablesTakeEffectWordByWord) {
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

TEST(RxContent, AReservedAselMatchesNothing) {
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

TEST(RxContent, DecodesFilterRegistersWhenTheyAreWritten) {
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

}  // namespace
}  // namespace doorbell::test
