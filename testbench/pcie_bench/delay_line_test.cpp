#include "testbench/pcie_bench/delay_line.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace doorbell::pcie_bench {
namespace {

using Arrivals = std::vector<std::pair<Picoseconds, int>>;

TEST(DelayLineTest, ThingsArriveAtTheirTimesAndEqualTimesInTheOrderOfSending) {
    ManualTimeline timeline;
    Arrivals arrivals;
    DelayLine<int> line(timeline,
                        [&](const int& what) { arrivals.emplace_back(timeline.now_ps(), what); });
    line.send(10, 1);
    line.send(30, 2);
    line.send(20, 3);  // Overtakes.
    line.send(30, 4);
    line.send(5, 5);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(arrivals, (Arrivals{{5, 5}, {10, 1}, {20, 3}, {30, 2}, {30, 4}}));
}

TEST(DelayLineTest, WhatArrivesMaySendAndManyMayBeUnderWay) {
    ManualTimeline timeline;
    std::vector<int> arrivals;
    DelayLine<int>* self = nullptr;
    DelayLine<int> line(timeline, [&](const int& what) {
        arrivals.push_back(what);
        if (what < 1'000) self->send(timeline.now_ps() + 7, what + 1'000);
    });
    self = &line;
    for (int i = 0; i < 1'000; i++) line.send(static_cast<Picoseconds>(i), i);
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(arrivals.size(), 2'000u);
    EXPECT_EQ(arrivals[7], 7);  // Sent before the answer to 0, which is due at the same time.
    EXPECT_EQ(arrivals[8], 1'000);
    EXPECT_EQ(arrivals.back(), 1'999);
}

// Room for 256 is made once; more are under way here, when the first have arrived already.
TEST(DelayLineTest, MoreThanEverBeforeAreUnderWayAndNoneIsLost) {
    ManualTimeline timeline;
    std::vector<int> arrivals;
    DelayLine<int> line(timeline, [&](const int& what) { arrivals.push_back(what); });
    int next = 0;
    for (; next < 200; next++) line.send(static_cast<Picoseconds>(next), next);
    timeline.advance_until(99);
    for (; next < 1'500; next++) line.send(static_cast<Picoseconds>(next), next);
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(arrivals.size(), 1'500u);
    for (int i = 0; i < 1'500; i++) EXPECT_EQ(arrivals[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace doorbell::pcie_bench
