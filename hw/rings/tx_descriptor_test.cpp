#include <gtest/gtest.h>

#include "hw/rings/test_support/ring_bench.hpp"

/// What one descriptor asks for: padding, FCS, tag, report.
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

TEST(TxDescriptor, WritesNothingButTheStatusByteOfAReportedDescriptor) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    const std::uint32_t index = driver.send(pattern(64));
    const Descriptor before = driver.descriptor(index);
    bench.settle();
    Descriptor after = driver.descriptor(index);
    EXPECT_EQ(tx_legacy::DD.get(after), 1u);
    tx_legacy::DD.put(after, 0);
    EXPECT_EQ(after.words, before.words);
}

TEST(TxDescriptor, PadsShortFramesOnlyWithPsp) {
    for (const bool pad : {false, true}) {
        RingBench bench;
        TxDriver driver(bench);
        driver.enable(pad);
        driver.send(pattern(17));
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 1u);
        Bytes expected = pattern(17);
        if (pad) expected.resize(60, 0);
        EXPECT_EQ(bench.wire.sent[0].bytes, expected);
    }
}

TEST(TxDescriptor, SendsTheDriversOwnFcsUnchangedWithoutIfcs) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Descriptor d = TxDriver::legacy(bench.put(pattern(104)), 104);
    tx_legacy::IFCS.put(d, 0);
    driver.post(d);
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    Bytes expected = pattern(104);
    expected.resize(100);
    EXPECT_EQ(bench.wire.sent[0].bytes, expected);
    EXPECT_FALSE(bench.wire.sent[0].fcs_good) << "a pattern is not its own FCS";
}

TEST(TxDescriptor, InsertsAVlanTagOnlyWithVleAndVme) {
    for (const bool vme : {false, true}) {
        for (const bool vle : {false, true}) {
            RingBench bench;
            TxDriver driver(bench);
            bench.set(CTRL_VME, vme ? 1 : 0);
            driver.enable();
            Descriptor d = TxDriver::legacy(bench.put(pattern(100)), 100);
            tx_legacy::VLE.put(d, vle ? 1 : 0);
            tx_legacy::VLAN.put(d, 0x6123);
            driver.post(d);
            driver.doorbell();
            bench.settle();
            ASSERT_EQ(bench.wire.sent.size(), 1u);
            Bytes expected = pattern(100);
            if (vme && vle) {
                const Bytes tag = {0x81, 0x00, 0x61, 0x23};
                expected.insert(expected.begin() + 12, tag.begin(), tag.end());
            }
            EXPECT_EQ(bench.wire.sent[0].bytes, expected) << vme << vle;
        }
    }
}

TEST(TxDescriptor, InsertsTheTagOfTheLastLegacyDescriptorToo) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(CTRL_VME, 1);
    driver.enable();
    const Bytes packet = pattern(100);
    Descriptor first = TxDriver::legacy(bench.put(Bytes(packet.begin(), packet.begin() + 30)), 30);
    tx_legacy::EOP.put(first, 0);
    driver.post(first);
    Descriptor last = TxDriver::legacy(bench.put(Bytes(packet.begin() + 30, packet.end())), 70);
    tx_legacy::VLE.put(last, 1);
    tx_legacy::VLAN.put(last, 0x0005);
    driver.post(last);
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    Bytes expected = packet;
    const Bytes tag = {0x81, 0x00, 0x00, 0x05};
    expected.insert(expected.begin() + 12, tag.begin(), tag.end());
    EXPECT_EQ(bench.wire.sent[0].bytes, expected);
}

TEST(TxDescriptor, AccumulatesWriteBacksUpToTheThreshold) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_WTHRESH, 4);
    driver.enable();
    for (std::uint32_t i = 0; i < 3; i++) driver.send(pattern(64, i));
    bench.settle();
    EXPECT_FALSE(driver.done(0)) << "three wait for a fourth";
    EXPECT_TRUE(bench.engine.write_backs_pending(Direction::kTx));
    EXPECT_EQ(bench.causes.tx_deferred[0], 0u) << "nobody asked for a delay";
    driver.send(pattern(64, 3));
    bench.settle();
    for (std::uint32_t i = 0; i < 4; i++) EXPECT_TRUE(driver.done(i)) << i;
    EXPECT_EQ(bench.dma.requests[DmaKind::kWriteBack], 1u) << "one write for four";
    EXPECT_FALSE(bench.engine.write_backs_pending(Direction::kTx));

    Descriptor delayed = TxDriver::legacy(bench.put(pattern(64)), 64);
    tx_legacy::IDE.put(delayed, 1);
    driver.post(delayed);
    driver.doorbell();
    bench.settle();
    EXPECT_EQ(bench.causes.tx_deferred[0], 1u) << "TIDV has to start";
    bench.engine.flush_write_backs(Direction::kTx);
    bench.settle();
    EXPECT_TRUE(driver.done(4));
    EXPECT_TRUE(bench.causes.last_tx_delayed);
}

TEST(TxDescriptor, CountsThresholdsInCacheLinesWhileGranIsZero) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(TXDCTL_WTHRESH, 1);  // 64 bytes: 4 descriptors
    driver.enable();
    for (std::uint32_t i = 0; i < 3; i++) driver.send(pattern(64, i));
    bench.settle();
    EXPECT_FALSE(driver.done(0));
    driver.send(pattern(64, 3));
    bench.settle();
    EXPECT_TRUE(driver.done(0));
    EXPECT_TRUE(driver.done(3));
}

TEST(TxDescriptor, IvarBit31ReportsEveryDescriptor) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(IVAR_TX_INT_EVERY_WB, 1);
    driver.enable();
    Descriptor d = TxDriver::legacy(bench.put(pattern(64)), 64);
    tx_legacy::RS.put(d, 0);
    driver.post(d);
    driver.doorbell();
    bench.settle();
    EXPECT_TRUE(driver.done(0));
    EXPECT_EQ(bench.causes.tx_reports[0], 1u);
}

TEST(TxDescriptor, SaysNothingOfADescriptorWithoutRsButAdvancesTdh) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    Descriptor d = TxDriver::legacy(bench.put(pattern(64)), 64);
    tx_legacy::RS.put(d, 0);
    driver.post(d);
    driver.doorbell();
    bench.settle();
    EXPECT_FALSE(driver.done(0));
    EXPECT_EQ(bench.causes.tx_reports[0], 0u);
    EXPECT_EQ(bench.dma.requests[DmaKind::kWriteBack], 0u);
    EXPECT_EQ(driver.head(), 1u);
    EXPECT_EQ(bench.causes.times[ICR_TXQE.mask()], 1u) << "the queue ran empty";
}

TEST(TxDescriptor, RaisesTxdLowOnceWhenTheRingRunsLow) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(TXDCTL_LWTHRESH, 1);
    driver.enable();
    for (std::uint32_t i = 0; i < 20; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(64, i)), 64));
    }
    driver.doorbell();
    bench.settle();
    EXPECT_EQ(bench.causes.times[ICR_TXD_LOW.mask()], 1u);
    EXPECT_EQ(bench.stats.value(Stat::kICTXQMTC), 0u) << "counted where causes are raised";
    EXPECT_EQ(bench.stats.value(Stat::kICTXQEC), 0u) << "counted where causes are raised";
}

}  // namespace
}  // namespace doorbell::test
