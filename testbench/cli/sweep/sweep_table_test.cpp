#include "testbench/cli/sweep/sweep_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbell::cli {
namespace {

using nlohmann::json;
using report::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

class SweepTableTest : public testing::Test {
protected:
    SweepTableTest() {
        plan.name = "ping";
        plan.out = "out/sweep/ping";
        plan.axes = {"workload.size", "kind"};
        paths.command = "./doorbell";
    }
    void point(const std::string& size, const std::string& kind, const json& result,
               double wall_s = 1) {
        SweepPoint added;
        added.run = {"ping",
                     "ping",
                     "ping.toml",
                     plan.out / "points" / ("size=" + size + ",kind=" + kind),
                     plan.points.size(),
                     {{"workload.size", size}, {"kind", kind}}};
        plan.points.push_back(added);
        PointEnd end;
        if (result.is_null()) {
            end.why = "its node failed";
        } else {
            end.result = PointResult{result, "node1", wall_s};
        }
        outcome.ends.push_back(end);
    }
    static json passed(const json& metrics) {
        return {{"verdict", "pass"}, {"metrics", metrics}, {"host_cpu_ns", 77}};
    }
    [[nodiscard]] SweepTable table() const { return {plan, outcome, paths}; }

    SweepPlan plan;
    SweepOutcome outcome;
    ProgramPaths paths;
};

TEST_F(SweepTableTest, ARowHasAxesSeedVerdictMetricsAndFolderInTheOrderOfThePlan) {
    plan.metrics = {"b", "a"};
    point("64", "read", passed({{"a", 1}, {"b", 2.5}}));
    point("8", "write", passed({{"a", 18446744073709551615u}, {"b", 0.1}}));
    EXPECT_EQ(table().csv(),
              "workload.size,kind,seed,verdict,b,a,folder\r\n"
              "64,read,1,pass,2.5,1,\"points/size=64,kind=read\"\r\n"
              "8,write,1,pass,0.1,18446744073709551615,\"points/size=8,kind=write\"\r\n");
}

TEST_F(SweepTableTest, AFieldThatNeedsQuotesHasThem) {
    EXPECT_EQ(csv_field("plain 1.5"), "plain 1.5");
    EXPECT_EQ(csv_field("a,b"), "\"a,b\"");
    EXPECT_EQ(csv_field("say \"hi\""), "\"say \"\"hi\"\"\"");
    EXPECT_EQ(csv_field("two\nlines"), "\"two\nlines\"");
    EXPECT_EQ(csv_field("two\rlines"), "\"two\rlines\"");
    EXPECT_EQ(csv_field(""), "");
}

TEST_F(SweepTableTest, APatternBecomesTheNamesOfAllRunsSortedAndEachOnce) {
    plan.metrics = {"z", "app.*.p50", "app.*"};
    point("1", "x", passed({{"app.1.p50", 1}, {"app.0.p50", 2}, {"z", 3}}));
    point("2", "x", passed({{"app.00.p50", 1}, {"app.0.max", 4}, {"other", 5}}));
    EXPECT_THAT(table().metrics(),
                ElementsAre("z", "app.0.p50", "app.00.p50", "app.1.p50", "app.0.max"));
    EXPECT_THAT(table().csv(), HasSubstr("\r\n2,x,1,pass,,,1,,4,"));
}

TEST_F(SweepTableTest, APointWithoutAResultIsARowThatSaysSo) {
    plan.metrics = {"a"};
    point("1", "x", json());
    point("2", "x", {{"verdict", "broken"}, {"failures", {"the run ended with signal 9"}}});
    EXPECT_THAT(table().csv(), HasSubstr("\r\n1,x,1,missing,,"));
    EXPECT_THAT(table().csv(), HasSubstr("\r\n2,x,1,broken,,"));
    const json whole = table().to_json();
    EXPECT_EQ(whole["points"][0]["failures"][0], "its node failed");
    EXPECT_EQ(whole["points"][1]["failures"][0], "the run ended with signal 9");
    EXPECT_EQ(whole["points"][1]["replay"],
              "./doorbell run ping --set workload.size=2 --set kind=x --no-sweep --seed 1");
    EXPECT_THAT(table().verdicts(), ElementsAre(Pair("broken", 1), Pair("missing", 1)));
}

TEST_F(SweepTableTest, TheWorstVerdictIsTheSweepsAndWhatIsStillToComeHasNone) {
    point("1", "x", passed({}));
    EXPECT_EQ(table().worst(), Verdict::kPass);
    outcome.ends.emplace_back().pending = true;
    plan.points.push_back(plan.points[0]);
    EXPECT_EQ(table().worst(), Verdict::kPass);
    EXPECT_THAT(table().csv(), HasSubstr(",pending,"));
    point("2", "x", {{"verdict", "fail"}, {"metrics", json::object()}});
    EXPECT_EQ(table().worst(), Verdict::kFail);
    point("3", "x", json());
    EXPECT_EQ(table().worst(), Verdict::kError);
    point("4", "x", {{"verdict", "broken"}});
    EXPECT_EQ(table().worst(), Verdict::kBroken);
}

TEST_F(SweepTableTest, NothingOfTheHostIsInTheTableAndAllOfItInAFileOfItsOwn) {
    plan.metrics = {"a"};
    point("1", "x", passed({{"a", 1}}), 2.5);
    const std::string csv = table().csv();
    const std::string whole = table().to_json().dump();
    outcome.ends[0].result->host = "another";
    outcome.ends[0].result->wall_s = 99;
    outcome.ends[0].result->result["host_cpu_ns"] = 123456;
    EXPECT_EQ(table().csv(), csv);
    EXPECT_EQ(table().to_json().dump(), whole);
    EXPECT_EQ(table().host_csv(),
              "workload.size,kind,seed,host,host_cpu_ns,wall_s\r\n1,x,1,another,123456,99.000\r\n");
}

TEST_F(SweepTableTest, AFailureDoesNotSayWhereTheSweepLies) {
    const std::string folder = "out/sweep/ping/points/size=1,kind=x";
    point("1", "x",
          {{"verdict", "error"}, {"failures", {folder + "/wire.pcapng: full; " + folder}}});
    const json whole = table().to_json();
    EXPECT_EQ(whole["points"][0]["failures"][0], "${out}/wire.pcapng: full; ${out}");
    EXPECT_EQ(whole["points"][0]["folder"], "points/size=1,kind=x");
}

TEST_F(SweepTableTest, ColumnsHaveTheUnitsAndTextsOfTheCatalogue) {
    plan.metric_texts = {{"host.*.nic*.tx.frames", "frames", "Frames that left"},
                         {"host.*.tx", "b/s", "other"}};
    plan.metrics = {"host.a.nic0.tx.frames", "unknown"};
    point("1", "x", passed({{"host.a.nic0.tx.frames", 3}}));
    const json columns = table().to_json()["metrics"];
    EXPECT_EQ(columns[0]["unit"], "frames");
    EXPECT_EQ(columns[0]["description"], "Frames that left");
    EXPECT_EQ(columns[1]["unit"], "");
    // '*' is part of one word between dots.
    EXPECT_EQ(plan.describe("host.a.b.c.tx"), nullptr);
}

TEST_F(SweepTableTest, AHashHasAColumnWhenItWasAskedFor) {
    json result = passed({});
    result["trace_hash"] = "00ff";
    point("1", "x", result);
    EXPECT_THAT(table().csv(), Not(HasSubstr("trace_hash")));
    plan.run.hash = true;
    EXPECT_THAT(table().csv(), HasSubstr("verdict,trace_hash,folder\r\n1,x,1,pass,00ff,"));
}

}  // namespace
}  // namespace doorbell::cli
