#include "testbench/host/interrupt_controller.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <vector>

namespace doorbell {
namespace {

struct Seen {
    std::vector<std::uint32_t> lines;
    InterruptController* controller = nullptr;
    bool was_in_handler = false;
};
void handler(void* ctx, std::uint32_t line) {
    auto* seen = static_cast<Seen*>(ctx);
    seen->lines.push_back(line);
    seen->was_in_handler = seen->controller->in_handler();
}

class InterruptControllerTest : public testing::Test {
protected:
    InterruptControllerTest() { seen.controller = &controller; }

    static constexpr Picoseconds kLatency = nanoseconds(100);
    ManualTimeline timeline;
    InterruptControllerParams params{4, kLatency};
    InterruptController controller{params, timeline, EventPort()};
    Seen seen;
    std::uint64_t address = 0;
    std::uint32_t data = 0;
};
using Lines = std::vector<std::uint32_t>;

TEST_F(InterruptControllerTest, AMessageIsDeliveredToItsLineAfterTheLatency) {
    const int first = controller.request_message(handler, &seen, address, data);
    std::uint32_t second_data = 0;
    const int second = controller.request_message(handler, &seen, address, second_data);
    ASSERT_GE(first, 0);
    ASSERT_GE(second, 0);
    EXPECT_NE(data, second_data);
    EXPECT_TRUE(InterruptController::in_window(address));
    controller.message(address, second_data);
    timeline.advance_by(kLatency - 1);
    EXPECT_TRUE(seen.lines.empty());
    timeline.advance_by(1);
    EXPECT_EQ(seen.lines, Lines{static_cast<std::uint32_t>(second)});
    EXPECT_TRUE(seen.was_in_handler);
    EXPECT_FALSE(controller.in_handler());
}

TEST_F(InterruptControllerTest, EdgesBeforeDeliveryAreOneAndAfterItAnother) {
    (void)controller.request_message(handler, &seen, address, data);
    controller.message(address, data);
    controller.message(address, data);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.size(), 1u);
    controller.message(address, data);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.size(), 2u);
}

TEST_F(InterruptControllerTest, AMessageForNobodyIsCountedAndHarmless) {
    const int line = controller.request_message(handler, &seen, address, data);
    for (const std::uint32_t wrong : {0u, data - 1, data + 1, 0xFFFFFFFFu}) {
        controller.message(address, wrong);
    }
    controller.message(0x1000, data);
    EXPECT_TRUE(controller.free(line));
    controller.message(address, data);
    EXPECT_TRUE(timeline.settle());
    EXPECT_TRUE(seen.lines.empty());
    EXPECT_FALSE(controller.free(line));
    EXPECT_FALSE(controller.free(-1));
    EXPECT_FALSE(controller.free(99));
}

TEST_F(InterruptControllerTest, APinInterruptsOnceUntilTheEndOfInterruptAndAgainWhileAsserted) {
    const int line = controller.request_pin(0, handler, &seen);
    ASSERT_GE(line, 0);
    controller.pin(0, true);
    EXPECT_TRUE(timeline.settle());
    controller.pin(0, false);
    controller.pin(0, true);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.size(), 1u);  // In service.
    controller.end_of_interrupt(line);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.size(), 2u);
    controller.pin(0, false);
    controller.end_of_interrupt(line);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.size(), 2u);
}

TEST_F(InterruptControllerTest, APinReleasedBeforeDeliveryInterruptsNobody) {
    (void)controller.request_pin(0, handler, &seen);
    controller.pin(0, true);
    timeline.advance_by(kLatency / 2);
    controller.pin(0, false);
    EXPECT_TRUE(timeline.settle());
    EXPECT_TRUE(seen.lines.empty());
}

TEST_F(InterruptControllerTest, EveryDeviceHasAPinOfItsOwn) {
    controller.pin(1, true);  // Before anybody listens: the level stays.
    const int zero = controller.request_pin(0, handler, &seen);
    EXPECT_TRUE(timeline.settle());
    EXPECT_TRUE(seen.lines.empty());
    const int one = controller.request_pin(1, handler, &seen);
    EXPECT_EQ(controller.request_pin(1, handler, &seen), -EBUSY);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines, Lines{static_cast<std::uint32_t>(one)});
    controller.pin(0, true);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(seen.lines.back(), static_cast<std::uint32_t>(zero));
}

TEST_F(InterruptControllerTest, LinesAreFiniteAndUsedAgain) {
    std::vector<int> lines;
    for (int i = 0; i < 4; i++) {
        lines.push_back(controller.request_message(handler, &seen, address, data));
    }
    EXPECT_EQ(controller.request_message(handler, &seen, address, data), -ENOSPC);
    EXPECT_EQ(controller.request_pin(0, handler, &seen), -ENOSPC);
    EXPECT_TRUE(controller.free(lines[2]));
    EXPECT_EQ(controller.request_pin(0, handler, &seen), lines[2]);
}

TEST_F(InterruptControllerTest, AFreedLineTakesItsPendingDeliveryWithIt) {
    const int line = controller.request_message(handler, &seen, address, data);
    controller.message(address, data);
    EXPECT_TRUE(controller.free(line));
    EXPECT_TRUE(timeline.settle());
    EXPECT_TRUE(seen.lines.empty());
}

}  // namespace
}  // namespace doorbell
