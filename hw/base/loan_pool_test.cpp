#include "hw/base/loan_pool.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

TEST(LoanPool, TakesAllOrNothing) {
    LoanPool pool(8);
    EXPECT_TRUE(pool.take(5, 0));
    EXPECT_FALSE(pool.take(4, 0));
    EXPECT_TRUE(pool.take(3, 0));
    EXPECT_FALSE(pool.take(1, 0));
    pool.reset();
    EXPECT_TRUE(pool.take(8, 0));
}

TEST(LoanPool, WhatWasToComeBackBeforeAResetDoesNot) {
    LoanPool pool(2);
    ASSERT_TRUE(pool.take(2, 0));
    pool.give_back(2, 100);
    pool.reset();
    EXPECT_TRUE(pool.take(2, 50));
    EXPECT_EQ(pool.free_at(1), kNever);
    EXPECT_FALSE(pool.take(1, 100)) << "both are on loan";
}

TEST(LoanPool, ATagIsFreeWhenItsCompletionHasArrivedNotBefore) {
    LoanPool pool(2);
    ASSERT_TRUE(pool.take(2, 0));
    EXPECT_EQ(pool.free_at(1), kNever);
    pool.give_back(2, 100);
    EXPECT_FALSE(pool.take(1, 99));
    EXPECT_EQ(pool.free_at(1), 100u);
    EXPECT_TRUE(pool.take(1, 100));
}

// Against one time per tag: 0 free, kNever held.
TEST(LoanPool, AgreesWithATimeForEachTag) {
    constexpr std::uint32_t kTags = 12;
    Prng prng(1);
    LoanPool pool(kTags);
    std::vector<Picoseconds> free_ps(kTags, 0);
    std::vector<std::vector<std::size_t>> held;
    Picoseconds now_ps = 0;
    for (int step = 0; step < 20'000; step++) {
        now_ps += prng.below(10);
        if (!held.empty() && prng.below(2) == 0) {
            const std::size_t which = prng.below(held.size());
            // Not in order: a read that timed out is over at once.
            const Picoseconds done_ps = now_ps + prng.below(40);
            pool.give_back(static_cast<std::uint32_t>(held[which].size()), done_ps);
            for (const std::size_t tag : held[which]) free_ps[tag] = done_ps;
            held.erase(held.begin() + static_cast<std::ptrdiff_t>(which));
            continue;
        }
        const auto count = static_cast<std::uint32_t>(1 + prng.below(kTags));
        std::vector<std::size_t> found;
        for (std::size_t tag = 0; tag < kTags && found.size() < count; tag++) {
            if (free_ps[tag] <= now_ps) found.push_back(tag);
        }
        const bool enough = found.size() == count;
        ASSERT_EQ(pool.take(count, now_ps), enough) << step;
        if (enough) {
            for (const std::size_t tag : found) free_ps[tag] = kNever;
            held.push_back(found);
        } else {
            std::vector<Picoseconds> sorted = free_ps;
            std::sort(sorted.begin(), sorted.end());
            ASSERT_EQ(pool.free_at(count), sorted[count - 1]) << step;
        }
    }
}

}  // namespace
}  // namespace doorbell
