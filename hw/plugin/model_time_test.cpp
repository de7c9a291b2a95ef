#include "hw/plugin/model_time.hpp"

#include <gtest/gtest.h>

#include "hw/plugin/client_support_test.hpp"

namespace doorbell::plugin::test {
namespace {

class Time : public ::testing::Test {
protected:
    ~Time() override { timeline().cancel(task); }
    Timeline& timeline() { return model.timeline(); }

    HandClock clock;
    NicClock model;
    int ran = 0;
    Task task{[this] { ran++; }};
};

TEST_F(Time, of_the_wall_stands_where_the_hosts_clock_stands) {
    ModelTime time(model, clock, Pace::kWall);
    clock.advance_ns(1'000'000);
    time.settle();
    EXPECT_EQ(time.now_ps(), milliseconds(1));
    EXPECT_EQ(time.idle_ns(), -1);
}

TEST_F(Time, of_the_wall_runs_an_event_when_it_is_due_or_so_close_that_no_sleep_is_worth_it) {
    ModelTime time(model, clock, Pace::kWall);
    timeline().schedule(task, microseconds(100));
    time.settle();
    EXPECT_EQ(ran, 0);
    EXPECT_EQ(time.idle_ns(), 95'000);
    clock.advance_ns(94'000);
    time.settle();
    EXPECT_EQ(ran, 0);
    clock.advance_ns(1'000);
    time.settle();
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(time.now_ps(), microseconds(100)) << "ahead of the clock, never behind itself";
    clock.advance_ns(1'000);
    time.settle();
    EXPECT_EQ(time.now_ps(), microseconds(100));
}

TEST_F(Time, that_is_fast_waits_for_nothing) {
    ModelTime time(model, clock, Pace::kFast);
    timeline().schedule(task, seconds(1000));
    time.settle();
    EXPECT_EQ(ran, 0) << "the outside first";
    EXPECT_EQ(time.idle_ns(), 0);
    time.turn_over();
    EXPECT_EQ(ran, 1);
    EXPECT_EQ(time.now_ps(), seconds(1000));
    EXPECT_EQ(time.idle_ns(), -1);
}

TEST_F(Time, comes_back_to_the_outside_from_a_model_that_never_rests) {
    ModelTime time(model, clock, Pace::kWall);
    Task creeping{[&] {
        ran++;
        timeline().schedule(creeping, timeline().now_ps() + 1);
    }};
    timeline().schedule(creeping, 0);
    time.settle();
    EXPECT_GT(ran, 1000);
    EXPECT_LT(time.now_ps(), microseconds(5));
    timeline().cancel(creeping);
}

}  // namespace
}  // namespace doorbell::plugin::test
