#include <gtest/gtest.h>

#include "hw/base/generated/events.hpp"
#include "hw/base/prng.hpp"
#include "hw/rings/test_support/ring_bench.hpp"

namespace doorbell::test {
namespace {

using namespace regs::i82574l;

constexpr Picoseconds kByte = 8'000;  // 1 Gb/s

TEST(TxEngine, SendsALegacyPacketAndReportsItsDescriptor) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    const Bytes packet = pattern(100);
    const std::uint32_t index = driver.send(packet, 4711);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, packet);
    EXPECT_EQ(bench.wire.sent[0].packet, 4711u);
    EXPECT_EQ(bench.wire.sent[0].number, 1u);
    EXPECT_TRUE(driver.done(index));
    EXPECT_EQ(driver.head(), 1u);
    EXPECT_EQ(bench.causes.tx_reports[0], 1u);
    EXPECT_FALSE(bench.causes.last_tx_delayed);
    EXPECT_EQ(bench.stats.value(Stat::kGPTC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kGOTC), 104u);
    EXPECT_EQ(bench.stats.value(Stat::kPTC127), 1u);
}

TEST(TxEngine, SendsNothingWhileItMayNotRun) {
    RingBench bench;
    TxDriver driver(bench);
    driver.send(pattern(64));
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty()) << "TCTL.EN is 0";
    EXPECT_EQ(bench.dma.operations, 0u);

    bench.state.link_up = false;
    driver.enable();
    bench.settle();
    EXPECT_EQ(bench.dma.operations, 0u) << "no link";

    bench.state.link_up = true;
    bench.state.bus_master = false;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_EQ(bench.dma.operations, 0u) << "no bus master";

    bench.set(TARC_ENABLE, 0);
    bench.state.bus_master = true;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_EQ(bench.dma.operations, 0u) << "the queue is off";

    bench.set(TARC_ENABLE, 1);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
}

TEST(TxEngine, GathersAPacketFromManyBuffersOfAnySize) {
    RingBench bench;
    TxDriver driver(bench, 512);
    driver.enable();
    const Bytes packet = pattern(1514);
    std::uint32_t offset = 0;
    std::uint32_t index = 0;
    // 255 descriptors, several of them empty: more than the chip holds at once.
    for (std::uint32_t i = 0; i < 255; i++) {
        const std::uint32_t size =
            i == 254 ? 1514 - offset : (i % 5 == 0 ? 0 : std::min(8u, 1514 - offset));
        const Bytes part(packet.begin() + offset, packet.begin() + offset + size);
        Descriptor d = TxDriver::data(bench.put(part), size);
        if (i == 254) d = TxDriver::last(d);
        index = driver.post(d);
        offset += size;
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, packet);
    EXPECT_TRUE(driver.done(index));
    EXPECT_EQ(bench.causes.tx_reports[0], 1u);
}

TEST(TxEngine, WaitsForTheRestOfAPacketThatIsPostedInParts) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    const Bytes packet = pattern(200);
    driver.post(TxDriver::data(bench.put(Bytes(packet.begin(), packet.begin() + 50)), 50));
    driver.doorbell();
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty());
    driver.post(
        TxDriver::last(TxDriver::data(bench.put(Bytes(packet.begin() + 50, packet.end())), 150)));
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, packet);
}

TEST(TxEngine, WrapsAroundARingThatIsNoPowerOfTwo) {
    RingBench bench;
    TxDriver driver(bench, 24);
    driver.enable();
    for (std::uint32_t i = 0; i < 500; i++) {
        const std::uint32_t index = driver.send(pattern(60 + i % 200, i));
        if (i % 7 == 0) bench.settle();
        if (i % 7 != 0 && i % 20 != 0) continue;
        bench.settle();
        ASSERT_TRUE(driver.done(index));
    }
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 500u);
    for (std::uint32_t i = 0; i < 500; i++) {
        ASSERT_EQ(bench.wire.sent[i].bytes, pattern(60 + i % 200, i)) << i;
    }
    EXPECT_EQ(bench.dma.requests[DmaKind::kTxData], 500u) << "each buffer is read once";
}

TEST(TxEngine, NeverFetchesBeyondTheTail) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_PTHRESH, 31);
    driver.send(pattern(64));
    // A second descriptor is in memory, but not handed over.
    driver.post(TxDriver::legacy(bench.put(pattern(64, 2)), 64));
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(driver.head(), 1u);
}

TEST(TxEngine, EventsNameThePacketOfADescriptorAndTheTimeItsFrameStarts) {
    RingBench bench;
    EventRecorder events;
    bench.hub.attach(events);
    TxDriver driver(bench);
    driver.enable();
    driver.send(pattern(64), 7);
    driver.send(pattern(65), 8);
    bench.settle();
    std::vector<std::uint64_t> moved;
    std::vector<std::uint64_t> written;
    for (const Event& event : events.of(EventType::kDescriptor)) {
        if (event.args[3] == 2) moved.push_back(event.packet);
        if (event.args[3] == 3) written.push_back(event.packet);
    }
    EXPECT_EQ(moved, (std::vector<std::uint64_t>{7, 8}));
    EXPECT_EQ(written, (std::vector<std::uint64_t>{7, 8}));
    const std::vector<Event> frames = events.of(EventType::kFrameTransmit);
    ASSERT_EQ(frames.size(), 2u);
    for (const Event& frame : frames) EXPECT_EQ(frame.time_ps, frame.args[1]) << "start_ps";
}

TEST(TxEngine, ATailBeyondTheRingIsEmptyUntilAGoodOneIsWritten) {
    RingBench bench;
    EventRecorder events;
    bench.hub.attach(events);
    TxDriver driver(bench, 16);
    driver.enable();
    driver.post(TxDriver::legacy(bench.put(pattern(64)), 64));
    bench.write(TDT, 16);
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty());
    EXPECT_EQ(bench.dma.operations, 0u);
    EXPECT_EQ(bench.metric("tx.bad_tail_doorbells"), 1u);
    const std::vector<Event> states = events.of(EventType::kDescriptor);
    ASSERT_EQ(states.size(), 1u);
    EXPECT_EQ(states[0].args[3], 4u) << "state 4: fault";
    driver.doorbell();
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
}

TEST(TxEngine, PacesFramesBackToBackAtWireSpeed) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 20; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(1514, i)), 1514));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 20u);
    for (std::size_t i = 0; i < 20; i++) {
        const FakeWire::Sent& frame = bench.wire.sent[i];
        EXPECT_EQ(frame.end_ps - frame.start_ps, (8 + 1518) * kByte);
        EXPECT_LE(frame.called_ps, frame.start_ps);
        if (i == 0) continue;
        // The bus is twice as fast as the wire: never a gap, 12.304 us a frame (section 12).
        EXPECT_EQ(frame.start_ps - bench.wire.sent[i - 1].start_ps, 12'304'000u) << i;
    }
}

TEST(TxEngine, HandsFramesOverNoEarlierThanTheLookAhead) {
    QueueEngineParams params;
    params.transmit_lookahead_ps = microseconds(20);
    RingBench bench(params);
    TxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 30; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(1514, i)), 1514));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 30u);
    for (const FakeWire::Sent& frame : bench.wire.sent) {
        EXPECT_LE(frame.start_ps - frame.called_ps, microseconds(20));
    }
}

TEST(TxEngine, AFrameStartsWhenItsDataIsInTheDevice) {
    QueueEngineParams params;
    params.tx_pipeline_cycles = 10;
    RingBench bench(params);
    TxDriver driver(bench);
    driver.enable();
    driver.send(pattern(1000));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    const Picoseconds descriptor_ps = nanoseconds(600) + 16 * 4'000;
    const Picoseconds data_ps = nanoseconds(600) + 1000 * 4'000;
    EXPECT_EQ(bench.wire.sent[0].start_ps, descriptor_ps + data_ps + 10 * 8'000);
}

TEST(TxEngine, APipelineLongerThanTheReactionToAPauseHoldsNothingUp) {
    QueueEngineParams params;
    params.tx_pipeline_cycles = 1000;  // 8 us, of which 1.024 us may be handed over at other times
    RingBench bench(params);
    bench.set(CTRL_RFCE, 1);
    TxDriver driver(bench);
    driver.enable();
    driver.send(pattern(100));
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
}

TEST(TxEngine, WithoutALookaheadFramesStillFollowEachOtherAtOnce) {
    QueueEngineParams params;
    params.transmit_lookahead_ps = 0;
    RingBench bench(params);
    TxDriver driver(bench);
    driver.enable();
    for (std::uint32_t i = 0; i < 8; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(1514, i)), 1514));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 8u);
    for (std::size_t i = 1; i < 8; i++) {
        EXPECT_EQ(bench.wire.sent[i].start_ps - bench.wire.sent[i - 1].start_ps, 12'304'000u) << i;
    }
}

TEST(TxEngine, BoundsWhatItHasUnderWayByThePacketBuffer) {
    RingBench bench;
    bench.set(PBA_RXA, 34);  // 6 KB are left for TX: four frames of 1534 bytes
    bench.reset();
    TxDriver driver(bench, 256);
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_PTHRESH, 31);
    driver.enable();
    for (std::uint32_t i = 0; i < 100; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(1514, i)), 1514));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 100u);
    EXPECT_LE(bench.metric("tx.fifo_peak_bytes"), 6u * 1024);
    EXPECT_GE(bench.metric("tx.fifo_peak_bytes"), 5u * 1024);
    EXPECT_LE(bench.frames.made(), 100u);
}

TEST(TxEngine, APacketThatCannotFitStopsTheRingAndAResetRecovers) {
    RingBench bench;
    EventRecorder events;
    bench.hub.attach(events);
    TxDriver driver(bench);
    driver.enable();
    const std::uint32_t good = driver.send(pattern(64));
    driver.send(pattern(9725));
    driver.send(pattern(65));
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u) << "what was before the fault is sent";
    EXPECT_TRUE(driver.done(good));
    EXPECT_EQ(bench.metric("tx.ring_faults"), 1u);
    bool fault_seen = false;
    for (const Event& event : events.of(EventType::kDescriptor)) {
        fault_seen = fault_seen || (event.args[3] == 4 && event.args[2] == 1);
    }
    EXPECT_TRUE(fault_seen) << "the descriptor that is at fault is named";

    bench.reset();
    TxDriver again(bench);
    again.enable();
    again.send(pattern(9724));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(bench.wire.sent[1].bytes, pattern(9724)) << "the longest frame goes out";
}

TEST(TxEngine, ServesTwoQueuesInTurnByTheirCounts) {
    RingBench bench;
    bench.set(PBA_RXA, 34);  // Little room: both queues wait for it all the time.
    bench.reset();
    TxDriver first(bench, 64, 0);
    TxDriver second(bench, 64, 1);
    for (std::uint32_t queue = 0; queue < 2; queue++) {
        bench.set(TXDCTL_GRAN, 1, queue);
        bench.set(TXDCTL_PTHRESH, 31, queue);
    }
    bench.set(TARC_COUNT, 3, 0);
    bench.set(TARC_COUNT, 1, 1);
    first.enable();
    for (std::uint32_t i = 0; i < 24; i++) {
        first.post(TxDriver::legacy(bench.put(Bytes(1500, 1)), 1500));
        second.post(TxDriver::legacy(bench.put(Bytes(1500, 2)), 1500));
    }
    first.doorbell();
    second.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 48u);
    std::string order;
    for (const FakeWire::Sent& frame : bench.wire.sent) order += frame.bytes[0] == 1 ? 'a' : 'b';
    EXPECT_NE(order.find("aaabaaabaaabaaab"), std::string::npos) << order;
}

TEST(TxEngine, ACountOfZeroServesAQueueOnceInItsTurn) {
    RingBench bench;
    bench.set(PBA_RXA, 34);
    bench.reset();
    TxDriver first(bench, 64, 0);
    TxDriver second(bench, 64, 1);
    for (std::uint32_t queue = 0; queue < 2; queue++) {
        bench.set(TXDCTL_GRAN, 1, queue);
        bench.set(TXDCTL_PTHRESH, 31, queue);
        bench.set(TARC_COUNT, 0, queue);
    }
    first.enable();
    for (std::uint32_t i = 0; i < 16; i++) {
        first.post(TxDriver::legacy(bench.put(Bytes(1500, 1)), 1500));
        second.post(TxDriver::legacy(bench.put(Bytes(1500, 2)), 1500));
    }
    first.doorbell();
    second.doorbell();
    bench.settle();
    std::string order;
    for (const FakeWire::Sent& frame : bench.wire.sent) order += frame.bytes[0] == 1 ? 'a' : 'b';
    EXPECT_NE(order.find("abababababababab"), std::string::npos) << order;
}

// EXTCMD.TS may stand in any descriptor of the packet.
TEST(TxEngine, AnyDescriptorOfAPacketMayAskForATimeStamp) {
    for (const std::uint32_t asks : {0u, 1u, 2u, 3u}) {  // 3: none
        RingBench bench;
        TxDriver driver(bench);
        driver.enable();
        for (std::uint32_t i = 0; i < 3; i++) {
            Descriptor d = TxDriver::data(bench.put(pattern(100, i)), 100);
            if (i == 2) d = TxDriver::last(d);
            tx_data::TS.put(d, i == asks ? 1 : 0);
            driver.post(d);
        }
        driver.doorbell();
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 1u);
        EXPECT_EQ(bench.wire.sent[0].time_stamp, asks < 3) << asks;
    }
}

TEST(TxEngine, AFaultWithinAPacketDoesNotStopTheOtherQueue) {
    RingBench bench;
    TxDriver first(bench, 64, 0);
    TxDriver second(bench, 64, 1);
    first.enable();
    first.post(TxDriver::data(bench.put(pattern(100)), 100));
    Descriptor unknown = TxDriver::data(bench.put(pattern(100)), 100);
    tx_data::DTYP.put(unknown, 5);
    first.post(unknown);
    first.doorbell();
    bench.settle();
    EXPECT_EQ(bench.metric("tx.ring_faults"), 1u);
    const std::uint32_t index = second.send(pattern(70));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, pattern(70));
    EXPECT_TRUE(second.done(index));
}

TEST(TxEngine, PrefetchesByItsThresholds) {
    RingBench bench;
    TxDriver driver(bench);
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_PTHRESH, 8);
    bench.set(TXDCTL_HTHRESH, 4);
    driver.enable();
    bench.dma.read_latency_ps = microseconds(100);
    driver.send(pattern(64, 0));
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 1u) << "the store is empty";
    driver.send(pattern(64, 1));
    driver.send(pattern(64, 2));
    bench.timeline.advance_by(microseconds(50));
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 1u) << "one batch at a time";
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 3u);
    EXPECT_EQ(bench.dma.requests[DmaKind::kDescriptorFetch], 2u) << "the other two together";
}

TEST(TxEngine, DropsWhatItPrefetchedWhenTheRingIsSetUpAnew) {
    RingBench bench;
    TxDriver old_ring(bench);
    old_ring.enable();
    old_ring.send(pattern(64, 1));
    // The fetch is under way when the driver changes its mind.
    TxDriver new_ring(bench);
    new_ring.send(pattern(64, 2));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, pattern(64, 2));
    EXPECT_TRUE(new_ring.done(0));
    EXPECT_FALSE(old_ring.done(0));
}

/// A request of before the restart may be answered after newer ones.
TEST(TxEngine, ALateFetchOfTheOldRingDoesNotDisturbTheNewOne) {
    RingBench bench;
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_WTHRESH, 1);
    TxDriver old_ring(bench);
    old_ring.enable();
    bench.dma.read_latency_ps = microseconds(10);
    old_ring.send(pattern(64, 1));
    bench.write(TDT, 0);  // Else every register written below would fetch again.
    TxDriver new_ring(bench);
    bench.dma.read_latency_ps = nanoseconds(600);
    const std::uint32_t index = new_ring.send(pattern(64, 2));
    const Descriptor posted = new_ring.descriptor(index);
    bench.timeline.advance_by(nanoseconds(500));
    bench.dma.read_latency_ps = microseconds(30);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    Descriptor written = new_ring.descriptor(index);
    EXPECT_EQ(tx_legacy::DD.get(written), 1u);
    tx_legacy::DD.put(written, 0);
    EXPECT_EQ(written.words, posted.words) << "the whole descriptor is written back, as it was";
}

TEST(TxEngine, SendsNothingOfTheOldRingThatWasNotWhole) {
    RingBench bench;
    TxDriver old_ring(bench);
    old_ring.enable();
    old_ring.send(pattern(64, 1));
    bench.timeline.advance_by(nanoseconds(700));
    EXPECT_EQ(bench.dma.requests[DmaKind::kTxData], 1u) << "its data is under way";
    TxDriver new_ring(bench);
    new_ring.send(pattern(64, 2));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].bytes, pattern(64, 2));
    EXPECT_EQ(bench.metric("tx.abandoned_frames"), 1u);
}

TEST(TxEngine, HoldsFramesBackWhileTheLinkIsDown) {
    RingBench bench;
    TxDriver driver(bench);
    driver.enable();
    driver.send(pattern(64));
    bench.timeline.advance_by(nanoseconds(700));  // the data is on its way
    bench.state.link_up = false;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty());
    bench.state.link_up = true;
    bench.engine.device_state_changed();
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
}

// Section 2.12: pointers in units of 8 bytes, 0x600 after reset; Linux prints them of a ring that
// hangs.
TEST(TxEngine, ShowsItsFifoInTheDiagnosticRegisters) {
    RingBench bench;
    TxDriver driver(bench);
    const auto read = [&](const regs::Register& reg) {
        return bench.registers.bus_read(reg.offset);
    };
    EXPECT_EQ(read(TDFH), 0x600u);
    EXPECT_EQ(read(TDFT), 0x600u);
    driver.enable();
    driver.send(pattern(64));
    bench.timeline.advance_by(nanoseconds(700));
    bench.state.link_up = false;
    bench.engine.device_state_changed();
    bench.settle();
    // 68 bytes with FCS in whole words, and a header of 16: 88 bytes.
    EXPECT_EQ(read(TDFH), 0x600u);
    EXPECT_EQ(read(TDFT), 0x600u + 11);
    EXPECT_EQ(read(TDFTS), 0x600u + 11);
    EXPECT_EQ(read(TDFPC), 1u);
    bench.state.link_up = true;
    bench.engine.device_state_changed();
    bench.settle();
    bench.timeline.advance_by(microseconds(10));  // It has left.
    EXPECT_EQ(read(TDFH), 0x600u + 11);
    EXPECT_EQ(read(TDFHS), 0x600u + 11);
    EXPECT_EQ(read(TDFT), 0x600u + 11);
    EXPECT_EQ(read(TDFPC), 0u);
    bench.registers.bus_write(TDFH.offset, 0x1FF);
    EXPECT_EQ(read(TDFH), 0x1FFu);
    EXPECT_EQ(read(TDFT), 0x600u + 11);
    bench.reset();
    EXPECT_EQ(read(TDFH), 0x600u);
}

TEST(TxEngine, ServesARingWithinTheCallWhenMemoryTakesNoTime) {
    RingBench bench;
    bench.dma.immediate = true;
    TxDriver driver(bench, 256);
    driver.enable();
    for (std::uint32_t i = 0; i < 200; i++) {
        driver.post(TxDriver::legacy(bench.put(pattern(60, i)), 60));
    }
    driver.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 200u);
    EXPECT_TRUE(driver.done(199));
}

TEST(TxEngine, NumbersFramesFromItsParameter) {
    QueueEngineParams params;
    params.first_frame_number = 500;
    RingBench bench(params);
    TxDriver driver(bench);
    driver.enable();
    driver.send(pattern(64));
    driver.send(pattern(64));
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(bench.wire.sent[0].number, 501u);
    EXPECT_EQ(bench.wire.sent[1].number, 502u);
}

TEST(TxEngine, BulkTrafficCostsLessThanTwoActivationsPerFrame) {
    RingBench bench;
    TxDriver driver(bench, 1024);
    bench.set(TXDCTL_GRAN, 1);
    bench.set(TXDCTL_PTHRESH, 31);
    bench.set(TXDCTL_WTHRESH, 16);
    driver.enable();
    constexpr std::uint32_t kFrames = 1000;
    const std::uint64_t buffer = bench.put(pattern(1514));
    for (std::uint32_t i = 0; i < kFrames; i++) driver.post(TxDriver::legacy(buffer, 1514));
    driver.doorbell();
    std::uint64_t activations = 0;
    while (bench.timeline.next_event_time() != kNever) {
        bench.timeline.advance_until(bench.timeline.next_event_time());
        activations++;
    }
    EXPECT_EQ(bench.wire.sent.size(), kFrames);
    EXPECT_LT(activations, 2 * kFrames);
    EXPECT_LE(bench.frames.made(), 20u) << "frames are used again";
}

}  // namespace
}  // namespace doorbell::test
