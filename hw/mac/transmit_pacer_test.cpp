#include "hw/mac/transmit_pacer.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

/// Sends back to back and returns the distance between two starts.
Picoseconds distance_ps(TransmitPacer& pacer, std::uint32_t wire_bytes) {
    const TransmitPacer::Slot first = pacer.reserve(pacer.start_ps(0), wire_bytes);
    const TransmitPacer::Slot second = pacer.reserve(pacer.start_ps(0), wire_bytes);
    return second.start_ps - first.start_ps;
}

// Frames per second from anchors of the specification, section 12.
TEST(TransmitPacer, KeepsTheWireRatesOfTheStandard) {
    TransmitPacer pacer;
    EXPECT_EQ(distance_ps(pacer, 64), 672'000u);       // 1,488,095 frames/s
    EXPECT_EQ(distance_ps(pacer, 1518), 12'304'000u);  // 81,274 frames/s
    pacer.set_speed(100);
    EXPECT_EQ(distance_ps(pacer, 64), 6'720'000u);
    pacer.set_speed(10);
    EXPECT_EQ(distance_ps(pacer, 64), 67'200'000u);
}

TEST(TransmitPacer, EveryRateToFourHundredGigabitsIsExactInWholePicoseconds) {
    TransmitPacer pacer;
    for (const auto& [speed_mbps, byte_ps] :
         {std::pair(2'500u, 3'200u), std::pair(10'000u, 800u), std::pair(25'000u, 320u),
          std::pair(40'000u, 200u), std::pair(100'000u, 80u), std::pair(400'000u, 20u)}) {
        pacer.set_speed(speed_mbps);
        EXPECT_EQ(distance_ps(pacer, 64), 84u * byte_ps) << speed_mbps;
        EXPECT_EQ(distance_ps(pacer, 1518), 1538u * byte_ps) << speed_mbps;
    }
}

TEST(TransmitPacer, AMillionFramesInARowDoNotDriftAtAnyRate) {
    // A byte is 8,000,000 / rate ps: no whole number for any of these.
    for (const std::uint64_t speed_mbps : {7u, 300u, 999u, 30'000u, 70'000u, 333'333u, 399'999u}) {
        TransmitPacer pacer;
        pacer.set_speed(static_cast<std::uint32_t>(speed_mbps));
        constexpr std::uint64_t kFrames = 1'000'000;
        for (std::uint64_t i = 0; i < kFrames; i++) {
            const TransmitPacer::Slot slot = pacer.reserve(pacer.start_ps(0), 64);
            ASSERT_EQ(slot.start_ps, i * 84 * 8'000'000 / speed_mbps) << speed_mbps << ": " << i;
        }
        EXPECT_EQ(pacer.free_ps(), kFrames * 84 * 8'000'000 / speed_mbps);
    }
}

TEST(TransmitPacer, AFrameOccupiesThePreambleAndItsBytes) {
    TransmitPacer pacer;
    const TransmitPacer::Slot slot = pacer.reserve(5'000, 64);
    EXPECT_EQ(slot.start_ps, 5'000u);
    EXPECT_EQ(slot.end_ps, 5'000u + 72 * 8'000);
    EXPECT_EQ(pacer.free_ps(), slot.end_ps + 12 * 8'000);
}

TEST(TransmitPacer, StartsWhenBothTheFrameAndTheWireAreReady) {
    TransmitPacer pacer;
    EXPECT_EQ(pacer.start_ps(123), 123u);
    pacer.reserve(0, 64);
    EXPECT_EQ(pacer.start_ps(123), 672'000u);
    EXPECT_EQ(pacer.start_ps(1'000'000), 1'000'000u);
}

TEST(TransmitPacer, TipgAndAitWidenTheGap) {
    TransmitPacer pacer;
    pacer.set_gap(10, 40);
    EXPECT_EQ(distance_ps(pacer, 64), (8u + 64 + 4 + 10 + 40) * 8'000);
}

TEST(TransmitPacer, AResetKeepsTheDistanceToWhatIsOnTheWire) {
    TransmitPacer pacer;
    pacer.reserve(0, 1518);
    pacer.reset(1'000);
    EXPECT_EQ(pacer.free_ps(), 12'304'000u);
    pacer.reset(20'000'000);
    EXPECT_EQ(pacer.free_ps(), 20'000'000u);
}

}  // namespace
}  // namespace doorbell
