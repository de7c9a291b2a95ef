#include "hw/irq/delay_timers.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/irq/throttle.hpp"

namespace doorbell {
namespace {

struct Expired {
    Picoseconds time_ps;
    DelayTimers::Expiry expiry;
    bool operator==(const Expired& other) const {
        return time_ps == other.time_ps && expiry == other.expiry;
    }
};

class DelayTimersTest : public ::testing::Test {
protected:
    ManualTimeline timeline;
    std::vector<Expired> expired;
    DelayTimers timers{timeline, [this](DelayTimers::Expiry expiry) {
                           expired.push_back({timeline.now_ps(), expiry});
                       }};
    static constexpr auto kPacket = DelayTimers::Expiry::kPacket;
    static constexpr auto kAbsolute = DelayTimers::Expiry::kAbsolute;
};

TEST_F(DelayTimersTest, the_packet_timer_counts_from_the_last_event_in_units_of_1024_ns) {
    timers.start(32, 0);
    timeline.advance_until(microseconds(20));
    timers.start(32, 0);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(expired, (std::vector<Expired>{{microseconds(20) + 32 * 1'024'000, kPacket}}));
}

TEST_F(DelayTimersTest, the_absolute_timer_counts_from_the_first_event) {
    for (int i = 0; i < 20; i++) {
        timers.start(10, 25);
        timeline.advance_by(microseconds(5));
    }
    ASSERT_FALSE(expired.empty());
    EXPECT_EQ(expired.front(), (Expired{25 * 1'024'000, kAbsolute}));
}

TEST_F(DelayTimersTest, whoever_comes_first_ends_both) {
    timers.start(10, 100);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(expired, (std::vector<Expired>{{10 * 1'024'000, kPacket}}));
    EXPECT_FALSE(timers.running());
}

TEST_F(DelayTimersTest, a_shorter_delay_of_a_later_event_counts) {
    timers.start(1000, 0);
    timers.start(1, 0);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(expired, (std::vector<Expired>{{1'024'000, kPacket}}));
}

TEST_F(DelayTimersTest, stopped_timers_are_silent_and_can_start_again) {
    timers.start(10, 20);
    timers.stop();
    timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(expired.empty());
    timers.start(10, 20);
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(expired, (std::vector<Expired>{{milliseconds(1) + 10 * 1'024'000, kPacket}}));
}

TEST_F(DelayTimersTest, delays_of_0_start_nothing) {
    timers.start(0, 0);
    EXPECT_FALSE(timers.running());
    EXPECT_EQ(timeline.next_event_time(), kNever);
}

TEST(Throttle, the_first_interrupt_never_waits) {
    const Throttle throttle;
    EXPECT_EQ(throttle.earliest_ps(5, 0xFFFF), 5u);
}

TEST(Throttle, the_interval_counts_from_the_issue_in_units_of_256_ns) {
    Throttle throttle;
    throttle.issued(1'000);
    EXPECT_EQ(throttle.earliest_ps(2'000, 1), 1'000u + 256'000u);
    EXPECT_EQ(throttle.earliest_ps(2'000, 0xFFFF), 1'000u + 0xFFFFull * 256'000u);
    EXPECT_EQ(throttle.earliest_ps(300'000, 1), 300'000u) << "the time is over";
    EXPECT_EQ(throttle.earliest_ps(2'000, 0), 2'000u) << "off";
}

TEST(Throttle, an_expired_throttle_holds_nothing_back) {
    Throttle throttle;
    throttle.issued(1'000);
    throttle.expire();
    EXPECT_EQ(throttle.earliest_ps(1'001, 0xFFFF), 1'001u);
}

}  // namespace
}  // namespace doorbell
