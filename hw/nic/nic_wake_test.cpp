// Sleep and wake-up through the whole NIC, as Linux does it (sections 9.4 and 10).
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

constexpr std::uint32_t kPmcsr = 0xCC;
constexpr std::uint32_t kD3hot = 3;
constexpr std::uint32_t kPmeEn = 1u << 8;
constexpr std::uint32_t kPmeStatus = 1u << 15;

class SleepBench : public NicBench {
public:
    explicit SleepBench(const NicParams& params = quick()) : NicBench(params) {
        enable();
        link_up();
        timeline.advance_by(milliseconds(10));
        open_rings();
        timeline.advance_by(milliseconds(1));
    }
    /// Linux's suspend with wake-up: driver first, then the PCI core.
    void suspend(std::uint32_t wufc) {
        set(r::CTRL_EXT_DRV_LOAD, 1);
        write(r::CTRL, read(r::CTRL) | 1u << 20 | 1u << 21);
        write(r::WUFC, wufc);
        write(r::WUC, 2);
        set(r::CTRL_EXT_DRV_LOAD, 0);
        nic.config_write(0x04, 2, 0x0003);
        nic.config_write(kPmcsr, 2, kPmeEn | kPmeStatus | kD3hot);
        timeline.advance_by(milliseconds(10));  // POEMB: asleep, the link is a slow one.
    }
    /// Without wake-up: the PHY is powered down.
    void suspend_deaf() {
        write(r::WUC, 0);
        write(r::WUFC, 0);
        phy_write(0, 0x1940);
        nic.config_write(0x04, 2, 0x0003);
        nic.config_write(kPmcsr, 2, kD3hot);
    }
    /// The PCI core writes D0 and restores the header.
    void resume() {
        nic.config_write(kPmcsr, 2, 0);
        EXPECT_FALSE(nic.decodes(0)) << "No_Soft_Reset = 0";
        enable();
        timeline.advance_by(milliseconds(10));
    }
    [[nodiscard]] std::uint32_t pmcsr() { return nic.config_read(kPmcsr, 2); }
    [[nodiscard]] std::vector<std::uint8_t> magic() {
        std::vector<std::uint8_t> frame = broadcast(130, 0xFF);
        const std::uint8_t own[] = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
        for (std::size_t i = 0; i < 16; i++) std::memcpy(&frame[24 + 6 * i], own, 6);
        return frame;
    }
};

TEST(Sleep, in_d3_only_configuration_space_answers_and_nothing_is_mastered) {
    SleepBench nic;
    (void)nic.read(r::ICR);
    nic.write(r::IMS, 0x84);
    nic.suspend(0);
    const std::size_t before = nic.host.log.size();
    EXPECT_EQ(nic.read(r::STATUS), 0xFFFFFFFFu);
    nic.write(r::RDT, 5);
    nic.arrive(NicBench::broadcast(100));
    nic.nic.partner({});
    nic.timeline.advance_by(milliseconds(10));
    EXPECT_EQ(nic.host.log.size(), before) << "no DMA, no interrupt";
    EXPECT_EQ(nic.nic.config_read(0x00, 4), 0x10D38086u);
    EXPECT_EQ(nic.pmcsr() & 3, kD3hot);
}

TEST(Sleep, a_magic_packet_wakes_and_the_driver_can_say_why) {
    SleepBench nic;
    nic.suspend(1u << 1);
    nic.arrive(NicBench::broadcast(100));
    EXPECT_EQ(nic.host.wake_ups, 0);
    EXPECT_EQ(nic.pmcsr() & kPmeStatus, 0u);
    nic.arrive(nic.magic());
    EXPECT_EQ(nic.host.wake_ups, 1);
    EXPECT_NE(nic.pmcsr() & kPmeStatus, 0u);
    nic.resume();
    EXPECT_EQ(nic.read(r::WUS), 1u << 1);
    EXPECT_EQ(nic.read(r::WUPL), 134u);
    nic.write(r::WUS, 0xFFFFFFFF);
    EXPECT_EQ(nic.read(r::WUS), 0u);
    nic.nic.config_write(kPmcsr, 2, kPmeStatus);
    EXPECT_EQ(nic.pmcsr() & kPmeStatus, 0u);
    EXPECT_EQ(nic.read(r::WUC), 0u) << "WUC mirrors PMCSR";
}

TEST(Sleep, a_cable_that_is_pulled_wakes) {
    SleepBench nic;
    nic.write(r::POEMB, 0);  // The link stays as it is.
    nic.suspend(1u << 0);
    EXPECT_EQ(nic.host.wake_ups, 0);
    nic.nic.partner({});
    EXPECT_EQ(nic.host.wake_ups, 1);
    nic.resume();
    EXPECT_EQ(nic.read(r::WUS), 1u);
}

// The reset value of POEMB: LPLU and AN1000_DIS_ND0. Linux takes LNKC out of WUFC while there is
// link.
TEST(Sleep, the_link_of_a_sleeper_is_a_slow_one_and_that_is_a_link_change) {
    SleepBench nic;
    nic.suspend(1u << 1);
    EXPECT_TRUE(nic.wire.offer.lowest_first);
    EXPECT_EQ(nic.wire.offer.ctrl1000 & 0x0300, 0);
    EXPECT_TRUE(nic.nic.state().link_up);
    EXPECT_EQ(nic.nic.state().speed_mbps, 10u);
    nic.resume();
    EXPECT_FALSE(nic.wire.offer.lowest_first);
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 100));
    EXPECT_EQ(nic.read(r::STATUS) >> 6 & 3, 2u) << "1000 Mb/s";
    SleepBench link_change;
    link_change.suspend(1u << 0);
    EXPECT_EQ(link_change.host.wake_ups, 1);
}

TEST(Sleep, phypden_turns_the_phy_off_when_nothing_could_wake) {
    SleepBench nic;
    nic.set(r::CTRL_EXT_PHYPDEN, 1);
    nic.suspend(0);
    EXPECT_FALSE(nic.wire.offer.present);
    nic.resume();
    EXPECT_TRUE(nic.wire.offer.present);
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 100));
}

// The receiver is left on by drivers of this part: frames must neither pile up nor stop the
// partner.
TEST(Sleep, a_receiver_that_was_left_on_stores_nothing_and_stops_nobody) {
    SleepBench nic;
    nic.write(r::FCRTH, 4096);
    nic.write(r::FCTTV, 0xFFFF);
    nic.write(r::FCRTV, 1000);
    nic.set(r::CTRL_TFCE, 1);
    nic.suspend(1u << 1);
    const std::size_t heard = nic.wire.heard.size();
    for (int i = 0; i < 40; i++) nic.arrive(NicBench::broadcast(1500));
    EXPECT_TRUE(nic.nic.has_room(1518)) << "who waits for room never brings the magic packet";
    nic.timeline.advance_by(milliseconds(10));
    EXPECT_EQ(nic.wire.heard.size(), heard) << "no XOFF";
    nic.arrive(nic.magic());
    EXPECT_EQ(nic.host.wake_ups, 1);
}

TEST(Sleep, pmc_says_d3cold_as_ctrl_advertises_it) {
    SleepBench nic;
    EXPECT_EQ(nic.nic.config_read(0xCA, 2), 0xC822u);
    nic.set(r::CTRL_ADVD3WUC, 0);
    EXPECT_EQ(nic.nic.config_read(0xCA, 2), 0x4822u);
    nic.reset_hw();
    EXPECT_EQ(nic.nic.config_read(0xCA, 2), 0xC822u) << "with CTRL";
}

TEST(Sleep, wakes_when_pme_is_enabled_in_configuration_space_alone) {
    SleepBench nic;
    nic.write(r::WUFC, 1u << 4);
    nic.nic.config_write(kPmcsr, 2, kPmeEn | kD3hot);
    nic.timeline.advance_by(milliseconds(10));
    nic.arrive(NicBench::broadcast(100));
    EXPECT_EQ(nic.host.wake_ups, 1);
}

TEST(Sleep, a_magic_packet_wakes_without_a_driver_when_the_nvm_says_so) {
    NicParams params = NicBench::quick();
    params.nvm.wake_on_lan = true;
    NicBench nic(params);
    nic.timeline.advance_by(milliseconds(10));
    nic.nic.partner(NicBench::gigabit());
    nic.timeline.advance_by(milliseconds(10));
    nic.nic.config_write(kPmcsr, 2, kD3hot);
    nic.timeline.advance_by(milliseconds(10));
    SleepBench frames;
    nic.arrive(frames.magic());
    nic.nic.config_write(kPmcsr, 2, 0);
    nic.enable();
    nic.timeline.advance_by(milliseconds(10));
    EXPECT_EQ(nic.read(r::WUS), 1u << 1);
    EXPECT_EQ(nic.read(r::WUC) & 1, 1u) << "APME comes from the NVM again";
    EXPECT_EQ(nic.host.wake_ups, 0) << "APMPME is 0";
}

TEST(Sleep, resume_finds_the_device_reset_and_traffic_works_again) {
    SleepBench nic;
    for (int round = 0; round < 3; round++) {
        SCOPED_TRACE(round);
        nic.write(r::IMS, 0x9D);
        nic.suspend(1u << 1);
        nic.resume();
        EXPECT_NE(nic.read(r::FACTPS) >> 31, 0u) << "PM_STATE_CHANGED";
        EXPECT_EQ(nic.read(r::FACTPS) >> 31, 0u) << "cleared by reading";
        EXPECT_EQ(nic.read(r::IMS), 0u);
        EXPECT_EQ(nic.read(r::RCTL), 0u);
        EXPECT_EQ(nic.read(r::RDLEN), 0u);
        nic.reset_hw();
        nic.set(r::CTRL_SLU, 1);
        EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 100));
        std::memset(nic.host.at(NicBench::kTxRing), 0, NicBench::kRingSize * 16);
        nic.open_rings();
        const std::size_t heard = nic.wire.heard.size();
        nic.send(NicBench::broadcast(300));
        nic.arrive(NicBench::broadcast(200));
        nic.timeline.advance_by(milliseconds(1));
        EXPECT_EQ(nic.wire.heard.size(), heard + 1);
        EXPECT_TRUE(nic.tx_done(0));
        EXPECT_TRUE(nic.rx_done(0));
    }
}

TEST(Sleep, without_wake_up_the_phy_sleeps_and_comes_back) {
    SleepBench nic;
    nic.suspend_deaf();
    EXPECT_FALSE(nic.wire.offer.present) << "powered down";
    nic.arrive(nic.magic());
    EXPECT_EQ(nic.host.wake_ups, 0);
    nic.resume();
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 100));
    EXPECT_EQ(nic.read(r::WUS), 0u);
}

TEST(Sleep, what_woke_survives_the_reset_of_the_slot) {
    SleepBench nic;
    nic.suspend(1u << 1);
    nic.arrive(nic.magic());
    nic.nic.pcie_reset();
    nic.enable();
    EXPECT_EQ(nic.read(r::WUS), 1u << 1);
    nic.nic.power_on_reset();
    nic.enable();
    EXPECT_EQ(nic.read(r::WUS), 0u);
}

// Section 11: link stays, nothing is received, both counters that Linux looks at are full until the
// PHY is reset.
TEST(PhyHang, shows_as_the_watchdog_of_linux_expects_it_and_ends_with_a_reset) {
    NicParams params = NicBench::quick();
    params.phy.erratum_receive_hang_ps = milliseconds(100);
    SleepBench nic(params);
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.phy_read(21), 0);
    nic.timeline.advance_by(milliseconds(100));
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(nic.phy_read(21), 0xFFFF);
        EXPECT_EQ(nic.phy_read(10) & 0xFF, 0xFF);
    }
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u);
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_FALSE(nic.rx_done(1));
    nic.phy_write(0, 0x9140);
    EXPECT_TRUE(nic.poll(r::STATUS_LU, 1, milliseconds(1), 50));
    EXPECT_EQ(nic.phy_read(21), 0);
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(nic.rx_done(1));
}

TEST(Tables, u22_may_hold_anything_after_power_on_and_ctrl_rst_keeps_them) {
    NicParams params = NicBench::quick();
    NicBench zero(params);
    zero.enable();
    EXPECT_EQ(zero.read(r::MTA, 77), 0u);
    params.core.u22_tables = CoreParams::Tables::kRandom;
    NicBench random(params);
    random.enable();
    std::uint32_t any = 0;
    for (std::uint32_t i = 0; i < 32; i++) any |= random.read(r::RETA, i);
    EXPECT_NE(any, 0u);
    const std::uint32_t before = random.read(r::VFTA, 3);
    EXPECT_NE(before, random.read(r::VFTA, 4));
    random.reset_hw();
    EXPECT_EQ(random.read(r::VFTA, 3), before);
    random.nic.power_on_reset();
    random.enable();
    EXPECT_EQ(random.read(r::VFTA, 3), before) << "of the seed";
}

}  // namespace
}  // namespace doorbell::nic_test
