// The closed formulas against the published figures of pcie-bench (SIGCOMM 2018); those of its
// bandwidth script, with the receive descriptors' read requests counted as the paper's text says.
#include "testbench/pcie_bench/formula.hpp"

#include <gtest/gtest.h>

#include "testbench/pcie_bench/test_tables.hpp"

namespace doorbell::pcie_bench {
namespace {

constexpr double kTwoDecimals = 0.006;

TEST(FormulaTest, BandwidthOfReadsAndWritesIsAsPublished) {
    for (const BandwidthRow& row : kBandwidth) {
        DmaLoad load;
        load.size_bytes = row.frame_bytes - DisciplineLoad::kFcsBytes;
        load.kind = DmaKind::kWrite;
        EXPECT_NEAR(dma_gbps(load, gen3_x8()), row.write, kTwoDecimals) << row.frame_bytes;
        load.kind = DmaKind::kRead;
        EXPECT_NEAR(dma_gbps(load, gen3_x8()), row.read, kTwoDecimals) << row.frame_bytes;
        load.kind = DmaKind::kBoth;
        EXPECT_NEAR(dma_gbps(load, gen3_x8()), row.both, kTwoDecimals) << row.frame_bytes;
    }
}

TEST(FormulaTest, TheDisciplinesAreAsInTheMendedTable) {
    for (const DisciplineRow& row : kDisciplines) {
        for (const auto& [discipline, gbps] : row.columns()) {
            DisciplineLoad load;
            load.discipline = discipline;
            load.frame_bytes = row.frame_bytes;
            EXPECT_NEAR(discipline_gbps(load, gen3_x8()), gbps, kTwoDecimals) << row.frame_bytes;
            load.wire_mbps = 40'000;
            EXPECT_NEAR(wire_gbps(load), row.ethernet, kTwoDecimals) << row.frame_bytes;
            EXPECT_NEAR(discipline_gbps(load, gen3_x8()), std::min(gbps, row.ethernet),
                        kTwoDecimals)
                << row.frame_bytes;
        }
    }
}

// Simple NIC, 64-byte frames. Up: two descriptor reads and one of data (24 each), two interrupts
// (28), two answers of the head register (24), the frame (24 + 60), a write-back (40). Down: two
// tails (28), two descriptors (36), the frame (20 + 60), two reads of the head (24).
TEST(FormulaTest, ThePacketsOfASimpleNicCostWhatAddsUpByHand) {
    const PacketBytes bytes = packet_bytes(DisciplineLoad{}, gen3_x8());
    EXPECT_DOUBLE_EQ(bytes.upstream, 3 * 24 + 2 * 28 + 2 * 24 + 84 + 40);
    EXPECT_DOUBLE_EQ(bytes.downstream, 2 * 28 + 2 * 36 + 80 + 2 * 24);
}

// 512 bytes in completions of 64 have 20 bytes of header for each; of 4096 there are none.
TEST(FormulaTest, CompletionsAreFromTheBoundaryToTheMaximumPayload) {
    DmaLoad load;
    load.size_bytes = 512;
    PcieLinkParams link = gen3_x8();
    const double whole = dma_gbps(load, link);
    for (const std::uint32_t wanted : {1u, 64u}) {
        link.completion_payload_bytes = wanted;
        EXPECT_NEAR(dma_gbps(load, link), whole * (512 + 2 * 20) / (512 + 8 * 20), 1e-9) << wanted;
    }
    link.completion_payload_bytes = 4096;
    EXPECT_DOUBLE_EQ(dma_gbps(load, link), whole);
}

TEST(FormulaTest, DataOnTheLinkIsWholeDwords) {
    DmaLoad load;
    load.kind = DmaKind::kWrite;
    load.size_bytes = 61;
    const double odd = dma_gbps(load, gen3_x8());
    load.size_bytes = 64;
    EXPECT_NEAR(odd, dma_gbps(load, gen3_x8()) * 61 / 64, 1e-9);
}

}  // namespace
}  // namespace doorbell::pcie_bench
