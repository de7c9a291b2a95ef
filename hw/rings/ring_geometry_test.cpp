#include "hw/rings/ring_geometry.hpp"

#include <gtest/gtest.h>

namespace doorbell {
namespace {

TEST(RingGeometry, OwnsHeadToTailAroundTheEnd) {
    const RingGeometry ring(0x1000, 24 * 16);
    EXPECT_EQ(ring.count(), 24u);
    EXPECT_EQ(ring.owned(5, 5), 0u);
    EXPECT_EQ(ring.owned(5, 9), 4u);
    EXPECT_EQ(ring.owned(20, 3), 7u);
    EXPECT_EQ(ring.owned(0, 23), 23u);
}

TEST(RingGeometry, AnIndexBeyondTheRingMeansEmpty) {
    const RingGeometry ring(0x1000, 24 * 16);
    EXPECT_EQ(ring.owned(0, 24), 0u);
    EXPECT_EQ(ring.owned(24, 3), 0u);
    EXPECT_EQ(ring.owned(0xffff, 0xffff), 0u);
    EXPECT_EQ(RingGeometry().owned(0, 0), 0u);
    EXPECT_EQ(RingGeometry().owned(0, 1), 0u);
}

TEST(RingGeometry, WalksModuloItsLength) {
    const RingGeometry ring(0x1000, 24 * 16);
    EXPECT_EQ(ring.advance(20, 3), 23u);
    EXPECT_EQ(ring.advance(20, 4), 0u);
    EXPECT_EQ(ring.advance(20, 24), 20u);
    EXPECT_EQ(ring.contiguous(20, 2), 2u);
    EXPECT_EQ(ring.contiguous(20, 9), 4u);
    EXPECT_EQ(ring.address(23), 0x1170u);
}

TEST(RingGeometry, StepsOfOneAgreeWithStepsOfMany) {
    for (std::uint32_t count = 8; count <= 64; count += 8) {
        const RingGeometry ring(0, count * 16);
        for (std::uint32_t head = 0; head < count; head++) {
            std::uint32_t index = head;
            for (std::uint32_t n = 0; n < count; n++) {
                ASSERT_EQ(ring.advance(head, n), index);
                ASSERT_EQ(ring.owned(head, index), n);
                index = ring.advance(index, 1);
            }
            ASSERT_EQ(index, head);
        }
    }
}

}  // namespace
}  // namespace doorbell
