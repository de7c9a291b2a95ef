#include "hw/plugin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "hw/plugin/server_fixtures_test.hpp"

namespace doorbell::plugin::test {
namespace {

using ::testing::HasSubstr;

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
