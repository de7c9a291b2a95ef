#include "hw/plugin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/un.h>

#include <cerrno>
#include <cstdlib>

#include "hw/plugin/plugin_bench_test.hpp"

namespace doorbell::plugin::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint32_t kEventTrigger = vu::kSetDataEventfd | vu::kSetTrigger;

// --- greeting and probe
// ---------------------------------------------------------------------------

TEST(Greeting, version_is_answered_with_0_0_and_the_limits_and_no_longer_than_asked) {
    PluginBench bench;
    bench.connect();
    const Reply reply = bench.say_version();
    ASSERT_FALSE(reply.failed());
    ASSERT_GT(reply.payload.size(), 4u);
    EXPECT_EQ(load_le32(reply.payload.data()), 0u);
    EXPECT_EQ(reply.payload.back(), 0);
    EXPECT_LE(reply.payload.size(), 4 + std::strlen(PluginBench::kVersionText) + 1);
    const std::string text(reply.payload.begin() + 4, reply.payload.end() - 1);
    EXPECT_THAT(text, HasSubstr("\"write_multiple\":true"));
    EXPECT_THAT(text, HasSubstr("\"max_data_xfer_size\":1048576"));
    EXPECT_THAT(text, HasSubstr("\"max_msg_fds\":8"));
}

TEST(Greeting, a_version_without_text_is_answered_without_text) {
    PluginBench bench;
    bench.connect();
    const Reply reply = bench.client.ask(vu::Command::kVersion, Bytes().u16(0).u16(1).bytes);
    EXPECT_FALSE(reply.failed());
    EXPECT_EQ(reply.payload.size(), 4u);
}

TEST(Greeting, another_major_version_is_refused_and_the_connection_ends) {
    PluginBench bench;
    bench.connect();
    const Reply reply = bench.client.ask(vu::Command::kVersion, Bytes().u16(1).u16(0).bytes);
    EXPECT_EQ(reply.error(), EINVAL);
    EXPECT_TRUE(bench.log.says("version 1.0"));
    EXPECT_TRUE(bench.client.closed());
}

TEST(Greeting, nothing_is_done_before_version) {
    PluginBench bench;
    bench.connect();
    EXPECT_EQ(bench.region_read(vu::kConfigRegion, 0, 4).error(), EINVAL);
    EXPECT_TRUE(bench.log.says("came before VERSION"));
    EXPECT_FALSE(bench.say_version().failed()) << "it may still come";
    EXPECT_EQ(bench.say_version().error(), EINVAL) << "once";
}

TEST(Probe, the_device_has_the_regions_and_interrupts_of_the_part) {
    PluginBench bench;
    bench.open();
    const Reply info = bench.client.ask(vu::Command::kGetInfo, Bytes().u32(16).u32(0).u64(0).bytes);
    ASSERT_EQ(info.payload.size(), 16u);
    EXPECT_EQ(load_le32(&info.payload[4]), 3u) << "resettable, PCI";
    EXPECT_EQ(load_le32(&info.payload[8]), 9u);
    EXPECT_EQ(load_le32(&info.payload[12]), 5u);
    const std::array<std::uint64_t, 9> sizes = {131072, 0, 32, 16384, 0, 0, 0, 4096, 0};
    for (std::uint32_t i = 0; i < sizes.size(); i++) {
        const Reply region = bench.client.ask(
            vu::Command::kGetRegionInfo, Bytes().u32(32).u32(0).u32(i).u32(0).u64(0).u64(0).bytes);
        ASSERT_EQ(region.payload.size(), 32u) << i;
        EXPECT_EQ(load_le64(&region.payload[16]), sizes[i]) << i;
        EXPECT_EQ(load_le32(&region.payload[4]), sizes[i] != 0 ? 3u : 0u)
            << i << ": never mappable, that would end posted writes";
    }
    const std::array<std::uint32_t, 5> counts = {1, 1, 5, 1, 0};
    const std::array<std::uint32_t, 5> flags = {7, 1, 1, 1, 0};
    for (std::uint32_t i = 0; i < counts.size(); i++) {
        const Reply irq =
            bench.client.ask(vu::Command::kGetIrqInfo, Bytes().u32(16).u32(0).u32(i).u32(0).bytes);
        ASSERT_EQ(irq.payload.size(), 16u) << i;
        EXPECT_EQ(load_le32(&irq.payload[12]), counts[i]) << i;
        EXPECT_EQ(load_le32(&irq.payload[4]), flags[i]) << i;
    }
}

TEST(Probe, configuration_space_is_read_whole_and_in_bytes) {
    PluginBench bench;
    bench.open();
    const Reply all = bench.region_read(vu::kConfigRegion, 0, 4096);
    ASSERT_EQ(all.payload.size(), 16u + 4096);
    EXPECT_EQ(load_le32(&all.payload[16]), 0x10D3'8086u);
    EXPECT_EQ(all.payload[16 + 0x34], 0xC8) << "the capability pointer";
    const Reply middle = bench.region_read(vu::kConfigRegion, 1, 2);
    ASSERT_EQ(middle.payload.size(), 18u);
    EXPECT_EQ(middle.payload[16], 0x80);
    EXPECT_EQ(middle.payload[17], 0xD3);
}

TEST(Probe, registers_answer_when_memory_decoding_is_on_and_read_as_ones_before) {
    PluginBench bench;
    bench.open();
    EXPECT_EQ(bench.read(r::STATUS), 0xFFFF'FFFFu);
    bench.enable();
    EXPECT_EQ(bench.read(r::STATUS) & r::STATUS_LU.mask(), 0u);
    bench.write(r::FCTTV, 0x1234);
    EXPECT_EQ(bench.read(r::FCTTV), 0x1234u);
}

TEST(Probe, the_io_window_reaches_the_registers) {
    PluginBench bench;
    bench.open();
    bench.enable();
    bench.write(r::FCTTV, 0x4321);
    bench.client.post(vu::Command::kRegionWrite,
                      Bytes().append(PluginBench::access(2, 0, 4)).u32(r::FCTTV.offset).bytes, {},
                      vu::kNoReply);
    EXPECT_EQ(bench.read_dword(2, 4), 0x4321u);
}

TEST(Probe, eight_bytes_are_two_registers_and_a_part_of_one_is_read_once) {
    PluginBench bench;
    bench.open();
    bench.enable();
    bench.write(r::RDBAL, 0x1230);
    bench.write(r::RDBAH, 0x5678);
    const Reply reply = bench.region_read(0, r::RDBAL.offset, 8);
    ASSERT_EQ(reply.payload.size(), 24u);
    EXPECT_EQ(load_le64(&reply.payload[16]), 0x5678'0000'1230u);
    const Reply byte = bench.region_read(0, r::RDBAL.offset + 1, 1);
    ASSERT_EQ(byte.payload.size(), 17u);
    EXPECT_EQ(byte.payload[16], 0x12);
}

TEST(Probe, a_rom_is_a_region_with_a_bar_that_can_be_sized) {
    std::vector<std::uint8_t> rom(5000, 0x11);
    rom[0] = 0x55;
    PluginBench bench(PluginBench::quick(), rom);
    bench.open();
    bench.write_config(0x30, 4, 0xFFFF'F800);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0xFFFF'E000u) << "8 KiB";
    const Reply reply = bench.region_read(vu::kRomRegion, 0, 8192);
    ASSERT_EQ(reply.payload.size(), 16u + 8192);
    EXPECT_EQ(reply.payload[16], 0x55);
    EXPECT_EQ(reply.payload[16 + 4999], 0x11);
    EXPECT_EQ(reply.payload[16 + 5000], 0xFF) << "beyond the image there is erased flash";
}

TEST(Probe, without_a_rom_its_bar_reads_zero) {
    PluginBench bench;
    bench.open();
    bench.write_config(0x30, 4, 0xFFFF'F800);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0u);
}

// --- frames
// ---------------------------------------------------------------------------------------

class Frames : public ::testing::Test {
protected:
    void SetUp() override {
        bench.open();
        bench.enable();
        bench.link_up();
        bench.open_rings();
    }
    PluginBench bench;
};

TEST_F(Frames, a_doorbell_sends_the_frame_and_writes_its_descriptor_back_before_the_next_message) {
    bench.send_frame(0, 100, 0xA5);
    ASSERT_EQ(bench.wire.heard.size(), 1u);
    EXPECT_EQ(bench.wire.heard[0].bytes.size(), 100u);
    EXPECT_EQ(bench.wire.heard[0].bytes[42], 0xA5);
    EXPECT_EQ(bench.at(PluginBench::kTxRing)[12] & 1, 1) << "DD";
    EXPECT_EQ(bench.read(r::TDH), 1u);
}

TEST_F(Frames, a_ring_full_of_frames_leaves_in_one_turn_whatever_the_wire_was_negotiated_at) {
    for (std::uint32_t i = 0; i + 1 < PluginBench::kRingSize; i++) bench.put_frame(i, 1514, 1);
    bench.write(r::TDT, PluginBench::kRingSize - 1);
    EXPECT_EQ(bench.wire.heard.size(), PluginBench::kRingSize - 1u);
}

TEST_F(Frames, a_frame_that_arrives_lies_in_the_guests_buffer) {
    bench.arrive(200, 0x3C);
    EXPECT_EQ(bench.at(PluginBench::kRxBuffers)[199], 0x3C);
    const std::uint8_t* descriptor = bench.at(PluginBench::kRxRing);
    EXPECT_EQ(load_le16(descriptor + 8), 204) << "with its FCS";
    EXPECT_EQ(descriptor[12] & 3, 3) << "DD and EOP";
}

TEST_F(Frames, without_bus_mastering_memory_stays_as_it_is) {
    bench.write_config(0x04, 2, 0x0003);
    bench.send_frame(0, 100, 1);
    bench.arrive(200, 0x3C);
    EXPECT_TRUE(bench.wire.heard.empty());
    EXPECT_EQ(bench.at(PluginBench::kRxBuffers)[0], 0);
    bench.enable();
    EXPECT_EQ(bench.wire.heard.size(), 1u) << "it was held, not lost";
    EXPECT_EQ(bench.at(PluginBench::kRxBuffers)[0], 0x3C);
}

TEST_F(Frames, writes_of_write_multi_happen_in_their_order) {
    bench.put_frame(0, 100, 1);
    bench.put_frame(1, 101, 2);
    Bytes multi;
    const auto entry = [&](const regs::Register& reg, std::uint32_t value) {
        multi.append(PluginBench::access(0, reg.offset, 4)).u32(value).u32(0);
    };
    multi.u64(4);
    entry(r::FCTTV, 1);
    entry(r::TDT, 1);
    entry(r::FCTTV, 2);
    entry(r::TDT, 2);
    bench.client.post(vu::Command::kRegionWriteMulti, multi.bytes, {}, vu::kNoReply);
    EXPECT_EQ(bench.read(r::FCTTV), 2u);
    ASSERT_EQ(bench.wire.heard.size(), 2u);
    EXPECT_EQ(bench.wire.heard[1].bytes.size(), 101u);
}

TEST_F(Frames, many_messages_of_one_receive_are_done_in_their_order) {
    std::vector<std::uint8_t> all;
    for (std::uint32_t i = 0; i < 32; i++) {
        bench.put_frame(i, 100 + i, 1);
        const auto message = Client::message(
            vu::Command::kRegionWrite, static_cast<std::uint16_t>(i),
            Bytes().append(PluginBench::access(0, r::TDT.offset, 4)).u32(i + 1).bytes,
            vu::kNoReply);
        all.insert(all.end(), message.begin(), message.end());
    }
    bench.client.send_bytes(all);
    bench.server.turn(0);
    EXPECT_EQ(bench.wire.heard.size(), 32u);
    EXPECT_EQ(bench.server.session()->counters().receives,
              bench.server.session()->counters().messages - 31)
        << "one system call for all of them";
}

TEST_F(Frames, a_read_sees_what_the_doorbell_before_it_did_though_one_receive_brings_both) {
    bench.put_frame(0, 100, 1);
    auto both = Client::message(vu::Command::kRegionWrite, 1,
                                Bytes().access(0, r::TDT.offset, 4).u32(1).bytes, vu::kNoReply);
    const auto read =
        Client::message(vu::Command::kRegionRead, 2, Bytes().access(0, r::TDH.offset, 4).bytes);
    both.insert(both.end(), read.begin(), read.end());
    bench.client.send_bytes(both);
    bench.server.turn(0);
    const auto reply = bench.client.take_reply();
    ASSERT_TRUE(reply.has_value());
    ASSERT_EQ(reply->payload.size(), 20u);
    EXPECT_EQ(load_le32(&reply->payload[16]), 1u);
}

TEST_F(Frames, a_message_may_arrive_byte_by_byte) {
    bench.put_frame(0, 100, 1);
    const auto message =
        Client::message(vu::Command::kRegionWrite, 9,
                        Bytes().append(PluginBench::access(0, r::TDT.offset, 4)).u32(1).bytes);
    for (const std::uint8_t byte : message) {
        EXPECT_TRUE(bench.wire.heard.empty());
        bench.client.send_bytes({byte});
        bench.server.turn(0);
    }
    EXPECT_EQ(bench.wire.heard.size(), 1u);
    const auto reply = bench.client.take_reply();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->header.id, 9);
}

TEST_F(Frames, the_server_looks_on_for_a_while_after_a_message_and_not_when_all_is_quiet) {
    bench.clock.step_ns(1000);
    const auto looks_of_a_turn = [&] {
        (void)bench.clock.take_looks();
        bench.server.turn(1);
        return bench.clock.take_looks();
    };
    const std::uint64_t asleep = looks_of_a_turn();
    bench.server.busy_poll(100'000);
    bench.clock.advance_ns(1'000'000);
    EXPECT_LE(looks_of_a_turn(), asleep + 2) << "long quiet";
    bench.write(r::TDT, 0);
    EXPECT_GT(looks_of_a_turn(), asleep + 80) << "100 us in steps of one";
    EXPECT_LE(looks_of_a_turn(), asleep + 2) << "quiet again";
}

// --- interrupts
// -----------------------------------------------------------------------------------

class Interrupts : public Frames {
protected:
    void use_msix() {
        for (std::uint32_t i = 0; i < 5; i++) {
            EXPECT_FALSE(
                bench.set_irqs(kEventTrigger, vu::kIrqMsix, i, 1, {vectors[i].number()}).failed());
        }
        bench.write_config(0xA2, 2, 0x8000);
        bench.write(r::IVAR, 0x8000'0A98);  // RXQ0: 0, RXQ1: 1, TXQ0: 2.
        bench.write(r::IMS, r::ICR_RXQ0.mask() | r::ICR_TXQ0.mask() | r::ICR_OTHER.mask());
    }
    EventDescriptor line;
    EventDescriptor message;
    std::array<EventDescriptor, 5> vectors;
};

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

// --- memory
// ---------------------------------------------------------------------------------------

TEST_F(Frames, after_unmap_the_range_is_out_of_reach_and_a_new_map_brings_it_back) {
    EXPECT_FALSE(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes).failed());
    bench.send_frame(0, 100, 1);
    EXPECT_TRUE(bench.wire.heard.empty());
    EXPECT_TRUE(bench.log.says("where nothing is mapped"));
    EXPECT_FALSE(
        bench.map(PluginBench::kRam, PluginBench::kRamBytes, bench.ram.number(), 0).failed());
    bench.write(r::CTRL, bench.read(r::CTRL) | r::CTRL_RST.mask());
    bench.advance(milliseconds(50));
    bench.link_up();
    bench.open_rings();
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(bench.wire.heard.size(), 1u);
}

TEST_F(Frames, a_frame_over_the_border_of_two_ranges_is_one_frame) {
    EXPECT_FALSE(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes).failed());
    constexpr std::uint64_t kCut = 0x11000;
    EXPECT_FALSE(bench.map(PluginBench::kRam, kCut, bench.ram.number(), 0).failed());
    EXPECT_FALSE(
        bench.map(PluginBench::kRam + kCut, PluginBench::kRamBytes - kCut, bench.ram.number(), kCut)
            .failed());
    bench.put_frame(1, 1000, 7);
    const std::uint64_t address = PluginBench::kRam + kCut - 500;
    std::memset(bench.at(address), 0x77, 1000);
    store_le64(bench.at(PluginBench::kTxRing), address);
    store_le32(bench.at(PluginBench::kTxRing + 8), 0x0B00'0000 | 1000);
    bench.write(r::TDT, 1);
    ASSERT_EQ(bench.wire.heard.size(), 1u);
    EXPECT_EQ(bench.wire.heard[0].bytes, std::vector<std::uint8_t>(1000, 0x77));
}

TEST_F(Frames, unmap_under_load_never_lets_the_device_touch_what_is_gone) {
    for (std::uint32_t round = 0; round < 50; round++) {
        std::vector<std::uint8_t> all;
        const auto add = [&](vu::Command command, const std::vector<std::uint8_t>& payload,
                             std::uint32_t flags) {
            const auto message = Client::message(command, 1, payload, flags);
            all.insert(all.end(), message.begin(), message.end());
        };
        bench.put_frame(0, 1000, static_cast<std::uint8_t>(round));
        add(vu::Command::kRegionWrite,
            Bytes().append(PluginBench::access(0, r::TDT.offset, 4)).u32(1).bytes, vu::kNoReply);
        add(vu::Command::kDmaUnmap,
            Bytes().u32(24).u32(0).u64(PluginBench::kRam).u64(PluginBench::kRamBytes).bytes, 0);
        bench.client.send_bytes(all);
        bench.server.turn(0);
        ASSERT_EQ(bench.wire.heard.size(), round + 1u) << "sent before the unmap was answered";
        ASSERT_TRUE(bench.client.take_reply().has_value());
        std::vector<std::uint8_t> before(bench.ram.bytes(),
                                         bench.ram.bytes() + PluginBench::kRamBytes);
        bench.arrive(500, 0xEE);
        ASSERT_EQ(std::memcmp(before.data(), bench.ram.bytes(), before.size()), 0)
            << "memory changed after its unmap, round " << round;
        ASSERT_FALSE(
            bench.map(PluginBench::kRam, PluginBench::kRamBytes, bench.ram.number(), 0).failed());
        bench.write(r::CTRL, bench.read(r::CTRL) | r::CTRL_RST.mask());
        bench.advance(milliseconds(50));
        bench.link_up();
        bench.open_rings();
    }
}

TEST(Memory, maps_that_cannot_be_are_refused_and_change_nothing) {
    PluginBench bench;
    bench.open();
    constexpr std::uint64_t kFar = 0x9'0000'0000;
    const int file = bench.ram.number();
    EXPECT_EQ(bench.map(PluginBench::kRam, 0x1000, file, 0).error(), EEXIST);
    EXPECT_EQ(bench.map(PluginBench::kRam - 0x1000, 0x2000, file, 0).error(), EEXIST);
    EXPECT_EQ(bench.map(kFar, 0, file, 0).error(), EINVAL);
    EXPECT_EQ(bench.map(kFar, 0x800, file, 0).error(), EINVAL);
    EXPECT_EQ(bench.map(kFar + 8, 0x1000, file, 0).error(), EINVAL);
    EXPECT_EQ(bench.map(kFar, 0x1000, file, 0x10).error(), EINVAL);
    EXPECT_EQ(bench.map(kFar, 0x1000, file, PluginBench::kRamBytes).error(), EINVAL);
    EXPECT_EQ(bench.map(kFar, 0x2000, file, ~std::uint64_t{0xFFF}).error(), EINVAL);
    EXPECT_EQ(bench.map(~std::uint64_t{0xFFF}, 0x2000, file, 0).error(), EINVAL);
    EventDescriptor event;
    EXPECT_EQ(bench.map(kFar, 0x1000, event.number(), 0).error(), EINVAL) << "no file";
    EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
    EXPECT_EQ(bench.unmap(kFar, 0x1000).error(), ENOENT);
    EXPECT_EQ(bench.unmap(PluginBench::kRam, 0x1000).error(), EINVAL) << "cuts it in two";
    EXPECT_EQ(bench.unmap(PluginBench::kRam, 0).error(), EINVAL);
    EXPECT_EQ(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes, 1).error(), ENOTSUP);
    EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
    EXPECT_FALSE(bench.unmap(0, 0, vu::kUnmapAll).failed());
    EXPECT_EQ(bench.device.memory().ranges().size(), 0u);
}

TEST(Memory, there_is_a_limit_to_the_number_of_maps_and_no_descriptor_is_left_open) {
    PluginBench bench;
    bench.open();
    const int before = dup(0);
    close(before);
    for (std::uint32_t i = 1; i < vu::kMaxDmaMaps; i++) {
        ASSERT_FALSE(
            bench.map(0x9'0000'0000 + i * 0x1000ull, 0x1000, bench.ram.number(), 0).failed());
    }
    EXPECT_EQ(bench.map(0, 0x1000, bench.ram.number(), 0).error(), ENOSPC);
    const int after = dup(0);
    close(after);
    EXPECT_EQ(before, after);
}

TEST(Memory, descriptors_belong_to_the_message_they_were_sent_with) {
    PluginBench bench;
    bench.connect();
    ASSERT_FALSE(bench.say_version().failed());
    // One read brings both: the first map has no descriptor, the second one has.
    bench.client.post(vu::Command::kDmaMap, PluginBench::map_payload(0x10000, 0x1000, 0, 3));
    bench.client.post(vu::Command::kDmaMap, PluginBench::map_payload(0x20000, 0x1000, 0, 3),
                      {bench.ram.number()});
    bench.client.post(vu::Command::kDmaMap, PluginBench::map_payload(0x30000, 0x1000, 0, 3));
    for (int i = 0; i < 3; i++) bench.server.turn(0);
    const auto& ranges = bench.device.memory().ranges();
    ASSERT_EQ(ranges.size(), 3u);
    EXPECT_EQ(ranges[0].bytes, nullptr);
    EXPECT_NE(ranges[1].bytes, nullptr);
    EXPECT_EQ(ranges[2].bytes, nullptr);
}

TEST_F(Frames, memory_without_a_descriptor_is_refused_to_the_device_and_the_cure_is_named) {
    EXPECT_FALSE(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes).failed());
    EXPECT_FALSE(bench.map(PluginBench::kRam, PluginBench::kRamBytes, -1, 0).failed());
    bench.send_frame(0, 100, 1);
    EXPECT_TRUE(bench.wire.heard.empty());
    EXPECT_TRUE(bench.log.says("share=on"));
}

TEST_F(Frames, of_many_failed_accesses_three_are_told_and_all_are_counted) {
    for (std::uint32_t i = 0; i < PluginBench::kRingSize; i++) {
        store_le64(bench.at(PluginBench::kRxRing + i * 16), 0x7'0000'0000);
    }
    EXPECT_FALSE(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes).failed());
    for (std::uint32_t i = 0; i < 10; i++) {
        bench.write(r::TDT, i + 1);
        bench.write(r::CTRL, bench.read(r::CTRL) | r::CTRL_RST.mask());
        bench.advance(milliseconds(50));
        bench.link_up();
        bench.open_rings();
    }
    EXPECT_GT(bench.device.counters().dma_failures, 5u);
    EXPECT_EQ(bench.log.warnings.size(), 3u);
}

TEST_F(Frames, memory_that_may_only_be_read_is_not_written) {
    EXPECT_FALSE(bench.unmap(PluginBench::kRam, PluginBench::kRamBytes).failed());
    EXPECT_FALSE(
        bench.map(PluginBench::kRam, PluginBench::kRamBytes, bench.ram.number(), 0, vu::kMapRead)
            .failed());
    bench.arrive(100, 0x5A);
    EXPECT_EQ(bench.at(PluginBench::kRxBuffers)[0], 0);
    EXPECT_TRUE(bench.log.says("other direction"));
}

TEST(Memory, a_private_mapping_of_the_clients_memory_is_refused_with_the_cure) {
    PluginBench bench;
    bench.connect();
    ASSERT_FALSE(bench.say_version().failed());
    Descriptor file(memfd_create("private", MFD_CLOEXEC));
    ASSERT_EQ(ftruncate(file.number(), 0x10000), 0);
    void* bytes = mmap(nullptr, 0x10000, PROT_READ | PROT_WRITE, MAP_PRIVATE, file.number(), 0);
    ASSERT_NE(bytes, MAP_FAILED);
    EXPECT_EQ(bench.map(0, 0x10000, file.number(), 0).error(), EINVAL);
    EXPECT_TRUE(bench.log.says("share=on"));
    EXPECT_EQ(bench.client.ask(vu::Command::kGetInfo, Bytes().u32(16).u32(0).u64(0).bytes).error(),
              EINVAL)
        << "QEMU goes on after a map that failed, and ends after this";
    munmap(bytes, 0x10000);
}

TEST_F(Frames, memory_that_the_client_takes_away_ends_the_client_and_not_the_server) {
    ASSERT_EQ(ftruncate(bench.ram.number(), 0x1000), 0);
    bench.write(r::TDT, 1);
    EXPECT_TRUE(bench.log.says("shorter"));
    EXPECT_TRUE(bench.client.closed());
    ASSERT_EQ(ftruncate(bench.ram.number(), PluginBench::kRamBytes), 0);
}

TEST_F(Frames, memory_that_is_lost_while_the_client_says_nothing_ends_it_too) {
    ASSERT_EQ(ftruncate(bench.ram.number(), 0x1000), 0);
    bench.arrive(200, 0x3C);
    EXPECT_TRUE(bench.log.says("shorter"));
    EXPECT_TRUE(bench.client.closed());
    ASSERT_EQ(ftruncate(bench.ram.number(), PluginBench::kRamBytes), 0);
}

TEST_F(Frames, the_next_client_does_not_answer_for_memory_that_the_one_before_took_away) {
    ASSERT_EQ(ftruncate(bench.ram.number(), 0x1000), 0);
    FramePtr frame = bench.frames.take();
    frame->resize(200);
    const Picoseconds now_ps = bench.model.timeline().now_ps();
    bench.device.nic().receive(std::move(frame), now_ps, now_ps);
    bench.client.hang_up();
    bench.server.turn(0);
    ASSERT_EQ(bench.server.session(), nullptr);
    EXPECT_FALSE(bench.log.says("shorter")) << "nobody is there to be told";
    ASSERT_EQ(ftruncate(bench.ram.number(), PluginBench::kRamBytes), 0);
    bench.open();
    bench.enable();
    EXPECT_NE(bench.read(r::STATUS), 0xFFFF'FFFFu);
    EXPECT_FALSE(bench.log.says("shorter"));
}

// --- reset, disconnect
// ----------------------------------------------------------------------------

TEST_F(Frames, reset_leaves_maps_and_resets_the_nic) {
    bench.write(r::FCTTV, 0x1234);
    EXPECT_FALSE(bench.client.ask(vu::Command::kReset).failed());
    EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 4) & 7, 0u) << "Command is clear";
    bench.enable();
    EXPECT_EQ(bench.read(r::FCTTV), 0u);
}

TEST_F(Interrupts, reset_releases_the_line) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    bench.write(r::IMS, r::ICR_RXT0.mask());
    bench.arrive(100, 1);
    EXPECT_TRUE(bench.device.interrupts().pin_level());
    EXPECT_FALSE(bench.client.ask(vu::Command::kReset).failed());
    EXPECT_FALSE(bench.device.interrupts().pin_level());
}

TEST_F(Interrupts, reset_forgets_what_no_descriptor_was_there_for) {
    use_msix();
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetTrigger, vu::kIrqMsix, 0, 0).failed());
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 1, 1, {vectors[1].number()}).failed());
    bench.arrive(100, 1);
    EXPECT_EQ(vectors[1].take(), 0u);
    EXPECT_FALSE(bench.client.ask(vu::Command::kReset).failed());
    EXPECT_TRUE(bench.device.interrupts().has_descriptor(vu::kIrqMsix, 1))
        << "what the client has set up is its own";
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 1, {vectors[0].number()}).failed());
    EXPECT_EQ(vectors[0].take(), 0u) << "an interrupt of the time before the reset";
}

TEST(Probe, the_rom_bar_is_forgotten_by_a_reset_and_by_the_next_client) {
    PluginBench bench(PluginBench::quick(), std::vector<std::uint8_t>(5000, 0x55));
    bench.open();
    bench.write_config(0x30, 4, 0xFEA0'0001);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0xFEA0'0001u);
    EXPECT_FALSE(bench.client.ask(vu::Command::kReset).failed());
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0u);
    bench.write_config(0x31, 2, 0xA0FF);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0x00A0'E000u) << "two bytes of it";
    bench.client.hang_up();
    bench.server.turn(0);
    bench.open();
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0x30), 0u);
}

TEST_F(Interrupts, the_next_client_is_not_masked_by_the_one_before) {
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqIntx, 0, 1, {line.number()}).failed());
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetMask, vu::kIrqIntx, 0, 1).failed());
    EXPECT_TRUE(bench.device.interrupts().pin_masked());
    bench.client.hang_up();
    bench.server.turn(0);
    EXPECT_FALSE(bench.device.interrupts().pin_masked());
}

TEST_F(Interrupts, the_next_client_gets_a_nic_as_after_power_on) {
    use_msix();
    bench.write(r::FCTTV, 0x1234);
    bench.client.hang_up();
    bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
    EXPECT_TRUE(bench.device.memory().ranges().empty());
    EXPECT_FALSE(bench.device.interrupts().has_descriptor(vu::kIrqMsix, 0));
    bench.open();
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 4) & 7, 0u);
    bench.enable();
    EXPECT_EQ(bench.read(r::FCTTV), 0u);
    bench.link_up();
    bench.open_rings();
    bench.send_frame(0, 100, 1);
    EXPECT_EQ(bench.wire.heard.size(), 1u);
    EXPECT_EQ(bench.server.clients_served(), 2u);
}

TEST(Disconnect, a_second_client_is_turned_away_while_the_first_is_served) {
    PluginBench bench;
    bench.open();
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    bench.server.adopt(Descriptor(ends[0]));
    Descriptor other(ends[1]);
    char byte = 0;
    EXPECT_EQ(recv(other.number(), &byte, 1, 0), 0);
    EXPECT_TRUE(bench.log.says("turned away"));
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
}

TEST(Disconnect, lines_about_clients_that_are_turned_away_are_limited_and_counted) {
    PluginBench bench;
    bench.open();
    const auto knock = [&] {
        int ends[2];
        ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
        bench.server.adopt(Descriptor(ends[0]));
        close(ends[1]);
    };
    for (int i = 0; i < 200; i++) knock();
    EXPECT_EQ(bench.log.warnings.size(), 10u);
    bench.clock.advance_ns(1'000'000'000);
    knock();
    ASSERT_EQ(bench.log.warnings.size(), 11u);
    EXPECT_THAT(bench.log.warnings.back(), HasSubstr("190 lines left out"));
}

TEST(Disconnect, what_the_client_still_sends_is_drained_before_the_socket_is_closed) {
    PluginBench bench;
    bench.open();
    for (int i = 0; i < 100; i++) {
        bench.client.post(vu::Command::kRegionWrite,
                          Bytes().append(PluginBench::access(0, 0x28, 4)).u32(1).bytes, {},
                          vu::kNoReply);
    }
    bench.server.disconnect();
    ASSERT_NE(bench.server.session(), nullptr) << "the client has not closed its end";
    bench.client.post(vu::Command::kReset, {});
    bench.server.turn(0);
    int unread = -1;
    socklen_t size = sizeof unread;
    EXPECT_EQ(getsockopt(bench.client.number(), SOL_SOCKET, SO_ERROR, &unread, &size), 0);
    EXPECT_EQ(unread, 0) << "a socket closed with unread bytes is a reset connection";
    EXPECT_TRUE(bench.client.closed());
    bench.client.hang_up();
    bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
}

TEST(Disconnect, a_client_that_does_not_close_its_end_is_left_after_a_second) {
    PluginBench bench;
    bench.open();
    bench.server.disconnect();
    bench.server.turn(0);
    EXPECT_NE(bench.server.session(), nullptr);
    bench.clock.advance_ns(1'100'000'000);
    bench.server.turn(0);
    bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
}

TEST(Turn, what_the_model_does_last_is_flushed_in_the_same_turn) {
    PluginBench bench;
    int sent = 0;
    int flushed = 0;
    Task send{[&] { sent++; }};
    bench.server.at_end_of_turn([&] {
        if (sent == 0) {
            bench.model.timeline().schedule(send, bench.model.timeline().now_ps());
        }
        flushed = sent;
    });
    bench.server.turn(0);
    EXPECT_EQ(sent, 1);
    EXPECT_EQ(flushed, 1) << "the next turn may be far away";
}

/// A server with a socket in the file system, where clients queue up.
class AtItsSocket : public ::testing::Test {
protected:
    AtItsSocket() {
        EXPECT_NE(mkdtemp(folder), nullptr);
        std::string why;
        ListeningSocket socket = ListeningSocket::open_at(path(), why);
        EXPECT_TRUE(socket.open()) << why;
        bench.server.listen(std::move(socket));
    }
    ~AtItsSocket() override {
        bench.server.stop_listening();
        rmdir(folder);
    }
    [[nodiscard]] std::string path() const { return std::string(folder) + "/nic"; }
    [[nodiscard]] Descriptor dial() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path().c_str(), path().size());
        Descriptor client(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
        EXPECT_EQ(
            connect(client.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
            0);
        return client;
    }
    /// Whether a VERSION is answered within some turns.
    [[nodiscard]] bool greeted(const Descriptor& client) {
        const auto version =
            Client::message(vu::Command::kVersion, 1, Bytes().u16(0).u16(0).u8(0).bytes);
        if (send_with_files(client.number(), version, {}) < 0) return false;
        for (int i = 0; i < 8; i++) {
            bench.server.turn(0);
            std::uint8_t reply[1024];
            const ssize_t size = recv(client.number(), reply, sizeof reply, MSG_DONTWAIT);
            if (size == 0) return false;
            if (size > 0) return (vu::Header::load(reply).flags & vu::kError) == 0;
        }
        return false;
    }
    static void post_write(const Descriptor& client) {
        const auto write = Client::message(vu::Command::kRegionWrite, 2,
                                           Bytes().access(0, 0x28, 4).u32(1).bytes, vu::kNoReply);
        EXPECT_GT(send_with_files(client.number(), write, {}), 0);
    }
    PluginBench bench;
    char folder[32] = "/tmp/doorbell_XXXXXX";
};

TEST_F(AtItsSocket, a_client_is_not_turned_away_for_one_who_left_messages_behind) {
    Descriptor first = dial();
    ASSERT_TRUE(greeted(first));
    for (int i = 0; i < 3; i++) {
        post_write(first);
        first.close();
        Descriptor next = dial();
        EXPECT_TRUE(greeted(next)) << "both came within one turn of the server";
        first = std::move(next);
    }
    EXPECT_FALSE(bench.log.says("turned away"));
    EXPECT_EQ(bench.server.clients_served(), 4u);
    const Session::Counters& earlier = bench.server.earlier_sessions();
    EXPECT_EQ(earlier.messages, 6u) << "a VERSION and a write of each that has gone";
    EXPECT_EQ(earlier.region_writes, 3u);
    EXPECT_EQ(earlier.region_reads + earlier.errors, 0u);
    EXPECT_GE(earlier.receives, 3u);
}

TEST_F(AtItsSocket, a_client_waits_while_the_one_before_is_seen_off) {
    const Descriptor first = dial();
    ASSERT_TRUE(greeted(first));
    bench.server.disconnect();
    const Descriptor next = dial();
    bench.server.turn(0);
    EXPECT_EQ(bench.server.clients_served(), 1u);
    bench.clock.advance_ns(1'100'000'000);
    EXPECT_TRUE(greeted(next));
    EXPECT_FALSE(bench.log.says("turned away"));
}

TEST_F(AtItsSocket, one_who_only_looks_whether_somebody_listens_is_not_a_client_that_was_served) {
    { const Descriptor passer_by = dial(); }
    for (int i = 0; i < 3; i++) bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
    EXPECT_EQ(bench.server.clients_served(), 0u);
    const Descriptor first = dial();
    ASSERT_TRUE(greeted(first));
    EXPECT_EQ(bench.server.clients_served(), 1u);
}

TEST_F(AtItsSocket, one_who_sent_anything_at_all_is_a_client_that_was_served) {
    for (const std::size_t size : {1u, 15u, 64u}) {
        const std::uint64_t before = bench.server.clients_served();
        {
            const Descriptor client = dial();
            const std::vector<std::uint8_t> garbage(size, 0);
            ASSERT_EQ(send(client.number(), garbage.data(), size, MSG_NOSIGNAL),
                      static_cast<ssize_t>(size));
        }
        for (int i = 0; i < 4; i++) bench.server.turn(0);
        EXPECT_EQ(bench.server.session(), nullptr);
        EXPECT_EQ(bench.server.clients_served(), before + 1) << size << " bytes";
        EXPECT_THAT(bench.log.infos.back(), Not(HasSubstr("without a word")));
    }
}

TEST_F(AtItsSocket, one_who_says_nothing_keeps_nobody_out_for_more_than_five_seconds) {
    const Descriptor silent = dial();
    bench.server.turn(0);
    bench.clock.advance_ns(4'900'000'000);
    EXPECT_FALSE(greeted(dial())) << "it may still be starting";
    EXPECT_TRUE(bench.log.says("turned away"));
    bench.clock.advance_ns(200'000'000);
    const Descriptor next = dial();
    bench.server.turn(0);
    EXPECT_TRUE(bench.log.says("has said nothing for 5 s"));
    bench.clock.advance_ns(1'100'000'000);
    EXPECT_TRUE(greeted(next));
}

TEST_F(AtItsSocket, one_who_is_served_is_not_put_out_however_long_it_is_silent) {
    const Descriptor first = dial();
    ASSERT_TRUE(greeted(first));
    const std::uint8_t half_a_message[8] = {};
    ASSERT_EQ(send(first.number(), half_a_message, sizeof half_a_message, 0), 8);
    bench.server.turn(0);
    bench.clock.advance_ns(60'000'000'000);
    EXPECT_FALSE(greeted(dial()));
    EXPECT_NE(bench.server.session()->state(), Session::State::kClosing);
    EXPECT_EQ(bench.server.clients_served(), 1u);
}

/// Lets this process open no more descriptors than it has.
class NoMoreDescriptors {
public:
    NoMoreDescriptors() {
        EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before_), 0);
        const int next = dup(0);
        close(next);
        rlimit limit = before_;
        limit.rlim_cur = static_cast<rlim_t>(next);
        EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before_); }
    NoMoreDescriptors(const NoMoreDescriptors&) = delete;
    NoMoreDescriptors& operator=(const NoMoreDescriptors&) = delete;

private:
    rlimit before_{};
};

TEST_F(AtItsSocket, a_client_for_whom_no_descriptor_is_left_waits_and_is_taken_when_there_is_one) {
    // UBSan asks through a pipe about an object it has not met: all are met before none can be had.
    {
        const Descriptor earlier = dial();
        ASSERT_TRUE(greeted(earlier));
    }
    for (int i = 0; i < 20; i++) {
        bench.clock.advance_ns(100'000'000);
        bench.server.turn(0);
    }
    ASSERT_EQ(bench.server.session(), nullptr);
    const Descriptor client = dial();
    {
        const NoMoreDescriptors none;
        for (int i = 0; i < 50; i++) {
            if (i % 10 == 9) bench.clock.advance_ns(100'000'000);
            bench.server.turn(0);
        }
    }
    bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr) << "it looks again after 100 ms, and does not spin";
    ASSERT_EQ(bench.log.warnings.size(), 1u) << "said once";
    EXPECT_TRUE(bench.log.says("ulimit -n"));
    EXPECT_EQ(bench.server.session(), nullptr);
    bench.clock.advance_ns(100'000'000);
    EXPECT_TRUE(greeted(client));
}

TEST_F(AtItsSocket, the_path_goes_when_it_listens_no_more_and_who_waits_there_is_not_served) {
    const Descriptor waiting = dial();
    bench.server.stop_listening();
    EXPECT_NE(access(path().c_str(), F_OK), 0);
    bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
    char byte = 0;
    EXPECT_LE(recv(waiting.number(), &byte, 1, 0), 0);
}

// --- messages that are wrong
// ----------------------------------------------------------------------

TEST(Malformed, a_size_below_the_header_ends_the_connection) {
    PluginBench bench;
    bench.open();
    auto message = Client::message(vu::Command::kReset, 1, {});
    store_le32(&message[4], 15);
    bench.client.send_bytes(message);
    bench.server.turn(0);
    EXPECT_TRUE(bench.log.says("fewer than its header"));
    EXPECT_TRUE(bench.client.closed());
}

TEST(Malformed, a_size_beyond_the_longest_message_ends_the_connection) {
    PluginBench bench;
    bench.open();
    auto message = Client::message(vu::Command::kReset, 1, {});
    store_le32(&message[4], vu::kMaxMessageBytes + 1);
    bench.client.send_bytes(message);
    bench.server.turn(0);
    EXPECT_TRUE(bench.log.says("longest message"));
    EXPECT_TRUE(bench.client.closed());
}

TEST(Malformed, the_longest_message_is_taken) {
    PluginBench bench;
    bench.open();
    std::vector<std::uint8_t> payload = PluginBench::access(0, 0, vu::kMaxDataBytes);
    payload.resize(payload.size() + vu::kMaxDataBytes);
    const auto message = Client::message(vu::Command::kRegionWrite, 7, payload);
    std::size_t sent = 0;
    for (int i = 0; i < 1000 && sent < message.size(); i++) {
        const ssize_t size =
            send(bench.client.number(), message.data() + sent, message.size() - sent, MSG_DONTWAIT);
        if (size > 0) sent += static_cast<std::size_t>(size);
        bench.server.turn(0);
    }
    ASSERT_EQ(sent, message.size());
    bench.server.turn(0);
    const auto reply = bench.client.take_reply();
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(reply->error(), EINVAL) << "BAR0 is not that long";
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
}

TEST(Malformed, every_command_cut_short_is_an_error_and_the_next_message_is_served) {
    PluginBench bench;
    bench.open();
    const std::pair<vu::Command, std::size_t> lengths[] = {
        {vu::Command::kDmaMap, 32},        {vu::Command::kDmaUnmap, 24},
        {vu::Command::kGetRegionInfo, 32}, {vu::Command::kGetIrqInfo, 16},
        {vu::Command::kSetIrqs, 20},       {vu::Command::kRegionRead, 16},
        {vu::Command::kRegionWrite, 16},   {vu::Command::kRegionWriteMulti, 8},
        {vu::Command::kVersion, 4}};
    for (const auto& [command, length] : lengths) {
        bench.clock.advance_ns(10'000'000'000);
        for (const std::size_t size : {std::size_t{0}, length - 1}) {
            const Reply reply = bench.client.ask(command, std::vector<std::uint8_t>(size));
            EXPECT_EQ(reply.error(), EINVAL) << static_cast<int>(command) << " with " << size;
        }
        EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
    }
}

TEST(Malformed, a_message_that_says_it_is_shorter_than_its_fixed_part_is_refused) {
    PluginBench bench;
    bench.open();
    const std::pair<vu::Command, std::uint32_t> lengths[] = {
        {vu::Command::kDmaMap, 32},     {vu::Command::kDmaUnmap, 24},
        {vu::Command::kGetInfo, 16},    {vu::Command::kGetRegionInfo, 32},
        {vu::Command::kGetIrqInfo, 16}, {vu::Command::kSetIrqs, 20}};
    for (const auto& [command, length] : lengths) {
        bench.clock.advance_ns(10'000'000'000);
        std::vector<std::uint8_t> payload(length);
        if (command == vu::Command::kDmaMap) {
            payload = PluginBench::map_payload(0x9'0000'0000, 0x1000, 0, 3);
        } else if (command == vu::Command::kDmaUnmap) {
            store_le64(&payload[8], PluginBench::kRam);
            store_le64(&payload[16], PluginBench::kRamBytes);
        } else if (command == vu::Command::kSetIrqs) {
            store_le32(&payload[4], vu::kSetDataNone | vu::kSetTrigger);
            store_le32(&payload[8], vu::kIrqMsix);
        }
        for (const std::uint32_t argsz : {0u, length - 1}) {
            store_le32(&payload[0], argsz);
            EXPECT_EQ(bench.client.ask(command, payload).error(), EINVAL)
                << static_cast<int>(command) << " with " << argsz;
        }
        EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
        store_le32(&payload[0], length + 4);
        EXPECT_FALSE(bench.client.ask(command, payload).failed())
            << static_cast<int>(command) << " with room for more";
        if (command == vu::Command::kDmaMap) {
            EXPECT_FALSE(bench.unmap(0x9'0000'0000, 0x1000).failed());
        } else if (command == vu::Command::kDmaUnmap) {
            EXPECT_FALSE(bench.map(PluginBench::kRam, PluginBench::kRamBytes, -1, 0).failed());
        }
    }
}

TEST(Malformed, a_question_for_the_device_without_a_payload_is_refused) {
    PluginBench bench;
    bench.open();
    EXPECT_EQ(bench.client.ask(vu::Command::kGetInfo).error(), EINVAL);
    EXPECT_EQ(bench.client.ask(vu::Command::kGetInfo, std::vector<std::uint8_t>(15)).error(),
              EINVAL);
}

TEST(Memory, a_map_without_a_right_or_with_flags_that_are_not_known_is_refused) {
    PluginBench bench;
    bench.open();
    constexpr std::uint64_t kFar = 0x9'0000'0000;
    const int file = bench.ram.number();
    for (const std::uint32_t flags : {0u, 4u, 7u, 0xF000'0003u}) {
        EXPECT_EQ(bench.map(kFar, 0x1000, file, 0, flags).error(), EINVAL) << flags;
    }
    EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
    for (const std::uint32_t flags : {1u, 2u, 3u}) {
        EXPECT_FALSE(bench.map(kFar + flags * 0x1000, 0x1000, file, 0, flags).failed()) << flags;
    }
}

TEST(Memory, an_unmap_of_all_that_names_a_range_or_more_flags_is_refused) {
    PluginBench bench;
    bench.open();
    EXPECT_EQ(bench.unmap(PluginBench::kRam, 0, vu::kUnmapAll).error(), EINVAL);
    EXPECT_EQ(bench.unmap(0, PluginBench::kRamBytes, vu::kUnmapAll).error(), EINVAL);
    EXPECT_EQ(bench.unmap(0, 0, vu::kUnmapAll | 1).error(), ENOTSUP);
    EXPECT_EQ(bench.device.memory().ranges().size(), 1u);
    EXPECT_FALSE(bench.unmap(0, 0, vu::kUnmapAll).failed());
    EXPECT_TRUE(bench.device.memory().ranges().empty());
}

TEST(Malformed, commands_that_are_not_known_or_not_supported_say_so) {
    PluginBench bench;
    bench.open();
    for (const int command : {0, 6, 14, 16, 17, 18, 19, 77, 0xFFFF}) {
        bench.clock.advance_ns(1'000'000'000);
        const Reply reply =
            bench.client.ask(static_cast<vu::Command>(command), std::vector<std::uint8_t>(24));
        EXPECT_EQ(reply.error(), ENOTSUP) << command;
    }
    for (const int command : {11, 12}) {
        const Reply reply =
            bench.client.ask(static_cast<vu::Command>(command), std::vector<std::uint8_t>(24));
        EXPECT_EQ(reply.error(), EINVAL) << command;
    }
    EXPECT_TRUE(bench.log.says("command 77"));
}

TEST(Malformed, what_wants_no_reply_gets_none_not_even_an_error) {
    PluginBench bench;
    bench.open();
    for (const int command : {2, 3, 5, 7, 8, 9, 10, 15, 77}) {
        bench.client.post(static_cast<vu::Command>(command), {}, {}, vu::kNoReply);
    }
    bench.client.post(vu::Command::kRegionRead, PluginBench::access(7, 0, 4), {}, vu::kNoReply);
    bench.client.post(vu::Command::kReset, {}, {}, vu::kNoReply);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u) << "the one that was asked for";
    EXPECT_FALSE(bench.client.take_reply().has_value());
    EXPECT_EQ(bench.server.session()->counters().errors, 9u);
}

TEST(Malformed, a_reply_that_nobody_asked_for_is_ignored_with_a_line) {
    PluginBench bench;
    bench.open();
    bench.client.post(vu::Command::kDmaRead, std::vector<std::uint8_t>(16), {}, vu::kTypeReply);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
    EXPECT_TRUE(bench.log.says("reply to nothing"));
}

TEST(Malformed, accesses_outside_of_a_region_are_errors_and_touch_nothing) {
    PluginBench bench;
    bench.open();
    bench.enable();
    EXPECT_EQ(bench.region_read(0, 131072, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(0, 131070, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(0, ~std::uint64_t{0}, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(1, 0, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(8, 0, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(0xFFFF'FFFF, 0, 4).error(), EINVAL);
    EXPECT_EQ(bench.region_read(vu::kConfigRegion, 0, 4097).error(), EINVAL);
    EXPECT_EQ(bench.region_read(0, 0, vu::kMaxDataBytes + 1).error(), EINVAL);
    EXPECT_EQ(bench.region_read(0, 0, 0xFFFF'FFFF).error(), EINVAL);
    EXPECT_EQ(bench.client
                  .ask(vu::Command::kRegionWrite,
                       Bytes().append(PluginBench::access(0, 131072, 4)).u32(0).bytes)
                  .error(),
              EINVAL);
    EXPECT_EQ(bench.client
                  .ask(vu::Command::kRegionWrite,
                       Bytes().append(PluginBench::access(0, 0, 8)).u32(0).bytes)
                  .error(),
              EINVAL)
        << "says more than it brings";
    EXPECT_FALSE(bench.region_read(0, 131072, 0).failed()) << "nothing at the end is nothing";
}

TEST(Malformed, parts_of_registers_are_not_written_and_whole_ones_between_them_are) {
    PluginBench bench;
    bench.open();
    bench.enable();
    bench.write(r::RDBAL, 0x10);
    bench.write(r::RDBAH, 0x20);
    const auto post = [&](std::uint64_t offset, std::uint32_t bytes) {
        std::vector<std::uint8_t> payload = PluginBench::access(0, offset, bytes);
        payload.resize(payload.size() + bytes, 0x70);
        EXPECT_FALSE(bench.client.ask(vu::Command::kRegionWrite, payload).failed());
    };
    post(r::RDBAL.offset, 1);
    post(r::RDBAL.offset + 2, 2);
    post(r::RDBAL.offset + 1, 4);
    post(r::RDBAL.offset, 0);
    EXPECT_EQ(bench.read(r::RDBAL), 0x10u);
    EXPECT_EQ(bench.read(r::RDBAH), 0x20u);
    post(r::RDBAL.offset + 2, 8);
    EXPECT_EQ(bench.read(r::RDBAL), 0x10u);
    EXPECT_EQ(bench.read(r::RDBAH), 0x7070'7070u);
    EXPECT_EQ(bench.read(r::RDLEN), 0u);
}

TEST(Malformed, a_write_multi_that_lies_about_its_count_writes_nothing) {
    PluginBench bench;
    bench.open();
    bench.enable();
    for (const std::uint64_t count :
         {std::uint64_t{2}, ~std::uint64_t{0}, ~std::uint64_t{0} / 24 + 2}) {
        EXPECT_EQ(bench.client
                      .ask(vu::Command::kRegionWriteMulti,
                           Bytes()
                               .u64(count)
                               .append(PluginBench::access(0, r::FCTTV.offset, 4))
                               .u64(7)
                               .bytes)
                      .error(),
                  EINVAL);
    }
    EXPECT_EQ(bench.read(r::FCTTV), 0u);
    EXPECT_EQ(bench.client
                  .ask(vu::Command::kRegionWriteMulti,
                       Bytes()
                           .u64(2)
                           .append(PluginBench::access(9, 0, 4))
                           .u64(1)
                           .append(PluginBench::access(0, r::FCTTV.offset, 9))
                           .u64(7)
                           .bytes)
                  .error(),
              EINVAL);
    EXPECT_EQ(bench.read(r::FCTTV), 0u);
}

TEST(Malformed, interrupts_that_do_not_exist_or_two_actions_at_once_are_refused) {
    PluginBench bench;
    bench.open();
    EventDescriptor event;
    const std::vector<int> one = {event.number()};
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 5, 1, one).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0xFFFF'FFFF, 2, one).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 1, 0xFFFF'FFFF, one).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqRequest, 0, 1, one).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, 5, 0, 1, one).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger | vu::kSetMask, vu::kIrqIntx, 0, 1, one).error(),
              EINVAL);
    EXPECT_EQ(bench.set_irqs(vu::kSetTrigger, vu::kIrqIntx, 0, 1).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(vu::kSetDataNone, vu::kIrqIntx, 0, 1).error(), EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 2, one).error(), EINVAL);
    bench.clock.advance_ns(10'000'000'000);
    EXPECT_EQ(bench.set_irqs(vu::kSetDataNone | vu::kSetMask, vu::kIrqMsix, 0, 1).error(), EINVAL);
    EXPECT_EQ(
        bench.set_irqs(vu::kSetDataBool | vu::kSetTrigger, vu::kIrqMsix, 0, 5, {}, {1}).error(),
        EINVAL);
    EXPECT_EQ(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 1, {bench.ram.number()}).error(),
              EINVAL)
        << "a file is no event";
    EXPECT_FALSE(bench.device.interrupts().has_descriptor(vu::kIrqMsix, 0));
}

TEST(Malformed, an_event_that_would_block_and_is_full_stops_nobody) {
    PluginBench bench;
    bench.open();
    const Descriptor blocking(eventfd(0, EFD_CLOEXEC));
    const std::uint64_t full = ~std::uint64_t{0} - 1;
    ASSERT_EQ(write(blocking.number(), &full, sizeof full), ssize_t{sizeof full});
    EXPECT_FALSE(bench.set_irqs(kEventTrigger, vu::kIrqMsix, 0, 1, {blocking.number()}).failed());
    EXPECT_FALSE(bench.set_irqs(vu::kSetDataNone | vu::kSetTrigger, vu::kIrqMsix, 0, 1).failed());
    bench.server.turn(0);
    EXPECT_EQ(bench.device.interrupts().delivered(vu::kIrqMsix, 0), 0u);
}

TEST(Malformed, too_many_descriptors_end_the_connection_and_none_is_left_open) {
    PluginBench bench;
    bench.open();
    const int before = dup(0);
    close(before);
    bench.client.send_bytes(Client::message(vu::Command::kReset, 1, {}),
                            std::vector<int>(20, bench.ram.number()));
    bench.server.turn(0);
    EXPECT_TRUE(bench.log.says("file descriptors"));
    EXPECT_TRUE(bench.client.closed());
    bench.client.hang_up();
    bench.server.turn(0);
    const int after = dup(0);
    close(after);
    EXPECT_LE(after, before);
}

TEST(Malformed, descriptors_that_this_process_has_no_room_for_are_not_blamed_on_the_client) {
    PluginBench bench;
    bench.connect();
    ASSERT_FALSE(bench.say_version().failed());
    {
        const NoMoreDescriptors none;
        bench.client.post(vu::Command::kDmaMap, PluginBench::map_payload(0, 0x1000, 0, 3),
                          {bench.ram.number()});
        bench.server.turn(0);
    }
    EXPECT_TRUE(bench.log.says("ulimit -n"));
    EXPECT_FALSE(bench.log.says("with one message"));
    EXPECT_TRUE(bench.client.closed());
}

TEST(Malformed, a_client_that_hands_over_its_own_socket_and_goes_is_gone) {
    PluginBench bench;
    bench.open();
    auto part = Client::message(vu::Command::kDmaMap, 1, std::vector<std::uint8_t>(32));
    part.resize(20);
    bench.client.send_bytes(part, {bench.client.number()});
    bench.client.hang_up();
    for (int i = 0; i < 4; i++) bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
    EXPECT_TRUE(bench.log.says("a socket came"));
}

TEST(Malformed, descriptors_that_a_message_has_no_use_for_are_closed) {
    PluginBench bench;
    bench.open();
    const int before = dup(0);
    close(before);
    for (int i = 0; i < 100; i++) {
        EXPECT_FALSE(
            bench.client.ask(vu::Command::kReset, {}, {bench.ram.number(), bench.ram.number()})
                .failed());
    }
    const int after = dup(0);
    close(after);
    EXPECT_LE(after, before + 2);
}

TEST(Malformed, lines_about_a_client_are_limited_and_counted) {
    PluginBench bench;
    bench.open();
    for (int i = 0; i < 1000; i++) (void)bench.region_read(9, 0, 4);
    EXPECT_EQ(bench.log.warnings.size(), 10u);
    bench.clock.advance_ns(1'000'000'000);
    (void)bench.region_read(9, 0, 4);
    ASSERT_EQ(bench.log.warnings.size(), 11u);
    EXPECT_THAT(bench.log.warnings.back(), HasSubstr("990 lines left out"));
    (void)bench.region_read(9, 0, 4);
    EXPECT_EQ(bench.log.warnings.size(), 11u) << "one a second";
}

TEST(Malformed, a_client_that_sends_and_never_reads_is_not_read_from_and_memory_stays_bounded) {
    PluginBench bench;
    bench.open();
    const auto message =
        Client::message(vu::Command::kRegionRead, 1, PluginBench::access(7, 0, 4096));
    std::uint64_t sent = 0;
    for (int i = 0; i < 20'000; i++) {
        const ssize_t size =
            send(bench.client.number(), message.data(), message.size(), MSG_DONTWAIT);
        if (size == static_cast<ssize_t>(message.size())) sent++;
        if (i % 16 == 0) bench.server.turn(0);
    }
    EXPECT_LT(sent, 10'000u) << "the socket has filled up";
    EXPECT_EQ(bench.server.session()->events() & POLLIN, 0) << "else the loop would spin";
    const std::uint64_t served = bench.server.session()->counters().messages;
    for (int i = 0; i < 100; i++) bench.server.turn(0);
    EXPECT_EQ(bench.server.session()->counters().messages, served);
    // It reads at last, and everything it asked is answered.
    std::uint64_t replies = 0;
    for (int i = 0; i < 20'000 && replies < sent; i++) {
        while (bench.client.take_reply().has_value()) replies++;
        bench.server.turn(0);
    }
    EXPECT_EQ(replies, sent);
}

TEST(Malformed, short_questions_with_long_answers_in_one_receive_do_not_pile_up_answers) {
    PluginBench bench;
    bench.open();
    constexpr std::uint16_t kQuestions = 2000;
    std::vector<std::uint8_t> all;
    for (std::uint16_t i = 0; i < kQuestions; i++) {
        const auto message =
            Client::message(vu::Command::kRegionRead, i, PluginBench::access(7, 0, 4096));
        all.insert(all.end(), message.begin(), message.end());
    }
    bench.client.send_bytes(all);
    const std::uint64_t before = bench.server.session()->counters().messages;
    bench.server.turn(0);
    EXPECT_LT(bench.server.session()->counters().messages - before, 400u)
        << "what the socket takes and 64 KiB";
    for (int i = 0; i < 100; i++) bench.server.turn(0);
    EXPECT_LT(bench.server.session()->counters().messages - before, 400u);
    EXPECT_EQ(bench.server.session()->events() & POLLIN, 0);
    std::uint16_t replies = 0;
    for (int i = 0; i < 20'000 && replies < kQuestions; i++) {
        while (const auto reply = bench.client.take_reply()) {
            ASSERT_EQ(reply->header.id, replies++) << "in their order";
            ASSERT_EQ(reply->payload.size(), 16u + 4096);
        }
        bench.server.turn(0);
    }
    EXPECT_EQ(replies, kQuestions);
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
}

TEST(Malformed, one_who_never_reads_its_answers_and_goes_is_gone) {
    PluginBench bench;
    bench.open();
    std::vector<std::uint8_t> all;
    for (std::uint16_t i = 0; i < 500; i++) {
        const auto message =
            Client::message(vu::Command::kRegionRead, i, PluginBench::access(7, 0, 4096));
        all.insert(all.end(), message.begin(), message.end());
    }
    bench.client.send_bytes(all);
    bench.server.turn(0);
    ASSERT_NE(bench.server.session(), nullptr);
    bench.client.hang_up();
    for (int i = 0; i < 4; i++) bench.server.turn(0);
    EXPECT_EQ(bench.server.session(), nullptr);
}

TEST(Malformed, noise_ends_in_errors_or_a_closed_connection_and_the_next_client_is_served) {
    std::uint64_t state = 88172645463325252ull;
    const auto random = [&] {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        return state;
    };
    PluginBench bench;
    for (int round = 0; round < 300; round++) {
        bench.connect();
        if (round % 2 == 0) (void)bench.say_version();
        for (int i = 0; i < 20; i++) {
            std::vector<std::uint8_t> payload(random() % 80);
            for (std::uint8_t& byte : payload) byte = static_cast<std::uint8_t>(random());
            auto message = Client::message(static_cast<vu::Command>(random() % 20),
                                           static_cast<std::uint16_t>(random()), payload,
                                           static_cast<std::uint32_t>(random() % 64));
            if (random() % 10 == 0) store_le32(&message[4], static_cast<std::uint32_t>(random()));
            iovec part{message.data(), message.size()};
            msghdr header{};
            header.msg_iov = &part;
            header.msg_iovlen = 1;
            (void)sendmsg(bench.client.number(), &header, MSG_NOSIGNAL);
            bench.server.turn(0);
        }
        bench.client.hang_up();
        bench.server.turn(0);
        ASSERT_EQ(bench.server.session(), nullptr) << "round " << round;
    }
    bench.open();
    EXPECT_EQ(bench.read_dword(vu::kConfigRegion, 0), 0x10D3'8086u);
}

}  // namespace
}  // namespace doorbell::plugin::test
