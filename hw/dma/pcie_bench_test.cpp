// What pcie-bench (Neugebauer et al., SIGCOMM 2018) computed and measured, played through the real
// engine and link: bandwidth over sizes, latency of reads, windows beyond the reach of the IOTLB.
// Formulas are written here from the paper; measured figures are typed from the paper and from
// github.com/pcie-bench/data (NFP-6000, Gen3 x8).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <vector>

#include "hw/dma/pcie_player_test.hpp"

namespace doorbell {
namespace {

using pcie_test::Device;
using pcie_test::gen3_x8;
using pcie_test::Transfer;

constexpr std::uint64_t kBuffer = 0x1'0000'0000;

// --- bandwidth over sizes -----------------------------------------------------------------------

enum class Kind { kWrite, kRead, kBoth };

/// Gb/s in each direction that is used: 64-bit addresses, MPS 256, MRRS 512. `data` is what a
/// transfer's data takes on the link.
double formula_gbps(Kind kind, std::uint32_t size, std::uint32_t data) {
    const double usable = 8 * 8 * 128.0 / 130.0 * (1 - 8.0 / 203 - 8.0 / 203 - 4.0 / 1538);
    const double payloads = (size + 255) / 256, requests = (size + 511) / 512;
    const double written = 24 * payloads + data, asked = 24 * requests;
    const double completed = 20 * payloads + data;
    const double bytes = kind == Kind::kWrite  ? written
                         : kind == Kind::kRead ? std::max(asked, completed)
                                               : std::max(written + asked, completed);
    return usable * size / bytes;
}

/// Transfers of one size, one after the other from as many slots as keep the link busy; a slot does
/// both a read and a write when both are asked for.
struct Stream {
    Stream(const PcieLinkParams& params, Kind kind, std::uint32_t size)
        : device(params, DmaParams::kMaxReadTags), kind_(kind), size_(size) {}

    double gbps() {
        device.on_complete = [this](const DmaCompletion& completion) { over(completion); };
        for (std::uint32_t slot = 0; slot < kSlots; slot++) start(slot);
        device.timeline.settle();
        return double(size_) * 8e3 * kMeasured / double(last_ps_ - first_ps_);
    }

    Device device;

private:
    static constexpr std::uint32_t kSlots = 160, kWarm = 320, kMeasured = 320;

    void start(std::uint32_t slot) {
        left_[slot] = kind_ == Kind::kBoth ? 2 : 1;
        const std::uint64_t address = kBuffer + slot * 2048;
        if (kind_ != Kind::kWrite) device.submit({0, true, address, size_}, slot);
        if (kind_ != Kind::kRead) device.submit({0, false, address, size_}, slot);
    }
    void over(const DmaCompletion& completion) {
        const std::uint32_t slot = completion.tag;
        end_[slot] = std::max(end_[slot], completion.done_ps);
        if (--left_[slot] > 0 || done_ > kWarm + kMeasured) return;
        if (done_ == kWarm) first_ps_ = end_[slot];
        last_ps_ = end_[slot];
        if (done_++ < kWarm + kMeasured) start(slot);
    }

    const Kind kind_;
    const std::uint32_t size_;
    std::uint32_t left_[kSlots] = {};
    Picoseconds end_[kSlots] = {};
    std::uint32_t done_ = 0;
    Picoseconds first_ps_ = 0, last_ps_ = 0;
};

void expect_the_curve(Kind kind, bool whole_dwords) {
    for (std::uint32_t size = 64; size <= 1500; size++) {
        PcieLinkParams params = gen3_x8();
        params.whole_dwords = whole_dwords;
        const double expected = formula_gbps(kind, size, whole_dwords ? (size + 3) / 4 * 4 : size);
        EXPECT_NEAR(Stream(params, kind, size).gbps(), expected, expected * 0.01) << size;
    }
}

TEST(PcieBench, WritesOfEverySizeReachTheFormulaWithinOnePercent) {
    expect_the_curve(Kind::kWrite, true);
    expect_the_curve(Kind::kWrite, false);
}
TEST(PcieBench, ReadsOfEverySizeReachTheFormulaWithinOnePercent) {
    expect_the_curve(Kind::kRead, true);
    expect_the_curve(Kind::kRead, false);
}
TEST(PcieBench, ReadsAndWritesTogetherReachTheFormulaAtEverySizeWithinOnePercent) {
    expect_the_curve(Kind::kBoth, true);
    expect_the_curve(Kind::kBoth, false);
}

// --- latency of reads ---------------------------------------------------------------------------

std::vector<double> latencies_ns(Device& device, std::uint32_t size, std::uint32_t count) {
    std::vector<double> all;
    for (std::uint32_t i = 0; i < count; i++) {
        all.push_back(double(device.latency_ps({0, true, kBuffer, size})) / 1e3);
    }
    std::sort(all.begin(), all.end());
    return all;
}
double at(const std::vector<double>& sorted, double share) {
    return sorted[static_cast<std::size_t>(share * double(sorted.size() - 1))];
}
double median_ns(const PcieLinkParams& params, std::uint32_t size) {
    Device device(params);
    return at(latencies_ns(device, size, 2'001), 0.5);
}

PcieLinkParams host(MeasuredHost measured) {
    PcieLinkParams params = gen3_x8();
    params.host = measured;
    return params;
}

// Fitted to 4, 16, 32, 64, 256, 768, 1280 and 2048 bytes: the median of memory (at 64) and the
// delivery per byte. The other sizes were not looked at.
const std::map<std::uint32_t, double> kFitted = {{4, 586},   {16, 586},  {32, 586},   {64, 600},
                                                 {256, 666}, {768, 840}, {1280, 973}, {2048, 1173}};
const std::map<std::uint32_t, double> kNotFitted = {
    {8, 586}, {24, 586}, {48, 600}, {128, 626}, {512, 746}, {1024, 906}, {1520, 1040}};

/// What an idle link takes of a read, in nanoseconds: the first request, 200 ns each way, and all
/// completions.
double link_part_ns(std::uint32_t size) {
    const double usable = 8 * 8 * 128.0 / 130.0 * (1 - 8.0 / 203 - 8.0 / 203 - 4.0 / 1538);
    const double completions = (size + 255) / 256;
    return 400 + (24 + 20 * completions + (size + 3) / 4 * 4) * 8 / usable;
}

// Least squares through the fitted half: all sizes together would say 150, the other half 157.
TEST(PcieBench, TheDeliveryPerByteIsWhatTheFittedSizesSayWithoutTheOthers) {
    double n = 0, x = 0, y = 0, xx = 0, xy = 0;
    for (const auto& [size, measured] : kFitted) {
        const double bytes = size, left_ns = measured - link_part_ns(size);
        n += 1;
        x += bytes;
        y += left_ns;
        xx += bytes * bytes;
        xy += bytes * left_ns;
    }
    const double ps_per_byte = 1e3 * (n * xy - x * y) / (n * xx - x * x);
    const PcieLink link(host(MeasuredHost::kHaswellE5));
    EXPECT_NEAR(double(link.delivery_ps_per_byte()), ps_per_byte, 0.5);
}

TEST(PcieBench, MediansOfReadsOfHaswellE5AreWithinFivePercentAlsoAtSizesNotFitted) {
    for (const auto& [size, measured] : kFitted) {
        EXPECT_NEAR(median_ns(host(MeasuredHost::kHaswellE5), size), measured, measured * 0.05)
            << size;
    }
    for (const auto& [size, measured] : kNotFitted) {
        EXPECT_NEAR(median_ns(host(MeasuredHost::kHaswellE5), size), measured, measured * 0.05)
            << size;
    }
}

TEST(PcieBench, QuantilesOf64BytesOnHaswellE5AreWithinTenPercentOfThePublished) {
    Device device(host(MeasuredHost::kHaswellE5));
    const std::vector<double> all = latencies_ns(device, 64, 50'000);
    EXPECT_NEAR(at(all, 0.5), 600, 30);
    EXPECT_NEAR(at(all, 0.95), 653, 65.3);
    EXPECT_NEAR(at(all, 0.999), 906, 90.6);
}

// The data behind the paper keeps the caches apart: its 653 and 906 ns are those of a cold cache.
TEST(PcieBench, WarmAndColdCachesHaveTheQuantilesOfTheirOwnMeasurements) {
    PcieLinkParams params = host(MeasuredHost::kHaswellE5);
    params.llc_cold_percent = 0;
    Device warm(params);
    const std::vector<double> from_cache = latencies_ns(warm, 64, 50'000);
    EXPECT_NEAR(at(from_cache, 0.5), 600, 6);
    EXPECT_NEAR(at(from_cache, 0.95), 613, 12);
    EXPECT_NEAR(at(from_cache, 0.999), 626, 12);
    params.llc_cold_percent = 100;
    Device cold(params);
    const std::vector<double> from_memory = latencies_ns(cold, 64, 50'000);
    EXPECT_NEAR(at(from_memory, 0.5), 640, 6);
    EXPECT_NEAR(at(from_memory, 0.95), 653, 12);
    EXPECT_NEAR(at(from_memory, 0.999), 913, 20);
}

TEST(PcieBench, TheMedianOfAColdCacheIsWhereTheParameterPutsIt) {
    PcieLinkParams params = host(MeasuredHost::kHaswellE5);
    params.llc_cold_percent = 100;
    params.llc_cold_ps = nanoseconds(200);
    EXPECT_NEAR(median_ns(params, 64), 800, 8);
    params.llc_cold_ps = 0;
    EXPECT_NEAR(median_ns(params, 64), 600, 6);
}

TEST(PcieBench, TheOtherMeasuredHostsHaveTheirMedians) {
    struct Row {
        MeasuredHost measured;
        double at_64, at_512, at_2048;
    };
    for (const Row& row : {Row{MeasuredHost::kHaswellE52620, 546, 706, 1133},
                           Row{MeasuredHost::kBroadwellE5, 560, 706, 1133},
                           Row{MeasuredHost::kIvyBridgeE5, 560, 708, 1146},
                           Row{MeasuredHost::kSandyBridgeE5, 560, 706, 1133},
                           Row{MeasuredHost::kHaswellE3, 1213, 1306, 1733}}) {
        PcieLinkParams params = host(row.measured);
        params.llc_cold_percent = 0;
        EXPECT_NEAR(median_ns(params, 64), row.at_64, row.at_64 * 0.05);
        EXPECT_NEAR(median_ns(params, 512), row.at_512, row.at_512 * 0.06);
        // Four requests of one read: with the E3's tail the slowest of them says little.
        if (row.measured == MeasuredHost::kHaswellE3) continue;
        EXPECT_NEAR(median_ns(params, 2048), row.at_2048, row.at_2048 * 0.05);
    }
}

TEST(PcieBench, MemoryOfTheOtherSocketTakes107NanosecondsMore) {
    for (const MeasuredHost measured : {MeasuredHost::kNone, MeasuredHost::kBroadwellE5}) {
        PcieLinkParams params = host(measured);
        const double near = median_ns(params, 64);
        params.remote_numa = true;
        EXPECT_NEAR(median_ns(params, 64) - near, 107, 3);
    }
}

// --- the IOTLB ----------------------------------------------------------------------------------

constexpr std::uint64_t kKiB = 1024, kMiB = 1024 * kKiB;

/// Random reads or writes of a window, as fast as 32 tags and the credits let them go.
double window_gbps(PcieLinkParams params, bool read, std::uint32_t size, std::uint64_t window) {
    Device device(params, 32);
    Prng prng(3);
    std::vector<Transfer> transfers;
    constexpr std::uint32_t kCount = 12'000;
    for (std::uint32_t i = 0; i < kCount; i++) {
        transfers.push_back({0, read, kBuffer + prng.below(window / size) * size, size});
    }
    std::vector<Picoseconds> done = device.play(transfers);
    std::sort(done.begin(), done.end());
    const std::uint32_t warm = kCount / 4;
    return double(size) * 8e3 * (kCount - 1 - warm) / double(done.back() - done[warm]);
}

PcieLinkParams with_iommu() {
    PcieLinkParams params = host(MeasuredHost::kHaswellE5);
    params.iotlb_entries = 64;
    return params;
}

TEST(PcieBench, ReadsOf64BytesFallFrom26Point6To9Point8GigabitsBeyondAWindowOf256KiB) {
    const double small = window_gbps(with_iommu(), true, 64, 4 * kKiB);
    EXPECT_NEAR(small, 26.6, 2.66);
    EXPECT_NEAR(window_gbps(with_iommu(), true, 64, 64 * kMiB), 9.8, 0.98);
    // The knee: 64 entries of 4 KiB. Without an IOMMU the window makes no difference.
    for (const std::uint64_t kib : {16u, 64u, 128u, 256u}) {
        EXPECT_NEAR(window_gbps(with_iommu(), true, 64, kib * kKiB), small, small * 0.03) << kib;
    }
    EXPECT_LT(window_gbps(with_iommu(), true, 64, 512 * kKiB), small * 0.85);
    EXPECT_NEAR(window_gbps(host(MeasuredHost::kHaswellE5), true, 64, 64 * kMiB), small,
                small * 0.03);
}

TEST(PcieBench, ReadsOf512BytesLoseNothingRealToTheIotlb) {
    const double small = window_gbps(with_iommu(), true, 512, 4 * kKiB);
    EXPECT_GT(small, 50);
    EXPECT_NEAR(window_gbps(with_iommu(), true, 512, 64 * kMiB), small, small * 0.03);
    EXPECT_NEAR(window_gbps(with_iommu(), true, 1024, 64 * kMiB),
                window_gbps(with_iommu(), true, 1024, 4 * kKiB), small * 0.03);
}

// Measured: 24.3 Gb/s (the card's own limit) to 11.1. A write does not wait for its translation;
// the root complex's buffers fill, and then the walkers bound the writes as they do the reads.
TEST(PcieBench, WritesOf64BytesAreBoundByTheWalkersWhenTheCreditsAreUsedUp) {
    PcieLinkParams params = with_iommu();
    params.posted_header_credits = 64;
    params.posted_data_credits = 512;
    const double walks_per_s = 5 / 267e-9;
    EXPECT_NEAR(window_gbps(params, false, 64, 64 * kMiB), walks_per_s * 64 * 8 / 1e9, 0.3);
    EXPECT_GT(window_gbps(params, false, 64, 256 * kKiB), 40);
    EXPECT_GT(window_gbps(params, false, 512, 64 * kMiB), 50);
}

TEST(PcieBench, AReadOfAPageThatIsNotInTheIotlbTakes267NanosecondsMore) {
    PcieLinkParams params = gen3_x8();
    params.iotlb_entries = 64;
    Device device(params);
    const Picoseconds missed = device.latency_ps({0, true, kBuffer, 64});
    EXPECT_EQ(missed - device.latency_ps({0, true, kBuffer + 512, 64}), nanoseconds(267));
}

// --- credits ------------------------------------------------------------------------------------

// A closed formula: with H headers of 256-byte writes, each back a round trip after it left, the
// link carries H of them per round trip.
TEST(PcieBench, PostedCreditsBoundWritesToWhatTheyCarryInARoundTrip) {
    PcieLinkParams params = gen3_x8();
    params.posted_header_credits = 8;
    params.credit_return_ps = nanoseconds(300);
    const double usable = 8 * 8 * 128.0 / 130.0 * (1 - 8.0 / 203 - 8.0 / 203 - 4.0 / 1538);
    const double round_trip_ns = 280 * 8 / usable + 200 + 300;
    const double expected = 8 * 256 * 8 / round_trip_ns;
    EXPECT_NEAR(window_gbps(params, false, 256, 4 * kKiB), expected, expected * 0.01);
    // Half as many data credits as those writes need bind first: 4 x 16 units of 16 bytes.
    params.posted_data_credits = 64;
    EXPECT_NEAR(window_gbps(params, false, 256, 4 * kKiB), expected / 2, expected * 0.01);
}

TEST(PcieBench, NonPostedCreditsBoundReadsToAsManyInARoundTrip) {
    PcieLinkParams params = gen3_x8();
    params.nonposted_header_credits = 2;
    params.credit_return_ps = nanoseconds(300);
    const double usable = 8 * 8 * 128.0 / 130.0 * (1 - 8.0 / 203 - 8.0 / 203 - 4.0 / 1538);
    const double expected = 2 * 512 * 8 / (24 * 8 / usable + 200 + 300);
    EXPECT_NEAR(window_gbps(params, true, 512, 4 * kKiB), expected, expected * 0.02);
}

// --- what it costs ------------------------------------------------------------------------------

// 4 KiB are 32 TLPs of 128 bytes, with credits and a page to walk for.
TEST(PcieBench, NoTlpHasATaskOfItsOwn) {
    PcieLinkParams params = with_iommu();
    params.max_payload_bytes = 128;
    params.posted_header_credits = params.nonposted_header_credits = 8;
    const auto tasks = [&](bool read, bool task_per_request) {
        Device device(params, 32, 1, task_per_request);
        device.submit({0, read, kBuffer, 4096});
        std::uint32_t count = 1;
        while (!device.timeline.settle(1)) count++;
        return count;
    };
    EXPECT_EQ(tasks(false, false), 1u);
    EXPECT_EQ(tasks(true, false), 1u);
    EXPECT_EQ(tasks(true, true), 8u) << "one for each 512 bytes";
}

}  // namespace
}  // namespace doorbell
