#include "hw/packet_buffer/rx_fifo.hpp"

#include <gtest/gtest.h>

#include <map>
#include <memory>

namespace doorbell {
namespace {

class CountingStats final : public StatsPort {
public:
    void count(Stat stat, std::uint64_t amount) override { counts[stat] += amount; }
    std::map<Stat, std::uint64_t> counts;
};

using Entry = std::unique_ptr<int>;

class RxFifoTest : public testing::Test {
protected:
    bool offer(int value, std::uint32_t wire_bytes) {
        if (!fifo.admit(wire_bytes)) return false;
        fifo.push(wire_bytes, 0) = std::make_unique<int>(value);
        return true;
    }
    CountingStats stats;
    RxFifo<Entry> fifo{stats, EventPort()};
};

TEST_F(RxFifoTest, CountsInMpcWhatDoesNotFit) {
    fifo.reset(4096);
    EXPECT_TRUE(offer(1, 1518));
    EXPECT_TRUE(offer(2, 1518));
    EXPECT_FALSE(offer(3, 1518));
    EXPECT_EQ(stats.counts[Stat::kMPC], 1u);
    EXPECT_TRUE(offer(4, 64)) << "a smaller frame still fits";
    EXPECT_EQ(fifo.size(), 3u);
}

TEST_F(RxFifoTest, KeepsOrderAndPlacesOverManyRounds) {
    fifo.reset(20480);
    int next_in = 0;
    int next_out = 0;
    for (int round = 0; round < 3000; round++) {
        ASSERT_TRUE(offer(next_in, 64));
        const std::uint32_t youngest = fifo.position(fifo.size() - 1);
        EXPECT_EQ(*fifo.by_position(youngest), next_in);
        next_in++;
        if (round % 3 == 0) continue;
        if (fifo.size() < 5) continue;
        EXPECT_EQ(*fifo.at(0), next_out);
        fifo.pop(0);
        next_out++;
        if (fifo.size() > 200) {
            fifo.pop(0);
            next_out++;
        }
    }
    EXPECT_EQ(fifo.space().used_bytes(), fifo.size() * 80);
}

TEST_F(RxFifoTest, RuntsBeyondItsEntriesAreAnOverrun) {
    fifo.reset(40960);
    std::uint32_t stored = 0;
    while (offer(0, 4)) stored++;
    EXPECT_EQ(stored, RxFifo<Entry>::kEntries);
    EXPECT_EQ(stats.counts[Stat::kMPC], 1u);
}

TEST_F(RxFifoTest, AResetReturnsEverything) {
    fifo.reset(4096);
    EXPECT_TRUE(offer(1, 1518));
    fifo.reset(8192);
    EXPECT_TRUE(fifo.empty());
    EXPECT_EQ(fifo.space().used_bytes(), 0u);
    EXPECT_EQ(fifo.space().capacity_bytes(), 8192u);
}

}  // namespace
}  // namespace doorbell
