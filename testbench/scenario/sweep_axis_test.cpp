#include "testbench/scenario/sweep_axis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/decoder_test_support.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

class SweepAxisTest : public testing::Test {
protected:
    std::vector<std::string> values_of(const std::string& argument) {
        const SweepAxis axis = read_axis(argument, sources, diagnostics);
        std::vector<std::string> texts;
        for (const auto& value : axis.values) {
            texts.emplace_back();
            if (!scalar_text(*value, texts.back())) texts.back() = to_toml_value(*value);
        }
        return texts;
    }
    /// The message of an axis that must be refused.
    std::string refused(const std::string& argument) {
        Diagnostics mine;
        EXPECT_THAT(read_axis(argument, sources, mine).values, IsEmpty()) << argument;
        return mine.text();
    }

    Sources sources;
    Diagnostics diagnostics;
};

TEST_F(SweepAxisTest, ListsAndRangesAreOneListInTheOrderOfWriting) {
    EXPECT_THAT(values_of("k=64,128,256:1500:400"),
                ElementsAre("64", "128", "256", "656", "1056", "1456"));
    EXPECT_THAT(values_of("k=read,write"), ElementsAre("read", "write"));
    EXPECT_THAT(values_of("k=1:3"), ElementsAre("1", "2", "3"));
    EXPECT_THAT(values_of("k=3:1:-1"), ElementsAre("3", "2", "1"));
    EXPECT_THAT(values_of("k=0:1_000:500"), ElementsAre("0", "500", "1000"));
    EXPECT_THAT(values_of("k=5:5"), ElementsAre("5"));
    EXPECT_EQ(diagnostics.text(), "");
}

TEST_F(SweepAxisTest, TheEndOfARangeIsInItOnlyWhenAStepLandsThere) {
    EXPECT_THAT(values_of("k=64:128:64"), ElementsAre("64", "128"));
    EXPECT_THAT(values_of("k=64:127:64"), ElementsAre("64"));
    EXPECT_THAT(values_of("k=64:1024:x4"), ElementsAre("64", "256", "1024"));
    EXPECT_THAT(values_of("k=64:1023:x4"), ElementsAre("64", "256"));
}

TEST_F(SweepAxisTest, DecimalsStayExact) {
    EXPECT_THAT(values_of("k=0.1:0.5:0.1"), ElementsAre("0.1", "0.2", "0.3", "0.4", "0.5"));
    EXPECT_THAT(values_of("k=-0.5:0.5:0.5"), ElementsAre("-0.5", "0.0", "0.5"));
    EXPECT_THAT(values_of("k=1:2:0.25"), ElementsAre("1.00", "1.25", "1.50", "1.75", "2.00"));
}

TEST_F(SweepAxisTest, AValueThatStandsTwiceIsTakenOnce) {
    EXPECT_THAT(values_of("k=64,128,64:192:64,128"), ElementsAre("64", "128", "192"));
}

TEST_F(SweepAxisTest, QuotesAndBracketsKeepCommasAndColons) {
    EXPECT_THAT(values_of(R"(k="a,b",'1:2',[1, 2])"), ElementsAre("a,b", "1:2", "[1, 2]"));
    EXPECT_THAT(values_of("workload.input=generate:1000,generate:2000"),
                ElementsAre("generate:1000", "generate:2000"));
}

TEST_F(SweepAxisTest, ValuesHaveTheTypesThatSetGivesThem) {
    const SweepAxis axis = read_axis("k=1,x,true,2.5,1:2", sources, diagnostics);
    ASSERT_EQ(axis.values.size(), 5u);
    EXPECT_NE(axis.values[0]->as<std::int64_t>(), nullptr);
    EXPECT_NE(axis.values[1]->as<std::string>(), nullptr);
    EXPECT_NE(axis.values[2]->as<bool>(), nullptr);
    EXPECT_NE(axis.values[3]->as<double>(), nullptr);
    EXPECT_EQ(*axis.values[4]->as<std::int64_t>(), 2);
}

TEST_F(SweepAxisTest, AMistakeIsShownAtItsColumn) {
    EXPECT_EQ(refused("workload.size"),
              "--axis workload.size:1: error: --axis needs KEY=VALUE,VALUE,...\n"
              "      | workload.size\n"
              "      | ^~~~~~~~~~~~~\n"
              "      = help: for instance workload.size=64,128,256:1500:64\n");
    EXPECT_THAT(refused("=1,2"), HasSubstr("--axis =1,2:1: error"));
    EXPECT_THAT(refused("k="), HasSubstr("--axis k=:3: error: the axis 'k' has no values"));
    EXPECT_THAT(refused("k=1,,2"), HasSubstr("k=1,,2:5: error: a value is missing here"));
    EXPECT_THAT(refused("k=1,"), HasSubstr("k=1,:5: error: a value is missing here"));
    EXPECT_THAT(refused("k=7,1:5:0"), HasSubstr(":9: error: '0' is no step of a range"));
    EXPECT_THAT(refused("k=7,1:5:y"), HasSubstr(":9: error: 'y' is no step of a range"));
    EXPECT_THAT(refused("k=7,1:5:"), HasSubstr(":9: error: '' is no step of a range"));
    EXPECT_THAT(refused("k=7,1:b"), HasSubstr(":7: error: 'b' is no number"));
    EXPECT_THAT(refused("k=7,1:5:1:9"), HasSubstr(":11: error: a range has three parts"));
    EXPECT_THAT(refused("k=7,5:1"), HasSubstr(":5: error: no step of 1 leads from 5 to 1"));
    EXPECT_THAT(refused("k=7,1:5:-1"), HasSubstr(":5: error: no step of -1 leads from 1 to 5"));
    EXPECT_THAT(refused("k=1:8:x1"), HasSubstr(":7: error: 'x1' is no factor"));
    EXPECT_THAT(refused("k=1:8:x"), HasSubstr(":7: error: 'x' is no factor"));
    EXPECT_THAT(refused("k=0:8:x2"), HasSubstr(":3: error: a range by factors"));
    EXPECT_THAT(refused("k=8:1:x2"), HasSubstr(":3: error: no factor leads from 8 to 1"));
}

TEST_F(SweepAxisTest, ARangeHasABoundHoweverLargeItsNumbers) {
    EXPECT_THAT(refused("k=1:9000000000000000000"), HasSubstr("16 digits at most"));
    EXPECT_THAT(refused("k=0:20000"), HasSubstr("more than 10000 values"));
    EXPECT_THAT(refused("k=1:90000000000000000:0.001"), HasSubstr("too large"));
    EXPECT_THAT(refused("k=0:1:0.00000000000000001"), HasSubstr("more than 10000 values"));
    EXPECT_EQ(values_of("k=1:90000000000000000:x2").size(), 57u);
}

std::string with_sweep(const std::string& sweep) {
    return std::string(kGoodScenario) + "\n[sweep]\n" + sweep;
}

TEST_F(SweepAxisTest, AxesMultiplyTheRunsAndTheLastVariesFastest) {
    const ScenarioFile file(with_sweep("settings.driver.itr = [0, 50]\n"), "s.toml", {},
                            {{"nic.irq.itr=1,2", "workload.bytes=7:9"}, true});
    ASSERT_TRUE(file.good()) << file.diagnostics().text();
    ASSERT_EQ(file.points(), 12u);
    EXPECT_THAT(file.point(0), ElementsAre(Pair("nic.irq.itr", "1"), Pair("workload.bytes", "7"),
                                           Pair("settings.driver.itr", "0")));
    EXPECT_THAT(file.point(11), ElementsAre(Pair("nic.irq.itr", "2"), Pair("workload.bytes", "9"),
                                            Pair("settings.driver.itr", "50")));
    TestKnowledge knowledge;
    const Scenario s = file.decode(11, {}, knowledge, diagnostics);
    EXPECT_EQ(diagnostics.text(), "");
    EXPECT_EQ(s.hosts[0].apps[0].argv.back(), "generate:9");
}

TEST_F(SweepAxisTest, AnAxisTakesThePlaceOfTheFilesOwnForItsKey) {
    const std::string text = with_sweep("\"nic.irq.itr\" = [1, 2, 3]\n");
    const ScenarioFile file(text, "s.toml", {}, {{"nic.irq.itr=8,9"}, true});
    ASSERT_EQ(file.points(), 2u) << file.diagnostics().text();
    EXPECT_THAT(file.point(1), ElementsAre(Pair("nic.irq.itr", "9")));
    EXPECT_EQ(ScenarioFile(text, "s.toml", {}, {{}, false}).points(), 1u);
    EXPECT_EQ(ScenarioFile(text, "s.toml", {}, {{"workload.bytes=1,2"}, false}).points(), 2u);
}

TEST_F(SweepAxisTest, AKeyHasItsValuesFromOneArgumentOnly) {
    const auto said = [](const std::vector<std::string>& sets,
                         const std::vector<std::string>& axes) {
        return ScenarioFile(kGoodScenario, "s.toml", sets, {axes, true}).diagnostics().text();
    };
    EXPECT_THAT(said({"workload.bytes=5"}, {"workload.bytes=1,2"}),
                HasSubstr("--axis workload.bytes=1,2:1: error: 'workload.bytes' cannot be an axis\n"
                          "      | workload.bytes=1,2\n      | ^~~~~~~~~~~~~~\n"
                          "      = --set workload.bytes=5 gives it its values"));
    EXPECT_THAT(said({}, {"host.b.nic0.irq.itr=1,2", "host.1.nic.0.irq.itr=3"}),
                HasSubstr("--axis host.b.nic0.irq.itr=1,2 gives it its values"));
    EXPECT_THAT(said({}, {"workload.bytes=1:200", "nic.irq.itr=1:200"}),
                HasSubstr("--axis nic.irq.itr=1:200:1: error: the sweep makes more than 10000"));
}

TEST_F(SweepAxisTest, AValueThatAKeyDoesNotTakeIsShownInTheArgument) {
    const ScenarioFile file(kGoodScenario, "s.toml", {}, {{"scenario.timeout_ms=1,many"}, true});
    ASSERT_EQ(file.points(), 2u) << file.diagnostics().text();
    TestKnowledge knowledge;
    (void)file.decode(1, {}, knowledge, diagnostics);
    EXPECT_THAT(diagnostics.text(), HasSubstr("--axis scenario.timeout_ms=1,many:23: error: "));
}

}  // namespace
}  // namespace doorbell::scenario
