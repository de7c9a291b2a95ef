#include "hw/ptp/time_stamper.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

TEST(TimeStamper, keeps_the_last_delimiter_of_each_direction_until_reset) {
    FramePool pool;
    TimeStamper stamper;
    const FramePtr frame = pool.take();
    frame->number = 7;
    stamper.frame_started(Direction::kTx, *frame, 1'000);
    frame->number = 8;
    stamper.frame_started(Direction::kRx, *frame, 2'000);
    stamper.frame_started(Direction::kRx, *frame, 3'000);
    EXPECT_EQ(stamper.last(Direction::kTx).frame, 7u);
    EXPECT_EQ(stamper.last(Direction::kTx).delimiter_ps, 1'000u);
    EXPECT_EQ(stamper.last(Direction::kRx).delimiter_ps, 3'000u);
    EXPECT_EQ(stamper.last(Direction::kRx).frames, 2u);
    stamper.reset();
    EXPECT_EQ(stamper.last(Direction::kRx).frames, 0u);
}

}  // namespace
}  // namespace doorbell
