#include "hw/rings/queue_engine_82574l.hpp"

#include <gtest/gtest.h>

#include "hw/base/prng.hpp"
#include "hw/rings/test_support/ring_bench.hpp"

/// What must hold whatever goes wrong: nothing is lost or sent twice in silence, faults are
/// latched, a reset recovers, and no register or descriptor can make the engine hang.
namespace doorbell::test {
namespace {

using namespace regs::i82574l;

constexpr std::uint32_t kPackets = 20;

void configure(RingBench& bench) {
    for (std::uint32_t queue = 0; queue < 2; queue++) {
        bench.set(TXDCTL_GRAN, 1, queue);
        bench.set(TXDCTL_PTHRESH, 8, queue);
        bench.set(RXDCTL_GRAN, 1, queue);
        bench.set(RXDCTL_PTHRESH, 8, queue);
    }
}

/// Sends `kPackets` packets of two descriptors each; the index of each packet's last descriptor.
std::vector<std::uint32_t> send_all(RingBench& bench, TxDriver& driver) {
    std::vector<std::uint32_t> last;
    for (std::uint32_t i = 0; i < kPackets; i++) {
        const Bytes packet = pattern(100 + i * 60, i);
        const Bytes first(packet.begin(), packet.begin() + 40);
        const Bytes second(packet.begin() + 40, packet.end());
        driver.post(TxDriver::data(bench.put(first), 40));
        last.push_back(driver.post(TxDriver::last(
            TxDriver::data(bench.put(second), static_cast<std::uint32_t>(second.size())))));
    }
    driver.doorbell();
    return last;
}

void expect_in_order(const RingBench& bench, std::size_t from) {
    for (std::size_t i = from; i < bench.wire.sent.size(); i++) {
        const auto n = static_cast<std::uint32_t>(i - from);
        ASSERT_EQ(bench.wire.sent[i].bytes, pattern(100 + n * 60, n)) << i;
    }
}

void tx_sweep(bool immediate) {
    bool failed = true;
    for (std::uint64_t fail_at = 1; failed; fail_at++) {
        SCOPED_TRACE(fail_at);
        RingBench bench;
        bench.dma.immediate = immediate;
        bench.dma.fail_at = fail_at;
        configure(bench);
        TxDriver driver(bench);
        driver.enable();
        const std::vector<std::uint32_t> last = send_all(bench, driver);
        bench.settle();
        bench.timeline.advance_by(milliseconds(1));  // What is on the wire has left it.
        failed = bench.dma.operations >= fail_at;
        ASSERT_EQ(bench.metric("tx.ring_faults"), failed ? 1u : 0u);

        const std::size_t sent = bench.wire.sent.size();
        expect_in_order(bench, 0);
        if (!failed) {
            ASSERT_EQ(sent, kPackets);
        }
        // The head says what went out; DD never says more.
        const std::uint32_t head = driver.head();
        for (std::uint32_t i = 0; i < kPackets; i++) {
            const bool gone = i < sent;
            ASSERT_EQ(last[i] < head, gone) << "packet " << i;
            if (driver.done(last[i])) {
                ASSERT_TRUE(gone);
            }
        }
        const std::uint64_t operations = bench.dma.operations;
        bench.write(TDT, driver.tail());
        bench.engine.device_state_changed();
        bench.settle();
        if (failed) {
            ASSERT_EQ(bench.dma.operations, operations) << "a stopped ring stays stopped";
        }

        bench.dma.fail_at = 0;
        bench.reset();
        configure(bench);
        TxDriver again(bench);
        again.enable();
        const std::vector<std::uint32_t> last_again = send_all(bench, again);
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), sent + kPackets);
        expect_in_order(bench, sent);
        for (const std::uint32_t index : last_again) ASSERT_TRUE(again.done(index));
    }
}

TEST(QueueEngineFaults, TxLosesAndDoublesNothingWhicheverDmaFails) {
    tx_sweep(false);
}

TEST(QueueEngineFaults, TxLosesAndDoublesNothingWhicheverDmaFailsWithinTheCall) {
    tx_sweep(true);
}

void arrive(RingBench& bench, std::uint32_t i) {
    FramePtr frame = bench.frames.take();
    const Bytes bytes = pattern(60 + i * 100, i);
    frame->resize(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    frame->data()[0] = 2;
    bench.engine.receive(std::move(frame), 0, bench.timeline.now_ps());
    bench.timeline.advance_by(nanoseconds(500));
}

Bytes as_stored(std::uint32_t i) {
    Bytes bytes = pattern(60 + i * 100, i);
    bytes[0] = 2;
    return bytes;
}

void rx_sweep(bool immediate) {
    constexpr std::uint32_t kFrames = 12;
    bool failed = true;
    for (std::uint64_t fail_at = 1; failed; fail_at++) {
        SCOPED_TRACE(fail_at);
        RingBench bench;
        bench.dma.immediate = immediate;
        bench.dma.fail_at = fail_at;
        configure(bench);
        RxDriver driver(bench, 64, 512);
        bench.set(RCTL_BSIZE, 2);
        driver.enable();
        driver.fill(60);
        for (std::uint32_t i = 0; i < kFrames; i++) arrive(bench, i);
        bench.settle();
        failed = bench.dma.operations >= fail_at;
        ASSERT_EQ(bench.metric("rx.ring_faults"), failed ? 1u : 0u);
        const std::uint64_t stored = bench.metric("rx.stored_frames");
        const std::uint64_t lost = bench.metric("rx.failed_frames");
        const bool data_failed = bench.dma.failed == DmaKind::kRxData;
        ASSERT_LE(lost, data_failed ? 1u : 0u) << "one DMA, one frame";
        if (data_failed) {
            ASSERT_LT(stored, kFrames) << "a frame that is not there does not count as stored";
        }
        // What is neither stored nor known to be lost waits in the FIFO; all of it is accounted
        // for.
        ASSERT_EQ(bench.metric("rx.frames"), kFrames);
        ASSERT_LE(stored + lost, kFrames);
        if (!failed) {
            ASSERT_EQ(stored, kFrames);
        }
        // Whatever is reported is in order, and whole unless its own buffer failed.
        std::uint64_t wrong = 0;
        for (std::uint32_t i = 0; driver.ready(); i++) {
            Bytes received;
            bool whole = false;
            while (!whole && driver.ready()) {
                const RxDriver::Received part = driver.take();
                received.insert(received.end(), part.bytes.begin(), part.bytes.end());
                whole = rx_legacy::EOP.get(part.descriptor) == 1;
            }
            if (whole && received != as_stored(i)) wrong++;
        }
        ASSERT_LE(wrong, data_failed ? 1u : 0u);

        bench.dma.fail_at = 0;
        bench.reset();
        configure(bench);
        RxDriver again(bench, 64, 2048);
        again.enable();
        again.fill(60);
        for (std::uint32_t i = 0; i < kFrames; i++) arrive(bench, i);
        bench.settle();
        for (std::uint32_t i = 0; i < kFrames; i++) {
            ASSERT_EQ(again.take().bytes, as_stored(i));
        }
        ASSERT_FALSE(again.ready());
    }
}

TEST(QueueEngineFaults, RxAccountsForEveryFrameWhicheverDmaFails) {
    rx_sweep(false);
}

TEST(QueueEngineFaults, RxAccountsForEveryFrameWhicheverDmaFailsWithinTheCall) {
    rx_sweep(true);
}

TEST(QueueEngineReset, LeavesNothingBehindAtWhateverMomentItComes) {
    for (int step = 0; step < 150; step++) {
        SCOPED_TRACE(step);
        RingBench bench;
        configure(bench);
        TxDriver tx(bench);
        RxDriver rx(bench);
        tx.enable();
        rx.enable();
        rx.fill(10);
        send_all(bench, tx);
        for (std::uint32_t i = 0; i < 12; i++) arrive(bench, i);
        for (int i = 0; i < step && bench.timeline.next_event_time() != kNever; i++) {
            bench.timeline.advance_until(bench.timeline.next_event_time());
        }
        const std::size_t sent = bench.wire.sent.size();
        bench.reset();
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), sent) << "nothing of the old epoch goes out";
        configure(bench);
        TxDriver tx_again(bench);
        RxDriver rx_again(bench);
        tx_again.enable();
        rx_again.enable();
        rx_again.fill(20);
        send_all(bench, tx_again);
        arrive(bench, 3);
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), sent + kPackets);
        expect_in_order(bench, sent);
        ASSERT_EQ(rx_again.take().bytes, as_stored(3));
        ASSERT_FALSE(rx_again.ready());
    }
}

/// The DMA engine forgets with the reset. Should something come nevertheless, it is not taken for
/// an answer of the new epoch.
TEST(QueueEngineReset, IgnoresAnswersOfTheOldEpoch) {
    for (int step = 0; step < 60; step++) {
        SCOPED_TRACE(step);
        RingBench bench;
        configure(bench);
        TxDriver tx(bench);
        RxDriver rx(bench);
        tx.enable();
        rx.enable();
        rx.fill(10);
        send_all(bench, tx);
        for (std::uint32_t i = 0; i < 8; i++) arrive(bench, i);
        for (int i = 0; i < step && bench.timeline.next_event_time() != kNever; i++) {
            bench.timeline.advance_until(bench.timeline.next_event_time());
        }
        const std::size_t sent = bench.wire.sent.size();
        bench.registers.reset(regs::ResetKind::kSoftware);
        bench.engine.reset();
        bench.causes = FakeCauses();
        bench.settle();
        ASSERT_EQ(bench.causes.rx_stored[0] + bench.causes.rx_reports[0], 0u);
        ASSERT_EQ(bench.causes.tx_reports[0], 0u);
        ASSERT_EQ(bench.metric("tx.ring_faults") + bench.metric("rx.ring_faults"), 0u);
        configure(bench);
        TxDriver tx_again(bench);
        RxDriver rx_again(bench);
        tx_again.enable();
        rx_again.enable();
        rx_again.fill(20);
        send_all(bench, tx_again);
        arrive(bench, 3);
        arrive(bench, 4);
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), sent + kPackets);
        expect_in_order(bench, sent);
        ASSERT_EQ(rx_again.take().bytes, as_stored(3));
        ASSERT_EQ(rx_again.take().bytes, as_stored(4));
    }
}

TEST(QueueEngineReset, AnOldWriteDoesNotCompleteANewFrame) {
    RingBench bench;
    RxDriver old_ring(bench);
    old_ring.enable();
    old_ring.fill(8);
    bench.settle();
    bench.dma.write_latency_ps = microseconds(50);
    arrive(bench, 1);
    bench.registers.reset(regs::ResetKind::kSoftware);
    bench.engine.reset();
    RxDriver new_ring(bench);
    new_ring.enable();
    new_ring.fill(8);
    bench.timeline.advance_by(microseconds(10));
    arrive(bench, 2);
    bench.timeline.advance_by(microseconds(45));
    EXPECT_EQ(bench.causes.rx_stored[0], 0u) << "only the old write is through";
    bench.settle();
    EXPECT_EQ(bench.causes.rx_stored[0], 1u);
    EXPECT_EQ(new_ring.take().bytes, as_stored(2));
}

TEST(QueueEngineReset, PbaTakesEffectWithTheReset) {
    RingBench bench;
    bench.set(PBA_RXA, 2);
    RxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 10; i++) arrive(bench, 0);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u) << "20 KB still";
    bench.reset();
    RxDriver again(bench);
    again.enable();
    for (std::uint32_t i = 0; i < 30; i++) arrive(bench, 0);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 30u - 2048 / 80);
}

TEST(QueueEngineMaster, ResumesWhereItStoodWhenMasteringComesBack) {
    RingBench bench;
    configure(bench);
    TxDriver tx(bench);
    RxDriver rx(bench);
    tx.enable();
    rx.enable();
    rx.fill(20);
    bench.settle();
    bench.state.bus_master = false;
    bench.engine.device_state_changed();
    const std::vector<std::uint32_t> last = send_all(bench, tx);
    arrive(bench, 1);
    const std::uint64_t operations = bench.dma.operations;
    bench.settle();
    EXPECT_EQ(bench.dma.operations, operations) << "nothing is mastered";
    EXPECT_TRUE(bench.wire.sent.empty());
    bench.state.bus_master = true;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), kPackets);
    EXPECT_TRUE(tx.done(last.back()));
    EXPECT_EQ(rx.take().bytes, as_stored(1));
}

TEST(QueueEngineMaster, WritesNothingBackOfWhatWasUnderWayWhenMasteringEnded) {
    RingBench bench;
    TxDriver tx(bench);
    tx.enable();
    const std::uint32_t index = tx.send(pattern(1000));
    bench.timeline.advance_by(nanoseconds(700));
    const std::uint64_t operations = bench.dma.operations;
    bench.state.bus_master = false;
    bench.engine.device_state_changed();
    bench.settle();
    bench.timeline.advance_by(milliseconds(1));
    bench.engine.flush_write_backs(Direction::kTx);
    bench.settle();
    EXPECT_EQ(bench.dma.operations, operations);
    EXPECT_EQ(bench.wire.sent.size(), 1u) << "the data had been read";
    bench.state.bus_master = true;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_TRUE(tx.done(index));
}

/// A guest that writes anything anywhere: the engine must come to rest, and work after a reset.
TEST(QueueEngineRobustness, SurvivesRandomRegistersAndDescriptors) {
    const regs::Register* const kRegisters[] = {
        &TDBAL, &TDBAH, &TDLEN, &TDH,    &TDT,  &TXDCTL, &TARC,  &TCTL, &RDBAL, &RDBAH,
        &RDLEN, &RDH,   &RDT,   &RXDCTL, &RCTL, &RXCSUM, &RFCTL, &CTRL, &VET,   &TIPG,
        &AIT,   &PBA,   &RDTR,  &IVAR,   &RAL,  &RAH,    &MTA,   &VFTA, &RSRPD, &FCT};
    for (std::uint64_t seed = 1; seed <= 40; seed++) {
        SCOPED_TRACE(seed);
        Prng prng(seed);
        QueueEngineParams params;
        params.u24_tx_context_per_queue = prng.below(2) == 0;
        params.descriptor_cache = static_cast<std::uint32_t>(prng.below(80));
        params.cache_line_bytes = static_cast<std::uint32_t>(prng.below(130));
        RingBench bench(params);
        bench.dma.immediate = prng.below(3) == 0;
        const std::uint64_t area = FakeDma::kBase;
        for (int step = 0; step < 400; step++) {
            const std::uint64_t choice = prng.below(10);
            if (choice < 5) {
                const regs::Register& reg = *kRegisters[prng.below(std::size(kRegisters))];
                const auto index = static_cast<std::uint32_t>(prng.below(reg.count));
                std::uint64_t value = prng.next();
                if (prng.below(2) == 0) value &= 0xff;
                bench.write(reg, static_cast<std::uint32_t>(value), index);
            } else if (choice < 7) {
                // A ring somewhere in memory, full of nonsense that is likely enough to be taken.
                const auto queue = static_cast<std::uint32_t>(prng.below(2));
                const std::uint64_t base = area + prng.below(64) * 4096;
                for (std::uint32_t i = 0; i < 64; i++) {
                    Descriptor d;
                    d.words[0] = prng.below(8) == 0 ? prng.next() : area + prng.below(1u << 21);
                    d.words[1] = prng.next();
                    if (prng.below(2) == 0) tx_legacy::LENGTH.put(d, prng.below(2000));
                    if (prng.below(2) == 0) tx_data::DTYP.put(d, prng.below(2));
                    d.store(bench.dma.at(base + i * 16));
                }
                const bool tx = prng.below(2) == 0;
                bench.write(tx ? TDBAL : RDBAL, static_cast<std::uint32_t>(base), queue);
                bench.write(tx ? TDBAH : RDBAH, static_cast<std::uint32_t>(base >> 32), queue);
                bench.write(tx ? TDLEN : RDLEN, 64 * 16, queue);
                bench.write(tx ? TDT : RDT, static_cast<std::uint32_t>(prng.below(70)), queue);
                bench.set(tx ? TCTL_EN : RCTL_EN, 1);
            } else if (choice < 9) {
                FramePtr frame = bench.frames.take();
                frame->resize(static_cast<std::uint32_t>(prng.below(Frame::kCapacityBytes + 1)));
                if (prng.below(3) == 0) frame->pin_fcs(0);
                bench.engine.receive(std::move(frame), 0, bench.timeline.now_ps());
            } else {
                bench.state.link_up = prng.below(4) > 0;
                bench.state.bus_master = prng.below(4) > 0;
                bench.engine.device_state_changed();
                bench.engine.flush_write_backs(prng.below(2) == 0 ? Direction::kTx
                                                                  : Direction::kRx);
                static_cast<void>(bench.read(TDH));
            }
            bench.timeline.advance_by(prng.below(2'000'000));
        }
        bench.settle();
        bench.wire.sent.clear();
        bench.state.link_up = true;
        bench.state.bus_master = true;
        bench.dma.reset();
        bench.registers.reset(regs::ResetKind::kPowerOn);
        bench.engine.reset();
        configure(bench);
        TxDriver driver(bench);
        driver.enable();
        const std::vector<std::uint32_t> last = send_all(bench, driver);
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), kPackets);
        expect_in_order(bench, 0);
        ASSERT_TRUE(driver.done(last.back()));
    }
}

}  // namespace
}  // namespace doorbell::test
