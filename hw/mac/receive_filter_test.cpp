#include "hw/mac/receive_filter.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "hw/mac/vlan.hpp"

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Bytes kStation = {0x00, 0x1b, 0x21, 0x12, 0x34, 0x56};
const Bytes kStranger = {0x00, 0x1b, 0x21, 0x99, 0x99, 0x99};
const Bytes kGroup = {0x01, 0xaa, 0x00, 0x12, 0x34, 0x56};
const Bytes kBroadcast(6, 0xff);
const Bytes kPause = {0x01, 0x80, 0xc2, 0x00, 0x00, 0x01};

class CountingStats final : public StatsPort {
public:
    void count(Stat stat, std::uint64_t amount) override { counts[stat] += amount; }
    std::map<Stat, std::uint64_t> counts;
};

class ReceiveFilterTest : public testing::Test {
protected:
    ReceiveFilterTest() {
        config.enabled = true;
        config.maximum_bytes = 1522;
        config.vet = 0x8100;
        config.flow_control_address = ethernet::load_address(kPause.data());
        config.flow_control_type = 0x8808;
        config.station = ethernet::load_address(kStation.data());
        add_exact(kStation, false);
    }
    void add_exact(const Bytes& address, bool source) {
        config.exact[config.exact_count++] = {ethernet::load_address(address.data()), source};
    }
    void set_hash_bit(std::uint32_t hash) { config.multicast_table[hash / 32] |= 1u << hash % 32; }

    FramePtr frame(const Bytes& destination, std::uint32_t wire_bytes = 64,
                   std::uint16_t type = 0x0800, const Bytes& source = kStranger) {
        FramePtr made = pool.take();
        made->resize(wire_bytes - 4);
        std::memset(made->data(), 0, made->size_bytes());
        std::memcpy(made->data(), destination.data(), 6);
        std::memcpy(made->data() + 6, source.data(), 6);
        store_be16(made->data() + 12, type);
        return made;
    }
    FramePtr tagged(std::uint16_t tag) {
        FramePtr made = frame(kStation, 64, 0x8100);
        store_be16(made->data() + 14, tag);
        return made;
    }
    FramePtr pause(const Bytes& destination, std::uint16_t opcode, std::uint16_t quanta) {
        FramePtr made = frame(destination, 64, 0x8808);
        store_be16(made->data() + 14, opcode);
        store_be16(made->data() + 16, quanta);
        return made;
    }
    ReceiveVerdict judge(const FramePtr& f) const { return judge_frame(config, *f); }
    FilterRule rule_of(const Bytes& destination) {
        const ReceiveVerdict verdict = judge(frame(destination));
        EXPECT_EQ(verdict.accepted, verdict.rule != FilterRule::kNone);
        EXPECT_EQ(verdict.reason, verdict.accepted ? DropReason::kNone : DropReason::kAddress);
        return verdict.rule;
    }

    FramePool pool;
    FilterConfig config;
};

TEST_F(ReceiveFilterTest, AnExactAddressIsAcceptedAndAStrangerIsNot) {
    EXPECT_EQ(rule_of(kStation), FilterRule::kExact);
    EXPECT_EQ(rule_of(kStranger), FilterRule::kNone);
}

TEST_F(ReceiveFilterTest, EveryEntryIsCompared) {
    for (std::uint8_t i = 1; i < 16; i++) add_exact({0x02, 0, 0, 0, 0, i}, false);
    for (std::uint8_t i = 1; i < 16; i++)
        EXPECT_EQ(rule_of({0x02, 0, 0, 0, 0, i}), FilterRule::kExact);
    EXPECT_EQ(rule_of({0x02, 0, 0, 0, 0, 16}), FilterRule::kNone);
}

TEST_F(ReceiveFilterTest, AselComparesTheSource) {
    add_exact({0x02, 0, 0, 0, 0, 7}, true);
    EXPECT_EQ(rule_of({0x02, 0, 0, 0, 0, 7}), FilterRule::kNone);
    EXPECT_TRUE(judge(frame(kStranger, 64, 0x0800, {0x02, 0, 0, 0, 0, 7})).accepted);
}

TEST_F(ReceiveFilterTest, ExactAddressesServeGroupsToo) {
    add_exact(kGroup, false);
    EXPECT_EQ(rule_of(kGroup), FilterRule::kExact);
    EXPECT_FALSE(judge(frame(kGroup)).inexact);
}

TEST_F(ReceiveFilterTest, PromiscuousModesLetInTheirClassOnly) {
    config.unicast_promiscuous = true;
    EXPECT_EQ(rule_of(kStranger), FilterRule::kUnicastPromiscuous);
    EXPECT_EQ(rule_of(kGroup), FilterRule::kNone);
    EXPECT_EQ(rule_of(kBroadcast), FilterRule::kNone);
    config.unicast_promiscuous = false;
    config.multicast_promiscuous = true;
    EXPECT_EQ(rule_of(kStranger), FilterRule::kNone);
    EXPECT_EQ(rule_of(kGroup), FilterRule::kMulticastPromiscuous);
    EXPECT_EQ(rule_of(kBroadcast), FilterRule::kNone) << "MPE does not imply broadcast";
    config.multicast_promiscuous = false;
    config.broadcast = true;
    EXPECT_EQ(rule_of(kBroadcast), FilterRule::kBroadcast);
    EXPECT_EQ(rule_of(kGroup), FilterRule::kNone);
}

// Check values of the specification, appendix B.
TEST_F(ReceiveFilterTest, HashesAsTheCheckValuesSay) {
    const std::uint32_t expected[] = {0x563, 0xac6, 0x58d, 0x634};
    for (std::uint32_t mo = 0; mo < 4; mo++) {
        EXPECT_EQ(multicast_hash(kGroup.data(), multicast_hash_shift(mo)), expected[mo]);
        config = FilterConfig();
        config.maximum_bytes = 1522;
        config.hash_shift = multicast_hash_shift(mo);
        set_hash_bit(expected[mo]);
        const ReceiveVerdict verdict = judge(frame(kGroup));
        EXPECT_EQ(verdict.rule, FilterRule::kMulticastHash);
        EXPECT_TRUE(verdict.inexact) << "PIF";
        config.multicast_table.fill(~0u);
        config.multicast_table[expected[mo] / 32] &= ~(1u << expected[mo] % 32);
        EXPECT_EQ(rule_of(kGroup), FilterRule::kNone) << "no other bit serves";
    }
}

TEST_F(ReceiveFilterTest, AHashHitLetsBroadcastInButNotUnicast) {
    config.multicast_table.fill(~0u);
    EXPECT_EQ(rule_of(kBroadcast), FilterRule::kMulticastHash);
    EXPECT_EQ(rule_of(kStranger), FilterRule::kNone);
}

TEST_F(ReceiveFilterTest, JudgesLengthBeforeTheCrc) {
    struct Case {
        std::uint32_t wire_bytes;
        bool crc_good;
        DropReason reason;
    };
    for (const Case& c :
         {Case{63, true, DropReason::kUndersize}, Case{63, false, DropReason::kFragment},
          Case{64, true, DropReason::kNone}, Case{64, false, DropReason::kCrcError},
          Case{1522, true, DropReason::kNone}, Case{1523, true, DropReason::kOversize},
          Case{1523, false, DropReason::kJabber}}) {
        FramePtr made = frame(kStation, c.wire_bytes);
        if (!c.crc_good) made->pin_fcs(~made->fcs());
        for (const bool sbp : {false, true}) {
            config.store_bad = sbp;
            const ReceiveVerdict verdict = judge(made);
            EXPECT_EQ(verdict.reason, c.reason) << c.wire_bytes;
            EXPECT_EQ(verdict.accepted, sbp || c.reason == DropReason::kNone) << c.wire_bytes;
        }
    }
}

TEST_F(ReceiveFilterTest, SbpStillAppliesTheAddressFilter) {
    config.store_bad = true;
    EXPECT_FALSE(judge(frame(kStranger, 63)).accepted);
}

TEST_F(ReceiveFilterTest, AFrameShorterThanItsHeaderIsJudgedWithoutReadingBeyondIt) {
    config.store_bad = true;
    for (std::uint32_t size = 0; size < 14; size++) {
        FramePtr made = pool.take();
        made->resize(size);
        EXPECT_FALSE(judge(made).accepted);
        EXPECT_EQ(judge(made).reason, DropReason::kUndersize);
    }
}

TEST_F(ReceiveFilterTest, VfeAsksTheTableOfTaggedFramesOnly) {
    config.vlan_filter = true;
    EXPECT_TRUE(judge(frame(kStation)).accepted) << "untagged frames pass";
    EXPECT_EQ(judge(tagged(0x0123)).reason, DropReason::kVlan);
    config.vlan_table[0x123 >> 5] = 1u << (0x123 & 31);
    EXPECT_TRUE(judge(tagged(0xe123)).accepted) << "the priority does not matter";
    EXPECT_EQ(judge(tagged(0x0122)).reason, DropReason::kVlan);
    config.vet = 0x88a8;
    EXPECT_TRUE(judge(tagged(0x0122)).accepted) << "not a VLAN frame by VET";
}

TEST_F(ReceiveFilterTest, CfienWantsTheCfiOfRctl) {
    config.vlan_filter = true;
    config.vlan_table.fill(~0u);
    config.cfi_check = true;
    EXPECT_TRUE(judge(tagged(0x0001)).accepted);
    EXPECT_EQ(judge(tagged(0x1001)).reason, DropReason::kCfi);
    config.cfi_wanted = true;
    EXPECT_EQ(judge(tagged(0x0001)).reason, DropReason::kCfi);
    EXPECT_TRUE(judge(tagged(0x1001)).accepted);
    config.vlan_filter = false;
    EXPECT_TRUE(judge(tagged(0x0001)).accepted) << "only with VFE";
}

TEST_F(ReceiveFilterTest, PauseFramesEndInTheMac) {
    add_exact(kPause, false);
    config.obey_pause = true;
    for (const Bytes& destination : {kPause, kStation}) {
        const ReceiveVerdict verdict = judge(pause(destination, 1, 0x680));
        EXPECT_FALSE(verdict.accepted);
        EXPECT_EQ(verdict.reason, DropReason::kMacControl);
        EXPECT_TRUE(verdict.pause);
        EXPECT_EQ(verdict.pause_quanta, 0x680);
    }
    config.obey_pause = false;
    EXPECT_FALSE(judge(pause(kPause, 1, 0x680)).pause);
    config.pass_mac_control = true;
    EXPECT_TRUE(judge(pause(kPause, 1, 0x680)).accepted);
    EXPECT_TRUE(judge(pause(kPause, 2, 0)).accepted) << "PMCF is for every operation";
    config.discard_pause = true;
    EXPECT_FALSE(judge(pause(kPause, 1, 0x680)).accepted);
    EXPECT_TRUE(judge(pause(kPause, 2, 0)).accepted) << "DPF is for PAUSE";
    config.pass_mac_control = false;
    EXPECT_FALSE(judge(pause(kPause, 2, 0)).accepted);
}

TEST_F(ReceiveFilterTest, CountsWhatTheDatasheetCounts) {
    CountingStats stats;
    config.obey_pause = true;
    count_verdict(stats, judge(pause(kPause, 1, 5)));
    count_verdict(stats, judge(pause(kPause, 1, 0)));
    count_verdict(stats, judge(pause(kPause, 2, 0)));
    count_verdict(stats, judge(frame(kStation, 63)));
    count_verdict(stats, judge(frame(kStranger, 63)));
    count_verdict(stats, judge(frame(kStation, 1523)));
    const std::map<Stat, std::uint64_t> expected = {{Stat::kXOFFRXC, 1}, {Stat::kXONRXC, 1},
                                                    {Stat::kFCRUC, 1},   {Stat::kRUC, 2},
                                                    {Stat::kROC, 1},     {Stat::kRLEC, 2}};
    EXPECT_EQ(stats.counts, expected);
}

TEST_F(ReceiveFilterTest, EveryDropReasonHasANameOfItsOwn) {
    std::set<std::string> names;
    for (std::uint8_t i = 0; i < static_cast<std::uint8_t>(DropReason::kCount); i++) {
        names.insert(drop_reason_name(static_cast<DropReason>(i)));
    }
    EXPECT_EQ(names.size(), static_cast<std::size_t>(DropReason::kCount));
    EXPECT_EQ(names.count("unknown"), 0u);
}

}  // namespace
}  // namespace doorbell
