// Resets in the middle of things: what belongs to the older epoch is gone, and nothing else.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

/// Both directions busy: eight frames to send, four that arrive.
void start_traffic(NicBench& nic) {
    for (int i = 0; i < 8; i++) nic.send(NicBench::broadcast(1000));
    for (int i = 0; i < 4; i++) nic.arrive(NicBench::broadcast(400));
}

void expect_traffic_works(NicBench& nic) {
    for (std::uint32_t i = 0; i < NicBench::kRingSize; i++) {
        std::memset(nic.host.at(NicBench::kTxRing + i * NicBench::kDescriptorBytes), 0, 16);
    }
    nic.open_rings();
    const std::size_t heard = nic.wire.heard.size();
    nic.send(NicBench::broadcast(200, 0x77));
    nic.arrive(NicBench::broadcast(300, 0x88));
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_EQ(nic.wire.heard.size(), heard + 1);
    EXPECT_TRUE(nic.tx_done(0));
    ASSERT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0), NicBench::broadcast(300, 0x88));
}

TEST(SoftwareReset, in_the_middle_of_traffic_drops_what_is_under_way) {
    for (Picoseconds at_ps = 0; at_ps < microseconds(60); at_ps += nanoseconds(700)) {
        SCOPED_TRACE(at_ps);
        NicBench nic;
        nic.enable();
        nic.link_up();
        nic.open_rings();
        nic.use_msix();
        ASSERT_TRUE(nic.timeline.settle());
        start_traffic(nic);
        nic.timeline.advance_by(at_ps);
        const std::size_t before = nic.host.log.size();
        nic.write(r::CTRL, nic.read(r::CTRL) | r::CTRL_RST.mask());
        nic.timeline.advance_by(milliseconds(10));
        EXPECT_EQ(nic.host.log.size(), before) << "a stale completion, write or message";
        EXPECT_EQ(nic.read(r::TDH), 0u);
        EXPECT_EQ(nic.read(r::RCTL), 0u);
        EXPECT_EQ(nic.read(r::IMS), 0u);
        EXPECT_EQ(nic.read(r::ICR), 0u);
        EXPECT_NE(nic.read(r::STATUS) & 2, 0u);
        expect_traffic_works(nic);
    }
}

TEST(SoftwareReset, frames_on_their_way_back_in_a_loopback_are_lost) {
    NicBench nic;
    nic.enable();
    nic.open_rings();
    nic.set(r::RCTL_LBM, 1);
    for (std::uint8_t i = 0; i < 20; i++) nic.send(NicBench::broadcast(1400, i));
    nic.timeline.advance_by(microseconds(40));
    nic.write(r::CTRL, r::CTRL_RST.mask());
    nic.timeline.advance_by(milliseconds(5));
    nic.open_rings();
    nic.set(r::RCTL_LBM, 1);
    nic.send(NicBench::broadcast(100, 0x99));
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.received(0), NicBench::broadcast(100, 0x99));
    EXPECT_FALSE(nic.rx_done(1));
}

TEST(SoftwareReset, the_filter_knows_the_address_as_soon_as_the_nvm_is_loaded) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.write(r::CTRL, r::CTRL_RST.mask());
    nic.open_rings();
    nic.write(r::RCTL, r::RCTL_EN.mask() | r::RCTL_SECRC.mask());
    std::vector<std::uint8_t> frame = NicBench::broadcast(100);
    const std::uint8_t own[] = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
    std::copy(std::begin(own), std::end(own), frame.begin());
    nic.arrive(frame);
    nic.timeline.advance_by(microseconds(100));
    EXPECT_FALSE(nic.rx_done(0)) << "not yet";
    nic.timeline.advance_by(milliseconds(5));
    nic.arrive(frame);
    ASSERT_TRUE(nic.timeline.settle());
    EXPECT_TRUE(nic.rx_done(0));
}

TEST(SoftwareReset, takes_inta_down) {
    NicBench nic;
    nic.enable();
    nic.write(r::IMS, 4);
    nic.write(r::ICS, 4);
    nic.timeline.advance_by(microseconds(10));
    ASSERT_TRUE(nic.host.pin);
    nic.write(r::CTRL, r::CTRL_RST.mask());
    nic.timeline.advance_by(microseconds(10));
    EXPECT_FALSE(nic.host.pin);
}

TEST(SoftwareReset, keeps_the_msix_table_configuration_and_the_registers_of_section_9_2) {
    NicBench nic;
    nic.enable();
    nic.use_msix();
    nic.write(r::PBA, 12);
    nic.write(r::MTA, 0x12345678, 7);
    nic.write(r::VFTA, 0x9ABCDEF0, 9);
    nic.write(r::VET, 0x1234);
    nic.write(r::RAL, 0x11111111, 3);
    nic.write(r::RAH, 0x80002222, 3);
    nic.write(r::CTRL, r::CTRL_RST.mask());
    nic.timeline.advance_by(milliseconds(5));
    EXPECT_EQ(nic.nic.bar_read(3, 0x28), 0x4022u);
    EXPECT_EQ(nic.nic.config_read(0xA2, 2) & 0x8000, 0x8000u);
    EXPECT_EQ(nic.read(r::PBA) & 0xFFFF, 12u);
    EXPECT_EQ(nic.read(r::MTA, 7), 0x12345678u);
    EXPECT_EQ(nic.read(r::VFTA, 9), 0x9ABCDEF0u);
    EXPECT_EQ(nic.read(r::VET), 0x8100u);
    EXPECT_EQ(nic.read(r::RAH, 3) >> 31, 0u) << "AV of the other addresses is cleared";
    EXPECT_EQ(nic.read(r::RAL), 0x82000002u) << "address 0 comes from the NVM";
    EXPECT_EQ(nic.read(r::RAH), 0x80004057u);
}

/// A life of a NIC from power-on: what it did, at which time after power-on.
std::vector<Mastered> live(NicBench& nic) {
    const Picoseconds born_ps = nic.timeline.now_ps();
    nic.host.log.clear();
    std::fill(nic.host.memory.begin(), nic.host.memory.end(), std::uint8_t{0});
    nic.enable();
    nic.link_up();
    nic.open_rings();
    nic.use_msix();
    start_traffic(nic);
    nic.timeline.advance_by(milliseconds(2));
    for (Mastered& entry : nic.host.log) entry.time_ps -= born_ps;
    return nic.host.log;
}

TEST(PowerOn, restores_everything_so_that_a_life_repeats_itself_exactly) {
    NicParams params = NicBench::quick();
    params.pcie.memory_latency_spread = true;
    NicBench nic(params);
    const std::vector<std::uint32_t> young = nic.state_words();
    const std::vector<Mastered> first = live(nic);
    ASSERT_GT(first.size(), 20u);
    // Interrupted in the middle of traffic, with everything changed that can be.
    start_traffic(nic);
    nic.write(r::MTA, 0xFFFFFFFF, 5);
    nic.write(r::ITR, 0xFFFF);
    nic.write(r::EEWR, 0xDEAD0000u | 3 << 2 | 1);
    nic.timeline.advance_by(microseconds(11));
    nic.phy_write(4, 0x0061);
    nic.write(r::EERD, 1);
    nic.write(r::MDIC, 0x08220000);
    start_traffic(nic);
    nic.nic.partner({});
    nic.nic.power_on_reset();
    EXPECT_EQ(nic.state_words(), young);
    EXPECT_EQ(live(nic), first);
}

TEST(PowerOn, is_silent_until_somebody_enables_it) {
    NicBench nic;
    nic.nic.partner(NicBench::gigabit());
    nic.timeline.advance_by(seconds(1));
    EXPECT_TRUE(nic.host.log.empty());
    EXPECT_FALSE(nic.host.pin);
}

TEST(PcieReset, keeps_what_is_written_in_the_nvm) {
    NicBench nic;
    nic.enable();
    nic.write(r::EEWR, 0x12340000u | 2 << 2 | 1);
    nic.timeline.advance_by(milliseconds(1));
    nic.nic.pcie_reset();
    EXPECT_EQ(nic.read(r::STATUS), 0xFFFFFFFFu) << "Command is 0";
    nic.enable();
    nic.timeline.advance_by(milliseconds(5));
    EXPECT_EQ(nic.read(r::RAH), 0x80001234u);
}

// Every DMA request fails once: no crash, nothing sent twice, and a reset recovers.
TEST(DmaFaults, whichever_request_fails_a_reset_recovers) {
    const std::uint64_t requests = fail_every_dma([](FailNthDma& hook) {
        NicBench nic;
        nic.enable();
        nic.link_up();
        nic.open_rings();
        nic.use_msix();
        ASSERT_TRUE(nic.timeline.settle());
        nic.nic.set_dma_fault_hook(&hook);
        for (std::uint8_t i = 0; i < 3; i++) {
            nic.send(NicBench::broadcast(600, i));
            nic.arrive(NicBench::broadcast(500, i));
        }
        ASSERT_TRUE(nic.timeline.settle());
        EXPECT_LE(nic.wire.heard.size(), 3u);
        for (std::size_t i = 1; i < nic.wire.heard.size(); i++) {
            EXPECT_GT(nic.wire.heard[i].bytes[20], nic.wire.heard[i - 1].bytes[20]);
        }
        nic.nic.set_dma_fault_hook(nullptr);
        nic.reset_hw();
        expect_traffic_works(nic);
    });
    EXPECT_GT(requests, 10u);
}

// A recording that begins with a power-on is played into a NIC that has none behind it: what a NIC
// offers, lots included, must not depend on what was before.
TEST(PowerOn, starts_the_lots_of_the_phy_over) {
    NicBench nic;
    std::vector<std::uint16_t> seeds;
    for (int cycle = 0; cycle < 4; cycle++) {
        nic.nic.power_on_reset();
        seeds.push_back(nic.wire.offer.master_seed);
        nic.enable();
        nic.set(r::CTRL_PHY_RST, 1);
        nic.set(r::CTRL_PHY_RST, 0);
        EXPECT_NE(nic.wire.offer.master_seed, seeds.back()) << "drawn anew for each negotiation";
    }
    EXPECT_THAT(seeds, ::testing::Each(seeds.front()));
}

}  // namespace
}  // namespace doorbell::nic_test
