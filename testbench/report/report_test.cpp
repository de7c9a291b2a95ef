#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testbench/report/run_result.hpp"
#include "testbench/report/text_report.hpp"

namespace doorbell::report {
namespace {

using testing::HasSubstr;
using testing::Not;

RunResult failed_run() {
    RunResult result;
    result.scenario = "tcp_file";
    result.settings["workload.bytes"] = "10";
    result.seed = 7;
    result.verdict = Verdict::kFail;
    result.failures = {"expected a < b & it was not"};
    result.simulated_ns = 1'500'000;
    result.host_cpu_ns = 2'000'000'000;
    result.kernel_events = 42;
    result.metrics.set("host.a.nic0.tx.frames", std::uint64_t{12});
    result.metrics.set("host.a.tcp.goodput_bps", 941'000'000.0);
    result.metrics.set("host.a.nic0.rx.drops.crc", std::uint64_t{3});
    result.metrics.set("host.a.nic0.rx.drops.filter", std::uint64_t{0});
    result.expectations.push_back(
        {"a == 1", "because", MetricValue{std::uint64_t{0}}, MetricValue{std::uint64_t{1}}, false});
    result.artifacts["capture"] = "wire.pcapng";
    result.replay = "doorbell run tcp_file --seed 7";
    return result;
}

TEST(RunResultTest, TheJsonHasEveryPromisedField) {
    const nlohmann::json json = to_json(failed_run());
    EXPECT_EQ(json["scenario"], "tcp_file");
    EXPECT_EQ(json["seed"], 7);
    EXPECT_EQ(json["verdict"], "fail");
    EXPECT_EQ(json["simulated_ns"], 1'500'000);
    EXPECT_EQ(json["host_cpu_ns"], 2'000'000'000);
    EXPECT_EQ(json["kernel_events"], 42);
    EXPECT_TRUE(json["trace_hash"].is_null());
    EXPECT_EQ(json["metrics"]["host.a.nic0.tx.frames"], 12);
    EXPECT_EQ(json["expectations"][0]["actual"], 0);
    EXPECT_EQ(json["expectations"][0]["passed"], false);
    EXPECT_EQ(json["artifacts"]["capture"], "wire.pcapng");
}

TEST(RunResultTest, AHashIsAStringOfHexadecimalDigits) {
    RunResult result;
    result.trace_hash = "00ff";
    EXPECT_EQ(to_json(result)["trace_hash"], "00ff");
}

TEST(TextReportTest, AFailureShowsWhatWasExpectedWhatItWasAndHowToReplay) {
    const std::string text = text_report(to_json(failed_run()), "out/x", {});
    EXPECT_THAT(text, HasSubstr("FAIL tcp_file workload.bytes=10"));
    EXPECT_THAT(text, HasSubstr("FAIL a == 1: it is 0 (because)"));
    EXPECT_THAT(text, HasSubstr("replay: doorbell run tcp_file --seed 7"));
    EXPECT_THAT(text, HasSubstr("(941 Mb/s)"));
    EXPECT_THAT(text, HasSubstr("evidence in out/x: wire.pcapng"));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(TextReportTest, AFailureIsSaidOnceWhereExpectationsAreShownAndWhereTheyAreNot) {
    RunResult result = failed_run();
    result.failures = {"expected a == 1, it is 0", "ping on a ended with status 1"};
    const std::string text = text_report(to_json(result), "", {});
    EXPECT_THAT(text, Not(HasSubstr("expected a == 1")));
    EXPECT_THAT(text, HasSubstr("! ping on a ended with status 1\n"));
    TextOptions quiet;
    quiet.verbosity = -1;
    EXPECT_THAT(text_report(to_json(result), "", quiet), HasSubstr("! expected a == 1, it is 0\n"));
}

TEST(TextReportTest, AFailureShowsWhatIsNotZeroAndShouldBeAndNothingElse) {
    RunResult result = failed_run();
    for (const char* name : {"host.a.nic0.tx.bad_tail_doorbells", "host.a.nic0.rx.ring_faults",
                             "host.a.nic0.iommu.faults.bounds", "host.a.nic0.iommu.misused",
                             "host.a.nic0.resets", "host.a.app.0.lost"}) {
        result.metrics.set(name, std::uint64_t{2});
    }
    for (const char* name : {"host.a.nic0.device.resets", "host.a.nic0.driver.resets",
                             "host.a.nic0.iommu.maps", "host.a.nic0.tx.ring_faults"}) {
        result.metrics.set(name, std::uint64_t{name[12] == 't' ? 0u : 2u});
    }
    const nlohmann::json json = to_json(result);
    EXPECT_EQ(json["symptoms"].size(), 7u) << json["symptoms"].dump(2);
    EXPECT_EQ(json["symptoms"]["host.a.nic0.iommu.faults.bounds"], 2);
    const std::string block =
        "  what may explain it:\n"
        "    host.a.app.0.lost                  2\n"
        "    host.a.nic0.iommu.faults.bounds    2\n"
        "    host.a.nic0.iommu.misused          2\n"
        "    host.a.nic0.resets                 2\n"
        "    host.a.nic0.rx.drops.crc           3\n"
        "    host.a.nic0.rx.ring_faults         2\n"
        "    host.a.nic0.tx.bad_tail_doorbells  2\n"
        "  replay:";
    EXPECT_THAT(text_report(json, "", {}), HasSubstr(block));
    result.verdict = Verdict::kPass;
    EXPECT_EQ(to_json(result)["symptoms"].size(), 0u);
    EXPECT_THAT(text_report(to_json(result), "", {}), Not(HasSubstr("explain")));
}

TEST(TextReportTest, AnExpectationThatHeldShowsTheValueToo) {
    RunResult result = failed_run();
    result.expectations[0].passed = true;
    EXPECT_THAT(text_report(to_json(result), "", {}), HasSubstr("ok   a == 1: it is 0\n"));
}

TEST(TextReportTest, DropsAreShownWhenTheyHappenedAndAllMetricsWhenAskedFor) {
    EXPECT_THAT(text_report(to_json(failed_run()), "", {}), HasSubstr("drops.crc"));
    EXPECT_THAT(text_report(to_json(failed_run()), "", {}), Not(HasSubstr("drops.filter")));
    TextOptions verbose;
    verbose.verbosity = 1;
    EXPECT_THAT(text_report(to_json(failed_run()), "", verbose), HasSubstr("drops.filter"));
}

TEST(TextReportTest, ColourOnlyWhenAskedFor) {
    TextOptions colour;
    colour.colour = true;
    EXPECT_THAT(text_report(to_json(failed_run()), "", colour), HasSubstr("\x1b[31;1mFAIL"));
}

TEST(JunitReportTest, CountsFailuresAndEscapesText) {
    nlohmann::json results = {to_json(failed_run()), to_json(failed_run()), to_json(failed_run())};
    results[1]["verdict"] = "pass";
    results[2]["verdict"] = "broken";
    const std::string xml = junit_report(results);
    EXPECT_THAT(xml, HasSubstr(R"(tests="3" failures="1" errors="1")"));
    EXPECT_THAT(xml, HasSubstr("expected a &lt; b &amp; it was not"));
    EXPECT_THAT(xml, HasSubstr(R"(name="seed=7 workload.bytes=10")"));
}

TEST(MetricTest, IntegersCompareExactlyAndWithReals) {
    const MetricValue big{(std::uint64_t{1} << 60) + 1};
    const MetricValue bigger{(std::uint64_t{1} << 60) + 2};
    EXPECT_LT(compare(big, bigger), 0);
    EXPECT_EQ(compare(big, big), 0);
    EXPECT_GT(compare(MetricValue{std::uint64_t{2}}, MetricValue{1.5}), 0);
}

TEST(MetricTest, APrefixStandsInFrontOfWhatABlockCounts) {
    MetricRegistry registry;
    auto collector = registry.under("host.a.nic0.");
    collector.metric("tx.frames", 5);
    ASSERT_NE(registry.find("host.a.nic0.tx.frames"), nullptr);
    EXPECT_EQ(registry.find("tx.frames"), nullptr);
}

TEST(HumaneTest, ValuesAreScaledByTheUnitTheirNameEndsIn) {
    EXPECT_EQ(humane("x.goodput_bps", 949'000'000), "949 Mb/s");
    EXPECT_EQ(humane("x.rtt_ns", 1'500), "1.5 us");
    EXPECT_EQ(humane("x.bytes", 10'000'000), "10 MB");
    EXPECT_EQ(humane("x.frames", 10'000'000), "10000000");
}

}  // namespace
}  // namespace doorbell::report
