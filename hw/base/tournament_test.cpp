#include "hw/base/tournament.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

TEST(Tournament, NobodyIsDueAtFirst) {
    Tournament due;
    EXPECT_EQ(due.next_due_ps(), kNever);
    EXPECT_EQ(due.first_due(0, kNever - 1), Tournament::kNobody);
    due.resize(5);
    EXPECT_EQ(due.next_due_ps(), kNever);
    EXPECT_EQ(due.first_due(0, kNever - 1), Tournament::kNobody);
}

TEST(Tournament, AmongEqualTimesTheFirstMemberComesFirst) {
    Tournament due;
    due.resize(6);
    due.set(4, 100);
    due.set(2, 100);
    due.set(5, 99);
    EXPECT_EQ(due.next_due_ps(), 99u);
    EXPECT_EQ(due.first_due(0, 99), 5u);
    EXPECT_EQ(due.first_due(0, 100), 2u);
    EXPECT_EQ(due.first_due(3, 100), 4u);
    EXPECT_EQ(due.first_due(6, 100), Tournament::kNobody);
    EXPECT_EQ(due.first_due(8, 100), Tournament::kNobody);
}

// Against a row that is searched from one end to the other.
TEST(Tournament, AgreesWithASearchThroughAllMembers) {
    Prng prng(7);
    for (const std::size_t members : {1u, 2u, 3u, 8u, 61u}) {
        Tournament due;
        due.resize(members);
        std::vector<Picoseconds> row(members, kNever);
        for (int step = 0; step < 2'000; step++) {
            const std::size_t member = prng.below(members);
            const Picoseconds time = prng.below(4) == 0 ? kNever : prng.below(50);
            due.set(member, time);
            row[member] = time;
            ASSERT_EQ(due.next_due_ps(), *std::min_element(row.begin(), row.end()));
            const std::size_t from = prng.below(members + 1);
            const Picoseconds limit = prng.below(50);
            std::size_t expected = from;
            while (expected < members && row[expected] > limit) expected++;
            ASSERT_EQ(due.first_due(from, limit),
                      expected == members ? Tournament::kNobody : expected);
        }
    }
}

}  // namespace
}  // namespace doorbell
