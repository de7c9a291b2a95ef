#include "hw/plugin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "hw/plugin/server_fixtures_test.hpp"

namespace doorbell::plugin::test {
namespace {

using ::testing::HasSubstr;

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

}  // namespace
}  // namespace doorbell::plugin::test
