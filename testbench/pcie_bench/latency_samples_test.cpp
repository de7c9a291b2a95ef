#include "testbench/pcie_bench/latency_samples.hpp"

#include <gtest/gtest.h>

namespace doorbell::pcie_bench {
namespace {

TEST(LatencySamplesTest, QuantilesAreTheNearestRanksWhateverTheOrderOfSamples) {
    LatencySamples samples(2'000);
    for (Picoseconds i = 2'000; i > 0; i--) samples.add(i * 10);
    EXPECT_EQ(samples.count(), 2'000u);
    EXPECT_EQ(samples.quantile(0), 10u);
    EXPECT_EQ(samples.quantile(500), 10'000u);
    EXPECT_EQ(samples.quantile(950), 19'000u);
    EXPECT_EQ(samples.quantile(999), 19'980u);
    EXPECT_EQ(samples.quantile(1000), 20'000u);
}

TEST(LatencySamplesTest, ARankBetweenTwoSamplesIsTheUpperOne) {
    LatencySamples samples(3);
    for (const Picoseconds sample : {30u, 10u, 20u}) samples.add(sample);
    EXPECT_EQ(samples.quantile(333), 10u);
    EXPECT_EQ(samples.quantile(334), 20u);
    EXPECT_EQ(samples.quantile(999), 30u);
}

TEST(LatencySamplesTest, WithoutSamplesThereIsNoLatency) {
    EXPECT_EQ(LatencySamples(1).quantile(500), 0u);
}

}  // namespace
}  // namespace doorbell::pcie_bench
