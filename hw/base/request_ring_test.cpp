#include "hw/base/request_ring.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

// The first entry lies at each place of the ring when it is full; emptied, it starts again at 0.
TEST(RequestRing, GrowsInOrderWhereverItsFirstEntryLies) {
    for (std::uint32_t start = 0; start < 8; start++) {
        RequestRing<std::uint32_t> ring(8);
        ring.push(99);
        for (std::uint32_t i = 0; i < start; i++) {
            ring.push(99);
            EXPECT_EQ(ring.pop(), 99u);
        }
        for (std::uint32_t i = 0; i < 20; i++) ring.push(i);
        EXPECT_EQ(ring.pop(), 99u);
        for (std::uint32_t i = 0; i < 20; i++) {
            EXPECT_EQ(ring.at(0), i);
            EXPECT_EQ(ring.pop(), i);
        }
        EXPECT_TRUE(ring.empty());
    }
}

TEST(RequestRing, AgreesWithADequeWhateverIsDoneWithIt) {
    Prng prng(3);
    for (const std::uint32_t capacity : {0u, 1u, 5u, 64u}) {
        RequestRing<std::unique_ptr<std::uint64_t>> ring(capacity);
        std::deque<std::uint64_t> row;
        for (std::uint64_t step = 0; step < 20'000; step++) {
            // Long stretches of more coming than going, and of the opposite.
            const bool fills = (step / 700) % 2 == 0;
            const std::uint64_t dice = prng.below(100);
            if (dice == 0) {
                ring.clear();
                row.clear();
            } else if (dice < (fills ? 60u : 40u)) {
                row.push_back(step);
                if (dice % 2 == 0) {
                    ring.push(std::make_unique<std::uint64_t>(step));
                } else {
                    ring.push() = std::make_unique<std::uint64_t>(step);
                }
            } else if (!row.empty()) {
                ASSERT_EQ(*ring.front(), row.front());
                if (dice % 2 == 0) {
                    ASSERT_EQ(*ring.pop(), row.front());
                } else {
                    ring.drop();
                }
                row.pop_front();
            }
            ASSERT_EQ(ring.size(), row.size());
            ASSERT_EQ(ring.empty(), row.empty());
            if (row.empty()) continue;
            const auto age = static_cast<std::uint32_t>(prng.below(row.size()));
            ASSERT_EQ(*ring.at(age), row[age]);
        }
    }
}

}  // namespace
}  // namespace doorbell
