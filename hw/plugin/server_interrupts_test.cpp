#include "hw/plugin/server.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "hw/plugin/server_fixtures_test.hpp"

namespace doorbell::plugin::test {
namespace {

// --- interrupts
// -----------------------------------------------------------------------------------

TEST_F(Interrupts, an_msix_message_is_the_event_of_its_vector_whatever_the_devices_own_table_says) {
    use_msix();
    bench.arrive(100, 1);
    EXPECT_EQ(vectors[0].take(), 1u);
    EXPECT_EQ(vectors[2].take(), 0u);
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(vectors[2].take(), 1u);
    EXPECT_EQ(vectors[1].take() + vectors[3].take() + vectors[4].take(), 0u);
}

TEST_F(Interrupts, a_vector_that_gets_its_descriptor_late_is_told_what_it_missed_once) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 1, 1, {vectors[1].number()}).failed());
    bench.write_config(0xA2, 2, 0x8000);
    bench.write(r::IVAR, 0x8);
    bench.write(r::IMS, r::ICR_RXQ0.mask());
    bench.arrive(100, 1);
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 1, {vectors[0].number()}).failed());
    EXPECT_EQ(vectors[0].take(), 1u);
    EXPECT_EQ(vectors[1].take(), 0u);
}

TEST_F(Interrupts, an_event_with_a_count_and_no_descriptor_takes_the_descriptor_away) {
    use_msix();
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 1).failed());
    bench.arrive(100, 1);
    EXPECT_EQ(vectors[0].take(), 0u);
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetTrigger, vu::kIrqMsix, 0, 0).failed());
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(vectors[2].take(), 0u) << "all of the index are off";
}

TEST_F(Interrupts, several_frames_of_one_turn_are_one_event) {
    use_msix();
    for (std::uint32_t i = 0; i < 8; i++) bench.put_frame(i, 100, 1);
    bench.write(r::TDT, 8);
    EXPECT_EQ(vectors[2].take(), 1u);
}

TEST_F(Interrupts, what_comes_in_at_the_end_of_a_turn_is_told_with_what_went_out_in_it) {
    use_msix();
    std::uint64_t told_before = 0;
    bench.server.at_end_of_turn([&] {
        if (bench.wire.heard.empty()) return;
        told_before += vectors[2].take();
        bench.wire.heard.clear();
        FramePtr answer = bench.frames.take();
        answer->resize(100);
        std::memset(answer->data(), 1, 100);
        const Picoseconds now_ps = bench.model.timeline().now_ps();
        bench.device.nic().receive(std::move(answer), now_ps, now_ps);
    });
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(told_before, 0u) << "the client would wake twice";
    EXPECT_EQ(vectors[2].take(), 1u);
    EXPECT_EQ(vectors[0].take(), 1u);
    bench.server.at_end_of_turn({});
}

TEST_F(Interrupts, msi_is_one_event_for_all_causes) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsi, 0, 1, {message.number()}).failed());
    bench.write_config(0xD4, 4, 0xFEE0'0000);
    bench.write_config(0xDC, 2, 0x4041);
    bench.write_config(0xD2, 2, 0x0081);
    bench.write(r::IMS, r::ICR_RXT0.mask() | r::ICR_TXDW.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(message.take(), 1u);
    EXPECT_NE(bench.read(r::ICR) & r::ICR_RXT0.mask(), 0u);
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(message.take(), 1u);
}

TEST_F(Interrupts, intx_is_told_once_and_again_when_it_is_unmasked_while_high) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    bench.write(r::IMS, r::ICR_RXT0.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 1u);
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 0u) << "the client has masked itself";
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 4) >> 19 & 1, 1u) << "Status: interrupt";
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetUnmask, vu::kIrqIntx, 0, 1).failed());
    EXPECT_EQ(line.take(), 1u) << "the level is still high";
    EXPECT_NE(bench.read(r::ICR) & r::ICR_RXT0.mask(), 0u);
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetUnmask, vu::kIrqIntx, 0, 1).failed());
    EXPECT_EQ(line.take(), 0u) << "the read has cleared it";
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 1u);
}

TEST_F(Interrupts, intx_that_rises_again_before_the_client_unmasks_waits_for_it) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    bench.write(r::IMS, r::ICR_RXT0.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 1u);
    EXPECT_NE(bench.read(r::ICR) & r::ICR_RXT0.mask(), 0u);
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 0u);
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetUnmask, vu::kIrqIntx, 0, 1).failed());
    EXPECT_EQ(line.take(), 1u);
}

TEST_F(Interrupts, intx_that_the_client_masks_waits_for_unmask) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetMask, vu::kIrqIntx, 0, 1).failed());
    bench.write(r::IMS, r::ICR_RXT0.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 0u);
    EXPECT_FALSE(
        bench.set_irqs(vu::kSetDataBool | vu::kSetUnmask, vu::kIrqIntx, 0, 1, {}, {0}).failed());
    EXPECT_EQ(line.take(), 0u) << "unmask of none";
    EXPECT_FALSE(
        bench.set_irqs(vu::kSetDataBool | vu::kSetUnmask, vu::kIrqIntx, 0, 1, {}, {1}).failed());
    EXPECT_EQ(line.take(), 1u);
}

TEST_F(Interrupts, intx_disable_in_command_keeps_the_line_down) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    bench.write_config(0x04, 2, 0x0407);
    bench.write(r::IMS, r::ICR_RXT0.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(line.take(), 0u);
    bench.enable();
    EXPECT_EQ(line.take(), 1u);
}

TEST_F(Interrupts, the_client_can_trigger_them_itself) {
    use_msix();
    EXPECT_FALSE(
        bench.set_irqs(vu::kSetDataBool | vu::kSetTrigger, vu::kIrqMsix, 1, 3, {}, {1, 0, 1})
            .failed());
    EXPECT_EQ(vectors[1].take(), 1u);
    EXPECT_EQ(vectors[2].take(), 0u);
    EXPECT_EQ(vectors[3].take(), 1u);
}

TEST_F(Interrupts, moderation_holds_the_second_one_back_in_real_time) {
    use_msix();
    bench.write(r::EITR, 1000, 0);  // 256 us
    bench.write(r::EIAC, 0x01F0'0000);
    bench.arrive(100, 1);
    EXPECT_EQ(vectors[0].take(), 1u);
    bench.write(r::IMS, r::ICR_RXQ0.mask());
    bench.arrive(100, 1);
    EXPECT_EQ(vectors[0].take(), 0u);
    bench.advance(microseconds(200));
    EXPECT_EQ(vectors[0].take(), 0u);
    bench.advance(microseconds(60));
    EXPECT_EQ(vectors[0].take(), 1u);
}

}  // namespace
}  // namespace doorbell::plugin::test
