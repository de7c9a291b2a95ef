#include "hw/core/device_core.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/core/core_bench_test.hpp"

namespace doorbell::core_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kCtrlReset = 0x00140249;
constexpr std::uint32_t kMasterDisable = 1u << 2;
constexpr std::uint32_t kSlu = 1u << 6;
constexpr std::uint32_t kFrcSpd = 1u << 11;
constexpr std::uint32_t kFrcDpx = 1u << 12;
constexpr std::uint32_t kRst = 1u << 26;
constexpr std::uint32_t kPhyRst = 1u << 31;
constexpr std::uint32_t kLu = 1u << 1;
constexpr std::uint32_t kPhyra = 1u << 10;
constexpr std::uint32_t kMasterEn = 1u << 19;
constexpr std::uint32_t kLsc = 1u << 2;
constexpr PhyLink kUp{true, 1000, true, false};
constexpr PhyLink kDown{};

// --- link (section 4.6) -------------------------------------------------------------------------

TEST(Link, status_lu_follows_the_phy_and_each_change_is_lsc) {
    CoreBench nic;
    nic.link(kUp);
    EXPECT_EQ(nic.read(r::STATUS) & (kLu | 1u | 3u << 6 | 3u << 8), kLu | 1u | 2u << 6 | 2u << 8);
    EXPECT_TRUE(nic.core.state().link_up);
    nic.link(kDown);
    EXPECT_EQ(nic.read(r::STATUS) & kLu, 0u);
    EXPECT_THAT(nic.interrupts.raised, ElementsAre(kLsc, kLsc));
}

TEST(Link, without_slu_there_is_no_link) {
    CoreBench nic;
    nic.write(r::CTRL, kCtrlReset & ~kSlu);
    nic.link(kUp);
    EXPECT_FALSE(nic.core.state().link_up);
    EXPECT_THAT(nic.interrupts.raised, IsEmpty());
    nic.write(r::CTRL, kCtrlReset);
    EXPECT_TRUE(nic.core.state().link_up);
    nic.write(r::CTRL, kCtrlReset & ~kSlu);
    EXPECT_THAT(nic.interrupts.raised, ElementsAre(kLsc, kLsc));
}

TEST(Link, speed_and_duplex_are_the_phys_unless_they_are_forced) {
    CoreBench nic;
    nic.link({true, 100, false, false});
    EXPECT_EQ(nic.read(r::STATUS) & (1u | 3u << 6), 1u << 6);
    EXPECT_EQ(nic.core.state().speed_mbps, 100u);
    EXPECT_FALSE(nic.core.state().full_duplex);
    const int told = nic.queues.told;
    nic.write(r::CTRL, (kCtrlReset & ~(3u << 8)) | kFrcSpd | kFrcDpx | 1u);
    EXPECT_EQ(nic.core.state().speed_mbps, 10u);
    EXPECT_TRUE(nic.core.state().full_duplex);
    EXPECT_EQ(nic.read(r::STATUS) & (1u | 3u << 6), 1u);
    EXPECT_GT(nic.queues.told, told);
    nic.write(r::CTRL, kCtrlReset | 3u << 8 | kFrcSpd);
    EXPECT_EQ(nic.core.state().speed_mbps, 1000u) << "3 means 1000 as well";
    EXPECT_THAT(nic.interrupts.raised, ElementsAre(kLsc)) << "the link itself did not change";
}

TEST(Link, speed_select_bypass_takes_the_speed_from_ctrl) {
    CoreBench nic;
    nic.link({true, 100, true, false});
    nic.write(r::CTRL_EXT, 1u << 15);
    EXPECT_EQ(nic.core.state().speed_mbps, 1000u);
}

TEST(Link, loopback_in_the_phy_is_link_and_is_seen) {
    CoreBench nic;
    nic.link({true, 1000, true, true});
    EXPECT_TRUE(nic.core.state().link_up);
    EXPECT_TRUE(nic.core.state().phy_loopback);
    nic.link(kDown);
    EXPECT_FALSE(nic.core.state().phy_loopback);
}

TEST(Link, mac_loopback_follows_rctl_lbm) {
    CoreBench nic;
    nic.write(r::RCTL, 1u << 6);
    EXPECT_TRUE(nic.core.state().mac_loopback);
    nic.write(r::RCTL, 3u << 6);
    EXPECT_FALSE(nic.core.state().mac_loopback);
}

// --- PHY reset (section 4.5) --------------------------------------------------------------------

TEST(PhyReset, ctrl_phy_rst_is_a_level_and_shows_in_status_until_it_is_cleared) {
    CoreBench nic;
    nic.write(r::STATUS, 0);
    EXPECT_EQ(nic.read(r::STATUS) & kPhyra, 0u) << "power-on had set it";
    nic.write(r::CTRL, kCtrlReset | kPhyRst);
    EXPECT_TRUE(nic.phy.in_reset);
    EXPECT_NE(nic.read(r::STATUS) & kPhyra, 0u);
    nic.write(r::CTRL, kCtrlReset | kPhyRst);
    nic.write(r::CTRL, kCtrlReset);
    EXPECT_THAT(nic.phy.edges, ElementsAre(true, false));
    EXPECT_NE(nic.read(r::STATUS) & kPhyra, 0u) << "latched";
    nic.write(r::STATUS, 0);
    EXPECT_EQ(nic.read(r::STATUS) & kPhyra, 0u);
}

TEST(PhyReset, together_with_rst_it_is_a_pulse) {
    CoreBench nic;
    nic.write(r::CTRL, kCtrlReset | kPhyRst | kRst);
    EXPECT_THAT(nic.phy.edges, ElementsAre(true, false));
    EXPECT_EQ(nic.read(r::CTRL), kCtrlReset);
}

TEST(PhyReset, status_phyra_is_the_phys_and_ctrl_rst_leaves_it) {
    CoreBench nic;
    nic.write(r::STATUS, 0);
    nic.write(r::CTRL, kCtrlReset | kRst);
    EXPECT_EQ(nic.read(r::STATUS) & kPhyra, 0u);
    nic.write(r::CTRL, kCtrlReset | kPhyRst | kRst);
    EXPECT_NE(nic.read(r::STATUS) & kPhyra, 0u) << "software has not seen it yet";
    nic.write(r::CTRL, kCtrlReset | kRst);
    EXPECT_NE(nic.read(r::STATUS) & kPhyra, 0u);
}

// --- resets (section 9) -------------------------------------------------------------------------

TEST(Reset, ctrl_rst_runs_the_sequence_starts_an_epoch_and_reads_0) {
    CoreBench nic;
    const std::uint32_t epoch = nic.core.state().epoch;
    nic.write(r::CTRL, 0xFFFFFFFF & ~kPhyRst);
    EXPECT_EQ(nic.targets.calls.front(), "dma");
    EXPECT_EQ(nic.read(r::CTRL), kCtrlReset);
    EXPECT_EQ(nic.core.state().epoch, epoch + 1);
}

TEST(Reset, ctrl_rst_leaves_the_link_without_lsc) {
    CoreBench nic;
    nic.link(kUp);
    nic.interrupts.raised.clear();
    nic.write(r::CTRL, kRst);
    EXPECT_TRUE(nic.core.state().link_up);
    EXPECT_NE(nic.read(r::STATUS) & kLu, 0u);
    EXPECT_EQ(nic.read(r::STATUS) >> 6 & 3, 2u);
    EXPECT_THAT(nic.interrupts.raised, IsEmpty());
}

TEST(Reset, a_link_that_goes_with_the_phys_reset_is_no_cause) {
    CoreBench nic;
    nic.link(kUp);
    nic.interrupts.raised.clear();
    nic.targets.on_phy_reset = [&nic] { nic.link(kDown); };
    nic.core.reset(ResetCause::kPcie);
    EXPECT_FALSE(nic.core.state().link_up);
    EXPECT_EQ(nic.read(r::STATUS) & kLu, 0u);
    EXPECT_THAT(nic.interrupts.raised, IsEmpty());
}

TEST(Reset, u10_gives_ctrl_another_reset_value) {
    CoreParams params;
    params.u10_ctrl_reset = 0x00140241;
    CoreBench nic(params);
    EXPECT_EQ(nic.read(r::CTRL), 0x00140241u);
    nic.write(r::CTRL, kRst);
    EXPECT_EQ(nic.read(r::CTRL), 0x00140241u);
}

TEST(Reset, u11_gives_other_registers_other_reset_values) {
    CoreParams params;
    params.u11_ctrl_ext_reset = 0x00400000;
    params.u11_factps_reset = 0x00000004;
    params.u11_gcr_reset = 0x00000200;
    params.u11_ledctl_reset = 0x00070602;
    params.u11_manc_reset = 0;
    CoreBench nic(params);
    nic.write(r::LEDCTL, 0);
    nic.write(r::GCR, 0);
    nic.write(r::CTRL, kRst);
    EXPECT_EQ(nic.read(r::CTRL_EXT), 0x00400000u);
    EXPECT_EQ(nic.read(r::FACTPS), 0x00000004u);
    EXPECT_EQ(nic.read(r::GCR), 0x00000200u);
    EXPECT_EQ(nic.read(r::LEDCTL), 0x00070602u);
    EXPECT_EQ(nic.read(r::MANC), 0u);
}

TEST(PacketBuffer, pba_txa_is_what_rxa_leaves_unless_u6_says_storage) {
    CoreBench nic;
    EXPECT_EQ(nic.read(r::PBA), 0x00140014u);
    nic.write(r::PBA, 32);
    EXPECT_EQ(nic.read(r::PBA), 0x00080020u) << "Linux computes its FIFO limit from it";
    nic.write(r::PBA, 0x00140000 | 26);
    EXPECT_EQ(nic.read(r::PBA), 0x000E001Au);
    nic.write(r::PBA, 0xFFFF);
    EXPECT_EQ(nic.read(r::PBA), 0x0000FFFFu);
    nic.write(r::PBA, 8);
    nic.write(r::PBS, 24);
    EXPECT_EQ(nic.read(r::PBA), 0x00100008u) << "PBS says how much there is to share";
    CoreParams params;
    params.u6_pba_txa = CoreParams::Txa::kStorage;
    CoreBench storage(params);
    storage.write(r::PBA, 0x00110020);
    EXPECT_EQ(storage.read(r::PBA), 0x00110020u);
    storage.write(r::PBS, 24);
    EXPECT_EQ(storage.read(r::PBA), 0x00110020u);
}

TEST(Reset, mac_loopback_and_bus_master_disable_end_with_a_reset) {
    CoreBench nic;
    nic.write(r::RCTL, 1u << 6);
    nic.write(r::CTRL, kCtrlReset | kMasterDisable);
    nic.write(r::CTRL, kRst);
    EXPECT_FALSE(nic.core.state().mac_loopback);
    EXPECT_TRUE(nic.core.state().bus_master);
}

// --- the PHY of a function that sleeps (sections 2.3, 9.4)
// -----------------------------------------

TEST(PhyOfASleeper, listens_or_is_off_by_phypden_and_what_could_wake) {
    struct Row {
        std::uint32_t ctrl_ext, wufc, wuc;
        PhyPower power;
    };
    constexpr std::uint32_t kPhypden = 1u << 20;
    for (const Row& row :
         {Row{0, 0, 0, PhyPower::kAsleep}, Row{kPhypden, 0, 0, PhyPower::kOff},
          Row{kPhypden, 2, 0, PhyPower::kAsleep}, Row{kPhypden, 0, 1, PhyPower::kAsleep},
          Row{kPhypden, 0, 2, PhyPower::kOff}}) {
        CoreBench nic;
        nic.write(r::CTRL_EXT, row.ctrl_ext);
        nic.write(r::WUFC, row.wufc);
        nic.write(r::WUC, row.wuc);
        EXPECT_EQ(nic.phy.power, PhyPower::kAwake);
        nic.core.function_changed({true, false, false, false});
        EXPECT_EQ(nic.phy.power, row.power) << row.ctrl_ext << " " << row.wufc << " " << row.wuc;
        EXPECT_FALSE(nic.core.state().awake);
    }
}

TEST(PhyOfASleeper, the_engines_hear_of_d3_even_when_nothing_was_mastered_before) {
    CoreBench nic;
    nic.core.function_changed({false, true, false, false});
    const int told = nic.queues.told;
    nic.core.function_changed({false, false, false, false});
    EXPECT_EQ(nic.queues.told, told + 1);
}

// --- bus mastering (sections 9.3, 9.5) ----------------------------------------------------------

TEST(BusMaster, needs_command_bme_d0_and_no_disable) {
    CoreBench nic;
    EXPECT_TRUE(nic.core.state().bus_master);
    nic.core.function_changed({false, true, false, false});
    EXPECT_FALSE(nic.core.state().bus_master);
    nic.core.function_changed({true, false, false, false});
    EXPECT_FALSE(nic.core.state().bus_master) << "D3";
    EXPECT_EQ(nic.read(r::FACTPS) & 3, 3u);
    const int told = nic.queues.told;
    const int dma_told = nic.dma.told;
    nic.core.function_changed({true, true, false, false});
    EXPECT_TRUE(nic.core.state().bus_master);
    EXPECT_EQ(nic.dma.told, dma_told + 1) << "what was held goes on";
    EXPECT_EQ(nic.queues.told, told + 1);
    EXPECT_EQ(nic.read(r::FACTPS), 0xA0000004u) << "D0, and PM_STATE_CHANGED";
    EXPECT_EQ(nic.read(r::FACTPS), 0x20000004u) << "cleared by reading";
}

TEST(BusMaster, gio_master_en_falls_with_the_last_request) {
    CoreBench nic;
    nic.dma.requests = 1;
    nic.write(r::CTRL, kCtrlReset | kMasterDisable);
    EXPECT_FALSE(nic.core.state().bus_master) << "no new request";
    EXPECT_NE(nic.read(r::STATUS) & kMasterEn, 0u) << "one is under way";
    nic.dma.requests = 0;
    EXPECT_EQ(nic.read(r::STATUS) & kMasterEn, 0u);
    nic.write(r::CTRL, kCtrlReset);
    EXPECT_NE(nic.read(r::STATUS) & kMasterEn, 0u);
}

TEST(BusMaster, message_modes_are_in_the_state) {
    CoreBench nic;
    nic.core.function_changed({true, true, true, true});
    EXPECT_TRUE(nic.core.state().msi_enabled);
    EXPECT_TRUE(nic.core.state().msix_enabled);
}

// --- semaphores and OEM bits --------------------------------------------------------------------

TEST(Semaphore, smbi_is_test_and_set) {
    CoreBench nic;
    EXPECT_EQ(nic.read(r::SWSM) & 1, 0u) << "the first reader owns it";
    EXPECT_EQ(nic.read(r::SWSM) & 1, 1u);
    nic.write(r::SWSM, 0);
    EXPECT_EQ(nic.read(r::SWSM) & 1, 0u);
}

TEST(Semaphore, a_debug_read_does_not_take_smbi) {
    CoreBench nic;
    EXPECT_EQ(nic.registers.debug_read(r::SWSM.offset) & 1, 0u);
    EXPECT_EQ(nic.read(r::SWSM) & 1, 0u);
}

TEST(Semaphore, a_boot_agent_may_have_left_smbi_set) {
    CoreParams params;
    params.smbi_left_set = true;
    CoreBench nic(params);
    EXPECT_EQ(nic.read(r::SWSM) & 1, 1u);
}

TEST(Semaphore, mdio_ownership_latches_unless_hardware_has_it_and_goes_with_a_reset) {
    CoreBench nic;
    nic.write(r::EXTCNF_CTRL, 0x28);
    EXPECT_EQ(nic.read(r::EXTCNF_CTRL), 0x28u);
    nic.write(r::CTRL, kRst);
    EXPECT_EQ(nic.read(r::EXTCNF_CTRL), 0x08u);
    nic.registers.set(r::EXTCNF_CTRL_MDIO_HW_OWNERSHIP, 1);
    nic.write(r::EXTCNF_CTRL, 0x28);
    EXPECT_EQ(nic.read(r::EXTCNF_CTRL) & 0x20, 0u);
}

TEST(Semaphore, others_are_storage_without_firmware) {
    CoreBench nic;
    nic.write(r::SWSM, 1u << 1);
    EXPECT_EQ(nic.read(r::SWSM) & 2, 2u) << "SWESMBI latches: no firmware owns it";
    nic.write(r::SWSM, 0);
    EXPECT_EQ(nic.read(r::SWSM) & 2, 0u);
    nic.write(r::SWSM2, ~0u);
    EXPECT_EQ(nic.read(r::SWSM2), 2u);
    nic.write(r::SW_FW_SYNC, 0x00020001);
    EXPECT_EQ(nic.read(r::SW_FW_SYNC), 0x00020001u);
    nic.write(r::FWSM, ~0u);
    EXPECT_EQ(nic.read(r::FWSM), 0u);
    nic.write(r::HICR, 0xC7);
    EXPECT_EQ(nic.read(r::HICR), 0x42u) << "EN and SV are the firmware's, FW_RESET clears itself";
    nic.write(r::GCR2, 1);
    EXPECT_EQ(nic.read(r::GCR2), 1u);
    nic.write(r::GCR, 0x08400000);
    EXPECT_EQ(nic.read(r::GCR), 0x08400000u | 0x06800000u) << "the latencies are read-only";
    for (std::uint32_t i = 0; i < 4; i++) {
        nic.registers.bus_write(r::GSCL.offset_of(i), 0x1234 + i);
        EXPECT_EQ(nic.registers.bus_read(r::GSCL.offset_of(i)), 0x1234 + i);
        EXPECT_EQ(nic.registers.bus_read(r::GSCN.offset_of(i)), 0u);
    }
}

TEST(OemBits, go_to_the_phy_when_written_and_once_after_a_reset_of_the_phy) {
    CoreBench nic;
    nic.core.nvm_loaded();
    EXPECT_THAT(nic.phy.oem, ElementsAre(0x030D)) << "power-on";
    nic.write(r::POEMB, 0x0343);
    EXPECT_THAT(nic.phy.oem, ElementsAre(0x030D, 0x0343));
    nic.write(r::CTRL, kRst);
    nic.core.nvm_loaded();
    EXPECT_EQ(nic.phy.oem.size(), 2u) << "CTRL.RST is no reset of the PHY";
    nic.core.reset(ResetCause::kD3ToD0);
    nic.core.nvm_loaded();
    EXPECT_EQ(nic.phy.oem.size(), 3u);
    nic.core.nvm_loaded();
    EXPECT_EQ(nic.phy.oem.size(), 3u) << "CTRL_EXT.EE_RST: once";
}

TEST(OemBits, stay_where_the_hardware_may_not_write_them) {
    CoreBench nic;
    nic.write(r::EXTCNF_CTRL, 0);
    nic.core.nvm_loaded();
    EXPECT_TRUE(nic.phy.oem.empty());
}

TEST(Link, a_forced_speed_may_come_from_the_nvm) {
    CoreBench nic;
    nic.link({true, 100, true, false});
    nic.registers.set(r::CTRL_FRCSPD, 1);  // As the auto-load does it: without a bus write.
    const int told = nic.queues.told;
    nic.core.nvm_loaded();
    EXPECT_EQ(nic.core.state().speed_mbps, 1000u);
    EXPECT_GT(nic.queues.told, told);
}

}  // namespace
}  // namespace doorbell::core_test
