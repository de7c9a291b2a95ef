#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/irq/interrupt_bench_test.hpp"

namespace doorbell::irq_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kTxdw = 1u << 0;
constexpr std::uint32_t kTxqe = 1u << 1;
constexpr std::uint32_t kLsc = 1u << 2;
constexpr std::uint32_t kRxdmt0 = 1u << 4;
constexpr std::uint32_t kRxo = 1u << 6;
constexpr std::uint32_t kRxt0 = 1u << 7;
constexpr std::uint32_t kSrpd = 1u << 16;
constexpr std::uint32_t kAck = 1u << 17;
constexpr std::uint32_t kRxq0 = 1u << 20;
constexpr std::uint32_t kRxq1 = 1u << 21;
constexpr std::uint32_t kTxq0 = 1u << 22;
constexpr std::uint32_t kOther = 1u << 24;
constexpr std::uint32_t kIntAsserted = 1u << 31;
constexpr Picoseconds kDelayUnit = 1'024'000;
constexpr Picoseconds kThrottleUnit = 256'000;

// --- section 8.1: INTx --------------------------------------------------------------------------

TEST(IntxMode, the_line_is_up_while_an_unmasked_cause_is_set) {
    InterruptBench nic;
    nic.block.raise(kLsc);
    EXPECT_FALSE(nic.pin()) << "masked";
    nic.write(r::IMS, kLsc);
    EXPECT_TRUE(nic.pin()) << "enabling a set cause interrupts at once";
    EXPECT_EQ(nic.read(r::ICR), kLsc | kIntAsserted);
    EXPECT_FALSE(nic.pin()) << "reading ICR clears the cause";
}

TEST(IntxMode, masking_takes_the_line_down_and_unmasking_brings_it_back) {
    InterruptBench nic;
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    nic.write(r::IMC, kLsc);
    EXPECT_FALSE(nic.pin());
    EXPECT_FALSE(nic.block.pin_requested());
    nic.write(r::IMS, kLsc);
    EXPECT_TRUE(nic.pin());
}

TEST(IntxMode, command_intx_disable_gates_the_wire_but_not_the_request) {
    InterruptBench nic;
    nic.configuration.intx_disabled = true;
    nic.block.configuration_changed();
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    EXPECT_FALSE(nic.pin());
    EXPECT_TRUE(nic.block.pin_requested());
    nic.configuration.intx_disabled = false;
    nic.block.configuration_changed();
    EXPECT_TRUE(nic.pin());
}

TEST(IntxMode, no_interrupt_leaves_a_sleeping_function) {
    InterruptBench nic;
    nic.write(r::IMS, kLsc);
    nic.configuration.awake = false;
    nic.block.configuration_changed();
    nic.block.raise(kLsc);
    EXPECT_FALSE(nic.pin());
}

TEST(IntxMode, a_reset_takes_the_line_down_and_forgets_causes_masks_and_timers) {
    InterruptBench nic;
    nic.write(r::IMS, kLsc | kRxt0);
    nic.write(r::RDTR, 10);
    nic.block.raise(kLsc);
    nic.block.rx_frame_stored(0);
    nic.registers.reset(regs::ResetKind::kSoftware);
    nic.block.reset();
    EXPECT_FALSE(nic.pin());
    EXPECT_EQ(nic.read(r::IMS), 0u);
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::ICR), 0u);
}

// --- section 8.1: MSI ---------------------------------------------------------------------------

TEST(MsiMode, a_request_is_one_message_with_address_and_data_and_no_pin) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    ASSERT_EQ(nic.dma.sent.size(), 1u);
    EXPECT_EQ(nic.dma.sent[0].kind, Sent::Kind::kMessage);
    EXPECT_EQ(nic.dma.sent[0].address, InterruptBench::kMsiAddress);
    EXPECT_EQ(nic.dma.sent[0].data, InterruptBench::kMsiData);
}

TEST(MsiMode, causes_that_join_need_no_second_message_until_the_first_are_cleared) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kLsc | kRxt0);
    nic.block.raise(kLsc);
    nic.block.raise(kRxt0);
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.messages().size(), 1u);
    EXPECT_EQ(nic.read(r::ICR), kLsc | kRxt0 | kIntAsserted);
    nic.block.raise(kRxt0);
    EXPECT_EQ(nic.messages().size(), 1u);
}

TEST(MsiMode, a_cause_that_joined_gets_its_message_when_the_first_alone_is_cleared) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kLsc | kRxt0);
    nic.block.raise(kLsc);
    nic.block.raise(kRxt0);
    (void)nic.messages();
    nic.write(r::ICR, kLsc);
    EXPECT_EQ(nic.messages().size(), 1u) << "RXT0 must not be lost";
}

TEST(MsiMode, a_mask_that_uncovers_a_set_cause_sends_a_message) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc | kRxt0);
    (void)nic.messages();
    nic.write(r::IMS, kLsc);
    EXPECT_THAT(nic.messages(), IsEmpty()) << "nothing was uncovered";
    nic.write(r::IMS, kRxt0);
    EXPECT_EQ(nic.messages().size(), 1u);
    nic.write(r::IMC, kLsc | kRxt0);
    nic.write(r::IMS, kLsc);
    EXPECT_EQ(nic.messages().size(), 1u) << "masked and unmasked again";
}

TEST(MsiMode, a_message_waits_for_bus_mastering) {
    InterruptBench nic;
    nic.use_msi();
    nic.state.bus_master = false;
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    EXPECT_THAT(nic.messages(), IsEmpty());
    nic.state.bus_master = true;
    nic.block.configuration_changed();
    EXPECT_EQ(nic.messages().size(), 1u);
    nic.block.configuration_changed();
    EXPECT_THAT(nic.messages(), IsEmpty()) << "once";
}

TEST(MsiMode, enabling_msi_moves_a_standing_request_from_the_pin_to_a_message) {
    InterruptBench nic;
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    EXPECT_TRUE(nic.pin());
    nic.use_msi();
    EXPECT_FALSE(nic.pin());
    EXPECT_EQ(nic.messages().size(), 1u);
}

TEST(MsiMode, what_a_message_told_before_is_told_anew_after_another_way_out) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kLsc);
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.messages().size(), 1u);
    nic.configuration.msi_enabled = false;
    nic.block.configuration_changed();
    EXPECT_TRUE(nic.pin());
    nic.use_msi();
    EXPECT_EQ(nic.messages().size(), 1u);
}

// --- section 8.3 --------------------------------------------------------------------------------

TEST(CauseRegisters, ics_sets_causes_and_reads_as_icr_without_clearing) {
    InterruptBench nic;
    nic.write(r::ICS, 0xFFFFFFFF);
    EXPECT_EQ(nic.read(r::ICS), 0x01FFFFFFu);
    EXPECT_EQ(nic.read(r::ICS), 0x01FFFFFFu);
    EXPECT_EQ(nic.read(r::ICR), 0x01FFFFFFu);
    EXPECT_EQ(nic.read(r::ICS), 0u);
}

TEST(CauseRegisters, ics_ignores_delay_timers) {
    InterruptBench nic;
    nic.write(r::RDTR, 100);
    nic.write(r::IMS, kRxt0);
    nic.write(r::ICS, kRxt0);
    EXPECT_TRUE(nic.pin());
}

TEST(CauseRegisters, imc_reads_0) {
    InterruptBench nic;
    nic.write(r::IMS, kLsc);
    EXPECT_EQ(nic.read(r::IMC), 0u);
    EXPECT_EQ(nic.read(r::IMS), kLsc);
}

TEST(CauseRegisters, a_debug_read_shows_icr_and_clears_nothing) {
    InterruptBench nic;
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), kLsc);
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), kLsc);
    EXPECT_EQ(nic.read(r::ICR), kLsc);
}

TEST(CauseRegisters, iame_masks_through_iam_on_an_icr_read) {
    InterruptBench nic;
    nic.write_field(r::CTRL_EXT_IAME, 1);
    nic.write(r::IAM, 0xFFFFFFFF);
    nic.write(r::IMS, kLsc | kRxt0);
    nic.block.raise(kLsc);
    (void)nic.read(r::ICR);
    EXPECT_EQ(nic.read(r::IMS), 0u);
}

// --- section 8.4: receive -----------------------------------------------------------------------

TEST(RxDelay, with_rdtr_0_each_written_back_frame_interrupts) {
    InterruptBench nic;
    nic.write(r::IMS, kRxt0);
    nic.block.rx_frame_stored(0);
    EXPECT_FALSE(nic.pin());
    nic.block.rx_written_back(0, 0);
    EXPECT_FALSE(nic.pin()) << "descriptors in the middle of a frame";
    nic.block.rx_written_back(0, 1);
    EXPECT_TRUE(nic.pin());
}

TEST(RxDelay, rdtr_restarts_with_each_frame_and_radv_bounds_the_wait) {
    InterruptBench nic;
    nic.write(r::IMS, kRxt0);
    nic.write(r::RDTR, 10);
    nic.write(r::RADV, 25);
    for (Picoseconds i = 0; i < 5; i++) {
        nic.timeline.advance_until(i * 8 * kDelayUnit);
        nic.block.rx_frame_stored(0);
        nic.block.rx_written_back(0, 1);
    }
    // Frames at 0, 8, 16, 24; the absolute timer of the first ends at 25.
    ASSERT_EQ(nic.dma.sent.size(), 1u);
    EXPECT_EQ(nic.dma.sent[0].time_ps, 25 * kDelayUnit);
    EXPECT_EQ(nic.stats.of(Stat::kICRXATC), 1u);
    EXPECT_EQ(nic.stats.of(Stat::kICRXPTC), 0u);
    (void)nic.read(r::ICR);
    // The frame at 32 started both anew: the packet timer ends at 42.
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.dma.sent.back().time_ps, 42 * kDelayUnit);
    EXPECT_EQ(nic.stats.of(Stat::kICRXPTC), 1u);
}

TEST(RxDelay, radv_needs_rdtr) {
    InterruptBench nic;
    nic.write(r::IMS, kRxt0);
    nic.write(r::RADV, 25);
    nic.block.rx_frame_stored(0);
    nic.block.rx_written_back(0, 1);
    EXPECT_TRUE(nic.pin());
}

TEST(RxDelay, expiry_flushes_and_announces_when_the_write_back_is_visible) {
    InterruptBench nic;
    nic.write(r::IMS, kRxt0);
    nic.write(r::RDTR, 10);
    nic.queues.pending[1] = true;
    nic.block.rx_frame_stored(0);
    nic.timeline.advance_until(11 * kDelayUnit);
    EXPECT_THAT(nic.queues.flushed, ElementsAre(Direction::kRx));
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), 0u) << "not yet visible";
    nic.block.rx_written_back(0, 1);
    EXPECT_TRUE(nic.pin());
}

TEST(RxDelay, an_overrun_or_a_small_packet_releases_the_delayed_cause) {
    for (const std::uint32_t cause : {kRxo, kSrpd}) {
        InterruptBench nic;
        nic.write(r::RDTR, 100);
        nic.block.rx_frame_stored(0);
        nic.block.rx_written_back(0, 1);
        nic.block.raise(kRxdmt0);
        EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), kRxdmt0) << "not of those causes";
        nic.block.raise(cause);
        EXPECT_EQ(nic.read(r::ICR), cause | kRxt0 | kRxdmt0);
        nic.timeline.advance_by(milliseconds(1));
        EXPECT_EQ(nic.read(r::ICR), 0u) << "the timer was stopped";
    }
}

TEST(RxDelay, fpd_expires_a_running_timer_flushes_and_reads_0) {
    InterruptBench nic;
    nic.write(r::RDTR, 100);
    nic.block.rx_frame_stored(0);
    nic.block.rx_written_back(0, 1);
    nic.write(r::RDTR, 0x80000000u | 100);
    EXPECT_EQ(nic.read(r::RDTR), 100u);
    EXPECT_EQ(nic.read(r::ICR), kRxt0);
    nic.write(r::RDTR, 0x80000000u | 100);
    EXPECT_EQ(nic.read(r::ICR), 0u) << "nothing ran";
    EXPECT_THAT(nic.queues.flushed, ElementsAre(Direction::kRx)) << "but it flushes";
}

TEST(RxDelay, a_frame_stored_before_rdtr_was_set_is_announced_without_a_timer) {
    InterruptBench nic;
    nic.block.rx_frame_stored(0);
    nic.write(r::RDTR, 10);
    nic.block.rx_written_back(0, 1);
    EXPECT_EQ(nic.read(r::ICR), kRxt0) << "no timer runs that would do it";
}

TEST(RxDelay, an_ack_waits_for_raid) {
    InterruptBench nic;
    nic.write(r::RAID, 7);
    nic.block.raise(kAck);
    nic.timeline.advance_until(3 * kDelayUnit);
    nic.block.raise(kAck);
    nic.timeline.advance_until(7 * kDelayUnit - 1);
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), 0u);
    nic.timeline.advance_until(7 * kDelayUnit);
    EXPECT_EQ(nic.read(r::ICR), kAck) << "from the first, not restarted";
    nic.write(r::RAID, 0);
    nic.block.raise(kAck);
    EXPECT_EQ(nic.read(r::ICR), kAck);
}

// --- section 8.4: transmit ----------------------------------------------------------------------

TEST(TxDelay, a_write_back_without_ide_interrupts_at_once) {
    InterruptBench nic;
    nic.write(r::TIDV, 100);
    nic.block.tx_written_back(0, false);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
}

TEST(TxDelay, ide_waits_for_tidv_restarted_and_tadv_bounds_it) {
    InterruptBench nic;
    nic.write(r::TIDV, 8);
    nic.write(r::TADV, 20);
    nic.block.tx_written_back(0, true);
    nic.timeline.advance_until(6 * kDelayUnit);
    nic.block.tx_written_back(0, true);
    nic.timeline.advance_until(14 * kDelayUnit - 1);
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), 0u);
    nic.timeline.advance_until(14 * kDelayUnit);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
    EXPECT_EQ(nic.stats.of(Stat::kICTXPTC), 1u);
    nic.block.tx_written_back(0, true);
    for (Picoseconds at = 15; at < 34; at += 3) {
        nic.timeline.advance_until(at * kDelayUnit);
        nic.block.tx_written_back(0, true);
    }
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), 0u);
    nic.timeline.advance_until(34 * kDelayUnit);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
    EXPECT_EQ(nic.stats.of(Stat::kICTXATC), 1u);
}

TEST(TxDelay, a_write_back_without_ide_releases_the_delayed_ones) {
    InterruptBench nic;
    nic.write(r::TIDV, 100);
    nic.block.tx_written_back(0, true);
    nic.block.tx_written_back(0, false);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::ICR), 0u);
}

TEST(TxDelay, a_deferred_write_back_is_flushed_by_tidv_and_announced_when_visible) {
    InterruptBench nic;
    nic.write(r::TIDV, 8);
    nic.queues.pending[0] = true;
    nic.block.tx_write_back_deferred(0);
    nic.timeline.advance_until(8 * kDelayUnit);
    EXPECT_THAT(nic.queues.flushed, ElementsAre(Direction::kTx));
    EXPECT_EQ(nic.registers.debug_read(r::ICR.offset), 0u);
    nic.block.tx_written_back(0, true);
    EXPECT_EQ(nic.read(r::ICR), kTxdw) << "it has waited already";
}

TEST(TxDelay, fpd_of_tidv_releases_at_once) {
    InterruptBench nic;
    nic.write(r::TIDV, 100);
    nic.block.tx_written_back(0, true);
    nic.write(r::TIDV, 0x80000000u | 100);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
    EXPECT_EQ(nic.read(r::TIDV), 100u);
}

// --- section 8.5 --------------------------------------------------------------------------------

TEST(Throttling, intx_rises_again_exactly_one_interval_after_it_rose) {
    InterruptBench nic;
    nic.write(r::ITR, 500);
    nic.write(r::IMS, kRxt0);
    nic.timeline.advance_until(nanoseconds(1'000));
    nic.block.raise(kRxt0);
    nic.timeline.advance_until(nanoseconds(2'000));
    (void)nic.read(r::ICR);
    nic.block.raise(kRxt0);
    nic.block.raise(kRxt0);
    EXPECT_FALSE(nic.pin());
    EXPECT_EQ(nic.read(r::ITR), 500u);
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(nic.dma.sent.size(), 3u) << "up, down, up";
    EXPECT_EQ(nic.dma.sent[2].time_ps, nanoseconds(1'000) + 500 * kThrottleUnit);
}

TEST(Throttling, msi_causes_within_the_interval_make_one_message_at_its_end) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::ITR, 100);
    nic.write(r::IMS, kRxt0);
    for (Picoseconds at : {0u, 100u, 200u, 24'000u}) {
        nic.timeline.advance_until(nanoseconds(at));
        nic.block.raise(kRxt0);
        (void)nic.read(r::ICR);
        nic.block.raise(kRxt0);
    }
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(nic.dma.sent.size(), 2u);
    EXPECT_EQ(nic.dma.sent[0].time_ps, 0u);
    EXPECT_EQ(nic.dma.sent[1].time_ps, 100 * kThrottleUnit);
}

TEST(Throttling, a_cause_cleared_while_it_is_held_makes_no_interrupt) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::ITR, 100);
    nic.write(r::IMS, kRxt0);
    nic.block.raise(kRxt0);
    (void)nic.read(r::ICR);
    nic.block.raise(kRxt0);
    (void)nic.read(r::ICR);
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_EQ(nic.messages().size(), 1u);
}

TEST(Throttling, each_vector_has_its_own_eitr) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::EITR, 10, 0);
    nic.write(r::EITR, 1, 2);
    nic.write(r::EIAC, 0x01F00000);
    for (int i = 0; i < 2; i++) {
        nic.write(r::IMS, kRxq0 | kOther | kTxq0);
        nic.block.rx_written_back(0, 1);
        nic.block.raise(kLsc);
        nic.block.tx_written_back(0, false);
        nic.timeline.advance_by(1);
    }
    ASSERT_TRUE(nic.timeline.settle());
    std::vector<std::pair<std::uint32_t, Picoseconds>> got;
    for (const Sent& sent : nic.dma.sent) got.push_back({sent.data & 0xF, sent.time_ps});
    EXPECT_EQ(got,
              (std::vector<std::pair<std::uint32_t, Picoseconds>>{
                  {0, 0}, {2, 0}, {1, 0}, {1, 1}, {2, kThrottleUnit}, {0, 10 * kThrottleUnit}}));
    EXPECT_EQ(nic.read(r::EITR, 0), 10u);
}

TEST(Throttling, int_timers_clear_ena_expires_them_when_all_masks_are_written) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::ITR, 0xFFFF);
    nic.write(r::IMS, kRxt0);
    nic.block.raise(kRxt0);
    (void)nic.read(r::ICR);
    nic.block.raise(kRxt0);
    nic.write(r::IMS, 0x01FFFFFF);
    EXPECT_EQ(nic.messages().size(), 1u) << "not enabled: held";
    nic.write_field(r::CTRL_EXT_INT_TIMERS_CLEAR_ENA, 1);
    nic.write(r::IMS, 0x00FFFFFF);
    EXPECT_THAT(nic.messages(), IsEmpty()) << "not all bits";
    nic.write(r::IMS, 0x01FFFFFF);
    EXPECT_EQ(nic.messages().size(), 1u);
}

TEST(Throttling, a_shorter_interval_serves_at_the_shorter_time) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::ITR, 0xFFFF);
    nic.write(r::IMS, kRxt0);
    nic.block.raise(kRxt0);
    (void)nic.read(r::ICR);
    nic.block.raise(kRxt0);
    nic.write(r::ITR, 4);
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(nic.dma.sent.size(), 2u);
    EXPECT_EQ(nic.dma.sent[1].time_ps, 4 * kThrottleUnit);
}

// --- section 8.6 --------------------------------------------------------------------------------

TEST(MsixMode, each_cause_goes_to_the_vector_of_its_ivar_field) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::IVAR, 0x000CBA98 | 4);  // RXQ0: 4, RXQ1: 1, TXQ0: 2, TXQ1: 3, OTHER: 4.
    nic.write(r::IMS, 0x01F00000);
    nic.block.rx_written_back(1, 1);
    nic.block.tx_written_back(0, false);
    nic.block.tx_written_back(1, true);
    nic.block.raise(kLsc);
    const auto data = [](std::uint32_t vector) { return InterruptBench::vector_data(vector); };
    EXPECT_THAT(nic.messages(), ElementsAre(data(1), data(2), data(3), data(4)));
    nic.block.rx_written_back(0, 1);
    EXPECT_THAT(nic.messages(), ElementsAre(data(4)));
}

TEST(MsixMode, an_entry_that_is_not_valid_or_beyond_the_table_sends_nothing) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::IVAR, 0x0000000D);  // RXQ0: vector 5; OTHER: not valid.
    nic.write(r::IMS, kRxq0 | kOther);
    nic.block.rx_written_back(0, 1);
    nic.block.raise(kLsc);
    EXPECT_THAT(nic.messages(), IsEmpty());
    nic.write(r::IVAR, InterruptBench::kLinuxIvar);
    EXPECT_EQ(nic.messages().size(), 2u) << "the causes have waited";
}

TEST(MsixMode, the_message_has_the_tables_64_bit_address) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::IMS, kOther);
    nic.block.raise(kLsc);
    ASSERT_EQ(nic.dma.sent.size(), 1u);
    EXPECT_EQ(nic.dma.sent[0].address, 0x2FEE02000ull);
}

TEST(MsixMode, queue_events_do_not_set_the_legacy_causes) {
    InterruptBench nic;
    nic.use_msix();
    nic.block.rx_written_back(0, 1);
    nic.block.tx_written_back(0, false);
    nic.block.raise(kRxdmt0 | kTxqe);
    EXPECT_EQ(nic.read(r::ICR), kRxq0 | kTxq0 | kTxqe);
    EXPECT_EQ(nic.stats.of(Stat::kICRXDMTC), 0u) << "what does not happen is not counted";
    EXPECT_EQ(nic.stats.of(Stat::kICTXQEC), 1u);
}

TEST(MsixMode, u17_sets_the_legacy_causes_as_well) {
    InterruptParams params;
    params.u17_legacy_causes_in_msix = true;
    InterruptBench nic(params);
    nic.use_msix();
    nic.block.rx_written_back(1, 1);
    nic.block.tx_written_back(0, false);
    nic.block.raise(kRxdmt0);
    EXPECT_EQ(nic.read(r::ICR), kRxq1 | kTxq0 | kRxt0 | kTxdw | kRxdmt0);
}

TEST(MsixMode, delay_timers_do_not_hold_queue_causes_but_flush_write_backs) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::RDTR, 10);
    nic.write(r::TIDV, 10);
    nic.write(r::IMS, kRxq0 | kTxq0);
    nic.block.rx_frame_stored(0);
    nic.block.tx_written_back(0, true);
    EXPECT_EQ(nic.messages().size(), 1u);
    nic.queues.pending[1] = true;
    nic.timeline.advance_until(10 * kDelayUnit);
    EXPECT_THAT(nic.queues.flushed, ElementsAre(Direction::kRx));
    EXPECT_THAT(nic.messages(), IsEmpty());
    nic.block.rx_written_back(0, 1);
    EXPECT_EQ(nic.messages().size(), 1u);
    EXPECT_EQ(nic.read(r::ICR), kRxq0 | kTxq0 | kIntAsserted);
}

TEST(MsixMode, eiac_clears_the_cause_and_its_mask_as_the_message_leaves) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::EIAC, kRxq0);
    nic.write(r::IMS, kRxq0 | kTxq0);
    nic.block.rx_written_back(0, 1);
    nic.block.tx_written_back(0, false);
    EXPECT_EQ(nic.messages().size(), 2u);
    EXPECT_EQ(nic.read(r::IMS), kTxq0);
    EXPECT_EQ(nic.read(r::ICS), kTxq0 | kIntAsserted) << "TXQ0 is not in EIAC";
    nic.block.rx_written_back(0, 1);
    EXPECT_THAT(nic.messages(), IsEmpty()) << "masked until the driver enables it";
    nic.write(r::IMS, kRxq0);
    EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(0)));
}

TEST(MsixMode, eiame_masks_through_iam_as_the_message_leaves) {
    InterruptBench nic;
    nic.use_msix();
    nic.write_field(r::CTRL_EXT_EIAME, 1);
    nic.write(r::IAM, kOther);
    nic.write(r::IMS, kRxq0 | kOther);
    nic.block.raise(kLsc);
    nic.block.rx_written_back(0, 1);
    EXPECT_EQ(nic.read(r::IMS), kRxq0);
    EXPECT_EQ(nic.read(r::IAM), kOther);
}

TEST(MsixMode, eiame_masks_the_causes_of_its_message_and_no_other) {
    InterruptBench nic;
    nic.use_msix();
    nic.write_field(r::CTRL_EXT_EIAME, 1);
    nic.write(r::IAM, 0xFFFFFFFF);
    nic.write(r::IMS, kRxq0 | kTxq0 | kOther);
    nic.block.rx_written_back(0, 1);
    EXPECT_EQ(nic.read(r::IMS), kTxq0 | kOther);
}

TEST(MsixMode, a_masked_vector_sets_its_pending_bit_and_sends_when_it_is_unmasked) {
    InterruptBench nic;
    nic.use_msix();
    nic.block.msix_write(0x2C, 1);
    nic.write(r::IMS, kOther);
    nic.block.raise(kLsc);
    EXPECT_THAT(nic.messages(), IsEmpty());
    EXPECT_EQ(nic.block.msix_read(0x2000), 0x4u);
    EXPECT_EQ(nic.stats.of(Stat::kIAC), 0u) << "pending is not sent";
    nic.block.msix_write(0x2C, 0);
    EXPECT_EQ(nic.stats.of(Stat::kIAC), 1u);
    EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(2)));
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
}

// Section 1.6 and 8.6: the bit says that a message is due. A vector that EITR holds back has none,
// masked or not; when it has, unmasking sends it at once.
TEST(MsixMode, a_masked_vector_is_pending_when_its_message_is_due_moderation_included) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::EITR, 1000, 2);
    nic.write(r::IMS, kOther);
    nic.block.raise(kLsc);
    ASSERT_EQ(nic.messages().size(), 1u);
    nic.write(r::ICR, kLsc | kOther);
    nic.block.msix_write(0x2C, 1);
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
    nic.timeline.advance_by(256'000'000 - 1);
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
    nic.timeline.advance_by(1);
    EXPECT_EQ(nic.block.msix_read(0x2000), 0x4u);
    EXPECT_THAT(nic.messages(), IsEmpty());
    nic.block.msix_write(0x2C, 0);
    EXPECT_EQ(nic.messages().size(), 1u);
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
}

TEST(MsixMode, the_function_mask_masks_every_vector) {
    InterruptBench nic;
    nic.use_msix();
    nic.configuration.msix_function_masked = true;
    nic.block.configuration_changed();
    nic.write(r::IMS, kRxq0 | kTxq0);
    nic.block.rx_written_back(0, 1);
    nic.block.tx_written_back(0, false);
    EXPECT_EQ(nic.block.msix_debug_read(0x2000), 0x3u);
    nic.configuration.msix_function_masked = false;
    nic.block.configuration_changed();
    EXPECT_EQ(nic.messages().size(), 2u);
}

TEST(MsixMode, pbaclr_takes_a_pending_message_back) {
    InterruptBench nic;
    nic.use_msix();
    nic.block.msix_write(0x0C, 1);
    nic.write(r::IMS, kRxq0);
    nic.block.rx_written_back(0, 1);
    nic.write(r::PBACLR, 0x1);
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
    nic.block.msix_write(0x0C, 0);
    EXPECT_THAT(nic.messages(), IsEmpty());
}

TEST(MsixMode, with_pba_support_an_ims_write_clears_the_pending_bit_first) {
    for (const bool support : {false, true}) {
        InterruptBench nic;
        nic.use_msix();
        nic.block.msix_write(0x0C, 1);
        nic.write(r::IMS, kRxq0);
        nic.block.rx_written_back(0, 1);
        nic.write(r::ICR, kRxq0);
        EXPECT_EQ(nic.block.msix_read(0x2000), 1u) << "the cause went, the message is still due";
        nic.write_field(r::CTRL_EXT_PBA_SUPPORT, support ? 1 : 0);
        nic.write(r::IMS, kRxq0);
        EXPECT_EQ(nic.block.msix_read(0x2000), support ? 0u : 1u);
    }
}

TEST(MsixMode, with_pba_support_a_cause_that_is_still_set_is_pending_again) {
    InterruptBench nic;
    nic.use_msix();
    nic.write_field(r::CTRL_EXT_PBA_SUPPORT, 1);
    nic.block.msix_write(0x0C, 1);
    nic.write(r::IMS, kRxq0);
    nic.block.rx_written_back(0, 1);
    nic.write(r::IMS, kRxq0);
    EXPECT_EQ(nic.block.msix_read(0x2000), 1u);
}

TEST(MsixMode, a_message_leaves_behind_the_write_back_it_announces) {
    InterruptBench nic;
    nic.use_msix();
    nic.write(r::IMS, kRxq0);
    struct Nobody final : DmaClient {
        void dma_complete(const DmaCompletion&) override {}
    } nobody;
    const std::uint8_t descriptor[16] = {};
    nic.dma.write({0x1000, 16, DmaKind::kWriteBack, 0, 0, 0}, descriptor, nobody);
    nic.block.rx_written_back(0, 1);
    ASSERT_EQ(nic.dma.sent.size(), 2u);
    EXPECT_EQ(nic.dma.sent[0].kind, Sent::Kind::kWrite);
    EXPECT_EQ(nic.dma.sent[1].kind, Sent::Kind::kMessage);
}

TEST(MsixMode, a_software_reset_keeps_the_table_and_drops_what_is_pending) {
    InterruptBench nic;
    nic.use_msix();
    nic.block.msix_write(0x2C, 1);
    nic.write(r::IMS, kOther);
    nic.block.raise(kLsc);
    nic.registers.reset(regs::ResetKind::kSoftware);
    nic.block.reset();
    EXPECT_EQ(nic.block.msix_read(0x2000), 0u);
    EXPECT_EQ(nic.block.msix_read(0x28), InterruptBench::vector_data(2));
    nic.block.reset_msix_table();
    EXPECT_EQ(nic.block.msix_read(0x28), 0u);
    EXPECT_EQ(nic.block.msix_read(0x2C), 1u);
}

TEST(Statistics, other_is_counted_with_the_cause_that_sets_it) {
    struct Causes final : MetricVisitor {
        void metric(std::string_view name, std::uint64_t value) override {
            if (name == "irq.other") other = value;
            if (name == "irq.lsc") lsc = value;
        }
        void metric_real(std::string_view, double) override {}
        std::uint64_t other = 0;
        std::uint64_t lsc = 0;
    };
    for (const bool msix : {false, true}) {
        InterruptBench nic;
        if (msix) nic.use_msix();
        nic.block.raise(kLsc);
        nic.block.raise(kLsc);
        nic.block.raise(kTxqe);
        Causes causes;
        nic.block.visit_metrics(causes);
        EXPECT_EQ(causes.lsc, 2u);
        EXPECT_EQ(causes.other, msix ? 2u : 0u);
    }
}

TEST(Statistics, interrupts_and_rare_causes_are_counted) {
    InterruptBench nic;
    nic.write(r::IMS, kRxo);
    nic.block.raise(kRxo | kTxqe | kRxdmt0 | 1u << 15);
    EXPECT_EQ(nic.stats.of(Stat::kIAC), 1u);
    EXPECT_EQ(nic.stats.of(Stat::kICRXOC), 1u);
    EXPECT_EQ(nic.stats.of(Stat::kICTXQEC), 1u);
    EXPECT_EQ(nic.stats.of(Stat::kICTXQMTC), 1u);
    EXPECT_EQ(nic.stats.of(Stat::kICRXDMTC), 1u);
}

}  // namespace
}  // namespace doorbell::irq_test
