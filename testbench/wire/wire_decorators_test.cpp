#include "testbench/wire/wire_decorators.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "hw/base/generated/events.hpp"
#include "testbench/wire/wire_delivery.hpp"
#include "testbench/wire/wire_test_support.hpp"

namespace doorbell::wire {
namespace {

constexpr std::uint64_t kFrames = 20'000;

/// Sends kFrames frames of one decorator's wire and keeps what came out.
template <class Decorator>
struct Trial {
    explicit Trial(std::uint32_t rate_ppm, std::uint64_t seed = 1, std::uint64_t frames = kFrames)
        : port(hub, hub.add_source("wire0")),
          delivery(timeline, port, 0),
          decorator({timeline, pool, port, seed, 5}, delivery) {
        hub.attach(listener);
        delivery.connect(endpoint);
        decorator.set_rate_ppm(rate_ppm);
        Picoseconds start = 0;
        for (std::uint64_t i = 0; i < frames; i++) {
            FramePtr frame = make_frame(pool, i, 60 + static_cast<std::uint32_t>(i % 500));
            const Picoseconds stop = start + duration_ps(*frame);
            decorator.carry(std::move(frame), start, stop);
            // Half of the wire is idle, so that what faults add has room.
            start = stop + (stop - start);
            timeline.advance_until(start);
        }
        settled = timeline.settle();
    }
    ManualTimeline timeline;
    FramePool pool;
    EventHub hub;
    RecordingListener listener;
    EventPort port;
    RecordingEndpoint endpoint;
    WireDelivery delivery;
    Decorator decorator;
    bool settled = false;
};

/// Within five standard deviations of the binomial distribution.
testing::AssertionResult is_about(std::uint64_t count, std::uint64_t trials, double rate) {
    const double mean = static_cast<double>(trials) * rate;
    const double limit = 5 * std::sqrt(mean * (1 - rate));
    if (std::abs(static_cast<double>(count) - mean) <= limit) return testing::AssertionSuccess();
    return testing::AssertionFailure() << count << " of " << trials << " is not about " << mean;
}

template <class Decorator>
class EveryDecorator : public testing::Test {};
using Decorators =
    testing::Types<LossyWire, DuplicatingWire, CorruptingWire, DelayingWire, ReorderingWire>;
// The comma: clang wants an argument for the dots of the macro.
TYPED_TEST_SUITE(EveryDecorator, Decorators, );

TYPED_TEST(EveryDecorator, TouchesAsManyFramesAsItsRateSays) {
    Trial<TypeParam> trial(20'000);
    EXPECT_TRUE(is_about(trial.decorator.touched(), kFrames, 0.02));
}

TYPED_TEST(EveryDecorator, TouchesNothingAtRateZero) {
    Trial<TypeParam> trial(0, 1, 500);
    EXPECT_EQ(trial.decorator.touched(), 0u);
    EXPECT_TRUE(trial.listener.events.empty());
    ASSERT_EQ(trial.endpoint.arrivals.size(), 500u);
    for (std::uint64_t i = 0; i < 500; i++) EXPECT_EQ(trial.endpoint.arrivals[i].number, i);
}

TYPED_TEST(EveryDecorator, DoesTheSameForTheSameSeedAndElseForAnother) {
    Trial<TypeParam> once(50'000, 7, 2000);
    Trial<TypeParam> again(50'000, 7, 2000);
    Trial<TypeParam> other(50'000, 8, 2000);
    EXPECT_EQ(once.endpoint.arrivals, again.endpoint.arrivals);
    EXPECT_NE(once.endpoint.arrivals, other.endpoint.arrivals);
}

TYPED_TEST(EveryDecorator, ReportsEveryFrameItTouches) {
    Trial<TypeParam> trial(100'000, 3, 2000);
    std::vector<std::uint64_t> reported;
    for (const Event& event : trial.listener.events) {
        EXPECT_EQ(event.type, static_cast<std::uint16_t>(EventType::kWireFault));
        EXPECT_EQ(event.packet, event.frame + 1000);
        reported.push_back(event.frame);
    }
    reported.erase(std::unique(reported.begin(), reported.end()), reported.end());
    EXPECT_EQ(reported.size(), trial.decorator.touched());
}

TYPED_TEST(EveryDecorator, LeavesNoFrameInsideAndNoArrivalsOverEachOther) {
    Trial<TypeParam> trial(300'000, 3, 2000);
    ASSERT_TRUE(trial.settled);
    Picoseconds free_at = 0;
    for (const auto& arrival : trial.endpoint.arrivals) {
        EXPECT_GE(arrival.start_ps, free_at);
        free_at = arrival.end_ps;
    }
}

TEST(LossyWireTest, LosesFramesAndKeepsTheOrderOfTheOthers) {
    Trial<LossyWire> trial(100'000);
    EXPECT_EQ(trial.endpoint.arrivals.size() + trial.decorator.touched(), kFrames);
    const auto numbers = trial.endpoint.numbers();
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
}

TEST(DuplicatingWireTest, SendsTheTwinRightBehind) {
    Trial<DuplicatingWire> trial(1'000'000, 1, 3);
    EXPECT_THAT(trial.endpoint.numbers(), testing::ElementsAre(0, 0, 1, 1, 2, 2));
}

TEST(CorruptingWireTest, EveryTouchedFrameFailsItsCheckSequenceAndNoOther) {
    Trial<CorruptingWire> trial(200'000);
    std::uint64_t bad = 0;
    for (const auto& arrival : trial.endpoint.arrivals) bad += arrival.fcs_good ? 0 : 1;
    EXPECT_EQ(bad, trial.decorator.touched());
    EXPECT_EQ(trial.endpoint.arrivals.size(), kFrames);
}

TEST(CorruptingWireTest, HitsEveryPartOfTheFrameAndItsCheckSequence) {
    Trial<CorruptingWire> trial(1'000'000, 1, 5000);
    std::uint64_t in_header = 0, in_fcs = 0;
    for (const Event& event : trial.listener.events) {
        const std::uint64_t data_bits = (60 + event.frame % 500) * 8;
        if (event.args[1] < 14 * 8) in_header++;
        if (event.args[1] >= data_bits) in_fcs++;
        EXPECT_LT(event.args[1], data_bits + 32);
    }
    EXPECT_GT(in_header, 100u);
    EXPECT_GT(in_fcs, 50u);
    // One to three flips for each frame: two on average.
    EXPECT_GT(trial.listener.events.size(), 9000u);
    EXPECT_LT(trial.listener.events.size(), 11000u);
}

TEST(DelayingWireTest, DelaysUpToItsLimitAndKeepsTheOrder) {
    Trial<DelayingWire> trial(100'000, 1, 5000);
    const auto numbers = trial.endpoint.numbers();
    EXPECT_TRUE(std::is_sorted(numbers.begin(), numbers.end()));
    for (const Event& event : trial.listener.events) {
        EXPECT_GE(event.args[1], 1u);
        EXPECT_LE(event.args[1], microseconds(100));
    }
}

TEST(ReorderingWireTest, AFrameIsOvertakenByOneToThreeAndNoneIsLost) {
    Trial<ReorderingWire> trial(100'000, 1, 5000);
    const auto numbers = trial.endpoint.numbers();
    ASSERT_EQ(numbers.size(), 5000u);
    std::uint64_t late = 0;
    std::uint64_t highest = 0;
    for (std::uint64_t number : numbers) {
        if (number < highest) {
            late++;
            EXPECT_LE(highest - number, 3u);
        }
        highest = std::max(highest, number);
    }
    EXPECT_GE(late + 1, trial.decorator.touched());  // the last one may have had no overtaker
    EXPECT_LE(late, trial.decorator.touched());
}

TEST(ReorderingWireTest, AFrameAloneOnTheWireGoesOnAfterAWhile) {
    Trial<ReorderingWire> trial(1'000'000, 1, 1);
    ASSERT_EQ(trial.endpoint.arrivals.size(), 1u);
    EXPECT_GE(trial.endpoint.arrivals[0].end_ps, ReorderingWire::kPatience_ps);
}

TEST(WireDeliveryTest, DropsWhatWouldWaitBehindMoreThanTheBacklogLimit) {
    ManualTimeline timeline;
    FramePool pool;
    RecordingEndpoint endpoint;
    WireDelivery delivery(timeline, {}, 0);
    delivery.connect(endpoint);
    // All at once: each waits for the ones before it.
    for (std::uint64_t i = 0; i < 20'000; i++) {
        FramePtr frame = make_frame(pool, i);
        delivery.carry(std::move(frame), 0, 72 * kByteTime_ps);
    }
    ASSERT_TRUE(timeline.settle());
    // 10 ms at 672 ns a frame (preamble, 64 bytes, gap).
    EXPECT_NEAR(static_cast<double>(endpoint.arrivals.size()), 14880, 2);
    EXPECT_EQ(endpoint.arrivals.size() + delivery.backlog_drops(), 20'000u);
}

}  // namespace
}  // namespace doorbell::wire
