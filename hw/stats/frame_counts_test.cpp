#include "hw/stats/frame_counts.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

namespace doorbell {
namespace {

class CountingStats final : public StatsPort {
public:
    void count(Stat stat, std::uint64_t amount) override { counts[stat] += amount; }
    std::map<Stat, std::uint64_t> counts;
};
using Counts = std::map<Stat, std::uint64_t>;

FramePtr frame(FramePool& pool, std::uint32_t wire_bytes, std::uint8_t first = 0x02) {
    FramePtr made = pool.take();
    made->resize(wire_bytes - 4);
    std::memset(made->data(), first, made->size_bytes());
    return made;
}

TEST(FrameCounts, AGoodReceivedFrameCountsItselfItsOctetsAndItsSize) {
    FramePool pool;
    CountingStats stats;
    count_received(stats, *frame(pool, 64));
    EXPECT_EQ(stats.counts, (Counts{{Stat::kGPRC, 1}, {Stat::kGORC, 64}, {Stat::kPRC64, 1}}));
}

TEST(FrameCounts, ASentFrameCountsInTheTotalsToo) {
    FramePool pool;
    CountingStats stats;
    count_sent(stats, *frame(pool, 1518));
    EXPECT_EQ(stats.counts, (Counts{{Stat::kTPT, 1},
                                    {Stat::kTOT, 1518},
                                    {Stat::kGPTC, 1},
                                    {Stat::kGOTC, 1518},
                                    {Stat::kPTC1522, 1}}));
}

TEST(FrameCounts, EverySeenFrameCountsGoodOrBad) {
    CountingStats stats;
    count_seen(stats, 40);
    EXPECT_EQ(stats.counts, (Counts{{Stat::kTPR, 1}, {Stat::kTOR, 40}}));
}

TEST(FrameCounts, SizesFallIntoTheClassesOfTheDatasheet) {
    FramePool pool;
    struct Case {
        std::uint32_t bytes;
        Stat received;
        Stat sent;
    };
    for (const Case& c :
         {Case{64, Stat::kPRC64, Stat::kPTC64}, Case{65, Stat::kPRC127, Stat::kPTC127},
          Case{127, Stat::kPRC127, Stat::kPTC127}, Case{128, Stat::kPRC255, Stat::kPTC255},
          Case{255, Stat::kPRC255, Stat::kPTC255}, Case{256, Stat::kPRC511, Stat::kPTC511},
          Case{511, Stat::kPRC511, Stat::kPTC511}, Case{512, Stat::kPRC1023, Stat::kPTC1023},
          Case{1023, Stat::kPRC1023, Stat::kPTC1023}, Case{1024, Stat::kPRC1522, Stat::kPTC1522},
          Case{9000, Stat::kPRC1522, Stat::kPTC1522}}) {
        CountingStats stats;
        count_received(stats, *frame(pool, c.bytes));
        count_sent(stats, *frame(pool, c.bytes));
        EXPECT_EQ(stats.counts.count(c.received), 1u) << c.bytes;
        EXPECT_EQ(stats.counts.count(c.sent), 1u) << c.bytes;
    }
}

TEST(FrameCounts, BroadcastIsNotMulticast) {
    FramePool pool;
    CountingStats stats;
    count_received(stats, *frame(pool, 64, 0xff));
    count_sent(stats, *frame(pool, 64, 0xff));
    EXPECT_EQ(stats.counts[Stat::kBPRC], 1u);
    EXPECT_EQ(stats.counts[Stat::kBPTC], 1u);
    EXPECT_EQ(stats.counts[Stat::kMPRC], 0u);
    count_received(stats, *frame(pool, 64, 0x01));
    count_sent(stats, *frame(pool, 64, 0x01));
    EXPECT_EQ(stats.counts[Stat::kMPRC], 1u);
    EXPECT_EQ(stats.counts[Stat::kMPTC], 1u);
    EXPECT_EQ(stats.counts[Stat::kBPRC], 1u);
}

}  // namespace
}  // namespace doorbell
