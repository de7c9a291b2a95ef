// The link against the closed formulas of the pcie-bench bandwidth model (Neugebauer et al.,
// SIGCOMM 2018) and against byte counts done by hand. Expected values are typed from the published
// tables and the PCIe base specification, not taken from the code.
#include "hw/pcie/pcie_link.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace doorbell {
namespace {

PcieLinkParams gen3_x8() {
    PcieLinkParams params;
    params.generation = 3;
    params.lanes = 8;
    params.max_payload_bytes = 256;
    params.max_read_request_bytes = 512;
    params.read_completion_boundary_bytes = 64;
    return params;
}

constexpr std::uint32_t kTransfers = 20'000;
constexpr std::uint64_t kBuffer = 0x10000;

double gbps(std::uint64_t bytes, Picoseconds duration_ps) {
    return static_cast<double>(bytes) * 8'000.0 / static_cast<double>(duration_ps);
}

/// One row of the published table: frames of `size` with FCS, of which PCIe moves size - 4.
struct Row {
    std::uint32_t size;
    double write, read, both;
};
constexpr Row kTable[] = {{64, 41.35, 43.41, 32.16},
                          {256, 52.85, 53.63, 48.62},
                          {512, 52.89, 53.66, 50.70},
                          {1024, 52.91, 53.67, 50.72}};
constexpr double kTolerance = 0.001;  ///< The table has two decimals; one part in a thousand.

TEST(PcieLink, WritesReachTheBandwidthOfThePcieBenchModel) {
    for (const Row& row : kTable) {
        PcieLink link(gen3_x8());
        Picoseconds end_ps = 0;
        for (std::uint32_t i = 0; i < kTransfers; i++) {
            end_ps = link.write_arrival(kBuffer, row.size - 4, 0);
        }
        const Picoseconds busy_ps = end_ps - link.params().propagation_ps;
        EXPECT_NEAR(gbps(std::uint64_t{row.size - 4} * kTransfers, busy_ps), row.write,
                    row.write * kTolerance)
            << row.size;
    }
}

TEST(PcieLink, ReadsReachTheBandwidthOfThePcieBenchModel) {
    for (const Row& row : kTable) {
        PcieLink link(gen3_x8());
        Picoseconds end_ps = 0;
        for (std::uint32_t i = 0; i < kTransfers; i++) {
            end_ps = link.completion_arrival(kBuffer, row.size - 4, 0);
        }
        const Picoseconds busy_ps = end_ps - link.params().propagation_ps;
        EXPECT_NEAR(gbps(std::uint64_t{row.size - 4} * kTransfers, busy_ps), row.read,
                    row.read * kTolerance)
            << row.size;
    }
}

TEST(PcieLink, ReadRequestsShareTheUpstreamDirectionWithWrites) {
    for (const Row& row : kTable) {
        PcieLink link(gen3_x8());
        Picoseconds up_ps = 0, down_ps = 0;
        for (std::uint32_t i = 0; i < kTransfers; i++) {
            (void)link.read_ready(kBuffer, row.size - 4,
                                  link.read_request_count(kBuffer, row.size - 4), 0);
            up_ps = link.write_arrival(kBuffer, row.size - 4, 0);
            down_ps = link.completion_arrival(kBuffer, row.size - 4, 0);
        }
        const Picoseconds busy_ps = std::max(up_ps, down_ps) - link.params().propagation_ps;
        EXPECT_NEAR(gbps(std::uint64_t{row.size - 4} * kTransfers, busy_ps), row.both,
                    row.both * kTolerance)
            << row.size;
    }
}

TEST(PcieLink, AnIdleReadOf64BytesTakesTheMeasuredMedianOf600Nanoseconds) {
    PcieLink link(gen3_x8());
    const Picoseconds ready = link.read_ready(kBuffer, 64, 1, 0).answered_from_ps;
    const Picoseconds done = link.completion_arrival(kBuffer, 64, ready);
    EXPECT_NEAR(static_cast<double>(done), 600e3, 6e3);
}

TEST(PcieLink, ARegisterReadOverGen1X4TakesWhatWasMeasuredOnAn82576) {
    PcieLinkParams params;
    params.lanes = 4;
    PcieLink link(params);
    const Picoseconds ready = link.register_read_ready(0);
    EXPECT_NEAR(static_cast<double>(link.register_completion_arrival(4, ready)), 1581e3, 16e3);
}

// Gen1 x1: 2.5 GT/s, 8b/10b: 2 Gb/s, 4 ns per byte; less the DLLP share of 8.1419 %: 4.3545 ns.
constexpr double kGen1PsPerByte = 4000.0 / (1.0 - 8.0 / 203 - 8.0 / 203 - 4.0 / 1538);

TEST(PcieLink, TheDefaultIsTheGen1LaneOfThe82574L) {
    PcieLink link(PcieLinkParams{});
    EXPECT_NEAR(static_cast<double>(link.serialisation_ps(1'000'000)), kGen1PsPerByte * 1e6,
                kGen1PsPerByte * 10);
    // A full frame: 1514 bytes in 12 writes of up to 128 bytes (from a 64-byte boundary, no page
    // crossed), 24 bytes each, 1516 bytes of dwords.
    const Picoseconds arrival = link.write_arrival(0x10000, 1514, 0);
    EXPECT_NEAR(static_cast<double>(arrival - link.params().propagation_ps),
                kGen1PsPerByte * (12 * 24 + 1516), 10);
}

TEST(PcieLink, Generation2IsTwiceAsFastAndLanesMultiply) {
    PcieLinkParams params;
    const double one = static_cast<double>(PcieLink(params).serialisation_ps(1'000'000));
    params.generation = 2;
    EXPECT_NEAR(static_cast<double>(PcieLink(params).serialisation_ps(1'000'000)), one / 2, 100);
    params.lanes = 4;
    EXPECT_NEAR(static_cast<double>(PcieLink(params).serialisation_ps(1'000'000)), one / 8, 100);
    // Generation 3: 8 GT/s, 128b/130b: 1 ns x 130/128 per byte and lane.
    params.generation = 3;
    params.lanes = 1;
    EXPECT_NEAR(static_cast<double>(PcieLink(params).serialisation_ps(1'000'000)),
                kGen1PsPerByte / 4 * 130 / 128 * 1e6, 2'000);  // The DLLP share is whole ppm.
}

// 2.5, 5, 8, 16 and 32 GT/s and lane; 8b/10b, then 128b/130b.
TEST(PcieLink, EachGenerationHasTheRateOfTheSpecification) {
    constexpr double kLaneGbps[] = {2.0, 4.0, 8.0 * 128 / 130, 16.0 * 128 / 130, 32.0 * 128 / 130};
    for (std::uint32_t generation = 1; generation <= 5; generation++) {
        for (std::uint32_t lanes = 1; lanes <= 16; lanes *= 2) {
            PcieLinkParams params;
            params.generation = generation;
            params.lanes = lanes;
            params.dllp_share_ppm = 0;
            const double ps = 8e3 / (kLaneGbps[generation - 1] * lanes) * 1e6;
            EXPECT_NEAR(static_cast<double>(PcieLink(params).serialisation_ps(1'000'000)), ps,
                        ps * 1e-5)
                << generation << " x" << lanes;
        }
    }
}

TEST(PcieLink, LargerPayloadsCostFewerHeaders) {
    PcieLink link(PcieLinkParams{});
    link.set_limits(256, 512);
    const Picoseconds arrival = link.write_arrival(0x10000, 1514, 0);
    EXPECT_NEAR(static_cast<double>(arrival - link.params().propagation_ps),
                kGen1PsPerByte * (6 * 24 + 1516), 10);
}

class Collector final : public MetricVisitor {
public:
    void metric(std::string_view name, std::uint64_t value) override {
        values[std::string(name)] = value;
    }
    void metric_real(std::string_view, double) override {}
    std::map<std::string, std::uint64_t> values;
};

std::map<std::string, std::uint64_t> metrics_of(const PcieLink& link) {
    Collector collector;
    link.visit_metrics(collector);
    return collector.values;
}

TEST(PcieLink, NoRequestCrossesA4KiBBoundary) {
    PcieLink link(PcieLinkParams{});
    // 100 bytes, 60 of them in the next page: two writes although MPS is 128.
    (void)link.write_arrival(0x10000 + 4096 - 40, 100, 0);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.tlps"], 2u);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 2u * 24 + 100);
    EXPECT_EQ(link.read_request_count(0x10000 + 4096 - 40, 100), 2u);
    EXPECT_EQ(link.read_request_count(0x10000, 100), 1u);
    EXPECT_EQ(link.read_request_count(0x10000, 4096), 8u);
    EXPECT_EQ(link.read_request_count(0x10001, 4096), 9u);
    EXPECT_EQ(link.read_request_count(0xFFFFFFFFFFFFFFFF, 1), 1u);
}

// A TLP's length counts whole dwords, the first and the last included (PCIe 2.2.2), and that length
// is what MPS and MRRS bound: 512 bytes two bytes behind a dword are 129 dwords.
TEST(PcieLink, ADwordTouchedInPartCountsFullyAgainstPayloadAndReadRequestSize) {
    PcieLink link(PcieLinkParams{});
    (void)link.write_arrival(0x10002, 126, 0);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.tlps"], 1u);
    (void)link.write_arrival(0x10002, 128, 0);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.tlps"], 3u);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 3u * 24 + 128 + 132);
    EXPECT_EQ(link.read_request_count(0x10002, 510), 1u);
    EXPECT_EQ(link.read_request_count(0x10002, 512), 2u);
    // Requests 0x002..0x1FF and 0x200..0x201: four completions of 128 bytes, and one of a dword.
    (void)link.completion_arrival(0x10002, 512, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], 5u);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 5u * 20 + 516);
}

TEST(PcieLink, AnUnalignedReadGetsAShortFirstCompletion) {
    PcieLink link(PcieLinkParams{});
    // 256 bytes from 0x10: completions 0x10..0x7F, 0x80..0xFF, 0x100..0x10F (RCB 64, MPS 128).
    (void)link.completion_arrival(0x10010, 256, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], 3u);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 3u * 20 + 256);
    // From 0x50, with the boundary at 64: 0x50..0xBF (ends at a multiple of 64), 0xC0..0xCF.
    PcieLink other(PcieLinkParams{});
    (void)other.completion_arrival(0x10050, 128, 0);
    EXPECT_EQ(metrics_of(other)["pcie.downstream.tlps"], 2u);
}

TEST(PcieLink, ARootComplexMayAnswerByTheCompletionBoundary) {
    PcieLinkParams params;
    params.completion_payload_bytes = 64;
    PcieLink link(params);
    (void)link.completion_arrival(0x10000, 512, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], 8u);
}

// No TLP carries more than the MPS (2.2.2), and none but the last of a request ends elsewhere than
// at the RCB (2.3.1.1), whatever the root complex would like.
TEST(PcieLink, ACompletionIsNeverLargerThanThePayloadNorSmallerThanTheBoundary) {
    struct Habit {
        std::uint32_t wanted, boundary, tlps;
    };
    for (const Habit& row : {Habit{4096, 64, 4}, Habit{1, 64, 8}, Habit{64, 128, 4}}) {
        PcieLinkParams params;
        params.completion_payload_bytes = row.wanted;
        params.read_completion_boundary_bytes = row.boundary;
        PcieLink link(params);
        (void)link.completion_arrival(0x10000, 512, 0);
        EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], row.tlps) << row.wanted;
    }
}

TEST(PcieLink, ACompletionOfAFailedReadCarriesNoData) {
    PcieLink link(PcieLinkParams{});
    (void)link.error_completion_arrival(0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], 1u);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 20u);
}

TEST(PcieLink, EveryReadRequestIsAnsweredByCompletionsOfItsOwn) {
    PcieLink link(PcieLinkParams{});
    link.set_limits(256, 128);
    (void)link.completion_arrival(0x10000, 512, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.tlps"], 4u);
}

TEST(PcieLink, DataTravelsInWholeDwordsAndAnEmptyRequestCarriesOne) {
    PcieLink link(PcieLinkParams{});
    (void)link.write_arrival(0x10003, 2, 0);  // Touches two dwords.
    EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 24u + 8);
    (void)link.write_arrival(0x10003, 0, 0);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 24u + 8 + 24 + 4);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.tlps"], 2u);
    EXPECT_EQ(link.read_request_count(0x10003, 0), 1u);
}

// 2.2.4.1: a request below 4 GiB has the header of three dwords; pcie-bench counts four always.
TEST(PcieLink, TheAddressDecidesOverTheLengthOfTheHeader) {
    struct Header {
        AddressBits bits;
        std::uint64_t below, above;
    };
    for (const Header& row : {Header{AddressBits::kAuto, 20, 24}, Header{AddressBits::k32, 20, 20},
                              Header{AddressBits::k64, 24, 24}}) {
        PcieLinkParams params;
        params.address_bits = row.bits;
        const auto bytes = [&](std::uint64_t address, bool read) {
            PcieLink link(params);
            if (read) {
                (void)link.read_ready(address, 8, 1, 0);
            } else {
                (void)link.write_arrival(address, 8, 0);
            }
            return metrics_of(link)["pcie.upstream.bytes"] - (read ? 0 : 8);
        };
        for (const bool read : {false, true}) {
            EXPECT_EQ(bytes(0xFFFFF000, read), row.below);
            EXPECT_EQ(bytes(0x1'0000'0000, read), row.above);
        }
        PcieLink link(params);
        (void)link.message_arrival(0);
        EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 24u) << "messages have four dwords";
        (void)link.interrupt_arrival(0xFEE00000, 0);
        EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 24 + row.below + 4);
        (void)link.completion_arrival(0x1'0000'0000, 8, 0);
        EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 28u) << "completions have three";
        // Registers lie below 4 GiB: the BAR has 32 bits.
        (void)link.posted_write_down(4, 0);
        EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 28 + row.below + 4);
        (void)link.register_read_ready(0);
        EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 28 + 2 * row.below + 4);
    }
}

TEST(PcieLink, BytesMayBeCountedAsPcieBenchDoes) {
    PcieLinkParams params;
    params.whole_dwords = false;
    PcieLink link(params);
    (void)link.write_arrival(0x10003, 2, 0);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.bytes"], 24u + 2);
    (void)link.completion_arrival(0x10000, 65, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 20u + 65);
    (void)link.completion_arrival(0x10000, 0, 0);
    EXPECT_EQ(metrics_of(link)["pcie.downstream.bytes"], 20u + 65 + 20 + 4) << "there is no none";
}

TEST(PcieLink, AWriteThatLacksAHeaderCreditLeavesWhenOneIsBack) {
    PcieLinkParams params;
    params.posted_header_credits = 2;
    params.credit_return_ps = nanoseconds(1'000);
    PcieLink link(params);
    const Picoseconds one_ps = link.serialisation_ps(24 + 4);
    const Picoseconds first = link.write_arrival(0x10000, 4, 0);
    EXPECT_EQ(first, one_ps + params.propagation_ps);
    EXPECT_EQ(link.write_arrival(0x10000, 4, 0), first + one_ps);
    // At the root complex, its credit on the way back, then onto the link.
    EXPECT_EQ(link.write_arrival(0x10000, 4, 0),
              first + nanoseconds(1'000) + one_ps + params.propagation_ps);
    EXPECT_EQ(metrics_of(link)["pcie.credits.posted_waits"], 1u);
    EXPECT_EQ(metrics_of(link)["pcie.credits.posted_wait_ns"],
              (first + nanoseconds(1'000) - 2 * one_ps) / 1'000);
}

TEST(PcieLink, DataCreditsAreWorth16BytesEach) {
    PcieLinkParams params;
    params.posted_data_credits = 9;
    params.credit_return_ps = nanoseconds(1'000);
    PcieLink link(params);
    const Picoseconds first = link.write_arrival(0x10000, 128, 0);  // Eight.
    const Picoseconds second = link.write_arrival(0x10000, 16, 0);  // The ninth.
    EXPECT_LT(second, first + nanoseconds(1'000));
    EXPECT_GT(link.write_arrival(0x10000, 4, 0), first + nanoseconds(1'000)) << "a tenth";
}

// 2.6.1: a receiver grants at least what the largest TLP needs.
TEST(PcieLink, FewerDataCreditsThanTheLargestPayloadNeedsAreThatMany) {
    PcieLinkParams params;
    params.posted_data_credits = 1;
    PcieLink link(params);
    link.set_limits(256, 512);
    EXPECT_LT(link.write_arrival(0x10000, 256, 0), microseconds(2));
    EXPECT_LT(link.write_arrival(0x10000, 256, 0), microseconds(4));
}

TEST(PcieLink, FunctionalModeKnowsNoCreditsNoWalksAndNoHost) {
    PcieLinkParams params;
    params.enabled = false;
    params.posted_header_credits = params.nonposted_header_credits = 1;
    params.iotlb_entries = 1;
    params.host = MeasuredHost::kHaswellE5;
    PcieLink link(params);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(link.write_arrival(0x10000, 1514, 77), 77u);
        EXPECT_EQ(link.read_credits_at(3, 77), 77u);
        EXPECT_EQ(link.read_ready(0x10000, 1514, 3, 77).ready_ps, 77u);
        EXPECT_EQ(link.read_ready(0x10000, 1514, 3, 77).answered_from_ps, 77u);
    }
    EXPECT_EQ(link.delivery_ps_per_byte(), 0u);
}

TEST(PcieLink, ADirectionServesInOrderAndTheOtherDirectionDoesNotWait) {
    PcieLink link(PcieLinkParams{});
    const Picoseconds first = link.write_arrival(0x10000, 128, 1'000);
    const Picoseconds second = link.write_arrival(0x20000, 128, 0);  // Asked later: behind it.
    EXPECT_EQ(second - first, link.serialisation_ps(152));
    const Picoseconds idle = microseconds(10);
    EXPECT_EQ(link.write_arrival(0x10000, 128, idle),
              idle + link.serialisation_ps(152) + link.params().propagation_ps);
    EXPECT_EQ(link.posted_write_down(4, 0),
              link.serialisation_ps(28) + link.params().propagation_ps);
}

TEST(PcieLink, ARegisterAnswerPushesTheWritesBeforeIt) {
    PcieLink link(PcieLinkParams{});
    const Picoseconds written = link.write_arrival(0x10000, 1514, 0);
    EXPECT_GT(link.register_completion_arrival(4, 0), written);
}

TEST(PcieLink, FunctionalModeTakesNoTimeButStillCounts) {
    PcieLinkParams params;
    params.enabled = false;
    PcieLink link(params);
    EXPECT_EQ(link.write_arrival(0x10000, 1514, 77), 77u);
    EXPECT_EQ(link.read_ready(kBuffer, 1514, 3, 78).ready_ps, 78u);
    EXPECT_EQ(link.completion_arrival(0x10000, 1514, 79), 79u);
    EXPECT_EQ(link.register_read_ready(80), 80u);
    EXPECT_EQ(link.register_completion_arrival(4, 80), 80u);
    EXPECT_EQ(link.posted_write_down(4, 80), 80u);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.tlps"], 12u + 3 + 1);
    EXPECT_EQ(metrics_of(link)["pcie.upstream.busy_ns"], 0u);
}

/// What memory takes for a read of an idle link.
Picoseconds memory_time(PcieLink& link) {
    const Picoseconds start_ps = link.message_arrival(0) - link.params().propagation_ps;
    return link.read_ready(kBuffer, 64, 1, start_ps).ready_ps - start_ps -
           link.serialisation_ps(24) - link.params().propagation_ps;
}

TEST(PcieLink, TheSpreadOfMemoryLatencyHasThePublishedQuantiles) {
    PcieLinkParams params;
    params.memory_latency_spread = true;
    PcieLink link(params, 42);
    std::vector<Picoseconds> draws(100'000);
    for (Picoseconds& draw : draws) draw = memory_time(link);
    std::sort(draws.begin(), draws.end());
    const double median = static_cast<double>(params.memory_latency_ps);
    EXPECT_NEAR(static_cast<double>(draws[50'000]), median, 1e3);
    EXPECT_NEAR(static_cast<double>(draws[95'000]), median + 53e3, 5e3);
    EXPECT_NEAR(static_cast<double>(draws[99'900]), median + 306e3, 20e3);
    EXPECT_LE(draws.back(), params.memory_latency_ps + nanoseconds(306));

    PcieLink again(params, 42), other(params, 43);
    bool differs = false;
    PcieLink reference(params, 42);
    for (int i = 0; i < 100; i++) {
        const Picoseconds drawn = memory_time(reference);
        EXPECT_EQ(memory_time(again), drawn);
        differs |= memory_time(other) != drawn;
    }
    EXPECT_TRUE(differs);
}

}  // namespace
}  // namespace doorbell
