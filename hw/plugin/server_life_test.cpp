#include "hw/plugin/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <cstdlib>

#include "hw/plugin/server_fixtures_test.hpp"

namespace doorbell::plugin::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

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

TEST_F(AtItsSocket, a_client_for_whom_no_descriptor_is_left_waits_and_is_taken_when_there_is_one) {
    // Once before none can be had (NoMoreDescriptors).
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

}  // namespace
}  // namespace doorbell::plugin::test
