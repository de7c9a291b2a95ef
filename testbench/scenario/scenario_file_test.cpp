#include "testbench/scenario/scenario_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testbench/scenario/decoder_test_support.hpp"
#include "testbench/scenario/schema.hpp"

namespace doorbell::scenario {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

std::string with_sweep(const std::string& sweep) {
    return std::string(kGoodScenario) + "\n[sweep]\n" + sweep;
}

TEST(ScenarioFileTest, ASweepMakesARunForEachCombination) {
    const ScenarioFile file(
        with_sweep("settings.driver.itr = [0, 50]\n\"nic.irq.itr\" = [1, 2, 3]\n"), "s.toml", {});
    ASSERT_TRUE(file.good()) << file.diagnostics().text();
    ASSERT_EQ(file.points(), 6u);
    EXPECT_THAT(file.point(0),
                ElementsAre(Pair("settings.driver.itr", "0"), Pair("nic.irq.itr", "1")));
    EXPECT_THAT(file.point(5),
                ElementsAre(Pair("settings.driver.itr", "50"), Pair("nic.irq.itr", "3")));
    TestKnowledge knowledge;
    Diagnostics diagnostics;
    const Scenario s = file.decode(4, {}, knowledge, diagnostics);
    EXPECT_EQ(diagnostics.text(), "");
    EXPECT_EQ(s.hosts[0].settings.back().name, "driver.itr");
    EXPECT_EQ(s.hosts[0].settings.back().value, "50");
    EXPECT_EQ(std::get<std::int64_t>(s.hosts[0].nics[0].back().value), 2);
}

TEST(ScenarioFileTest, SettingASweptKeyLeavesOneValue) {
    const ScenarioFile file(with_sweep("\"nic.irq.itr\" = [1, 2, 3]\n"), "s.toml",
                            {"nic.irq.itr=2"});
    EXPECT_EQ(file.points(), 1u);
    EXPECT_TRUE(file.point(0).empty());
}

TEST(ScenarioFileTest, RunsThatSettingASweptKeyMadeEqualAreRunOnce) {
    const std::string text = std::string(kGoodScenario) +
                             "[[sweep]]\nsettings.driver.itr = 0\nworkload.bytes = 7\n"
                             "[[sweep]]\nsettings.driver.itr = 50\nworkload.bytes = 7\n"
                             "[[sweep]]\nworkload.bytes = 9\nsettings.driver.itr = 0\n"
                             "[[sweep]]\nsettings.driver.itr = 50\n";
    EXPECT_EQ(ScenarioFile(text, "s.toml", {}).points(), 4u);
    const ScenarioFile fixed(text, "s.toml", {"settings.driver.itr=9"});
    ASSERT_EQ(fixed.points(), 3u);
    EXPECT_THAT(fixed.point(0), ElementsAre(Pair("workload.bytes", "7")));
    EXPECT_THAT(fixed.point(1), ElementsAre(Pair("workload.bytes", "9")));
    EXPECT_TRUE(fixed.point(2).empty());
    // The order in which a step names its keys makes no other run of it.
    const ScenarioFile other(
        std::string(kGoodScenario) +
            "[[sweep]]\nnic.irq.itr = 1\nworkload.bytes = 7\nnic.pcie.lanes = 1\n"
            "[[sweep]]\nnic.irq.itr = 2\nnic.pcie.lanes = 1\nworkload.bytes = 7\n",
        "s.toml", {"nic.irq.itr=9"});
    EXPECT_EQ(other.points(), 1u);
    // What the user wrote twice is meant twice.
    for (const auto& sets : {std::vector<std::string>{}, {"workload.bytes=8"}}) {
        EXPECT_EQ(ScenarioFile(with_sweep("\"nic.irq.itr\" = [1, 1]\n"), "s.toml", sets).points(),
                  2u);
    }
}

TEST(ScenarioFileTest, ASweptKeyIsTheSameByAnyOfItsNames) {
    const auto points = [](const std::string& swept, const std::string& set) {
        return ScenarioFile(with_sweep("\"" + swept + "\" = [1, 2, 3]\n"), "s.toml", {set})
            .points();
    };
    EXPECT_EQ(points("host.b.nic0.irq.itr", "host.1.nic.0.irq.itr=2"), 1u);
    EXPECT_EQ(points("host.1.nic.0.irq.itr", "host.b.nic0.irq.itr=2"), 1u);
    EXPECT_EQ(points("link.wire0.propagation_ns", "link.0.propagation_ns=2"), 1u);
    EXPECT_EQ(points("host.a.nic0.irq.itr", "host.b.nic0.irq.itr=2"), 3u);
    EXPECT_EQ(points("nic.irq.itr", "host.b.nic0.irq.itr=2"), 3u) << "of one NIC, not of all";
}

TEST(ScenarioFileTest, ASweepOfTablesMakesARunForEachTable) {
    const std::string text = std::string(kGoodScenario) +
                             "[[sweep]]\nsettings.driver.itr = 0\nworkload.bytes = 7\n"
                             "[[sweep]]\nsettings.driver.itr = 50\n";
    const ScenarioFile file(text, "s.toml", {});
    ASSERT_TRUE(file.good()) << file.diagnostics().text();
    ASSERT_EQ(file.points(), 2u);
    EXPECT_THAT(file.point(0),
                ElementsAre(Pair("settings.driver.itr", "0"), Pair("workload.bytes", "7")));
    EXPECT_THAT(file.point(1), ElementsAre(Pair("settings.driver.itr", "50")));
    TestKnowledge knowledge;
    Diagnostics diagnostics;
    const Scenario first = file.decode(0, {}, knowledge, diagnostics);
    const Scenario second = file.decode(1, {}, knowledge, diagnostics);
    EXPECT_EQ(first.hosts[0].apps[0].argv.back(), "generate:7");
    EXPECT_EQ(second.hosts[0].apps[0].argv.back(), "generate:1000");

    const ScenarioFile fixed(text, "s.toml", {"settings.driver.itr=9"});
    ASSERT_EQ(fixed.points(), 2u);
    EXPECT_THAT(fixed.point(0), ElementsAre(Pair("workload.bytes", "7")));
    EXPECT_TRUE(fixed.point(1).empty());
    const ScenarioFile one(text, "s.toml", {"settings.driver.itr=9", "workload.bytes=1"});
    EXPECT_EQ(one.points(), 1u);
}

TEST(ScenarioFileTest, ASweepOfAnUnknownParameterIsAnErrorAtItsLine) {
    const ScenarioFile file(with_sweep("\"nic.irq.itrr\" = [1]\n"), "s.toml", {});
    TestKnowledge knowledge;
    Diagnostics diagnostics;
    (void)file.decode(0, {}, knowledge, diagnostics);
    EXPECT_THAT(diagnostics.text(), HasSubstr("a NIC has no parameter 'irq.itrr'"));
    EXPECT_THAT(diagnostics.text(), HasSubstr("\"nic.irq.itrr\" = [1]"));
}

TEST(ScenarioFileTest, ASweepOverNothingOrOverTooMuchIsAnError) {
    EXPECT_FALSE(ScenarioFile(with_sweep("\"nic.irq.itr\" = []\n"), "s.toml", {}).good());
    EXPECT_FALSE(ScenarioFile(with_sweep("\"nic.irq.itr\" = 4\n"), "s.toml", {}).good());
    std::string list = "[0";
    for (int i = 1; i < 200; i++) list += ", " + std::to_string(i);
    list += "]";
    const ScenarioFile file(
        with_sweep("\"nic.irq.itr\" = " + list + "\n\"nic.pcie.lanes\" = " + list + "\n"), "s.toml",
        {});
    EXPECT_THAT(file.diagnostics().text(), HasSubstr("more than 10000 runs"));
}

TEST(ScenarioFileTest, TheResolvedConfigurationRunsTheSame) {
    const ScenarioFile file(with_sweep("\"nic.irq.itr\" = [1, 2]\n"), "s.toml",
                            {"workload.bytes=77", "host.a.nic0.irq.itr=5"});
    ASSERT_TRUE(file.good()) << file.diagnostics().text();
    const std::string text = to_toml(*file.resolved(1));
    const ScenarioFile again(text, "resolved.toml", {});
    ASSERT_TRUE(again.good()) << again.diagnostics().text() << text;
    EXPECT_EQ(again.points(), 1u);
    TestKnowledge knowledge;
    Diagnostics diagnostics;
    const Scenario before = file.decode(1, {"o", 1}, knowledge, diagnostics);
    const Scenario after = again.decode(0, {"o", 1}, knowledge, diagnostics);
    EXPECT_EQ(diagnostics.text(), "");
    EXPECT_EQ(after.hosts[0].apps[0].argv, before.hosts[0].apps[0].argv);
    EXPECT_EQ(after.hosts[0].apps[0].argv.back(), "generate:77");
    EXPECT_EQ(std::get<std::int64_t>(after.hosts[0].nics[0].back().value), 5);
    EXPECT_EQ(std::get<std::int64_t>(after.hosts[1].nics[0][1].value), 2);
    EXPECT_EQ(after.timeline.size(), before.timeline.size());
}

TEST(ScenarioFileTest, AFileThatIsNotThereIsSaid) {
    const ScenarioFile file(std::filesystem::path("/nonexistent/x.toml"), {});
    EXPECT_FALSE(file.good());
    EXPECT_EQ(file.diagnostics().text(),
              "/nonexistent/x.toml: error: the scenario cannot be read\n"
              "      = No such file or directory\n");
}

TEST(SchemaTest, DocumentsEveryKeyOfEverySection) {
    const std::string text = schema_text();
    for (const SchemaKey& key : schema_keys()) {
        EXPECT_THAT(text, HasSubstr("    " + std::string(key.key) + " "));
        EXPECT_FALSE(key.description.empty());
    }
}

}  // namespace
}  // namespace doorbell::scenario
