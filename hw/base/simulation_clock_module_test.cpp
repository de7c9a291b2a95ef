#include "hw/base/simulation_clock_module.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "hw/base/timeline_module.hpp"

namespace doorbell {
namespace {

using testing::ElementsAre;

class SimulationClockTest : public testing::Test {
protected:
    ~SimulationClockTest() override { timeline.cancel(task); }
    TimelineModule timeline{"timeline"};
    SimulationClock clock;
    std::vector<Picoseconds> calls;
    Task task{[this] { calls.push_back(timeline.now_ps()); }};
};

TEST_F(SimulationClockTest, RunsWhatIsDueUpToAndAtTheGivenTime) {
    clock.start();
    timeline.schedule(task, 500);
    EXPECT_EQ(clock.next_event_time(), 500u);
    clock.advance_until(499);
    EXPECT_TRUE(calls.empty());
    EXPECT_EQ(clock.now_ps(), 499u);
    clock.advance_until(500);
    EXPECT_THAT(calls, ElementsAre(500));
    EXPECT_EQ(clock.now_ps(), 500u);
}

TEST_F(SimulationClockTest, RunsWhatAnEventAtTheSameTimeMakesDue) {
    clock.start();
    int left = 3;
    Task chain([&] {
        calls.push_back(timeline.now_ps());
        if (--left > 0) timeline.schedule(chain, timeline.now_ps());
    });
    timeline.schedule(chain, 700);
    clock.advance_until(700);
    EXPECT_THAT(calls, ElementsAre(700, 700, 700));
}

TEST_F(SimulationClockTest, SaysThatNothingWillEverHappen) {
    clock.start();
    EXPECT_EQ(clock.next_event_time(), kNever);
    clock.advance_until(1'000'000);
    EXPECT_EQ(clock.now_ps(), 1'000'000u);
}

TEST_F(SimulationClockTest, StandsStillWhenAskedToGoBack) {
    clock.start();
    clock.advance_until(1000);
    clock.advance_until(10);
    EXPECT_EQ(clock.now_ps(), 1000u);
}

TEST_F(SimulationClockTest, ASeriesOfSlicesRunsEverythingOnce) {
    clock.start();
    Task tick([&] {
        calls.push_back(timeline.now_ps());
        if (timeline.now_ps() < 1000) timeline.schedule(tick, timeline.now_ps() + 100);
    });
    timeline.schedule(tick, 100);
    for (Picoseconds until = 0; until <= 2000; until += 30) clock.advance_until(until);
    EXPECT_THAT(calls, ElementsAre(100, 200, 300, 400, 500, 600, 700, 800, 900, 1000));
}

TEST_F(SimulationClockTest, AStopEndsTheRun) {
    clock.start();
    Task stop([] { sc_core::sc_stop(); });
    timeline.schedule(stop, 100);
    timeline.schedule(task, 200);
    clock.advance_until(1000);
    EXPECT_TRUE(clock.stopped());
    EXPECT_TRUE(calls.empty());
}

}  // namespace
}  // namespace doorbell
