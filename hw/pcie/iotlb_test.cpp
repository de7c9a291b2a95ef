#include "hw/pcie/iotlb.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

IotlbParams small(std::uint32_t entries, std::uint32_t walkers) {
    IotlbParams params;
    params.iotlb_entries = entries;
    params.iotlb_walkers = walkers;
    params.iotlb_miss_ps = 1'000;
    return params;
}
constexpr std::uint64_t page(std::uint64_t number) {
    return number * 4096;
}

TEST(Iotlb, AMissTakesAWalkAndAHitNothing) {
    Iotlb iotlb(small(4, 2));
    EXPECT_EQ(iotlb.translate(page(7), 100), 1'100u);
    EXPECT_EQ(iotlb.translate(page(7) + 4095, 2'000), 2'000u);
    EXPECT_EQ(iotlb.translate(page(8), 2'000), 3'000u);
    EXPECT_EQ(iotlb.counters().hits, 1u);
    EXPECT_EQ(iotlb.counters().misses, 2u);
    EXPECT_EQ(iotlb.counters().walker_waits, 0u);
}

TEST(Iotlb, WhoFindsAPageThatIsBeingWalkedForWaitsForThatWalk) {
    Iotlb iotlb(small(4, 1));
    EXPECT_EQ(iotlb.translate(page(7), 100), 1'100u);
    EXPECT_EQ(iotlb.translate(page(7), 400), 1'100u);
    EXPECT_EQ(iotlb.counters().misses, 1u);
}

TEST(Iotlb, MoreMissesThanWalkersWaitForTheFirstThatIsFree) {
    Iotlb iotlb(small(64, 2));
    EXPECT_EQ(iotlb.translate(page(1), 0), 1'000u);
    EXPECT_EQ(iotlb.translate(page(2), 300), 1'300u);
    EXPECT_EQ(iotlb.translate(page(3), 400), 2'000u);
    EXPECT_EQ(iotlb.translate(page(4), 400), 2'300u);
    EXPECT_EQ(iotlb.translate(page(5), 2'500), 3'500u);
    EXPECT_EQ(iotlb.counters().walker_waits, 2u);
    EXPECT_EQ(iotlb.counters().walker_wait_ps, 600u + 900u);
}

TEST(Iotlb, ThePageThatWasNotUsedForLongestGivesWay) {
    Iotlb iotlb(small(2, 8));
    (void)iotlb.translate(page(1), 0);
    (void)iotlb.translate(page(2), 0);
    (void)iotlb.translate(page(1), 5'000);
    (void)iotlb.translate(page(3), 5'000);  // In place of page 2.
    EXPECT_EQ(iotlb.translate(page(1), 10'000), 10'000u);
    EXPECT_EQ(iotlb.translate(page(2), 10'000), 11'000u);
}

TEST(Iotlb, LargerPagesReachFurther) {
    IotlbParams params = small(1, 1);
    params.iotlb_page_bytes = 2 * 1024 * 1024;
    Iotlb iotlb(params);
    (void)iotlb.translate(0, 0);
    EXPECT_EQ(iotlb.translate(2 * 1024 * 1024 - 1, 5'000), 5'000u);
    EXPECT_EQ(iotlb.translate(2 * 1024 * 1024, 5'000), 6'000u);
}

// Against a list in the order of use, searched from one end to the other.
TEST(Iotlb, AgreesWithAListWhateverItsSize) {
    for (const std::uint32_t entries : {1u, 2u, 3u, 16u, 64u, 100u}) {
        Prng prng(entries);
        Iotlb iotlb(small(entries, 3));
        std::list<std::pair<std::uint64_t, Picoseconds>> pages;  // The newest first.
        std::vector<Picoseconds> walkers(3, 0);
        Picoseconds now_ps = 0;
        for (int step = 0; step < 20'000; step++) {
            now_ps += prng.below(700);
            // Pages that share what a hash might cut off.
            const std::uint64_t number = prng.below(entries * 3 / 2 + 1) << (prng.below(2) * 40);
            const auto found = std::find_if(pages.begin(), pages.end(),
                                            [&](const auto& p) { return p.first == number; });
            Picoseconds expected_ps = now_ps;
            if (found != pages.end()) {
                expected_ps = std::max(now_ps, found->second);
                pages.splice(pages.begin(), pages, found);
            } else {
                std::sort(walkers.begin(), walkers.end());
                walkers[0] = std::max(walkers[0], now_ps) + 1'000;
                expected_ps = walkers[0];
                if (pages.size() == entries) pages.pop_back();
                pages.emplace_front(number, expected_ps);
            }
            ASSERT_EQ(iotlb.translate(page(number) + prng.below(4096), now_ps), expected_ps)
                << entries << " entries, step " << step;
        }
    }
}

}  // namespace
}  // namespace doorbell
