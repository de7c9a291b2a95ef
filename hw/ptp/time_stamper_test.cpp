#include "hw/ptp/time_stamper.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "hw/ptp/ptp_test_frames_test.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell::ptp_test {
namespace {

namespace r = regs::i82574l;

/// One nanosecond of SYSTIM is 1: INCVALUE 40, INCPERIOD 1.
constexpr std::uint32_t kNanosecondsInca = 1u << 24 | 40;
constexpr std::uint32_t kEnabled = 1u << 4;

class Bench {
public:
    explicit Bench(const PtpParams& params = {}) : stamper(params, timeline, registers) {}

    std::uint32_t read(const regs::Register& reg) { return registers.bus_read(reg.offset); }
    void write(const regs::Register& reg, std::uint32_t value) {
        registers.bus_write(reg.offset, value);
    }
    void run_clock() { write(r::TIMINCA, kNanosecondsInca); }
    void to_ns(std::uint64_t ns) { timeline.advance_until(nanoseconds(ns)); }
    std::uint64_t systim() {
        const std::uint64_t low = read(r::SYSTIML);
        return std::uint64_t{read(r::SYSTIMH)} << 32 | low;
    }
    /// Type as in TSYNCRXCTL, messages of Linux: Sync in both versions.
    void stamp_received(std::uint32_t type) {
        write(r::RXUDP, 0x3F01);
        write(r::RXMTRL, 0x000088F7);
        write(r::TSYNCRXCTL, kEnabled | type << 1);
    }
    /// The frame is heard, good and let in: whether it got the stamp.
    bool receive(const Bytes& bytes, std::uint64_t delimiter_ns) {
        FramePtr frame = frames.take();
        frame->resize(static_cast<std::uint32_t>(bytes.size()));
        std::memcpy(frame->data(), bytes.data(), bytes.size());
        frame->time_stamp =
            stamper.frame_started(Direction::kRx, *frame, nanoseconds(delimiter_ns));
        return frame->time_stamp && stamper.stamp_received(*frame);
    }
    void transmit(std::uint64_t delimiter_ns, bool stamp = true) {
        FramePtr frame = frames.take();
        frame->time_stamp = stamp;
        (void)stamper.frame_started(Direction::kTx, *frame, nanoseconds(delimiter_ns));
    }

    ManualTimeline timeline;
    FramePool frames;
    regs::RegisterFile registers{r::kMap};
    TimeStamper stamper;
};

TEST(TimeStamper, keeps_the_delimiter_of_the_frame_heard_last_until_reset) {
    Bench bench;
    const FramePtr frame = bench.frames.take();
    (void)bench.stamper.frame_started(Direction::kRx, *frame, 2'000);
    (void)bench.stamper.frame_started(Direction::kRx, *frame, 3'000);
    (void)bench.stamper.frame_started(Direction::kTx, *frame, 4'000);
    EXPECT_EQ(bench.stamper.last_heard_ps(), 3'000u);
    bench.stamper.reset();
    EXPECT_EQ(bench.stamper.last_heard_ps(), 0u);
}

// --- SYSTIM (section 2.11) ----------------------------------------------------------------------

TEST(Systim, runs_as_timinca_says_and_reading_the_low_half_latches_the_high_one) {
    Bench bench;
    EXPECT_EQ(bench.systim(), 0u);
    bench.write(r::TIMINCA, 0x01A00000);  // As Linux: 40 << 18 a cycle... of 2^-18 ns.
    bench.to_ns(40);
    EXPECT_EQ(bench.systim(), 0xA00000u);
    bench.write(r::SYSTIML, 0xFFFFFFF0);
    bench.write(r::SYSTIMH, 1);
    EXPECT_EQ(bench.systim(), 0x1FFFFFFF0u);
    EXPECT_EQ(bench.read(r::SYSTIML), 0xFFFFFFF0u);
    bench.to_ns(80);
    EXPECT_EQ(bench.read(r::SYSTIMH), 1u) << "latched before the low half overflowed";
    EXPECT_EQ(bench.systim(), 0x200000000u + 0xA00000 - 0x10);
}

// Section 10.1.1 step 12: readings differ by a multiple of INCVALUE.
TEST(Systim, consecutive_readings_are_plausible_to_linux) {
    Bench bench;
    bench.write(r::TIMINCA, 0x01A00000);
    std::uint64_t before = bench.systim();
    for (std::uint64_t ns = 17; ns < 10'000; ns += 333) {
        bench.to_ns(ns);
        const std::uint64_t now = bench.systim();
        EXPECT_EQ((now - before) % 0xA00000, 0u);
        EXPECT_LT(now - before, std::uint64_t{1} << 35);
        before = now;
    }
    EXPECT_GT(before, 0u);
}

TEST(Systim, timadjh_adds_or_subtracts) {
    Bench bench;
    bench.write(r::SYSTIMH, 5);
    bench.write(r::TIMADJL, 100);
    EXPECT_EQ(bench.systim(), 0x500000000u) << "not before the high half is written";
    bench.write(r::TIMADJH, 1);
    EXPECT_EQ(bench.systim(), 0x600000064u);
    bench.write(r::TIMADJH, 0x80000002);
    EXPECT_EQ(bench.systim(), 0x400000000u);
}

TEST(Systim, a_reset_stops_it) {
    Bench bench;
    bench.run_clock();
    bench.to_ns(400);
    bench.registers.reset(regs::ResetKind::kSoftware);
    bench.stamper.reset();
    bench.to_ns(800);
    EXPECT_EQ(bench.systim(), 0u);
}

TEST(Systim, u7_gives_the_clock_another_period) {
    PtpParams params;
    params.u7_clock_ps = nanoseconds(16);
    Bench bench(params);
    bench.write(r::TIMINCA, 1u << 24 | 1);
    bench.to_ns(160);
    EXPECT_EQ(bench.systim(), 10u);
}

TEST(SystimErratum, unlatched_the_halves_may_be_of_different_instants) {
    PtpParams params;
    params.erratum_systim = PtpParams::SystimErratum::kUnlatched;
    Bench bench(params);
    bench.run_clock();
    bench.write(r::SYSTIML, 0xFFFFFFFF);
    EXPECT_EQ(bench.read(r::SYSTIML), 0xFFFFFFFFu);
    bench.to_ns(40);
    EXPECT_EQ(bench.read(r::SYSTIMH), 1u);
}

TEST(SystimErratum, a_wrong_high_half_comes_now_and_then_and_not_in_every_reading) {
    PtpParams params;
    params.erratum_systim = PtpParams::SystimErratum::kWrongHigh;
    Bench bench(params);
    int wrong = 0;
    for (int i = 0; i < 64; i++) wrong += bench.systim() >= std::uint64_t{1} << 35 ? 1 : 0;
    EXPECT_EQ(wrong, 8);
    EXPECT_LT(bench.systim(), std::uint64_t{1} << 35);
}

// --- sent frames (section 6.5) ------------------------------------------------------------------

TEST(TxStamp, is_the_time_of_the_delimiter_and_not_there_before) {
    Bench bench;
    bench.run_clock();
    bench.write(r::TSYNCTXCTL, kEnabled);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled);
    bench.transmit(4'000);
    bench.to_ns(3'999);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled) << "handed over, not sent";
    bench.to_ns(9'000);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled | 1);
    EXPECT_EQ(bench.read(r::TXSTMPL), 4'000u);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled | 1) << "the low half releases nothing";
    EXPECT_EQ(bench.read(r::TXSTMPH), 0u);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled);
}

TEST(TxStamp, a_stamp_that_waits_is_not_overwritten) {
    Bench bench;
    bench.run_clock();
    bench.write(r::TSYNCTXCTL, kEnabled);
    bench.transmit(400);
    bench.transmit(800);
    bench.to_ns(1'000);
    EXPECT_EQ(bench.read(r::TXSTMPL), 400u);
    (void)bench.read(r::TXSTMPH);
    bench.transmit(1'200);
    bench.to_ns(2'000);
    EXPECT_EQ(bench.read(r::TXSTMPL), 1'200u);
}

TEST(TxStamp, needs_the_enable_and_the_descriptors_bit) {
    Bench bench;
    bench.run_clock();
    bench.transmit(400);
    bench.to_ns(500);
    bench.write(r::TSYNCTXCTL, kEnabled);
    bench.transmit(600, false);
    bench.to_ns(900);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled);
    bench.write(r::TSYNCTXCTL, kEnabled | 1);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), kEnabled) << "VALID is the hardware's";
}

TEST(TxStamp, a_reset_forgets_what_was_to_be_stamped) {
    Bench bench;
    bench.run_clock();
    bench.write(r::TSYNCTXCTL, kEnabled);
    bench.transmit(400);
    bench.registers.reset(regs::ResetKind::kSoftware);
    bench.stamper.reset();
    bench.to_ns(900);
    EXPECT_EQ(bench.read(r::TSYNCTXCTL), 0u);
}

// --- received frames (section 7.7) --------------------------------------------------------------

TEST(RxStamp, says_when_by_whom_and_which) {
    Bench bench;
    bench.run_clock();
    bench.stamp_received(2);
    bench.to_ns(5'000);
    EXPECT_TRUE(bench.receive(layer2(message(0, 2, 0)), 4'400));
    EXPECT_EQ(bench.read(r::TSYNCRXCTL), kEnabled | 2 << 1 | 1);
    EXPECT_EQ(bench.read(r::RXSTMPL), 4'400u);
    EXPECT_EQ(bench.read(r::RXSATRL), 0xA5A4A3A2u);
    EXPECT_EQ(bench.registers.word(r::RXSATRH), 0x1234A7A6u);
    EXPECT_FALSE(bench.receive(layer2(message(0, 2, 0)), 4'800)) << "one waits";
    EXPECT_EQ(bench.read(r::RXSTMPL), 4'400u);
    EXPECT_EQ(bench.read(r::RXSTMPH), 0u);
    EXPECT_EQ(bench.read(r::TSYNCRXCTL), kEnabled | 2 << 1);
    EXPECT_TRUE(bench.receive(layer2(message(0, 2, 0)), 4'900));
}

/// Which of six kinds of frame each TYPE stamps.
TEST(RxStamp, types_choose_frames) {
    const Bytes sync_l2 = layer2(message(0, 2, 5));
    const Bytes sync_v4 = ipv4(message(0, 2, 5));
    const Bytes sync_v6 = ipv6(message(0, 2, 5));
    const Bytes pdelay_l2 = layer2(message(2, 2, 5));
    const Bytes v1_sync_v4 = ipv4(message(1, 1, 0));
    const Bytes other(100, 0xFF);
    struct Row {
        std::uint32_t type;
        bool l2, v4, v6, pdelay, v1, other;
    };
    const Row rows[] = {
        {0, true, false, false, false, false, false},
        {1, false, false, false, false, true, false},
        {2, true, true, true, false, false, false},
        {4, true, true, true, true, true, true},
        {5, true, true, true, true, true, false},
        {3, false, false, false, false, false, false},
        {7, false, false, false, false, false, false},
    };
    for (const Row& row : rows) {
        SCOPED_TRACE(row.type);
        Bench bench;
        bench.stamp_received(row.type);
        const auto stamped = [&](const Bytes& frame) {
            const bool result = bench.receive(frame, 0);
            (void)bench.read(r::RXSTMPH);
            return result;
        };
        EXPECT_EQ(stamped(sync_l2), row.l2);
        EXPECT_EQ(stamped(sync_v4), row.v4);
        EXPECT_EQ(stamped(sync_v6), row.v6);
        EXPECT_EQ(stamped(pdelay_l2), row.pdelay);
        EXPECT_EQ(stamped(v1_sync_v4), row.v1);
        EXPECT_EQ(stamped(other), row.other);
    }
}

TEST(RxStamp, rxmtrl_names_ether_type_and_messages) {
    Bench bench;
    bench.stamp_received(2);
    bench.write(r::RXMTRL, 0x010088F7);  // Delay_Req of version 2.
    EXPECT_FALSE(bench.receive(layer2(message(0, 2, 0)), 0));
    EXPECT_TRUE(bench.receive(layer2(message(1, 2, 0)), 0));
    (void)bench.read(r::RXSTMPH);
    bench.stamp_received(1);
    bench.write(r::RXMTRL, 0x000188F7);  // Delay_Req of version 1.
    EXPECT_FALSE(bench.receive(ipv4(message(1, 1, 0)), 0));
    EXPECT_TRUE(bench.receive(ipv4(message(1, 1, 1)), 0));
}

TEST(RxStamp, is_not_taken_while_disabled) {
    Bench bench;
    bench.stamp_received(4);
    bench.write(r::TSYNCRXCTL, 4 << 1);
    EXPECT_FALSE(bench.receive(layer2(message(0, 2, 0)), 0));
}

TEST(RxStamp, u8_says_which_read_releases_it) {
    struct Row {
        PtpParams::RxRelease release;
        bool by_stamp, by_attributes;
    };
    for (const Row& row : {Row{PtpParams::RxRelease::kEither, true, true},
                           Row{PtpParams::RxRelease::kStampHigh, true, false},
                           Row{PtpParams::RxRelease::kAttributesHigh, false, true}}) {
        PtpParams params;
        params.u8_rx_release = row.release;
        Bench first(params);
        first.stamp_received(4);
        ASSERT_TRUE(first.receive(layer2(message(0, 2, 0)), 0));
        (void)first.read(r::RXSTMPH);
        EXPECT_EQ((first.read(r::TSYNCRXCTL) & 1) == 0, row.by_stamp);
        Bench second(params);
        second.stamp_received(4);
        ASSERT_TRUE(second.receive(layer2(message(0, 2, 0)), 0));
        (void)second.read(r::RXSATRH);
        EXPECT_EQ((second.read(r::TSYNCRXCTL) & 1) == 0, row.by_attributes);
    }
}

TEST(RxStamp, u9_turns_the_port_round) {
    Bench network;
    network.stamp_received(2);
    EXPECT_TRUE(network.receive(ipv4(message(0, 2, 0)), 0)) << "0x3F01, as Linux writes 319";
    PtpParams params;
    params.u9_rxudp = PtpParams::PortOrder::kHost;
    Bench host(params);
    host.stamp_received(2);
    EXPECT_FALSE(host.receive(ipv4(message(0, 2, 0)), 0));
    host.write(r::RXUDP, 319);
    EXPECT_TRUE(host.receive(ipv4(message(0, 2, 0)), 0));
}

}  // namespace
}  // namespace doorbell::ptp_test
