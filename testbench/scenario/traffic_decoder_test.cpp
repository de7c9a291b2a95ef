#include "testbench/scenario/traffic_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testbench/scenario/decoder.hpp"
#include "testbench/scenario/decoder_test_support.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::scenario {
namespace {

using testing::HasSubstr;

constexpr const char* kTraffic = R"([scenario]
name = "rate"
description = "Frames."
[workload]
size = 64
way = "rx"
[[host]]
name = "a"
[[host.interface]]
address = "10.0.0.1/24"
[[host.app]]
run = "tcp_receive --file x"
when = "${workload.way} == rx|both"
[[host.app]]
run = "tcp_receive --file y"
when = "${workload.way} == tx | both"
[[generator]]
name = "gen"
size_bytes = "${workload.size}"
count = 100
to = "02:00:00:00:0A:ff"
rate_fps = 5
start_us = 7
[[link]]
ends = ["a.nic0", "gen"]
[measure]
nic = "a.nic0"
direction = "${workload.way}"
[[expect]]
metric = "bound_by"
value = "wire"
)";

std::string replaced(const std::string& from, const std::string& to) {
    return scenario::replaced(kTraffic, from, to);
}

TEST(TrafficDecoder, AGeneratorAndAMeasurementBecomePlainStructs) {
    const Decoded decoded(kTraffic);
    ASSERT_EQ(decoded.messages, "");
    const Scenario& s = decoded.scenario;
    ASSERT_EQ(s.generators.size(), 1u);
    const wire::GeneratorParams& params = s.generators[0].params;
    EXPECT_EQ(params.size_bytes, 64u);
    EXPECT_EQ(params.count, 100u);
    EXPECT_EQ(params.rate_fps, 5u);
    EXPECT_EQ(params.start_ps, microseconds(7));
    EXPECT_EQ(params.to, (std::array<std::uint8_t, 6>{2, 0, 0, 0, 0x0a, 0xff}));
    EXPECT_TRUE(s.links[0].ends[1].is_generator());
    EXPECT_FALSE(s.links[0].ends[0].is_generator());
    ASSERT_TRUE(s.measure);
    EXPECT_EQ(s.measure->link, 0u);
    EXPECT_EQ(s.measure->end, 0u);
    EXPECT_TRUE(s.measure->rx);
    EXPECT_FALSE(s.measure->tx);
    EXPECT_EQ(s.measure->frames, 20'000u);
    EXPECT_FALSE(s.measure->latency);
    EXPECT_TRUE(Decoded(kTraffic, {"measure.latency=true"}).scenario.measure->latency);
    EXPECT_EQ(s.expectations[0].text(), "bound_by == wire");
}

TEST(TrafficDecoder, AConditionDecidesWhoIsThere) {
    const Decoded rx(kTraffic);
    ASSERT_EQ(rx.scenario.hosts[0].apps.size(), 1u);
    EXPECT_EQ(rx.scenario.hosts[0].apps[0].argv[2], "x");
    const Decoded tx(kTraffic, {"workload.way=tx"});
    ASSERT_EQ(tx.scenario.hosts[0].apps.size(), 1u);
    EXPECT_EQ(tx.scenario.hosts[0].apps[0].argv[2], "y");
    EXPECT_EQ(Decoded(kTraffic, {"workload.way=both"}).scenario.hosts[0].apps.size(), 2u);
    const Decoded still(replaced("rate_fps = 5", "when = \"${workload.way} == tx\""));
    EXPECT_EQ(still.scenario.generators[0].params.count, 0u);
}

TEST(TrafficDecoder, SetReachesAGeneratorByItsName) {
    const Decoded decoded(kTraffic, {"generator.gen.rate_fps=9", "workload.size=1518"});
    ASSERT_EQ(decoded.messages, "");
    EXPECT_EQ(decoded.scenario.generators[0].params.rate_fps, 9u);
    EXPECT_EQ(decoded.scenario.generators[0].params.size_bytes, 1518u);
}

struct Mistake {
    const char* from;
    const char* to;
    const char* message;
    const char* place;
};
class TrafficMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(TrafficMistakes, AreShownWithTheirPlaceAndTheReason) {
    const Decoded decoded(replaced(GetParam().from, GetParam().to));
    EXPECT_THAT(decoded.messages, HasSubstr(GetParam().message));
    EXPECT_THAT(decoded.messages, HasSubstr(GetParam().place));
}

INSTANTIATE_TEST_SUITE_P(
    All, TrafficMistakes,
    testing::Values(
        Mistake{"size = 64", "size = 63", "'size_bytes' cannot be 63", "it must be 64..9728"},
        Mistake{"size = 64", "size = \"many\"", "'size_bytes' must be an integer, not \"many\"",
                "s.toml"},
        Mistake{"\"gen\"]", "\"gon\"]", "there is no NIC or generator 'gon'", "\"gen\""},
        Mistake{"ends = [\"a.nic0\", \"gen\"]", "ends = [\"a.nic0\", \"a.nic0\"]",
                "no link leads to generator 'gen'", "s.toml:17"},
        Mistake{"name = \"gen\"", "name = \"a\"", "there is another 'a'", "s.toml:18"},
        Mistake{"0A:ff", "0A:xx", "is no MAC address", "s.toml:21"},
        Mistake{"nic = \"a.nic0\"", "nic = \"b.nic0\"", "no link leads to 'b.nic0'", "s.toml:27"},
        Mistake{"nic = \"a.nic0\"", "nic = \"gen\"", "no link leads to 'gen'", "s.toml:27"},
        Mistake{"way = \"rx\"", "way = \"up\"", "'direction' cannot be \"up\"", "tx is what"},
        Mistake{"== rx|both\"", "is rx\"", "is no condition", "s.toml:13"},
        Mistake{"value = \"wire\"", "value = 1", "bound_by is a word", "s.toml:31"},
        Mistake{"value = \"wire\"", "op = \"<\"\nvalue = \"wire\"", "'<' compares no words",
                "== or !="}));

}  // namespace
}  // namespace doorbell::scenario
