#include "testbench/checks/journey_meter.hpp"

#include <gtest/gtest.h>

#include "hw/base/generated/events.hpp"

namespace doorbell::checks {
namespace {

constexpr std::uint16_t kNic = 3;
constexpr std::uint16_t kGuest = 5;
constexpr std::uint16_t kOther = 4;

class JourneyMeterTest : public ::testing::Test {
protected:
    JourneyMeterTest() {
        hub.attach(meter);
        for (std::uint16_t i = 0; i <= kGuest; i++) (void)hub.add_source("s");
        meter.begin(1000);
    }
    void doorbell(Picoseconds now_ps, std::uint64_t tail, std::uint16_t source = kNic,
                  std::uint64_t direction = 0) {
        events::doorbell({hub, source}, now_ps, {}, direction, 0, tail, 0);
    }
    void done(Picoseconds now_ps, std::uint64_t index, std::uint64_t state = 3) {
        events::descriptor({hub, kNic}, now_ps, {}, 0, 0, index, state);
    }
    void arrive(Picoseconds now_ps, PacketRef ref, std::uint16_t source = kNic) {
        events::frame_arrive({hub, source}, now_ps, ref, 64);
    }
    void received(Picoseconds now_ps, PacketRef ref, std::uint64_t state = 3) {
        events::descriptor({hub, kNic}, now_ps, ref, 1, 0, 0, state);
    }
    void read(Picoseconds now_ps, std::uint64_t packet, std::uint64_t layer = 7,
              std::uint64_t direction = 1, std::uint16_t source = kGuest) {
        events::layer({hub, source}, now_ps, {packet, 0}, layer, direction, 60, 0);
    }

    EventHub hub;
    JourneyMeter meter{kNic, kGuest};
};

TEST_F(JourneyMeterTest, ADescriptorTakesFromTheDoorbellThatGaveItUntilItIsWrittenBack) {
    doorbell(2000, 2);
    doorbell(2500, 3);
    done(2600, 0, 1);
    done(2700, 1, 2);
    done(4000, 0);
    done(4000, 2);
    const JourneyMeter::Samples& samples = meter.doorbell_to_done();
    ASSERT_EQ(samples.count(), 2u);
    EXPECT_EQ(samples.quantile(0), 1500u);
    EXPECT_EQ(samples.quantile(1000), 2000u);
    done(5000, 0);
    EXPECT_EQ(samples.count(), 2u) << "written back once for each doorbell";
}

TEST_F(JourneyMeterTest, ADoorbellRoundTheEndOfTheRingGivesWhatLiesBehindAndBefore) {
    doorbell(2000, 62);
    for (std::uint64_t i = 0; i < 62; i++) done(2100, i);
    doorbell(3000, 1);
    done(3400, 62);
    done(3400, 63);
    done(3400, 0);
    EXPECT_EQ(meter.doorbell_to_done().count(), 65u);
    EXPECT_EQ(meter.doorbell_to_done().quantile(1000), 400u);
    done(3500, 1);
    EXPECT_EQ(meter.doorbell_to_done().count(), 65u) << "nobody gave it";
}

TEST_F(JourneyMeterTest, OnlyTheNicsTransmitDoorbellsOfTheMeasurementCount) {
    doorbell(2000, 1, kOther);
    done(3000, 0);
    doorbell(2000, 1, kNic, 1);
    done(3000, 0);
    EXPECT_EQ(meter.doorbell_to_done().count(), 0u);
    doorbell(999, 1);
    done(3000, 0);
    EXPECT_EQ(meter.doorbell_to_done().count(), 0u) << "before";
    doorbell(1000, 2);
    meter.end(3000);
    doorbell(3000, 3);
    done(5000, 1);
    done(5000, 2);
    EXPECT_EQ(meter.doorbell_to_done().count(), 1u) << "begun in time, and done later";
}

TEST_F(JourneyMeterTest, AFrameTakesFromItsLastBitToItsDescriptorAndToItsReader) {
    arrive(2000, {900, 11});
    arrive(2100, {901, 12});
    received(2500, {900, 11}, 2);
    received(3000, {900, 11});
    received(3300, {901, 12});
    read(9000, 900);
    read(9500, 901);
    meter.finish();
    ASSERT_EQ(meter.wire_to_done().count(), 2u);
    EXPECT_EQ(meter.wire_to_done().quantile(0), 1000u);
    EXPECT_EQ(meter.wire_to_done().quantile(1000), 1200u);
    ASSERT_EQ(meter.wire_to_reader().count(), 2u);
    EXPECT_EQ(meter.wire_to_reader().quantile(0), 7000u);
    EXPECT_EQ(meter.wire_to_reader().quantile(1000), 7400u);
}

TEST_F(JourneyMeterTest, AFrameOfSeveralDescriptorsIsDoneWithTheLastAndReadWithTheFirst) {
    arrive(2000, {900, 11});
    received(3000, {900, 11});
    received(3200, {900, 11});
    read(5000, 900);
    read(5100, 900);
    meter.finish();
    ASSERT_EQ(meter.wire_to_done().count(), 1u);
    EXPECT_EQ(meter.wire_to_done().quantile(500), 1200u);
    ASSERT_EQ(meter.wire_to_reader().count(), 1u);
    EXPECT_EQ(meter.wire_to_reader().quantile(500), 3000u);
}

TEST_F(JourneyMeterTest, WhatIsLostSentOrSomebodyElsesIsNoSample) {
    arrive(2000, {900, 11});
    received(2500, {900, 11}, 2);  // Its descriptor never comes to be done.
    arrive(2000, {901, 12}, kOther);
    received(3000, {901, 12});
    arrive(999, {902, 13});
    received(3000, {902, 13});
    read(4000, 902);
    arrive(2000, {0, 14});
    read(4000, 0);
    read(4000, 900, 4);
    read(4000, 900, 7, 0);
    read(4000, 900, 7, 1, kOther);
    meter.finish();
    EXPECT_EQ(meter.wire_to_done().count(), 0u);
    EXPECT_EQ(meter.wire_to_reader().count(), 0u);
}

TEST_F(JourneyMeterTest, ManyFramesReuseTheirPlaces) {
    constexpr std::uint64_t kFrames = 100'000;
    for (std::uint64_t i = 1; i <= kFrames; i++) {
        arrive(1000 * i, {i, i});
        received(1000 * i + 300, {i, i});
        read(1000 * i + 700, i);
    }
    meter.finish();
    EXPECT_EQ(meter.wire_to_done().count(), kFrames);
    EXPECT_EQ(meter.wire_to_done().quantile(1000), 300u);
    EXPECT_EQ(meter.wire_to_reader().count(), kFrames);
    EXPECT_EQ(meter.wire_to_reader().quantile(0), 700u);
}

}  // namespace
}  // namespace doorbell::checks
