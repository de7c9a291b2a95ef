#include <gtest/gtest.h>

#include "hw/base/generated/events.hpp"
#include "hw/base/prng.hpp"
#include "hw/rings/test_support/arriving.hpp"

namespace doorbell::test {
namespace {

using namespace regs::i82574l;

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

TEST(RxEngine, ThePipelineTakesItsCyclesOfTheClockBeforeTheFirstWrite) {
    const auto visible_ps = [](std::uint32_t cycles, Picoseconds clock_ps) {
        QueueEngineParams params;
        params.rx_pipeline_cycles = cycles;
        params.clock_ps = clock_ps;
        RingBench bench(params);
        RxDriver driver(bench);
        driver.enable();
        driver.fill(8);
        bench.settle();
        const Picoseconds arrival_ps = bench.timeline.now_ps();
        const Bytes first = arrive(bench, 100);
        const Bytes second = arrive(bench, 200);  // At the same time: in the pipeline, too.
        while (!driver.ready()) bench.timeline.advance_until(bench.timeline.next_event_time());
        const Picoseconds taken_ps = bench.timeline.now_ps() - arrival_ps;
        bench.settle();
        EXPECT_EQ(driver.take().bytes, first);
        EXPECT_EQ(driver.take().bytes, second);
        return taken_ps;
    };
    const Picoseconds without_ps = visible_ps(0, 8'000);
    EXPECT_EQ(visible_ps(50, 8'000), without_ps + 400'000);
    EXPECT_EQ(visible_ps(50, 16'000), without_ps + 800'000);
}

TEST(RxEngine, AResetForgetsWhatIsInThePipeline) {
    QueueEngineParams params;
    params.rx_pipeline_cycles = 1000;
    RingBench bench(params);
    RxDriver driver(bench);
    driver.enable();
    driver.fill(8);
    bench.settle();
    arrive(bench, 100);
    bench.reset();
    bench.settle();
    EXPECT_FALSE(driver.ready());
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

TEST(RxEngine, SaysWhetherAFrameWouldBeLostForWantOfRoom) {
    RingBench bench;
    RxDriver driver(bench);
    EXPECT_FALSE(bench.engine.listens());
    EXPECT_TRUE(bench.engine.has_room(1518)) << "a receiver that is off loses frames otherwise";
    driver.enable();
    EXPECT_TRUE(bench.engine.listens());
    std::uint32_t taken = 0;
    for (; bench.engine.has_room(1518) && taken < 1000; taken++) arrive(bench, 1518, taken);
    EXPECT_GT(taken, 0u);
    EXPECT_LT(taken, 1000u);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u);
    arrive(bench, 1518);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 1u) << "and it was right";
    driver.fill(10);
    bench.settle();
    EXPECT_TRUE(bench.engine.has_room(1518));
    bench.state.link_up = false;
    EXPECT_FALSE(bench.engine.listens());
}

TEST(RxEngine, RaisesRxdmt0WhenTheFreeDescriptorsFallToTheFraction) {
    for (const std::uint32_t rdmts : {0u, 1u, 2u, 3u}) {
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
        EXPECT_EQ(63 - frames, 64u >> (std::min(rdmts, 2u) + 1)) << "3 is reserved: an eighth";
        arrive(bench, 64);
        bench.settle();
        EXPECT_EQ(bench.causes.times[ICR_RXDMT0.mask()], 1u) << "on the way down, once";
    }
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

TEST(RxEngine, CountsThresholdsInCacheLinesWhileGranIsZero) {
    RingBench bench;
    RxDriver driver(bench);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_WTHRESH, 2);  // of 64 bytes: 4 descriptors each
    driver.enable();
    driver.fill(32);
    bench.settle();
    for (std::uint32_t i = 0; i < 7; i++) arrive(bench, 100, i);
    bench.settle();
    EXPECT_FALSE(driver.ready());
    arrive(bench, 100, 7);
    bench.settle();
    EXPECT_TRUE(driver.ready());
}

TEST(RxEngine, WritesBackEachFrameWhenTheThresholdIsZeroThoughRdtrDelays) {
    RingBench bench;
    RxDriver driver(bench, 64, 256);
    bench.set(RCTL_BSIZE, 3);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_WTHRESH, 0);
    driver.enable();
    driver.fill(32);
    bench.settle();
    arrive(bench, 600);
    bench.settle();
    EXPECT_TRUE(driver.ready());
    EXPECT_EQ(bench.dma.requests[DmaKind::kWriteBack], 1u) << "its three descriptors at once";
}

TEST(RxEngine, AFlushWithoutBusMasteringWritesNothing) {
    RingBench bench;
    RxDriver driver(bench);
    bench.write(RDTR, 32);
    bench.set(RXDCTL_GRAN, 1);
    bench.set(RXDCTL_WTHRESH, 4);
    driver.enable();
    driver.fill(8);
    bench.settle();
    arrive(bench, 100);
    bench.settle();
    bench.state.bus_master = false;
    bench.engine.device_state_changed();
    bench.engine.flush_write_backs(Direction::kRx);
    bench.settle();
    EXPECT_EQ(bench.dma.requests[DmaKind::kWriteBack], 0u);
    EXPECT_TRUE(bench.engine.write_backs_pending(Direction::kRx));
    bench.state.bus_master = true;
    bench.engine.device_state_changed();
    bench.engine.flush_write_backs(Direction::kRx);
    bench.settle();
    EXPECT_TRUE(driver.ready());
}

TEST(RxEngine, BsexWithoutASizeIsReservedAndTakenAs2048) {
    RingBench bench;
    RxDriver driver(bench);
    bench.set(RCTL_BSEX, 1);
    bench.set(RCTL_LPE, 1);
    driver.enable();
    driver.fill(8);
    bench.settle();
    arrive(bench, 3004);
    bench.settle();
    EXPECT_EQ(driver.take().bytes.size(), 2048u);
    EXPECT_EQ(driver.take().bytes.size(), 952u);
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
    RingBench exact;
    RxDriver full(exact);
    exact.set(RXDCTL_GRAN, 1);
    exact.set(RXDCTL_PTHRESH, 8);
    full.enable();
    full.fill(8);
    exact.settle();
    full.fill(8);
    exact.settle();
    EXPECT_EQ(exact.dma.requests[DmaKind::kDescriptorFetch], 1u) << "not fewer than PTHRESH";
    arrive(exact, 64);
    exact.settle();
    EXPECT_EQ(exact.dma.requests[DmaKind::kDescriptorFetch], 2u);
}

TEST(RxEngine, ShowsItsFifoInTheDiagnosticRegisters) {
    RingBench bench;
    RxDriver driver(bench);
    driver.enable();
    EXPECT_EQ(bench.read(RDFH), 0u);
    EXPECT_EQ(bench.read(RDFT), 0u);
    // A frame takes its bytes in words of 8 and a header of 16: 1518 are 1536, 64 are 80.
    arrive(bench, 1518, 0);
    arrive(bench, 64, 1);
    EXPECT_EQ(bench.read(RDFH), 0u);
    EXPECT_EQ(bench.read(RDFT), (1536u + 80) / 8);
    EXPECT_EQ(bench.read(RDFTS), (1536u + 80) / 8);
    EXPECT_EQ(bench.read(RDFPC), 2u);
    EXPECT_EQ(bench.registers.bus_read(0x8008), (1536u + 80) / 8) << "the old place of RDFT";
    driver.fill(1);
    bench.settle();
    EXPECT_EQ(bench.read(RDFH), 1536u / 8);
    EXPECT_EQ(bench.read(RDFHS), 1536u / 8);
    EXPECT_EQ(bench.read(RDFPC), 1u);
    driver.fill(1);
    bench.settle();
    EXPECT_EQ(bench.read(RDFH), bench.read(RDFT));
    EXPECT_EQ(bench.read(RDFPC), 0u);
    for (std::uint32_t i = 0; i < 13; i++) {
        driver.fill(1);
        arrive(bench, 1518, i);
        bench.settle();
    }
    const std::uint32_t around = (14u * 1536 + 80 - 20 * 1024) / 8;
    EXPECT_EQ(bench.read(RDFT), around) << "past the end of 20 KB";
    bench.write(RDFT, 0x123);
    EXPECT_EQ(bench.read(RDFT), 0x123u) << "what software writes is where it goes on";
    arrive(bench, 64, 1);
    EXPECT_EQ(bench.read(RDFT), 0x123u + 80 / 8);
    bench.reset();
    EXPECT_EQ(bench.read(RDFT), 0u);
}

TEST(RxEngine, TheWindowIntoThePacketBufferIsStorageThatASoftwareResetKeeps) {
    RingBench bench;
    for (std::uint32_t i = 0; i < PBM.count; i++) bench.write(PBM, i * 0x9E3779B1u, i);
    bench.reset();
    for (std::uint32_t i = 0; i < PBM.count; i++) {
        ASSERT_EQ(bench.registers.bus_read(0x10000 + 4 * i), i * 0x9E3779B1u);
    }
    EXPECT_EQ(bench.registers.bus_read(0x10000 + 40 * 1024), 0u) << "40 KB";
}

TEST(RxEngine, ASplitOfThePacketBufferActsFromTheNextResetOnWhichKeepsIt) {
    RingBench bench;
    bench.set(PBA_RXA, 4);
    RxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 13; i++) arrive(bench, 1518, i);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 0u) << "20 KB still";
    bench.reset();
    RxDriver again(bench);
    again.enable();
    for (std::uint32_t i = 0; i < 3; i++) arrive(bench, 1518, i);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 1u) << "two of 1536 bytes fit into 4 KB";
    bench.write(PBS, 2);
    bench.reset();
    RxDriver small(bench);
    small.enable();
    for (std::uint32_t i = 0; i < 3; i++) arrive(bench, 1518, i);
    EXPECT_EQ(bench.stats.value(Stat::kMPC), 2u) << "PBS leaves room for one";
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
