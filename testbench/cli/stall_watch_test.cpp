#include "testbench/cli/stall_watch.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbell::cli {
namespace {

TEST(StallRuleTest, SpeaksAfterFiveSecondsAndThenAtIntervalsThatDouble) {
    StallRule rule;
    std::vector<unsigned> said;
    for (unsigned second = 0; second <= 45; second++) {
        if (const unsigned stalled_s = rule.tick(7); stalled_s != 0) said.push_back(stalled_s);
    }
    EXPECT_EQ(said, (std::vector<unsigned>{5, 10, 20, 40}));
}

TEST(StallRuleTest, SaysNothingWhileTimeMovesAndStartsOverWhenItMovedAgain) {
    StallRule rule;
    for (std::uint64_t now_ps = 0; now_ps < 100; now_ps++) EXPECT_EQ(rule.tick(now_ps), 0u);
    for (unsigned second = 1; second < 5; second++) EXPECT_EQ(rule.tick(99), 0u);
    EXPECT_EQ(rule.tick(100), 0u);
    for (unsigned second = 1; second < 5; second++) EXPECT_EQ(rule.tick(100), 0u);
    EXPECT_EQ(rule.tick(100), 5u);
}

}  // namespace
}  // namespace doorbell::cli
