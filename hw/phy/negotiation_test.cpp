#include "hw/phy/negotiation.hpp"

#include <gtest/gtest.h>

namespace doorbell::phy {
namespace {

// Bits of registers 4 and 9, typed from IEEE 802.3 tables 28-2 and 40-3.
constexpr std::uint16_t k10Half = 0x0020;
constexpr std::uint16_t k10Full = 0x0040;
constexpr std::uint16_t k100Half = 0x0080;
constexpr std::uint16_t k100Full = 0x0100;
constexpr std::uint16_t kPause = 0x0400;
constexpr std::uint16_t kAsymmetric = 0x0800;
constexpr std::uint16_t k1000Full = 0x0200;
constexpr std::uint16_t k1000Half = 0x0100;

LinkAbilities negotiating(std::uint16_t anar, std::uint16_t ctrl1000 = 0) {
    return {true, true, anar, ctrl1000, 0, true};
}
LinkAbilities forced(std::uint32_t speed_mbps, bool full_duplex) {
    return {true, false, 0, 0, speed_mbps, full_duplex};
}

void expect_link(const Resolution& result, std::uint32_t speed_mbps, bool full_duplex) {
    EXPECT_TRUE(result.link);
    EXPECT_EQ(result.speed_mbps, speed_mbps);
    EXPECT_EQ(result.full_duplex, full_duplex);
}

constexpr std::uint16_t kAll = k10Half | k10Full | k100Half | k100Full;

TEST(Negotiation, the_best_common_mode_wins) {
    const LinkAbilities me = negotiating(kAll, k1000Full | k1000Half);
    expect_link(resolve(me, negotiating(kAll, k1000Full)), 1000, true);
    expect_link(resolve(me, negotiating(kAll)), 100, true);
    expect_link(resolve(me, negotiating(k100Half | k10Full)), 100, false);
    expect_link(resolve(me, negotiating(k10Full | k10Half)), 10, true);
    expect_link(resolve(me, negotiating(k10Half)), 10, false);
}

TEST(Negotiation, gigabit_half_duplex_alone_is_nothing_in_common) {
    EXPECT_FALSE(resolve(negotiating(0, k1000Half), negotiating(0, k1000Half)).link);
}

TEST(Negotiation, nothing_in_common_is_no_link) {
    EXPECT_FALSE(resolve(negotiating(k100Full), negotiating(k10Full)).link);
    EXPECT_FALSE(resolve(negotiating(kAll), LinkAbilities{}).link);
    EXPECT_FALSE(resolve(LinkAbilities{}, negotiating(kAll)).link);
}

TEST(Negotiation, low_power_link_up_takes_the_worst_common_mode) {
    const LinkAbilities all = negotiating(kAll, k1000Full);
    const LinkAbilities fast = negotiating(k100Full, k1000Full);
    LinkAbilities slow = all;
    slow.lowest_first = true;
    // Whichever end asks for it, both come to the same.
    expect_link(resolve(slow, all), 10, false);
    expect_link(resolve(all, slow), 10, false);
    expect_link(resolve(slow, fast), 100, true);
    expect_link(resolve(fast, slow), 100, true);
}

TEST(Negotiation, parallel_detection_finds_the_speed_and_takes_half_duplex) {
    for (const std::uint32_t speed : {10u, 100u}) {
        expect_link(resolve(negotiating(kAll), forced(speed, true)), speed, false);
        // The forced end keeps its own duplex: the classic mismatch.
        expect_link(resolve(forced(speed, true), negotiating(kAll)), speed, true);
    }
    EXPECT_FALSE(resolve(negotiating(kAll, k1000Full), forced(1000, true)).link);
    EXPECT_FALSE(resolve(forced(1000, true), negotiating(kAll, k1000Full)).link);
    EXPECT_FALSE(resolve(negotiating(k10Half), forced(100, true)).link);
    EXPECT_FALSE(resolve(negotiating(k100Half), forced(10, true)).link);
}

TEST(Negotiation, two_forced_ends_need_the_same_speed) {
    expect_link(resolve(forced(100, false), forced(100, true)), 100, false);
    EXPECT_FALSE(resolve(forced(100, true), forced(10, true)).link);
}

// IEEE 802.3 table 28B-3, row by row.
TEST(Pause, resolves_as_the_standard_says) {
    struct Row {
        std::uint16_t mine, theirs;
        bool transmit, receive;
    };
    const Row rows[] = {
        {0, 0, false, false},
        {0, kPause | kAsymmetric, false, false},
        {kAsymmetric, kAsymmetric, false, false},
        {kAsymmetric, kPause, false, false},
        {kAsymmetric, kPause | kAsymmetric, true, false},
        {kPause, 0, false, false},
        {kPause, kAsymmetric, false, false},
        {kPause, kPause, true, true},
        {kPause | kAsymmetric, 0, false, false},
        {kPause | kAsymmetric, kAsymmetric, false, true},
        {kPause | kAsymmetric, kPause, true, true},
        {kPause | kAsymmetric, kPause | kAsymmetric, true, true},
    };
    for (const Row& row : rows) {
        const PauseResolution result = resolve_pause(row.mine, row.theirs);
        EXPECT_EQ(result.transmit, row.transmit) << row.mine << " " << row.theirs;
        EXPECT_EQ(result.receive, row.receive) << row.mine << " " << row.theirs;
    }
}

LinkAbilities clocked(std::uint16_t ctrl1000, std::uint16_t seed = 0) {
    LinkAbilities end;
    end.ctrl1000 = ctrl1000;
    end.master_seed = seed;
    return end;
}

constexpr std::uint16_t kManualMaster = 0x1800;
constexpr std::uint16_t kManualSlave = 0x1000;
constexpr std::uint16_t kMultiPort = 0x0400;
constexpr std::uint16_t kMasterValueOnly = 0x0800;

// IEEE 802.3 table 40-5: by hand, then the port type, then the seed.
TEST(ClockRoles, one_end_is_master_and_the_other_slave) {
    const std::pair<LinkAbilities, LinkAbilities> rows[] = {
        {clocked(kManualMaster), clocked(kMultiPort, 9)},
        {clocked(0), clocked(kManualSlave | kMultiPort, 9)},
        {clocked(kManualMaster), clocked(kManualSlave)},
        {clocked(kMultiPort), clocked(0, 9)},
        {clocked(0, 5), clocked(0, 4)},
        {clocked(0, 5), clocked(kMasterValueOnly, 4)},
        {clocked(kMultiPort, 0x7FF), clocked(kMultiPort, 0x7FE)},
    };
    for (const auto& [master, slave] : rows) {
        EXPECT_EQ(resolve_clock_role(master, slave), ClockRole::kMaster) << master.ctrl1000;
        EXPECT_EQ(resolve_clock_role(slave, master), ClockRole::kSlave) << master.ctrl1000;
    }
}

TEST(ClockRoles, equal_seeds_are_a_tie_and_equal_orders_a_fault) {
    EXPECT_EQ(resolve_clock_role(clocked(0, 7), clocked(0, 7)), ClockRole::kTie);
    for (const std::uint16_t order : {kManualMaster, kManualSlave}) {
        EXPECT_EQ(resolve_clock_role(clocked(order, 1), clocked(order, 2)), ClockRole::kFault);
    }
}

}  // namespace
}  // namespace doorbell::phy
