#include "testbench/wire/traffic_generator.hpp"

#include <gtest/gtest.h>

#include <vector>

extern "C" {
#include "guest_stack/apps/test_packet.h"
}
#include "testbench/wire/link.hpp"
#include "testbench/wire/rate_meter.hpp"

namespace doorbell::wire {
namespace {

struct Listener final : EthernetEndpoint {
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds) override {
        starts.push_back(start_ps);
        sizes.push_back(frame->wire_bytes());
        frames.push_back(std::move(frame));
        if (!keeps) frames.clear();
    }
    void partner(const LinkAbilities&) override {}
    [[nodiscard]] bool listens() const override { return hears; }
    bool hears = true;
    bool keeps = false;
    std::vector<Picoseconds> starts;
    std::vector<std::uint32_t> sizes;
    std::vector<FramePtr> frames;
};

struct Bench {
    Bench(const GeneratorParams& params, std::uint32_t rate_mbps)
        : link(timeline, pool, EventPort(), LinkParams{rate_mbps, nanoseconds(10), {}}, 1, 0),
          generator(timeline, pool, params) {
        link.attach(0, generator);
        link.attach(1, listener);
        generator.connect(link.port(0), listener);
        generator.start();
    }
    FramePool pool;
    ManualTimeline timeline;
    Link link;
    Listener listener;
    TrafficGenerator generator;
};

GeneratorParams some(std::uint64_t count, std::uint32_t size_bytes = 64,
                     std::uint32_t rate_mbps = 1000) {
    GeneratorParams params;
    params.count = count;
    params.size_bytes = size_bytes;
    params.rate_mbps = rate_mbps;
    return params;
}

TEST(TrafficGenerator, SendsBackToBackAtTheRatesOfTheStandard) {
    for (const auto& [size, rate, distance_ps] :
         {std::tuple(64u, 1000u, 672'000u), std::tuple(1518u, 1000u, 12'304'000u),
          std::tuple(64u, 10'000u, 67'200u), std::tuple(1518u, 100'000u, 123'040u),
          std::tuple(64u, 400'000u, 1'680u), std::tuple(64u, 10u, 67'200'000u)}) {
        Bench bench(some(200, size, rate), rate);
        ASSERT_TRUE(bench.timeline.settle());
        ASSERT_EQ(bench.listener.starts.size(), 200u);
        for (std::size_t i = 1; i < 200; i++) {
            ASSERT_EQ(bench.listener.starts[i] - bench.listener.starts[i - 1], distance_ps)
                << size << " bytes at " << rate << " Mb/s, frame " << i;
        }
    }
}

TEST(TrafficGenerator, AMillionFramesAtARateThatDividesNoPicosecondsDoNotDrift) {
    // 70 Gb/s: a byte is 800/7 ps. The cable loses whatever is faster than that by 2 ps.
    constexpr std::uint64_t kFrames = 1'000'000;
    Bench bench(some(kFrames, 64, 70'000), 70'000);
    ASSERT_TRUE(bench.timeline.settle());
    ASSERT_EQ(bench.listener.starts.size(), kFrames);
    const Picoseconds whole_ps = bench.listener.starts.back() - bench.listener.starts.front();
    EXPECT_EQ(whole_ps, (kFrames - 1) * 84 * 800 / 7);
}

TEST(TrafficGenerator, AnAskedRateIsKeptOnAverageToThePicosecond) {
    GeneratorParams params = some(300'001);
    params.rate_fps = 300'000;  // 3,333,333 and a third ps
    Bench bench(params, 1000);
    ASSERT_TRUE(bench.timeline.settle());
    ASSERT_EQ(bench.listener.starts.size(), 300'001u);
    EXPECT_EQ(bench.listener.starts.back() - bench.listener.starts.front(), seconds(1));
}

TEST(TrafficGenerator, ARateBeyondTheWiresIsTheWires) {
    GeneratorParams params = some(10);
    params.rate_fps = 100'000'000;
    Bench bench(params, 1000);
    ASSERT_TRUE(bench.timeline.settle());
    ASSERT_EQ(bench.listener.starts.size(), 10u);
    EXPECT_EQ(bench.listener.starts[9] - bench.listener.starts[0], 9u * 672'000);
}

TEST(TrafficGenerator, WaitsUntilTheOtherEndListens) {
    Bench bench(some(3), 1000);
    bench.listener.hears = false;
    bench.timeline.advance_by(milliseconds(1));
    EXPECT_TRUE(bench.listener.starts.empty());
    bench.listener.hears = true;
    bench.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(bench.listener.starts.size(), 3u);
    EXPECT_TRUE(bench.generator.done());
}

TEST(TrafficGenerator, ItsFramesAreThoseThatAPacketSinkVerifies) {
    for (const std::uint16_t tag : {std::uint16_t{0}, std::uint16_t{7}}) {
        GeneratorParams params = some(70'000, tag != 0 ? 68 : 64);
        params.vlan_tag = tag;
        Bench bench(params, 1000);
        bench.listener.keeps = true;
        ASSERT_TRUE(bench.timeline.settle());
        ASSERT_EQ(bench.listener.frames.size(), 70'000u);
        // Around the places where the pattern of the payload begins anew.
        for (const std::size_t i :
             std::initializer_list<std::size_t>{0, 1, 255, 256, 65'520, 65'535, 65'536, 69'999}) {
            const Frame& frame = *bench.listener.frames[i];
            test_packet packet{};
            std::uint32_t vlan = 0;
            EXPECT_EQ(test_packet_read(frame.data(), frame.size_bytes(), 9, &packet, &vlan),
                      TEST_GOOD)
                << i;
            EXPECT_EQ(packet.number, i);
            EXPECT_EQ(vlan, tag);
        }
        bench.listener.frames.clear();
    }
}

TEST(TrafficGenerator, ItsPacketsHaveAnIdentityWhenOneIsGiven) {
    for (const std::uint64_t first : {0u, 700u}) {
        GeneratorParams params = some(3);
        params.first_packet = first;
        Bench bench(params, 1000);
        bench.listener.keeps = true;
        ASSERT_TRUE(bench.timeline.settle());
        ASSERT_EQ(bench.listener.frames.size(), 3u);
        for (std::uint64_t i = 0; i < 3; i++) {
            EXPECT_EQ(bench.listener.frames[i]->packet, first == 0 ? 0 : first + i);
        }
    }
}

TEST(TrafficGenerator, MakesNoMoreFramesThanAreUnderWay) {
    Bench bench(some(100'000), 1000);
    ASSERT_TRUE(bench.timeline.settle());
    EXPECT_LE(bench.pool.made(), 70u);
}

TEST(TrafficGenerator, CountsWhatComesAndWhatIsMissing) {
    FramePool pool;
    ManualTimeline timeline;
    LinkParams params;
    params.faults[0].loss_ppm = 200'000;
    Link link(timeline, pool, EventPort(), params, 1, 0);
    TrafficGenerator source(timeline, pool, some(1000));
    TrafficGenerator sink(timeline, pool, some(0));
    link.attach(0, source);
    link.attach(1, sink);
    source.connect(link.port(0), sink);
    sink.connect(link.port(1), source);
    sink.start();
    source.start();
    ASSERT_TRUE(timeline.settle());
    struct Visitor final : MetricVisitor {
        void metric(std::string_view name, std::uint64_t value) override {
            if (name == "received.frames") frames = value;
            if (name == "received.missing_frames") missing = value;
            if (name == "received.start_gap_min_ps") least = value;
        }
        void metric_real(std::string_view, double) override {}
        std::uint64_t frames = 0, missing = 0, least = 0;
    } seen;
    sink.visit_metrics(seen);
    EXPECT_LT(seen.frames, 900u);
    EXPECT_GT(seen.frames, 700u);
    EXPECT_NEAR(static_cast<double>(seen.frames + seen.missing), 1000, 10);
    EXPECT_EQ(seen.least, 672'000u);
}

// --- RateMeter ----------------------------------------------------------------------------------

TEST(RateMeter, MeasuresFromTheEndOfTheWarmUpToTheLastFrame) {
    Bench bench(some(2000), 1000);
    RateMeterParams params;
    params.ends = {true, false};
    params.warmup_ps = microseconds(100);
    params.frames = 1000;
    Picoseconds began_ps = 0;
    Picoseconds ended_ps = 0;
    RateMeter meter(
        bench.timeline, params, [&] { began_ps = bench.timeline.now_ps(); },
        [&] { ended_ps = bench.timeline.now_ps(); });
    bench.link.measure(&meter);
    ASSERT_TRUE(bench.timeline.settle());
    EXPECT_TRUE(meter.complete());
    EXPECT_EQ(began_ps, microseconds(100));
    EXPECT_EQ(ended_ps, 999u * 672'000);
    const RateMeter::Rate& rate = meter.rate(0);
    EXPECT_EQ(rate.frames, 1000u - 149);  // 149 of them start in the first 100 us.
    EXPECT_EQ(rate.gap_min_ps, 672'000u);
    EXPECT_EQ(rate.gap_max_ps, 672'000u);
    EXPECT_DOUBLE_EQ(rate.frames_per_s(), 1e12 / 672'000);
    EXPECT_DOUBLE_EQ(rate.occupancy(), 1.0);
}

TEST(RateMeter, ALaterFrameIsAWiderGapAndLessOccupancy) {
    GeneratorParams half = some(1000);
    half.rate_fps = 744'048;  // every 1344 ns
    Bench bench(half, 1000);
    RateMeterParams params;
    params.ends = {true, false};
    params.warmup_ps = 0;
    params.frames = 500;
    RateMeter meter(
        bench.timeline, params, [] {}, [] {});
    bench.link.measure(&meter);
    ASSERT_TRUE(bench.timeline.settle());
    EXPECT_NEAR(meter.rate(0).occupancy(), 0.5, 0.001);
    EXPECT_NEAR(meter.rate(0).frames_per_s(), 744'048, 1);
}

TEST(RateMeter, IsNotCompleteWhenOneOfItsEndsSendsNothing) {
    Bench bench(some(1000), 1000);
    RateMeterParams params;
    params.frames = 10;
    RateMeter meter(
        bench.timeline, params, [] {}, [] {});
    bench.link.measure(&meter);
    ASSERT_TRUE(bench.timeline.settle());
    EXPECT_FALSE(meter.complete());
}

}  // namespace
}  // namespace doorbell::wire
