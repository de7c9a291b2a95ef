#include "hw/ptp/system_time.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

constexpr Picoseconds kCycle = nanoseconds(40);
constexpr std::uint32_t kLinuxIncrement = 40u << 18;

TEST(SystemTime, stands_still_until_it_has_a_period) {
    SystemTime time(kCycle);
    EXPECT_EQ(time.at(seconds(1)), 0u);
    time.set(7, seconds(1));
    EXPECT_EQ(time.at(seconds(2)), 7u);
}

// Section 12: 25 MHz; Linux: 40 ns a cycle in units of 2^-18 ns.
TEST(SystemTime, with_the_increment_of_linux_a_second_is_a_second) {
    SystemTime time(kCycle);
    time.set_increment(1, kLinuxIncrement, 0);
    EXPECT_EQ(time.at(seconds(1)), 1'000'000'000ull << 18);
    EXPECT_EQ(time.at(nanoseconds(79)), std::uint64_t{kLinuxIncrement}) << "whole cycles count";
}

TEST(SystemTime, adds_once_in_a_period) {
    SystemTime time(kCycle);
    time.set_increment(3, 100, 0);
    EXPECT_EQ(time.at(2 * kCycle), 0u);
    EXPECT_EQ(time.at(3 * kCycle), 100u);
    EXPECT_EQ(time.at(8 * kCycle), 200u);
    EXPECT_EQ(time.at(9 * kCycle), 300u);
}

TEST(SystemTime, a_new_increment_goes_on_from_where_the_time_stands) {
    SystemTime time(kCycle);
    time.set_increment(1, 10, 0);
    time.set_increment(1, 1, 5 * kCycle);
    EXPECT_EQ(time.at(5 * kCycle), 50u);
    EXPECT_EQ(time.at(7 * kCycle), 52u);
    time.set_increment(0, 1, 7 * kCycle);
    EXPECT_EQ(time.at(100 * kCycle), 52u);
}

TEST(SystemTime, an_adjustment_has_a_sign_and_keeps_the_rhythm) {
    SystemTime time(kCycle);
    time.set_increment(4, 10, 0);
    time.adjust(1'000, 6 * kCycle);
    EXPECT_EQ(time.at(6 * kCycle), 1'010u);
    EXPECT_EQ(time.at(7 * kCycle), 1'010u);
    EXPECT_EQ(time.at(8 * kCycle), 1'020u) << "when the period of before ends";
    time.adjust(std::uint64_t{1} << 63 | 20, 8 * kCycle);
    EXPECT_EQ(time.at(8 * kCycle), 1'000u);
}

TEST(SystemTime, wraps_at_64_bits) {
    SystemTime time(kCycle);
    time.set(~std::uint64_t{0}, 0);
    time.set_increment(1, 2, 0);
    EXPECT_EQ(time.at(kCycle), 1u);
}

TEST(SystemTime, an_instant_before_it_was_set_has_what_was_set) {
    SystemTime time(kCycle);
    time.set_increment(1, 2, 0);
    time.set(500, 10 * kCycle);
    EXPECT_EQ(time.at(3 * kCycle), 500u);
}

}  // namespace
}  // namespace doorbell
