#include "testbench/wire/link.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "hw/base/generated/events.hpp"
#include "testbench/wire/wire_test_support.hpp"

namespace doorbell::wire {
namespace {

using testing::ElementsAre;

class LinkTest : public testing::Test {
protected:
    explicit LinkTest(LinkParams params = {})
        : link(timeline, pool, EventPort(hub, hub.add_source("wire0")), params, 1, 0) {
        hub.attach(listener);
        link.attach(0, left);
        link.attach(1, right);
    }
    /// Sends back to back with the legal gap; returns when the frame ends.
    Picoseconds send(std::uint32_t end, std::uint64_t number, std::uint32_t size_bytes = 60) {
        FramePtr frame = make_frame(pool, number, size_bytes);
        const Picoseconds start = free_at[end];
        const Picoseconds stop = start + duration_ps(*frame);
        free_at[end] = stop + 12 * kByteTime_ps;
        link.port(end).transmit(std::move(frame), start, stop);
        return stop;
    }

    ManualTimeline timeline;
    FramePool pool;
    EventHub hub;
    RecordingListener listener;
    RecordingEndpoint left, right;
    Link link;
    Picoseconds free_at[2] = {0, 0};
};

TEST_F(LinkTest, AFrameArrivesWhenItsLastBitHasTravelledTheCable) {
    const Picoseconds stop = send(0, 1);
    timeline.advance_until(stop + nanoseconds(10) - 1);
    EXPECT_TRUE(right.arrivals.empty());
    timeline.advance_until(stop + nanoseconds(10));
    ASSERT_EQ(right.arrivals.size(), 1u);
    EXPECT_EQ(right.arrivals[0].start_ps, nanoseconds(10));
    EXPECT_EQ(right.arrivals[0].end_ps, stop + nanoseconds(10));
    EXPECT_TRUE(left.arrivals.empty());
}

TEST_F(LinkTest, BothDirectionsCarryAtTheSameTimeAndInOrder) {
    for (std::uint64_t i = 1; i <= 40; i++) {
        send(0, i);
        send(1, 100 + i);
    }
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(right.arrivals.size(), 40u);
    ASSERT_EQ(left.arrivals.size(), 40u);
    for (std::uint64_t i = 1; i <= 40; i++) {
        EXPECT_EQ(right.arrivals[i - 1].number, i);
        EXPECT_EQ(left.arrivals[i - 1].number, 100 + i);
    }
}

TEST_F(LinkTest, TheSteadyWireMakesNoNewFrames) {
    for (std::uint64_t i = 0; i < 1000; i++) {
        const Picoseconds stop = send(0, i);
        timeline.advance_until(stop);
    }
    ASSERT_TRUE(timeline.settle());
    EXPECT_EQ(right.arrivals.size(), 1000u);
    EXPECT_LE(pool.made(), 3u);
}

TEST_F(LinkTest, EachEndLearnsWhatTheOtherOffersAtOnce) {
    LinkAbilities offer;
    offer.present = true;
    offer.anar = 0x01e1;
    offer.ctrl1000 = 0x0300;
    link.port(0).advertise(offer);
    ASSERT_EQ(right.partners.size(), 1u);
    EXPECT_TRUE(right.partners[0].present);
    EXPECT_EQ(right.partners[0].anar, 0x01e1);
    EXPECT_EQ(right.partners[0].ctrl1000, 0x0300);
    EXPECT_TRUE(left.partners.empty());
}

TEST_F(LinkTest, PullingTheCableLosesWhatIsOnItAndTellsBothEnds) {
    LinkAbilities offer;
    offer.present = true;
    link.port(0).advertise(offer);
    link.port(1).advertise(offer);
    send(0, 1);
    send(1, 2);
    link.plug(false);
    send(0, 3);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(right.arrivals.empty());
    EXPECT_TRUE(left.arrivals.empty());
    EXPECT_FALSE(left.partners.back().present);
    EXPECT_FALSE(right.partners.back().present);

    link.plug(true);
    EXPECT_TRUE(left.partners.back().present);
    EXPECT_TRUE(right.partners.back().present);
    send(0, 4);
    ASSERT_TRUE(timeline.settle());
    EXPECT_THAT(right.numbers(), ElementsAre(4));
}

TEST_F(LinkTest, AnEndHearsNothingFromAFarEndThatNeverOfferedAnything) {
    link.plug(false);
    link.plug(true);
    EXPECT_FALSE(left.partners.back().present);
}

TEST_F(LinkTest, FramesOverEachOtherOrFasterThanTheCableAreLostAndSaid) {
    FramePtr first = make_frame(pool, 1);
    const Picoseconds length = duration_ps(*first);
    link.port(0).transmit(std::move(first), 0, length);
    link.port(0).transmit(make_frame(pool, 2), length - 1, 2 * length);        // overlaps
    link.port(0).transmit(make_frame(pool, 3), 2 * length, 3 * length - 100);  // too short
    link.port(0).transmit(make_frame(pool, 4), 3 * length, 4 * length);
    ASSERT_TRUE(timeline.settle());
    EXPECT_THAT(right.numbers(), ElementsAre(1, 4));
    ASSERT_EQ(listener.events.size(), 2u);
    EXPECT_EQ(listener.events[0].type, static_cast<std::uint16_t>(EventType::kWireFault));
    EXPECT_EQ(listener.events[0].args[1], static_cast<std::uint64_t>(LossReason::kRate));
    EXPECT_EQ(listener.events[1].frame, 3u);
}

TEST_F(LinkTest, OnePicosecondLessIsRoundingOfTheSendersClockTwoAreNot) {
    FramePtr first = make_frame(pool, 1);
    const Picoseconds length = duration_ps(*first);
    link.port(0).transmit(std::move(first), 0, length - 1);
    link.port(0).transmit(make_frame(pool, 2), length, 2 * length - 2);
    link.port(0).transmit(make_frame(pool, 3), 2 * length, 3 * length);
    ASSERT_TRUE(timeline.settle());
    EXPECT_THAT(right.numbers(), ElementsAre(1, 3));
}

TEST_F(LinkTest, AFrameThatStandsAsideIsStillOvertakenWhenTheFaultsEnd) {
    FaultParams faults;
    faults.reorder_ppm = 1'000'000;
    link.set_faults(0, faults);
    send(0, 1);
    link.set_faults(0, FaultParams());
    for (std::uint64_t i = 2; i <= 6; i++) send(0, i);
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(right.arrivals.size(), 6u);
    EXPECT_EQ(right.arrivals[0].number, 2u);
    EXPECT_EQ(right.arrivals[5].number, 6u) << "it waited for its patience to end";
}

class SlowLinkTest : public LinkTest {
protected:
    static LinkParams slow() {
        LinkParams params;
        params.rate_mbps = 100;
        return params;
    }
    SlowLinkTest() : LinkTest(slow()) {}
};

TEST_F(SlowLinkTest, ACableWithTwoPairsHidesWhatNeedsFour) {
    LinkAbilities offer;
    offer.present = true;
    offer.anar = 0x01e1;
    offer.ctrl1000 = 0x0200;
    link.port(0).advertise(offer);
    EXPECT_EQ(right.partners.back().ctrl1000, 0);
    EXPECT_EQ(right.partners.back().anar, 0x01e1);

    offer.negotiates = false;
    offer.speed_mbps = 1000;
    link.port(0).advertise(offer);
    EXPECT_FALSE(right.partners.back().present);
}

TEST_F(SlowLinkTest, AGigabitFrameDoesNotSurviveAHundredMegabitCable) {
    send(0, 1);
    ASSERT_TRUE(timeline.settle());
    EXPECT_TRUE(right.arrivals.empty());
}

class CountingTap final : public WireTap {
public:
    void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) override {
        lines.push_back({'o', end, frame.number, start_ps});
    }
    void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) override {
        lines.push_back({'i', end, frame.number, end_ps});
    }
    struct Line {
        char way;
        std::uint32_t end;
        std::uint64_t number;
        Picoseconds time_ps;
    };
    std::vector<Line> lines;
};

TEST_F(LinkTest, ATapSeesAFrameLeaveOneEndAndReachTheOther) {
    CountingTap tap;
    link.tap(&tap);
    const Picoseconds stop = send(0, 7);
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(tap.lines.size(), 2u);
    EXPECT_EQ(tap.lines[0].way, 'o');
    EXPECT_EQ(tap.lines[0].end, 0u);
    EXPECT_EQ(tap.lines[0].time_ps, 0u);
    EXPECT_EQ(tap.lines[1].way, 'i');
    EXPECT_EQ(tap.lines[1].end, 1u);
    EXPECT_EQ(tap.lines[1].time_ps, stop + nanoseconds(10));
}

class MetricMap final : public MetricVisitor {
public:
    void metric(std::string_view name, std::uint64_t value) override {
        values[std::string(name)] = value;
    }
    void metric_real(std::string_view, double) override {}
    std::map<std::string, std::uint64_t> values;
};

TEST_F(LinkTest, EachFaultAloneTouchesFrames) {
    const std::pair<std::uint32_t FaultParams::*, const char*> faults[] = {
        {&FaultParams::loss_ppm, "forward.drops.loss"},
        {&FaultParams::duplicate_ppm, "forward.duplicated.frames"},
        {&FaultParams::reorder_ppm, "forward.reordered.frames"},
        {&FaultParams::corrupt_ppm, "forward.corrupted.frames"},
        {&FaultParams::delay_ppm, "forward.delayed.frames"},
    };
    for (const auto& [rate, name] : faults) {
        const auto touched = [this, metric = std::string(name)] {
            MetricMap metrics;
            link.visit_metrics(metrics);
            return metrics.values.at(metric);
        };
        free_at[0] = std::max(free_at[0], timeline.now_ps());
        FaultParams params;
        params.*rate = 1'000'000;
        link.set_faults(0, params);
        send(0, 1);
        ASSERT_TRUE(timeline.settle());
        EXPECT_EQ(touched(), 1u) << name;
        link.set_faults(0, FaultParams());
        free_at[0] = std::max(free_at[0], timeline.now_ps());
        send(0, 2);
        ASSERT_TRUE(timeline.settle());
        EXPECT_EQ(touched(), 1u) << name << ": the wire is whole again";
    }
}

TEST_F(LinkTest, EveryFrameIsAccountedFor) {
    FaultParams faults;
    faults.loss_ppm = 100'000;
    faults.duplicate_ppm = 100'000;
    faults.reorder_ppm = 100'000;
    link.set_faults(0, faults);
    for (std::uint64_t i = 0; i < 2000; i++) timeline.advance_until(send(0, i));
    ASSERT_TRUE(timeline.settle());
    MetricMap metrics;
    link.visit_metrics(metrics);
    EXPECT_EQ(metrics.values["forward.frames"], 2000u);
    EXPECT_GT(metrics.values["forward.drops.loss"], 100u);
    EXPECT_GT(metrics.values["forward.duplicated.frames"], 100u);
    EXPECT_EQ(metrics.values["forward.delivered.frames"],
              2000 - metrics.values["forward.drops.loss"] +
                  metrics.values["forward.duplicated.frames"] -
                  metrics.values["forward.drops.backlog"]);
    EXPECT_EQ(metrics.values["forward.delivered.frames"], right.arrivals.size());
    EXPECT_EQ(metrics.values["backward.frames"], 0u);
}

}  // namespace
}  // namespace doorbell::wire
