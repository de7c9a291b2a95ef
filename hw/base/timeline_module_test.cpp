#include "hw/base/timeline_module.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace doorbell {
namespace {

TEST(TimelineModule, RunsEveryTaskAtItsTimeAndSharesActivations) {
    TimelineModule timeline("timeline");
    std::vector<std::pair<char, Picoseconds>> seen;
    Task a([&] { seen.emplace_back('a', timeline.now_ps()); });
    Task b([&] { seen.emplace_back('b', timeline.now_ps()); });
    Task* again = nullptr;
    Task c([&] {
        seen.emplace_back('c', timeline.now_ps());
        if (timeline.now_ps() < 300) timeline.schedule(*again, timeline.now_ps() + 100);
    });
    again = &c;
    timeline.schedule(a, 100);
    timeline.schedule(c, 100);
    timeline.schedule(b, 50);
    timeline.schedule(a, 70);
    Task moved([&] { seen.emplace_back('m', timeline.now_ps()); });
    timeline.schedule(moved, 40);
    timeline.cancel(moved);
    sc_core::sc_start(sc_core::sc_time::from_value(1000));
    const std::vector<std::pair<char, Picoseconds>> expected = {
        {'b', 50}, {'a', 70}, {'c', 100}, {'c', 200}, {'c', 300}};
    EXPECT_EQ(seen, expected);
    EXPECT_LE(timeline.activations(), 6u) << "five times, and one for the cancelled task";
}

TEST(TimelineModule, ATaskDueNowRunsInTheSameInstant) {
    TimelineModule timeline("timeline");
    std::vector<Picoseconds> seen;
    Task second([&] { seen.push_back(timeline.now_ps()); });
    Task first([&] {
        seen.push_back(timeline.now_ps());
        timeline.schedule(second, timeline.now_ps());
    });
    timeline.schedule(first, 0);
    sc_core::sc_start(sc_core::sc_time::from_value(10));
    EXPECT_EQ(seen, (std::vector<Picoseconds>{0, 0}));
}

}  // namespace
}  // namespace doorbell
