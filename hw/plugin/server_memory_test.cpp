#include "hw/plugin/server.hpp"

#include <gtest/gtest.h>

#include <cerrno>

#include "hw/plugin/server_fixtures_test.hpp"

namespace doorbell::plugin::test {
namespace {

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

}  // namespace
}  // namespace doorbell::plugin::test
