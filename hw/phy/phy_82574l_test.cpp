#include "hw/phy/phy_82574l.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbell {
namespace {

// Register numbers and values are typed from section 4.
class PhyTest : public ::testing::Test, public PhyListener, public EthernetPort {
protected:
    explicit PhyTest(const PhyParams& params = {})
        : phy(std::make_unique<Phy82574l>(params, timeline, *this, *this, EventPort{}, 1)) {
        phy->power_on_reset();
    }

    void phy_link_changed(const PhyLink& link) override { links.push_back(link); }
    void transmit(FramePtr, Picoseconds, Picoseconds) override { FAIL() << "a PHY sends nothing"; }
    void advertise(const LinkAbilities& abilities) override { offers.push_back(abilities); }

    std::uint16_t read(std::uint32_t reg) {
        std::uint16_t value = 0xDEAD;
        EXPECT_TRUE(phy->mdio_read(1, reg, value));
        return value;
    }
    void write(std::uint32_t reg, std::uint16_t value) {
        EXPECT_TRUE(phy->mdio_write(1, reg, value));
    }
    /// Its seed is the greatest there is: it is master.
    static LinkAbilities gigabit() { return {true, true, 0x0DE1, 0x0E00, 0, true, false, 0x7FF}; }
    void link_up() {
        phy->partner(gigabit());
        ASSERT_TRUE(timeline.settle());
        ASSERT_TRUE(phy->link().up);
    }

    ManualTimeline timeline;
    std::vector<PhyLink> links;
    std::vector<LinkAbilities> offers;
    std::unique_ptr<Phy82574l> phy;
};

TEST_F(PhyTest, identifies_itself_as_the_driver_demands) {
    EXPECT_EQ(read(2), 0x0141);
    EXPECT_EQ(read(3), 0x0CB1);
}

TEST_F(PhyTest, registers_have_their_reset_values) {
    const std::pair<std::uint32_t, std::uint16_t> common[] = {
        {0, 0x1140}, {1, 0x7949}, {4, 0x0DE1},  {5, 0},       {6, 0x0004}, {7, 0x2001}, {8, 0},
        {9, 0x0F00}, {10, 0},     {15, 0x3000}, {16, 0x3360}, {17, 0},     {18, 0},     {19, 0},
        {20, 0},     {21, 0},     {22, 0},      {25, 0},      {26, 0},     {29, 0},     {30, 0}};
    for (const auto& [reg, value] : common) EXPECT_EQ(read(reg), value) << "register " << reg;
    write(22, 2);
    EXPECT_EQ(read(16), 0x0088);
    EXPECT_EQ(read(21), 0x1046);
    write(22, 3);
    EXPECT_EQ(read(18), 0x4005);
}

TEST_F(PhyTest, answers_at_address_1_only) {
    std::uint16_t value;
    EXPECT_FALSE(phy->mdio_read(0, 2, value));
    EXPECT_FALSE(phy->mdio_read(2, 2, value));
    EXPECT_FALSE(phy->mdio_write(2, 0, 0));
}

TEST_F(PhyTest, registers_from_16_on_are_paged_and_the_page_register_is_everywhere) {
    write(29, 0x0003);
    write(22, 0xFF82);
    EXPECT_EQ(read(22), 0x02) << "seven bits";
    write(16, 0x1234);
    EXPECT_EQ(read(29), 0) << "page 2 has no register 29";
    EXPECT_EQ(read(2), 0x0141);
    write(22, 0);
    EXPECT_EQ(read(16), 0x3360);
    EXPECT_EQ(read(29), 0x0003);
    write(22, 2);
    EXPECT_EQ(read(16), 0x1234);
}

TEST_F(PhyTest, an_unknown_register_or_page_reads_0_and_ignores_writes) {
    write(23, 0xFFFF);
    EXPECT_EQ(read(23), 0);
    write(22, 100);
    write(17, 0xFFFF);
    EXPECT_EQ(read(17), 0);
}

class StrictPhyTest : public PhyTest {
protected:
    static PhyParams strict() {
        PhyParams params;
        params.u19_unknown_register_is_error = true;
        return params;
    }
    StrictPhyTest() : PhyTest(strict()) {}
};

TEST_F(StrictPhyTest, an_unknown_register_is_an_error_when_u19_says_so) {
    std::uint16_t value;
    EXPECT_FALSE(phy->mdio_read(1, 23, value));
    EXPECT_FALSE(phy->mdio_write(1, 23, 0));
    EXPECT_TRUE(phy->mdio_read(1, 26, value));
}

// --- section 4.5 --------------------------------------------------------------------------------

TEST_F(PhyTest, power_on_offers_everything_and_waits_for_a_partner) {
    ASSERT_EQ(offers.size(), 1u);
    EXPECT_TRUE(offers[0].present);
    EXPECT_TRUE(offers[0].negotiates);
    EXPECT_EQ(offers[0].anar, 0x0DE1);
    EXPECT_EQ(offers[0].ctrl1000, 0x0F00);
    timeline.advance_by(seconds(10));
    EXPECT_FALSE(phy->link().up);
}

TEST_F(PhyTest, the_link_comes_up_after_the_negotiation_time_with_the_partner_in_the_registers) {
    timeline.advance_by(seconds(5));
    phy->partner(gigabit());
    timeline.advance_by(seconds(2) - 1);
    EXPECT_FALSE(phy->link().up);
    EXPECT_EQ(read(1) & 0x0020, 0) << "not complete";
    EXPECT_EQ(read(5), 0);
    timeline.advance_by(1);
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(phy->link().speed_mbps, 1000u);
    EXPECT_TRUE(phy->link().full_duplex);
    ASSERT_EQ(links.size(), 1u);
    (void)read(1);
    EXPECT_EQ(read(1), 0x796D);
    EXPECT_EQ(read(5), 0x4DE1) << "with ACK";
    EXPECT_EQ(read(6), 0x000F);
    EXPECT_EQ(read(6), 0x000D) << "page received clears by reading";
    EXPECT_EQ(read(10), 0x3800) << "both receivers good, partner 1000BASE-T full duplex";
    EXPECT_EQ(read(17), 0xAC0C) << "1000, full, resolved, link, pause both ways";
    EXPECT_EQ(offers.size(), 1u) << "hearing the partner is no reason to start it over";
}

TEST_F(PhyTest, bmsr_latches_a_lost_link_until_it_is_read) {
    link_up();
    (void)read(1);
    EXPECT_NE(read(1) & 0x4, 0);
    phy->partner({});
    phy->partner(gigabit());
    ASSERT_TRUE(timeline.settle());
    ASSERT_TRUE(phy->link().up);
    EXPECT_EQ(read(1) & 0x4, 0) << "it was down in between";
    EXPECT_NE(read(1) & 0x4, 0);
    phy->partner({});
    EXPECT_EQ(read(1) & 0x4, 0);
    EXPECT_EQ(read(1) & 0x4, 0) << "it is down";
    phy->partner(gigabit());
    ASSERT_TRUE(timeline.settle());
    EXPECT_NE(read(1) & 0x4, 0) << "that it was lost has been said";
}

TEST_F(PhyTest, restart_takes_the_link_down_tells_the_far_end_and_negotiates_anew) {
    link_up();
    write(4, 0x0061);
    write(9, 0);
    EXPECT_TRUE(phy->link().up) << "an advertisement counts from the next negotiation on";
    write(0, 0x1340);
    EXPECT_EQ(read(0), 0x1140) << "restart clears itself";
    EXPECT_FALSE(phy->link().up);
    ASSERT_EQ(offers.size(), 2u);
    EXPECT_EQ(offers[1].anar, 0x0061);
    EXPECT_EQ(offers[1].ctrl1000, 0);
    EXPECT_EQ(read(5), 0);
    timeline.advance_by(seconds(2));
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(phy->link().speed_mbps, 10u);
    EXPECT_EQ(read(17) & 0xE400, 0x2400) << "10, full, link";
}

TEST_F(PhyTest, a_partner_that_starts_over_takes_our_link_down_too) {
    link_up();
    phy->partner({true, true, 0x0181, 0, 0, true});
    EXPECT_FALSE(phy->link().up);
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 100u);
    EXPECT_EQ(read(6) & 0x8, 0) << "no next pages without gigabit";
}

TEST_F(PhyTest, a_cable_pulled_during_negotiation_ends_it) {
    phy->partner(gigabit());
    timeline.advance_by(seconds(1));
    phy->partner({});
    timeline.advance_by(seconds(10));
    EXPECT_FALSE(phy->link().up);
    EXPECT_TRUE(links.empty());
}

TEST_F(PhyTest, parallel_detection_gives_half_duplex_and_says_that_the_partner_cannot_negotiate) {
    phy->partner({true, false, 0, 0, 100, true});
    timeline.advance_by(milliseconds(10));
    ASSERT_TRUE(phy->link().up);
    EXPECT_EQ(phy->link().speed_mbps, 100u);
    EXPECT_FALSE(phy->link().full_duplex);
    EXPECT_EQ(read(6) & 0x1, 0);
    EXPECT_EQ(read(5), 0);
}

TEST_F(PhyTest, forced_mode_offers_one_speed_and_comes_up_shortly_after) {
    write(0, 0x2100);  // 100 Mb/s, full duplex, no negotiation.
    ASSERT_EQ(offers.size(), 2u);
    EXPECT_FALSE(offers[1].negotiates);
    EXPECT_EQ(offers[1].speed_mbps, 100u);
    EXPECT_TRUE(offers[1].full_duplex);
    phy->partner({true, false, 0, 0, 100, true});
    timeline.advance_by(milliseconds(10));
    ASSERT_TRUE(phy->link().up);
    (void)read(1);
    EXPECT_EQ(read(1) & 0x24, 0x04) << "link without negotiation";
    write(0, 0x0000);
    EXPECT_EQ(offers.back().speed_mbps, 10u);
    EXPECT_FALSE(offers.back().full_duplex);
}

TEST_F(PhyTest, a_soft_reset_keeps_the_configuration_and_starts_over) {
    link_up();
    write(16, 0x0860);
    write(4, 0x0181);
    write(0, 0x9140);
    EXPECT_EQ(read(0), 0x1140) << "reset clears itself at once";
    EXPECT_EQ(read(16), 0x0860);
    EXPECT_EQ(read(4), 0x0181);
    EXPECT_FALSE(phy->link().up);
    EXPECT_EQ(offers.back().anar, 0x0181);
}

TEST_F(PhyTest, a_soft_reset_ends_loopback_and_power_down) {
    write(0, 0xC140);
    EXPECT_EQ(read(0), 0x0140);
    EXPECT_FALSE(phy->link().loopback);
    write(0, 0x9940);
    EXPECT_EQ(read(0), 0x1140);
    link_up();
}

TEST_F(PhyTest, hardware_reset_silences_it_and_brings_back_the_reset_values) {
    link_up();
    write(4, 0x0181);
    phy->hardware_reset(true);
    std::uint16_t value;
    EXPECT_FALSE(phy->mdio_read(1, 2, value));
    EXPECT_FALSE(phy->mdio_write(1, 4, 0));
    EXPECT_FALSE(phy->link().up);
    EXPECT_FALSE(offers.back().present);
    phy->hardware_reset(false);
    EXPECT_EQ(read(4), 0x0DE1);
    EXPECT_TRUE(offers.back().present);
    timeline.advance_by(seconds(2));
    EXPECT_TRUE(phy->link().up) << "the partner is still there";
}

TEST_F(PhyTest, power_down_drops_the_link_but_not_the_registers) {
    link_up();
    write(0, 0x1940);
    EXPECT_FALSE(phy->link().up);
    EXPECT_FALSE(offers.back().present);
    EXPECT_EQ(read(0), 0x1940);
    timeline.advance_by(seconds(10));
    EXPECT_FALSE(phy->link().up);
    write(0, 0x1140);
    EXPECT_TRUE(offers.back().present);
    timeline.advance_by(seconds(2));
    EXPECT_TRUE(phy->link().up);
}

TEST_F(PhyTest, copper_control_powers_down_as_well) {
    link_up();
    write(16, 0x3364);
    EXPECT_FALSE(phy->link().up);
    EXPECT_FALSE(offers.back().present);
}

// --- section 4.7 --------------------------------------------------------------------------------

TEST_F(PhyTest, loopback_has_link_at_once_and_none_with_the_wire) {
    write(0, 0x4140);
    ASSERT_TRUE(phy->link().up);
    EXPECT_TRUE(phy->link().loopback);
    EXPECT_EQ(phy->link().speed_mbps, 1000u);
    EXPECT_FALSE(offers.back().present);
    phy->partner(gigabit());
    EXPECT_TRUE(phy->link().loopback) << "the wire does not matter";
    write(0, 0x1140);
    timeline.advance_by(seconds(1));
    write(0, 0x4140);
    timeline.advance_by(seconds(10));
    EXPECT_TRUE(phy->link().loopback) << "the negotiation that had begun is over";
    write(0, 0x0140);
    EXPECT_FALSE(phy->link().up);
    write(0, 0x9140);
    timeline.advance_by(seconds(2));
    EXPECT_TRUE(phy->link().up);
    EXPECT_FALSE(phy->link().loopback);
}

// --- POEMB --------------------------------------------------------------------------------------

TEST_F(PhyTest, low_power_link_up_at_the_far_end_slows_this_end_as_well) {
    LinkAbilities slow = gigabit();
    slow.lowest_first = true;
    phy->partner(slow);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(phy->link().speed_mbps, 10u);
}

TEST_F(PhyTest, oem_bits_appear_in_register_25_and_survive_its_resets) {
    phy->oem_bits(0x0043);
    EXPECT_EQ(read(25), 0x0045);
    write(25, 0);
    phy->hardware_reset(true);
    phy->hardware_reset(false);
    EXPECT_EQ(read(25), 0x0045);
}

TEST_F(PhyTest, a_power_on_forgets_the_oem_bits_so_that_the_link_is_as_fast_as_ever) {
    phy->oem_bits(0x0043);
    phy->power_on_reset();
    EXPECT_EQ(read(25), 0);
    link_up();
    EXPECT_EQ(phy->link().speed_mbps, 1000u);
}

TEST_F(PhyTest, oem_bits_change_the_offer_from_the_next_negotiation_on) {
    link_up();
    phy->oem_bits(0x0040);
    EXPECT_TRUE(phy->link().up);
    write(25, read(25) | 0x0400);
    EXPECT_EQ(read(25) & 0x0400, 0) << "restart clears itself";
    EXPECT_EQ(offers.back().ctrl1000 & 0x0300, 0);
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 100u);
    phy->oem_bits(0x0402);  // Low power link up, restart.
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 10u);
}

// POEMB has bits for D0, for the other states, and for both (section 2.3).
TEST_F(PhyTest, asleep_it_negotiates_anew_as_the_bits_for_states_other_than_d0_say) {
    phy->oem_bits(0x0004);  // LPLU
    link_up();
    EXPECT_EQ(phy->link().speed_mbps, 1000u) << "not in D0";
    EXPECT_EQ(read(25), 0);
    phy->set_power(PhyPower::kAsleep);
    EXPECT_FALSE(phy->link().up);
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 10u);
    phy->power_on_reset();
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 1000u) << "awake again";
    phy->oem_bits(0x0008);  // AN1000_DIS_ND0
    phy->set_power(PhyPower::kAsleep);
    timeline.advance_by(seconds(2));
    EXPECT_EQ(phy->link().speed_mbps, 100u);
}

TEST_F(PhyTest, asleep_a_link_that_may_stay_as_it_is_stays) {
    phy->oem_bits(0x0000);
    link_up();
    const std::size_t told = links.size();
    const std::size_t offered = offers.size();
    phy->set_power(PhyPower::kAsleep);
    EXPECT_EQ(links.size(), told);
    phy->power_on_reset();
    phy->oem_bits(0x0002);  // Slow already in D0.
    write(0, 0x1340);
    timeline.advance_by(seconds(2));
    ASSERT_EQ(phy->link().speed_mbps, 10u);
    phy->oem_bits(0x0006);
    phy->set_power(PhyPower::kAsleep);
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(offers.size(), offered + 2) << "a power-on and a restart";
}

TEST_F(PhyTest, off_it_has_no_link_and_offers_none_until_it_is_reset) {
    link_up();
    phy->set_power(PhyPower::kOff);
    EXPECT_FALSE(phy->link().up);
    EXPECT_FALSE(offers.back().present);
    timeline.advance_by(seconds(10));
    EXPECT_FALSE(phy->link().up);
    phy->power_on_reset();
    EXPECT_TRUE(offers.back().present);
    timeline.advance_by(seconds(2));
    EXPECT_TRUE(phy->link().up);
}

// IEEE 22.2.4.1.7: without negotiation there is nothing to restart.
TEST_F(PhyTest, an_restart_does_nothing_where_negotiation_is_off) {
    LinkAbilities forced = gigabit();
    forced.negotiates = false;
    forced.speed_mbps = 100;
    phy->partner(forced);
    write(0, 0x2100);
    ASSERT_TRUE(timeline.settle());
    ASSERT_TRUE(phy->link().up);
    const std::size_t told = links.size();
    const std::size_t offered = offers.size();
    write(0, 0x2300);
    write(25, 0x0400);
    phy->oem_bits(0x0400);
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(links.size(), told);
    EXPECT_EQ(offers.size(), offered);
    EXPECT_EQ(read(0), 0x2100) << "and the bit does not stay";
    EXPECT_EQ(read(25), 0);
    write(0, 0x3300);
    EXPECT_FALSE(phy->link().up) << "with it, negotiation starts";
}

TEST_F(PhyTest, two_masters_by_hand_are_a_fault_and_no_link) {
    LinkAbilities master = gigabit();
    master.ctrl1000 = 0x1E00;
    write(9, 0x1E00);
    write(0, 0x1340);
    phy->partner(master);
    ASSERT_TRUE(timeline.settle());
    EXPECT_FALSE(phy->link().up);
    EXPECT_EQ(read(10) & 0xF000, 0x8000) << "MS fault, receivers not good";
    write(9, 0x0600);
    write(0, 0x1340);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(read(10) & 0xF000, 0x3000) << "slave";
}

// Who gives the clock is a question of 1000BASE-T alone.
TEST_F(PhyTest, a_link_of_another_kind_knows_neither_a_fault_nor_a_tie) {
    write(9, 0x1C00);  // Master by hand, without 1000BASE-T full duplex.
    write(0, 0x1340);
    LinkAbilities partner = gigabit();
    partner.ctrl1000 = 0x1E00;
    phy->partner(partner);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(phy->link().speed_mbps, 100u);
    EXPECT_EQ(read(10), 0x0800) << "only what the partner can do";

    write(9, 0x0000);
    write(0, 0x1340);
    partner.ctrl1000 = 0;
    partner.master_seed = offers.back().master_seed;
    const std::size_t negotiated = offers.size();
    phy->partner(partner);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(phy->link().speed_mbps, 100u);
    EXPECT_EQ(offers.size(), negotiated) << "equal seeds, and nobody draws again";

    write(0, 0x0140);
    partner.negotiates = false;
    partner.speed_mbps = 1000;
    partner.master_seed = offers.back().master_seed;
    const std::size_t forced = offers.size();
    phy->partner(partner);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(phy->link().up);
    EXPECT_EQ(offers.size(), forced);
}

TEST_F(PhyTest, a_slower_link_shows_no_clock_and_no_receivers_though_both_offered_gigabit) {
    LinkAbilities partner = gigabit();
    partner.lowest_first = true;
    phy->partner(partner);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(phy->link().speed_mbps, 10u);
    EXPECT_EQ(read(10), 0x0800);
    EXPECT_EQ(read(6) & 0x8, 0x8) << "its next pages were heard";
}

/// Two ends of a cable.
class Cable {
public:
    struct End final : PhyListener, EthernetPort {
        explicit End(Cable& cable, std::uint64_t seed)
            : phy(PhyParams(), cable.timeline, *this, *this, EventPort{}, seed) {}
        void phy_link_changed(const PhyLink&) override {}
        void transmit(FramePtr, Picoseconds, Picoseconds) override {}
        void advertise(const LinkAbilities& abilities) override {
            offers++;
            if (other != nullptr) other->phy.partner(abilities);
        }
        [[nodiscard]] std::uint16_t read(std::uint32_t reg) {
            std::uint16_t value = 0;
            EXPECT_TRUE(phy.mdio_read(1, reg, value));
            return value;
        }
        Phy82574l phy;
        End* other = nullptr;
        int offers = 0;
    };
    Cable(std::uint64_t seed_a, std::uint64_t seed_b) : a(*this, seed_a), b(*this, seed_b) {
        a.other = &b;
        b.other = &a;
        a.phy.power_on_reset();
        b.phy.power_on_reset();
    }
    ManualTimeline timeline;
    End a;
    End b;
};

TEST(TwoEqualEnds, agree_who_is_master_and_lots_fall_to_both) {
    int masters_a = 0;
    constexpr int kCables = 64;
    for (std::uint64_t seed = 1; seed <= kCables; seed++) {
        Cable cable(seed, seed + 1000);
        ASSERT_TRUE(cable.timeline.settle());
        ASSERT_TRUE(cable.a.phy.link().up && cable.b.phy.link().up);
        const std::uint16_t a = cable.a.read(10);
        const std::uint16_t b = cable.b.read(10);
        EXPECT_EQ(a ^ b, 0x4000) << a << " " << b;
        masters_a += (a & 0x4000) != 0 ? 1 : 0;
    }
    EXPECT_GT(masters_a, kCables / 8);
    EXPECT_LT(masters_a, kCables - kCables / 8);
}

// Equal seeds at both ends: they draw again, and one of them alone is enough.
TEST(TwoEqualEnds, that_draw_the_same_draw_again) {
    Cable cable(5, 5);
    ASSERT_TRUE(cable.timeline.settle());
    ASSERT_TRUE(cable.a.phy.link().up && cable.b.phy.link().up);
    EXPECT_EQ(cable.a.read(10) ^ cable.b.read(10), 0x4000);
    EXPECT_GT(cable.a.offers + cable.b.offers, 2);
}

}  // namespace
}  // namespace doorbell
