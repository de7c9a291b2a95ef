#include "testbench/pcie_bench/dma_player.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "hw/base/generated/events.hpp"
#include "hw/dma/dma_test_host.hpp"
#include "testbench/pcie_bench/formula.hpp"
#include "testbench/pcie_bench/host_memory.hpp"
#include "testbench/pcie_bench/test_tables.hpp"

namespace doorbell::pcie_bench {
namespace {

using testing::Each;
using testing::ElementsAre;

/// Addresses that were read, as offsets.
class Reads final : public EventListener {
public:
    void event(const Event& event) override {
        if (event.type != static_cast<std::uint16_t>(EventType::kDmaRead)) return;
        offsets.push_back(event.args[0] - TestHost::kBase);
    }
    std::vector<std::uint64_t> offsets;
};

/// A player on the link of round numbers: 1 ps a byte, 20 bytes a TLP, 100 ps to the other end,
/// 1000 ps of memory.
template <typename Host = TestHost>
struct Bench {
    explicit Bench(const DmaLoad& load, std::uint64_t seed = 1)
        : engine(params(), timeline, host, link, state, EventPort(hub, hub.add_source("dut"))),
          player(load, seed, timeline, engine, TestHost::kBase) {
        state.bus_master = true;
        hub.attach(reads);
    }
    static DmaParams params() {
        DmaParams params;
        params.read_tags = 32;
        params.coalesce_posted_writes = false;
        return params;
    }
    void run() {
        player.start();
        ASSERT_TRUE(timeline.settle());
        ASSERT_TRUE(player.finished());
    }

    ManualTimeline timeline;
    Host host;
    TestLink link;
    DeviceState state;
    EventHub hub;
    Reads reads;
    DmaEngine engine;
    DmaPlayer player;
};

DmaLoad one_at_a_time(DmaKind kind, std::uint64_t transfers) {
    DmaLoad load;
    load.kind = kind;
    load.order = DmaOrder::kSequential;
    load.window_bytes = 256;
    load.in_flight = 1;
    load.warm_up = 0;
    load.transfers = transfers;
    return load;
}

// A request of 20 bytes arrives after 120 ps, memory has the data at 1120 ps, and 84 bytes of
// completion have arrived 184 ps later.
TEST(DmaPlayerTest, AReadTakesTheTimeOfItsTlpsAndTheNextStartsWhenItIsThere) {
    Bench bench(one_at_a_time(DmaKind::kRead, 5));
    bench.run();
    EXPECT_THAT(bench.reads.offsets, ElementsAre(0, 64, 128, 192, 0));
    EXPECT_EQ(bench.player.latencies().quantile(0), 1304u);
    EXPECT_EQ(bench.player.latencies().quantile(1000), 1304u);
    EXPECT_DOUBLE_EQ(bench.player.goodput_gbps(), 64 * 8 * 1e3 / 1304);
    EXPECT_EQ(bench.timeline.now_ps(), 5u * 1304);
}

// Writes of 84 bytes on the link are visible 100 ps after their last byte: the first two at 184 and
// 268 ps; the third, issued at 184, at 368; the fourth, issued at 268, at 452.
TEST(DmaPlayerTest, AsManyWritesAreUnderWayAsTheLoadSays) {
    DmaLoad load = one_at_a_time(DmaKind::kWrite, 4);
    load.in_flight = 2;
    Bench bench(load);
    bench.run();
    EXPECT_THAT(bench.host.log, ElementsAre("w0", "w64", "w128", "w192", "w0"));
    EXPECT_EQ(bench.player.latencies().quantile(0), 184u);
    EXPECT_EQ(bench.player.latencies().quantile(1000), 268u);
    EXPECT_DOUBLE_EQ(bench.player.goodput_gbps(), 4 * 64 * 8 * 1e3 / 452);
}

// The read's request leaves behind the 84 bytes of the write: 84 ps later than one alone.
TEST(DmaPlayerTest, AWriteAndReadTakesOneRoundTripBehindItsWrite) {
    Bench bench(one_at_a_time(DmaKind::kWriteRead, 3));
    bench.run();
    EXPECT_THAT(bench.reads.offsets, ElementsAre(0, 64, 128));
    EXPECT_THAT(bench.host.log, ElementsAre("w0", "w64", "w128"));
    EXPECT_EQ(bench.player.latencies().quantile(0), 1388u);
    EXPECT_EQ(bench.player.latencies().quantile(1000), 1388u);
    EXPECT_EQ(bench.player.stale(), 0u);
}

class ForgetfulHost final : public HostPort {
public:
    DmaStatus read(std::uint64_t, std::uint8_t* target, std::uint32_t size,
                   std::uint64_t&) override {
        std::fill_n(target, size, std::uint8_t{0});
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t, const std::uint8_t*, std::uint32_t, std::uint64_t) override {
        return DmaStatus::kOk;
    }
    void message(std::uint64_t, std::uint32_t) override {}
    void interrupt_pin(bool) override {}
};

TEST(DmaPlayerTest, AReadThatDoesNotSeeTheWriteBeforeItIsCounted) {
    Bench<ForgetfulHost> bench(one_at_a_time(DmaKind::kWriteRead, 3));
    bench.run();
    EXPECT_EQ(bench.player.stale(), 3u);
}

TEST(DmaPlayerTest, ATransferToWhereNothingAnswersIsCounted) {
    DmaLoad load = one_at_a_time(DmaKind::kRead, 4);
    load.window_bytes = TestHost::kSize + 4096;  // The last page of it does not exist.
    load.size_bytes = 4096;
    load.transfers = load.window_bytes / 4096;
    Bench bench(load);
    bench.run();
    EXPECT_EQ(bench.player.failed(), 1u);
}

// The first read takes 1304 ps as any other: only what comes behind it is counted.
TEST(DmaPlayerTest, TheWarmUpIsNotMeasured) {
    DmaLoad load = one_at_a_time(DmaKind::kRead, 2);
    load.warm_up = 3;
    Bench bench(load);
    bench.run();
    EXPECT_EQ(bench.player.latencies().count(), 2u);
    EXPECT_EQ(bench.reads.offsets.size(), 5u);
    EXPECT_DOUBLE_EQ(bench.player.goodput_gbps(), 64 * 8 * 1e3 / 1304);
}

// Pairs: a write of 84 bytes and a request of 20 upstream; the completion's 84 downstream.
TEST(DmaPlayerTest, OfBothEachMovesTheWholeSizeToAPlaceOfItsOwn) {
    Bench bench(one_at_a_time(DmaKind::kBoth, 2));
    bench.run();
    EXPECT_THAT(bench.host.log, ElementsAre("w0", "w128"));
    EXPECT_THAT(bench.reads.offsets, ElementsAre(64, 192));
    EXPECT_DOUBLE_EQ(bench.player.goodput_gbps(), 64 * 8 * 1e3 / 1388);
}

std::vector<std::uint64_t> random_reads(const DmaLoad& load, std::uint64_t seed) {
    Bench bench(load, seed);
    bench.run();
    return bench.reads.offsets;
}

TEST(DmaPlayerTest, RandomPlacesAreAlignedCoverTheWindowAndComeOfTheSeed) {
    DmaLoad load = one_at_a_time(DmaKind::kRead, 2'000);
    load.order = DmaOrder::kRandom;
    load.size_bytes = 100;
    load.window_bytes = 8192;
    const auto offsets = random_reads(load, 1);
    std::set<std::uint64_t> seen;
    for (const std::uint64_t offset : offsets) {
        EXPECT_EQ(offset % 64, 0u);
        EXPECT_EQ(offset / 4096, (offset + 99) / 4096) << "crosses a page";
        seen.insert(offset);
    }
    EXPECT_EQ(seen.size(), 2u * 32);  // 128 bytes each.
    EXPECT_LT(*seen.rbegin(), 8192u);
    EXPECT_EQ(random_reads(load, 1), offsets);
    EXPECT_NE(random_reads(load, 2), offsets);
}

TEST(DmaPlayerTest, AWindowHasThePlacesThatFit) {
    DmaLoad load;
    load.size_bytes = 100;
    load.window_bytes = 100;
    EXPECT_EQ(Window(load).places(), 1u);
    load.window_bytes = 227;  // The second place would need 228.
    EXPECT_EQ(Window(load).places(), 1u);
    load.window_bytes = 228;
    EXPECT_EQ(Window(load).places(), 2u);
    load.size_bytes = 1500;  // 1536 each: two to a page.
    load.window_bytes = 3 * 4096;
    EXPECT_EQ(Window(load).places(), 6u);
    EXPECT_EQ(Window(load).offset(3), 4096u + 1536);
    load.size_bytes = 5000;  // Two pages each.
    load.window_bytes = 4 * 4096;
    EXPECT_EQ(Window(load).places(), 2u);
    EXPECT_EQ(Window(load).offset(1), 8192u);
}

double played_gbps(DmaKind kind, std::uint32_t size_bytes) {
    DmaLoad load;
    load.kind = kind;
    load.size_bytes = size_bytes;
    load.window_bytes = 1 << 20;
    load.transfers = 20'000;
    DmaParams dma;
    dma.read_tags = 256;
    dma.coalesce_posted_writes = false;
    ManualTimeline timeline;
    HostMemory memory(load.window_bytes);
    Requester device(gen3_x8(), dma, 1, timeline, memory, {});
    DmaPlayer player(load, 1, timeline, device.dma(), HostMemory::kBase);
    player.start();
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(player.failed(), 0u);
    return player.goodput_gbps();
}

TEST(DmaPlayerTest, BandwidthIsThatOfThePcieBenchModel) {
    constexpr double kOnePerCent = 0.01;
    for (const BandwidthRow& row : kBandwidth) {
        const std::uint32_t size = row.frame_bytes - DisciplineLoad::kFcsBytes;
        EXPECT_NEAR(played_gbps(DmaKind::kWrite, size), row.write, row.write * kOnePerCent) << size;
        EXPECT_NEAR(played_gbps(DmaKind::kRead, size), row.read, row.read * kOnePerCent) << size;
        EXPECT_NEAR(played_gbps(DmaKind::kBoth, size), row.both, row.both * kOnePerCent) << size;
    }
}

TEST(DmaPlayerTest, BandwidthIsWithinOnePerCentOfTheFormulaAtEverySize) {
    for (const DmaKind kind : {DmaKind::kRead, DmaKind::kWrite, DmaKind::kBoth}) {
        for (std::uint32_t size = 64; size <= 1500; size += size < 300 ? 7 : 59) {
            DmaLoad load;
            load.kind = kind;
            load.size_bytes = size;
            const double formula = dma_gbps(load, gen3_x8());
            EXPECT_NEAR(played_gbps(kind, size), formula, formula * 0.01)
                << size << " bytes, kind " << static_cast<int>(kind);
        }
    }
}

}  // namespace
}  // namespace doorbell::pcie_bench
