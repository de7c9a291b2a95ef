// Frames through the assembled NIC: out, in, and back through the loopbacks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/loopback.hpp"
#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

using ::testing::ElementsAre;

/// What happened to host memory and interrupts, without the reads.
std::vector<Mastered> posted(const NicBench& nic) {
    std::vector<Mastered> entries;
    for (const Mastered& entry : nic.host.log) {
        if (entry.kind != Mastered::Kind::kRead) entries.push_back(entry);
    }
    return entries;
}

TEST(Transmit, a_frame_leaves_with_a_good_fcs_and_its_descriptor_comes_back_done) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    const std::vector<std::uint8_t> frame = NicBench::broadcast(1000);
    const Picoseconds doorbell_ps = nic.timeline.now_ps();
    nic.send(frame);
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(nic.wire.heard.size(), 1u);
    EXPECT_EQ(nic.wire.heard[0].bytes, frame);
    EXPECT_TRUE(nic.wire.heard[0].fcs_good);
    EXPECT_EQ(nic.wire.heard[0].end_ps - nic.wire.heard[0].start_ps, (8 + 1004) * 8'000u);
    EXPECT_GT(nic.wire.heard[0].start_ps, doorbell_ps + microseconds(1)) << "PCIe takes time";
    EXPECT_TRUE(nic.tx_done(0));
    EXPECT_EQ(nic.read(r::TDH), 1u);
}

TEST(Transmit, the_msix_message_follows_the_write_back) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    nic.use_msix();
    nic.host.log.clear();
    nic.send(NicBench::broadcast(60));
    ASSERT_TRUE(nic.timeline.settle());
    const std::vector<Mastered> entries = posted(nic);
    ASSERT_EQ(entries.size(), 2u);
    EXPECT_EQ(entries[0].kind, Mastered::Kind::kWrite);
    EXPECT_EQ(entries[0].address & ~0xFull, NicBench::kTxRing);
    EXPECT_EQ(entries[1].kind, Mastered::Kind::kMessage);
    EXPECT_EQ(entries[1].value, 0x4021u) << "vector 1";
    EXPECT_GE(entries[1].time_ps, entries[0].time_ps);
}

TEST(Receive, data_then_descriptor_then_message) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    nic.use_msix();
    ASSERT_TRUE(nic.timeline.settle());
    nic.host.log.clear();
    const std::vector<std::uint8_t> frame = NicBench::broadcast(700);
    nic.arrive(frame);
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0), frame);
    const std::vector<Mastered> entries = posted(nic);
    ASSERT_EQ(entries.size(), 3u);
    EXPECT_EQ(entries[0].address, NicBench::kRxBuffers);
    EXPECT_EQ(entries[1].address, NicBench::kRxRing);
    EXPECT_EQ(entries[2].kind, Mastered::Kind::kMessage);
    EXPECT_EQ(entries[2].value, 0x4020u) << "vector 0";
    EXPECT_EQ(nic.read(r::GPRC), 1u);
}

TEST(Receive, nothing_is_heard_without_link) {
    NicBench nic;
    nic.enable();
    nic.open_rings();
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_FALSE(nic.rx_done(0));
    EXPECT_EQ(nic.read(r::TPR), 0u);
}

// Section 9.5.
TEST(BusMaster, without_it_nothing_moves_and_with_it_everything_resumes) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    ASSERT_TRUE(nic.timeline.settle());
    nic.nic.config_write(0x04, 2, 0x0003);
    nic.host.log.clear();
    nic.send(NicBench::broadcast(60));
    nic.arrive(NicBench::broadcast(60));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(nic.host.log.empty());
    nic.nic.config_write(0x04, 2, 0x0007);
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_TRUE(nic.tx_done(0));
    EXPECT_TRUE(nic.rx_done(0)) << "it had waited in the FIFO";
}

// Section 9.3.
TEST(MasterDisable, status_says_when_the_last_request_is_done) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    ASSERT_TRUE(nic.timeline.settle());
    nic.send(NicBench::broadcast(1500));
    nic.set(r::CTRL_GIO_MASTER_DISABLE, 1);
    EXPECT_EQ(r::STATUS_GIO_MASTER_EN.get(nic.read(r::STATUS)), 1u) << "a fetch is under way";
    EXPECT_TRUE(nic.poll(r::STATUS_GIO_MASTER_EN, 0, microseconds(1), 100));
    const std::size_t accesses = nic.host.log.size();
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.host.log.size(), accesses);
}

// --- section 4.7 --------------------------------------------------------------------------------

TEST(MacLoopback, frames_return_without_link_and_the_wire_hears_nothing) {
    NicBench nic;
    nic.enable();
    nic.open_rings();
    nic.set(r::RCTL_LBM, 1);
    const std::vector<std::uint8_t> frame = NicBench::broadcast(300);
    nic.send(frame);
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0), frame);
    EXPECT_TRUE(nic.wire.heard.empty());
    EXPECT_GT(nic.nic.time_stamps().last_heard_ps(), 0u);
}

// A frame that turns round meets the receiver, which wants its checksums done.
TEST(MacLoopback, a_wire_that_takes_work_off_the_nic_is_not_believed_while_frames_turn) {
    struct NoTimes final : FrameTimePort {
        bool frame_started(Direction, const Frame&, Picoseconds) override { return false; }
        [[nodiscard]] bool stamp_received(const Frame&) override { return false; }
    } times;
    ManualTimeline timeline;
    DeviceState state;
    FarEnd wire;
    wire.takes = {true, true, true};
    const Loopback loopback(timeline, {}, state, wire, times);
    EXPECT_TRUE(loopback.offloads().checksums);
    for (bool DeviceState::*turns : {&DeviceState::mac_loopback, &DeviceState::phy_loopback}) {
        state.*turns = true;
        EXPECT_FALSE(loopback.offloads().checksums);
        EXPECT_FALSE(loopback.offloads().trains);
        EXPECT_FALSE(loopback.offloads().untimed);
        state.*turns = false;
    }
}

// --- the PHY's latency --------------------------------------------------------------------------

enum class Way { kOut, kIn, kMacLoopback, kPhyLoopback };

/// When a frame that goes this way has come to its end: is on the wire, or in host memory.
Picoseconds end_of(Way way, Picoseconds tx_latency_ps, Picoseconds rx_latency_ps) {
    NicParams params = NicBench::quick();
    params.phy.tx_latency_ps = tx_latency_ps;
    params.phy.rx_latency_ps = rx_latency_ps;
    NicBench nic(params);
    nic.enable();
    nic.link_up();
    if (way == Way::kPhyLoopback) nic.phy_write(0, 0x4140);
    nic.open_rings();
    if (way == Way::kMacLoopback) nic.set(r::RCTL_LBM, 1);
    EXPECT_TRUE(nic.timeline.settle());
    nic.host.log.clear();
    const std::vector<std::uint8_t> frame = NicBench::broadcast(300);
    if (way == Way::kIn) {
        nic.arrive(frame);
    } else {
        nic.send(frame);
    }
    EXPECT_TRUE(nic.timeline.settle());
    if (way == Way::kOut) return nic.wire.heard.at(0).start_ps;
    EXPECT_TRUE(nic.rx_done(0));
    for (const Mastered& entry : nic.host.log) {
        const bool stored = entry.kind == Mastered::Kind::kWrite;
        if (stored && entry.address == NicBench::kRxBuffers) return entry.time_ps;
    }
    ADD_FAILURE() << "the frame was not stored";
    return 0;
}

TEST(PhyLatency, lies_on_the_way_out_and_in_and_on_both_in_a_loopback_of_the_phy) {
    constexpr Picoseconds kTx = nanoseconds(100);
    constexpr Picoseconds kRx = nanoseconds(250);
    const auto more = [](Way way, Picoseconds tx_ps, Picoseconds rx_ps) {
        return end_of(way, tx_ps, rx_ps) - end_of(way, 0, 0);
    };
    EXPECT_EQ(more(Way::kOut, kTx, kRx), kTx);
    EXPECT_EQ(more(Way::kIn, kTx, kRx), kRx);
    EXPECT_EQ(more(Way::kPhyLoopback, kTx, kRx), kTx + kRx);
    EXPECT_EQ(more(Way::kMacLoopback, kTx, kRx), 0u) << "the MAC turns frames before the PHY";
}

TEST(PhyLatency, a_frame_that_the_mac_turns_overtakes_one_that_is_still_in_the_phy) {
    NicParams params = NicBench::quick();
    params.phy.rx_latency_ps = microseconds(100);
    NicBench nic(params);
    nic.enable();
    nic.link_up();
    nic.phy_write(0, 0x4140);
    nic.open_rings();
    const std::vector<std::uint8_t> slow = NicBench::broadcast(300, 1);
    const std::vector<std::uint8_t> quick = NicBench::broadcast(300, 2);
    nic.send(slow);
    nic.timeline.advance_by(microseconds(20));
    EXPECT_FALSE(nic.rx_done(0));
    nic.set(r::RCTL_LBM, 1);
    nic.send(quick);
    nic.timeline.advance_by(microseconds(20));
    ASSERT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0), quick);
    EXPECT_FALSE(nic.rx_done(1));
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_TRUE(nic.rx_done(1));
    EXPECT_EQ(nic.received(1), slow);
}

// Section 10.1.7: the loopback test of ethtool.
TEST(PhyLoopback, sixty_four_frames_of_two_patterns_return) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.phy_write(0, 0x4140);
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u) << "link at the forced speed";
    nic.open_rings();
    nic.set(r::RCTL_LPE, 1);
    std::vector<std::uint8_t> frame(1024, 0xFF);
    std::fill(frame.begin() + 512, frame.end(), std::uint8_t{0xAA});
    frame[522] = 0xBE;
    frame[524] = 0xAF;
    for (std::uint32_t i = 0; i < NicBench::kRingSize - 1; i++) nic.send(frame);
    nic.timeline.advance_by(milliseconds(200));
    for (std::uint32_t i = 0; i < NicBench::kRingSize - 1; i++) {
        ASSERT_TRUE(nic.rx_done(i)) << i;
        EXPECT_EQ(nic.received(i), frame) << i;
    }
    EXPECT_TRUE(nic.wire.heard.empty());
    EXPECT_FALSE(nic.wire.offer.present);
}

TEST(PhyLoopback, the_wire_is_not_heard) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.phy_write(0, 0x4140);
    nic.open_rings();
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_FALSE(nic.rx_done(0));
    EXPECT_EQ(nic.nic.time_stamps().last_heard_ps(), 0u);
}

TEST(PhyLoopback, leaving_it_negotiates_with_the_wire_again) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.phy_write(0, 0x4140);
    nic.phy_write(0, 0x1140);
    nic.phy_write(0, 0x9140);
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 5000));
    nic.open_rings();
    nic.send(NicBench::broadcast(60));
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_EQ(nic.wire.heard.size(), 1u);
}

TEST(Loopback, a_long_stream_keeps_its_order_and_loses_nothing) {
    NicBench nic;
    nic.enable();
    nic.open_rings();
    nic.set(r::RCTL_LBM, 1);
    std::uint32_t next = 0;
    for (std::uint32_t sent = 0; sent < 1000; sent++) {
        nic.send(NicBench::broadcast(60, static_cast<std::uint8_t>(sent)));
        if (sent % 16 != 15) continue;
        nic.timeline.advance_by(microseconds(60));
        for (; nic.rx_done(next % NicBench::kRingSize); next++) {
            const std::uint32_t index = next % NicBench::kRingSize;
            EXPECT_EQ(nic.received(index)[30], static_cast<std::uint8_t>(next));
            nic.give_rx(index);
            nic.write(r::RDT, index);
        }
    }
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_GE(next, 990u);
    EXPECT_EQ(nic.read(r::MPC), 0u);
}

// --- section 9.4 --------------------------------------------------------------------------------

TEST(PowerState, in_d3_only_configuration_space_answers) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    ASSERT_TRUE(nic.timeline.settle());
    nic.nic.config_write(0xCC, 2, 0x0003);
    EXPECT_EQ(nic.read(r::STATUS), 0xFFFFFFFFu);
    EXPECT_EQ(nic.nic.bar_read(3, 0), 0xFFFFFFFFu);
    nic.host.log.clear();
    nic.write(r::TDT, 5);
    nic.arrive(NicBench::broadcast(60));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(nic.host.log.empty());
    EXPECT_EQ(nic.nic.config_read(0x00, 4), 0x10D38086u);
}

TEST(PowerState, back_in_d0_the_device_has_been_reset) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.write(r::VET, 0x1234);
    nic.nic.config_write(0x10, 4, 0xF0000000);
    const std::uint32_t epoch = nic.nic.state().epoch;
    nic.nic.config_write(0xCC, 2, 0x0003);
    nic.nic.config_write(0xCC, 2, 0x0000);
    EXPECT_EQ(nic.nic.state().epoch, epoch + 1);
    EXPECT_EQ(nic.nic.config_read(0x04, 2) & 7, 0u) << "configuration as well (No_Soft_Reset 0)";
    nic.enable();
    EXPECT_EQ(nic.read(r::VET), 0x8100u);
    EXPECT_EQ(nic.read(r::RAH), 0u) << "until the NVM has been loaded";
    nic.timeline.advance_by(milliseconds(5));
    EXPECT_EQ(nic.read(r::RAH), 0x80004057u);
}

// --- decoding -----------------------------------------------------------------------------------

TEST(Decoding, bars_answer_as_the_command_register_allows) {
    NicBench nic;
    EXPECT_EQ(nic.read(r::STATUS), 0xFFFFFFFFu);
    nic.write(r::VET, 0x1234);
    nic.nic.config_write(0x04, 2, 0x0002);
    EXPECT_EQ(nic.read(r::VET), 0x8100u) << "memory, but the write before was lost";
    EXPECT_EQ(nic.nic.bar_read(3, 0x0C), 1u);
    EXPECT_EQ(nic.nic.bar_read(2, 0), 0xFFFFFFFFu);
    nic.nic.config_write(0x04, 2, 0x0001);
    EXPECT_EQ(nic.read(r::VET), 0xFFFFFFFFu);
    EXPECT_EQ(nic.nic.bar_read(2, 0), 0u);
    EXPECT_EQ(nic.nic.bar_read(1, 0), 0xFFFFFFFFu) << "there is no flash";
    EXPECT_EQ(nic.nic.bar_read(5, 0), 0xFFFFFFFFu);
    nic.nic.bar_write(5, 0, 1);
}

TEST(Decoding, the_io_window_reaches_registers_with_their_side_effects) {
    NicBench nic;
    nic.enable();
    nic.nic.bar_write(2, 0, 0x00038);
    EXPECT_EQ(nic.nic.bar_read(2, 4), 0x8100u);
    nic.nic.bar_write(2, 4, 0x88A8);
    EXPECT_EQ(nic.read(r::VET), 0x88A8u);
    nic.nic.bar_write(2, 0, 0x000C8);
    nic.nic.bar_write(2, 4, 0x4);
    nic.nic.bar_write(2, 0, 0x000C0);
    EXPECT_EQ(nic.nic.debug_read(2, 4), 0x4u);
    EXPECT_EQ(nic.nic.bar_read(2, 4), 0x4u) << "ICR";
    EXPECT_EQ(nic.nic.bar_read(2, 4), 0u) << "read and cleared";
    nic.nic.bar_write(2, 0, 0x20000);
    EXPECT_EQ(nic.nic.bar_read(2, 4), 0u) << "undefined";
    nic.nic.bar_write(2, 0, 0x80000);
    EXPECT_EQ(nic.nic.bar_read(2, 4), 0xFFFFFFFFu) << "flash";
    EXPECT_EQ(nic.nic.bar_read(2, 8), 0u);
}

TEST(Decoding, a_flash_bar_reads_as_erased) {
    NicParams params = NicBench::quick();
    params.config.flash_bar_bytes = 1 << 17;
    NicBench nic(params);
    nic.enable();
    EXPECT_TRUE(nic.nic.decodes(1));
    EXPECT_EQ(nic.nic.bar_read(1, 0x100), 0xFFFFFFFFu);
}

TEST(Decoding, debug_reads_have_no_side_effects) {
    NicBench nic;
    nic.enable();
    nic.write(r::ICS, 4);
    const std::vector<std::uint32_t> before = nic.state_words();
    EXPECT_EQ(nic.state_words(), before);
    EXPECT_EQ(nic.read(r::ICR), 4u);
}

TEST(Configuration, the_status_bit_of_intx_follows_the_line_before_its_gate) {
    NicBench nic;
    nic.nic.config_write(0x04, 2, 0x0407);
    nic.write(r::IMS, 4);
    nic.write(r::ICS, 4);
    EXPECT_NE(nic.nic.config_read(0x06, 2) & 1u << 3, 0u);
    nic.timeline.advance_by(microseconds(10));
    EXPECT_FALSE(nic.host.pin) << "disabled in Command";
    (void)nic.read(r::ICR);
    EXPECT_EQ(nic.nic.config_read(0x06, 2) & 1u << 3, 0u);
}

TEST(Configuration, ids_come_from_the_nvm) {
    NicParams params = NicBench::quick();
    params.nvm.subsystem_id = 0xA01F;
    params.nvm.mac_address = {0x00, 0x1B, 0x21, 0x11, 0x22, 0x33};
    NicBench nic(params);
    EXPECT_EQ(nic.nic.config_read(0x2C, 4), 0xA01F8086u);
    EXPECT_EQ(nic.nic.config_read(0x144, 4), 0xFF112233u);
    EXPECT_EQ(nic.nic.config_read(0x148, 4), 0x001B21FFu);
}

}  // namespace
}  // namespace doorbell::nic_test
