#include "hw/rings/flow_control.hpp"

#include <gtest/gtest.h>

#include "hw/base/generated/events.hpp"
#include "hw/mac/pause.hpp"
#include "hw/rings/test_support/arriving.hpp"

namespace doorbell::test {
namespace {

using namespace regs::i82574l;

constexpr Picoseconds kBitPs = 1'000;             // 1 Gb/s
constexpr Picoseconds kQuantumPs = 512 * kBitPs;  // IEEE 802.3 31B.2
constexpr Picoseconds kReactionPs = 2 * kQuantumPs;

/// A driver that has both rings and sets the chip up as specification 2.3 says.
class FlowControlBench : public RingBench {
public:
    explicit FlowControlBench(const QueueEngineParams& params = {})
        : RingBench(params), tx(*this), rx(*this) {
        write(RAL, 0x44332202);
        write(RAH, 0x80006655);
        write(FCAL, 0x00C28001);
        write(FCAH, 0x00000100);
        write(FCT, 0x8808);
        write(FCTTV, 0x0680);
        hub.attach(events);
        tx.enable();
        rx.enable();
    }

    void obey() { set(CTRL_RFCE, 1); }
    void generate(std::uint32_t high_bytes, std::uint32_t low_bytes, bool xon = true) {
        write(FCRTL, low_bytes | (xon ? FCRTL_XONE.mask() : 0));
        write(FCRTH, high_bytes);
        set(CTRL_TFCE, 1);
    }
    /// A PAUSE frame comes in, as IEEE 802.3 annex 31B draws it.
    void pause_arrives(std::uint16_t quanta, std::uint16_t opcode = 1, Bytes destination = {}) {
        if (destination.empty()) destination = {0x01, 0x80, 0xC2, 0x00, 0x00, 0x01};
        Bytes bytes(60, 0);
        std::copy(destination.begin(), destination.end(), bytes.begin());
        bytes[6] = 0x02;  // the partner
        bytes[12] = 0x88;
        bytes[13] = 0x08;
        bytes[14] = static_cast<std::uint8_t>(opcode >> 8);
        bytes[15] = static_cast<std::uint8_t>(opcode);
        bytes[16] = static_cast<std::uint8_t>(quanta >> 8);
        bytes[17] = static_cast<std::uint8_t>(quanta);
        arrive_bytes(*this, bytes);
    }
    /// Frames of `bytes` for the transmitter, FCS not included.
    void post(std::uint32_t count, std::uint32_t bytes = 1514) {
        for (std::uint32_t i = 0; i < count; i++) {
            tx.post(TxDriver::legacy(put(pattern(bytes, i)), bytes));
        }
        tx.doorbell();
    }
    /// What went out without the PAUSE frames, or those alone.
    [[nodiscard]] std::vector<FakeWire::Sent> sent(bool pauses) const {
        std::vector<FakeWire::Sent> result;
        for (const FakeWire::Sent& frame : wire.sent) {
            const bool is_pause = frame.bytes[12] == 0x88 && frame.bytes[13] == 0x08;
            if (is_pause == pauses) result.push_back(frame);
        }
        return result;
    }
    [[nodiscard]] static std::uint32_t quanta_of(const FakeWire::Sent& frame) {
        return frame.bytes[16] * 256u + frame.bytes[17];
    }
    [[nodiscard]] bool txoff() { return (read(STATUS) & STATUS_TXOFF.mask()) != 0; }

    TxDriver tx;
    RxDriver rx;
    EventRecorder events;
};

// --- the partner stops us
// -------------------------------------------------------------------------

TEST(FlowControl, AReceivedXoffStopsTheTransmitterBehindTheFrameOnTheWire) {
    FlowControlBench bench;
    bench.obey();
    bench.post(20);
    bench.timeline.advance_by(microseconds(40));
    const Picoseconds told_ps = bench.timeline.now_ps();
    const std::size_t before = bench.wire.sent.size();
    ASSERT_GT(before, 1u);
    ASSERT_LT(before, 5u) << "at 12.3 us a frame no more than these can have started";
    bench.pause_arrives(1000);
    EXPECT_TRUE(bench.txoff());
    bench.settle();
    EXPECT_FALSE(bench.txoff());
    ASSERT_EQ(bench.wire.sent.size(), 20u) << "nothing is lost";
    for (std::size_t i = 0; i < before; i++) {
        EXPECT_LE(bench.wire.sent[i].start_ps, told_ps + kReactionPs) << "31B.3.7";
    }
    EXPECT_EQ(bench.wire.sent[before].start_ps, told_ps + 1000 * kQuantumPs)
        << "the time counts from the end of the PAUSE frame";
    EXPECT_EQ(bench.metric("tx.paused_ns"), 512'000u);
    EXPECT_EQ(bench.stats.value(Stat::kXOFFRXC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kDC), 1u) << "one frame was deferred";
    const std::vector<Event> news = bench.events.of(EventType::kTransmitPause);
    ASSERT_EQ(news.size(), 2u);
    EXPECT_EQ(news[0].time_ps, told_ps);
    EXPECT_EQ(news[0].args[0], 1u);
    EXPECT_EQ(news[0].args[1], told_ps + 1000 * kQuantumPs);
    EXPECT_EQ(news[1].time_ps, told_ps + 1000 * kQuantumPs);
    EXPECT_EQ(news[1].args[0], 0u);
}

TEST(FlowControl, AQuantumIs512BitTimesAtEverySpeed) {
    for (const std::uint32_t mbps : {10u, 100u, 1000u}) {
        FlowControlBench bench;
        bench.state.speed_mbps = mbps;
        bench.engine.device_state_changed();
        bench.obey();
        bench.pause_arrives(7);
        const Picoseconds told_ps = bench.timeline.now_ps();
        bench.post(1, 100);
        bench.settle();
        ASSERT_EQ(bench.wire.sent.size(), 1u);
        EXPECT_EQ(bench.wire.sent[0].start_ps, told_ps + 7 * 512 * 1'000'000ull / mbps) << mbps;
    }
}

TEST(FlowControl, WhoSendsAtARateOfHisOwnCountsQuantaByIt) {
    QueueEngineParams params;
    params.transmit_rate_mbps = 40'000;
    FlowControlBench bench(params);
    bench.obey();
    bench.pause_arrives(1000);
    const Picoseconds told_ps = bench.timeline.now_ps();
    bench.post(1, 100);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(bench.wire.sent[0].start_ps, told_ps + 1000 * 512 * 25);
}

TEST(FlowControl, XonEndsThePauseAtOnceAndANewXoffReplacesTheTime) {
    FlowControlBench bench;
    bench.obey();
    bench.pause_arrives(0xFFFF);
    bench.post(1, 100);
    bench.timeline.advance_by(microseconds(100));
    EXPECT_TRUE(bench.wire.sent.empty());
    bench.pause_arrives(10);
    bench.timeline.advance_by(2 * kQuantumPs);
    EXPECT_TRUE(bench.wire.sent.empty());
    bench.pause_arrives(0);
    EXPECT_FALSE(bench.txoff());
    const Picoseconds told_ps = bench.timeline.now_ps();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_LE(bench.wire.sent[0].start_ps, told_ps + microseconds(1));
    EXPECT_EQ(bench.stats.value(Stat::kXONRXC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kXOFFRXC), 2u);
}

TEST(FlowControl, PauseToOurOwnAddressActsAsWell) {
    FlowControlBench bench;
    bench.obey();
    bench.pause_arrives(100, 1, {0x02, 0x22, 0x33, 0x44, 0x55, 0x66});
    EXPECT_TRUE(bench.txoff());
}

TEST(FlowControl, WhatIsNoPauseForUsStopsNobody) {
    FlowControlBench bench;
    bench.pause_arrives(100);
    EXPECT_FALSE(bench.txoff()) << "CTRL.RFCE is 0";
    EXPECT_EQ(bench.stats.value(Stat::kXOFFRXC), 0u);
    bench.obey();
    bench.pause_arrives(100, 2);
    EXPECT_FALSE(bench.txoff()) << "another opcode";
    EXPECT_EQ(bench.stats.value(Stat::kFCRUC), 1u);
    bench.pause_arrives(100, 1, {0x02, 0x22, 0x33, 0x44, 0x55, 0x67});
    EXPECT_FALSE(bench.txoff()) << "somebody else's address";
    bench.state.full_duplex = false;
    bench.engine.device_state_changed();
    bench.pause_arrives(100);
    EXPECT_FALSE(bench.txoff()) << "half duplex";
    EXPECT_EQ(bench.stats.value(Stat::kGPRC), 1u) << "the frame for somebody else (RCTL.UPE)";
    EXPECT_EQ(bench.stats.value(Stat::kTPR), 4u);
}

TEST(FlowControl, EndsThePauseWithRfceLinkAndReset) {
    FlowControlBench bench;
    bench.obey();
    bench.pause_arrives(0xFFFF);
    bench.set(CTRL_RFCE, 0);
    EXPECT_FALSE(bench.txoff());
    bench.obey();
    bench.pause_arrives(0xFFFF);
    bench.state.link_up = false;
    bench.engine.device_state_changed();
    EXPECT_FALSE(bench.txoff());
    bench.state.link_up = true;
    bench.engine.device_state_changed();
    bench.pause_arrives(0xFFFF);
    EXPECT_TRUE(bench.txoff());
    bench.reset();
    EXPECT_FALSE(bench.txoff());
    TxDriver fresh(bench);
    fresh.enable();
    fresh.post(TxDriver::legacy(bench.put(pattern(100)), 100));
    fresh.doorbell();
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_LT(bench.wire.sent[0].start_ps, 0xFFFF * kQuantumPs);
}

TEST(FlowControl, APauseFrameThatWaitedForTheWireIsForgottenWithAReset) {
    FlowControlBench bench;
    bench.generate(2048, 1024);
    bench.post(1);
    bench.timeline.advance_by(microseconds(10));
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    bench.set(TCTL_SWXOFF, 1);
    ASSERT_EQ(bench.wire.sent.size(), 1u) << "it waits for the end of the frame";
    bench.reset();
    bench.set(TCTL_EN, 1);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u);
}

TEST(FlowControl, PmcfShowsPauseFramesToTheHostUnlessDpfAndCountsThemApart) {
    FlowControlBench bench;
    bench.obey();
    bench.set(RCTL_MPE, 1);
    bench.rx.fill(8);
    bench.pause_arrives(1);
    bench.settle();
    EXPECT_FALSE(bench.rx.ready());
    bench.set(RCTL_PMCF, 1);
    bench.pause_arrives(1);
    bench.settle();
    ASSERT_TRUE(bench.rx.ready());
    EXPECT_EQ(bench.rx.take().bytes.size(), 60u);
    bench.set(RCTL_DPF, 1);
    bench.pause_arrives(1);
    bench.settle();
    EXPECT_FALSE(bench.rx.ready());
    EXPECT_EQ(bench.stats.value(Stat::kXOFFRXC), 3u);
    EXPECT_EQ(bench.stats.value(Stat::kTPR), 3u);
    for (const Stat stat : {Stat::kGPRC, Stat::kGORC, Stat::kPRC64, Stat::kMPRC}) {
        EXPECT_EQ(bench.stats.value(stat), 0u) << "a PAUSE frame is no good packet";
    }
}

// --- we stop the partner
// --------------------------------------------------------------------------

TEST(FlowControl, XoffIsSentAboveTheHighWatermarkAndXonBelowTheLowOne) {
    FlowControlBench bench;
    bench.generate(8192, 2048);
    // 1518 bytes take 1536 of the buffer: the sixth goes over 8192.
    for (std::uint32_t i = 0; i < 5; i++) arrive(bench, 1518, i);
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty());
    arrive(bench, 1518, 5);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    const FakeWire::Sent xoff = bench.wire.sent[0];
    Bytes expected = {0x01, 0x80, 0xC2, 0x00, 0x00, 0x01, 0x02, 0x22, 0x33,
                      0x44, 0x55, 0x66, 0x88, 0x08, 0x00, 0x01, 0x06, 0x80};
    expected.resize(60, 0);
    EXPECT_EQ(xoff.bytes, expected);
    EXPECT_TRUE(xoff.fcs_good);
    EXPECT_EQ(xoff.end_ps - xoff.start_ps, (64 + 8) * 8 * kBitPs);
    bench.rx.fill(4);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u) << "2 frames, 3072 bytes, are there still";
    bench.rx.fill(1);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(FlowControlBench::quanta_of(bench.wire.sent[1]), 0u);
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kXONTXC), 1u);
    EXPECT_EQ(bench.stats.value(Stat::kTPT), 2u);
    EXPECT_EQ(bench.stats.value(Stat::kTOT), 128u);
    for (const Stat stat : {Stat::kGPTC, Stat::kGOTC, Stat::kPTC64, Stat::kMPTC}) {
        EXPECT_EQ(bench.stats.value(stat), 0u) << "a PAUSE frame is no good packet";
    }
    const std::vector<Event> frames = bench.events.of(EventType::kPauseFrame);
    ASSERT_EQ(frames.size(), 2u);
    EXPECT_EQ(frames[0].args[0], 0u);
    EXPECT_EQ(frames[0].args[1], 0x680u);
    EXPECT_EQ(frames[0].time_ps, xoff.start_ps);
}

TEST(FlowControl, WithoutXoneNoXonIsSentAndTheNextCrossingSendsXoffAgain) {
    FlowControlBench bench;
    bench.generate(2048, 1024, false);
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    bench.rx.fill(2);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    arrive(bench, 1518, 2);
    arrive(bench, 1518, 3);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 2u);
    EXPECT_EQ(bench.stats.value(Stat::kXONTXC), 0u);
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 2u);
}

TEST(FlowControl, WithoutXoneTheLowWatermarkIsTheHighOne) {
    FlowControlBench bench;
    bench.generate(4096, 1024, false);
    for (std::uint32_t i = 0; i < 3; i++) arrive(bench, 1518, i);
    bench.rx.fill(1);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u) << "3072 bytes are left: between the two";
    arrive(bench, 1518, 3);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 2u);
}

TEST(FlowControl, ALowWatermarkOfZeroIsTheEmptyBuffer) {
    FlowControlBench bench;
    bench.generate(2048, 0);
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    bench.rx.fill(1);
    bench.settle();
    EXPECT_EQ(bench.stats.value(Stat::kXONTXC), 0u);
    bench.rx.fill(1);
    bench.settle();
    EXPECT_EQ(bench.stats.value(Stat::kXONTXC), 1u);
}

TEST(FlowControl, TheRefreshEndsWithTfceAndInD3) {
    for (const bool asleep : {false, true}) {
        FlowControlBench bench;
        bench.generate(2048, 1024);
        bench.write(FCRTV, 1000);
        arrive(bench, 1518, 0);
        arrive(bench, 1518, 1);
        bench.timeline.advance_by(microseconds(100));
        ASSERT_EQ(bench.wire.sent.size(), 2u);
        if (!asleep) bench.set(CTRL_TFCE, 0);
        bench.state.awake = !asleep;
        bench.engine.device_state_changed();
        bench.settle();
        EXPECT_EQ(bench.wire.sent.size(), 2u) << asleep;
        EXPECT_EQ(bench.engine.listens(), !asleep);
    }
}

TEST(FlowControl, TheRefreshWaitsForTheFrameBeforeWhateverFcrtvSays) {
    FlowControlBench bench;
    bench.generate(2048, 1024);
    bench.write(FCRTV, 1);
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    std::uint64_t steps = 0;
    while (bench.timeline.next_event_time() <= microseconds(20)) {
        bench.timeline.advance_until(bench.timeline.next_event_time());
        steps++;
    }
    // 672 ns are a PAUSE frame with preamble and gap: 29 of them, and a few steps for each.
    EXPECT_GT(bench.wire.sent.size(), 25u);
    EXPECT_LT(steps, 100u) << "not one each 64 ns";
}

TEST(FlowControl, NothingIsSentWithoutTfceOrAWatermarkOrInHalfDuplex) {
    for (const int what : {0, 1, 2}) {
        FlowControlBench bench;
        bench.generate(what == 1 ? 0 : 2048, 1024);
        if (what == 0) bench.set(CTRL_TFCE, 0);
        if (what == 2) bench.state.full_duplex = false;
        bench.engine.device_state_changed();
        for (std::uint32_t i = 0; i < 12; i++) arrive(bench, 1518, i);
        bench.settle();
        EXPECT_TRUE(bench.wire.sent.empty()) << what;
    }
}

TEST(FlowControl, ABufferThatIsAboveTheWatermarkWhenTfceIsSetAsksAtOnce) {
    FlowControlBench bench;
    bench.generate(2048, 1024);
    bench.set(CTRL_TFCE, 0);
    for (std::uint32_t i = 0; i < 3; i++) arrive(bench, 1518, i);
    bench.set(CTRL_TFCE, 1);
    bench.settle();
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 1u);
    bench.set(CTRL_TFCE, 0);
    bench.set(CTRL_TFCE, 1);
    bench.settle();
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 2u) << "each time it is set";
}

TEST(FlowControl, FcrtvSaysXoffAgainWhileTheBufferStaysFull) {
    FlowControlBench bench;
    bench.generate(2048, 1024);
    bench.write(FCRTV, 1000);  // units of 8 bytes: 64 us
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    bench.timeline.advance_by(microseconds(200));
    const std::vector<FakeWire::Sent> xoffs = bench.sent(true);
    ASSERT_EQ(xoffs.size(), 4u) << "at 0, 64, 128 and 192 us";
    EXPECT_EQ(xoffs[1].start_ps - xoffs[0].start_ps, microseconds(64));
    bench.rx.fill(2);
    bench.settle();
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 4u) << "no more once the buffer is empty";
    EXPECT_EQ(bench.stats.value(Stat::kXONTXC), 1u);
}

TEST(FlowControl, SwxoffSendsOneXoffAndReadsAsZero) {
    FlowControlBench bench;
    bench.set(TCTL_SWXOFF, 1);
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty()) << "CTRL.TFCE is 0";
    bench.set(CTRL_TFCE, 1);
    bench.set(TCTL_SWXOFF, 1);
    EXPECT_EQ(bench.read(TCTL) & TCTL_SWXOFF.mask(), 0u);
    bench.settle();
    ASSERT_EQ(bench.wire.sent.size(), 1u);
    EXPECT_EQ(FlowControlBench::quanta_of(bench.wire.sent[0]), 0x680u);
    bench.set(TCTL_PSP, 0);
    bench.settle();
    EXPECT_EQ(bench.wire.sent.size(), 1u) << "once";
}

TEST(FlowControl, PauseFramesGoAheadOfDataAndAreNotStoppedThemselves) {
    FlowControlBench bench;
    bench.obey();
    bench.generate(2048, 1024);
    bench.post(20);
    bench.timeline.advance_by(microseconds(30));
    bench.pause_arrives(1000);
    const Picoseconds told_ps = bench.timeline.now_ps();
    const std::size_t before = bench.wire.sent.size();
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    bench.settle();
    const std::vector<FakeWire::Sent> xoffs = bench.sent(true);
    ASSERT_EQ(xoffs.size(), 1u);
    const FakeWire::Sent& running = bench.wire.sent[before - 1];
    EXPECT_EQ(xoffs[0].start_ps, std::max(running.end_ps + 96 * kBitPs, told_ps))
        << "right behind the frame on the wire, in our own pause";
    for (std::size_t i = 1; i < bench.wire.sent.size(); i++) {
        EXPECT_GE(bench.wire.sent[i].start_ps, bench.wire.sent[i - 1].end_ps + 96 * kBitPs);
    }
    EXPECT_EQ(bench.sent(false).size(), 20u);
}

TEST(FlowControl, ADriverThatAsksWithoutEndCannotFillTheWire) {
    FlowControlBench bench;
    bench.generate(2048, 1024);
    bench.write(FCRTV, 1);  // 64 ns; a PAUSE frame takes 672
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    for (std::uint32_t i = 0; i < 10'000; i++) bench.set(TCTL_SWXOFF, 1);
    bench.timeline.advance_by(microseconds(10));
    // 8 bytes of preamble, 64, and a gap of 12: one behind the other, none waits.
    EXPECT_LE(bench.wire.sent.size(), (microseconds(10) + kReactionPs) / (84 * 8 * kBitPs) + 1);
    EXPECT_LE(bench.wire.sent.back().start_ps, bench.timeline.now_ps() + kReactionPs);
}

TEST(FlowControl, WithoutALinkNoPauseFrameWaitsForOne) {
    FlowControlBench bench;
    bench.state.link_up = true;
    bench.generate(2048, 1024);
    bench.set(TCTL_EN, 0);
    arrive(bench, 1518, 0);
    arrive(bench, 1518, 1);
    bench.settle();
    bench.set(TCTL_EN, 1);
    bench.settle();
    EXPECT_TRUE(bench.wire.sent.empty());
    EXPECT_EQ(bench.stats.value(Stat::kXOFFTXC), 0u);
}

}  // namespace
}  // namespace doorbell::test
