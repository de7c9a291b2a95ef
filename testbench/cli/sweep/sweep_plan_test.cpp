#include "testbench/cli/sweep/sweep_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testbench/cli/sweep/sweep_progress.hpp"

namespace doorbell::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(SweepPlanTest, APointHasItsFolderBySettingsAndSeed) {
    EXPECT_EQ(point_folder({{"workload.size", "64"}, {"kind", "read"}}, 7),
              "workload.size=64,kind=read,seed=7");
    EXPECT_EQ(point_folder({}, 1), "seed=1");
}

TEST(SweepPlanTest, WhatAFileSystemWouldNotTakeIsReplacedAndStaysDifferent) {
    const std::string slash = point_folder({{"input", "a/b"}}, 1);
    const std::string under = point_folder({{"input", "a_b"}}, 1);
    EXPECT_THAT(slash, HasSubstr("input=a_b,seed=1~"));
    EXPECT_NE(slash, under);
    EXPECT_NE(slash, point_folder({{"input", "a b"}}, 1));
    EXPECT_EQ(under, "input=a_b,seed=1");
    const std::string value(300, 'x');
    EXPECT_LT(point_folder({{"k", value}}, 1).size(), 140u);
    EXPECT_NE(point_folder({{"k", value}}, 1), point_folder({{"k", value}}, 2));
    EXPECT_THAT(point_folder({{"k", "../.."}}, 1), Not(HasSubstr("/")));
}

TEST(SweepPlanTest, APlanIsTheSameAfterATripThroughAFile) {
    SweepPlan plan;
    plan.name = "ping";
    plan.run.sets = {"a=1"};
    plan.run.sweep = {{"k=1,2"}, false};
    plan.run.capture = Capture::kAll;
    plan.run.trace = Trace::kJson;
    plan.run.hash = true;
    plan.digests = {{"/program", "ff"}};
    for (std::uint64_t seed : {std::uint64_t{3}, ~std::uint64_t{0}}) {
        SweepPoint point;
        point.run = {"ping", "ping", "/s/ping.toml", "out/p", 4, {{"z", "1"}, {"a", "x y"}}};
        point.seed = seed;
        point.identity = "id";
        point.files = {"/program"};
        point.words = {{"data", "12"}};
        plan.points.push_back(point);
    }
    const auto json = to_json(plan, {&plan.points[0], &plan.points[1]});
    const SweepPlan again = plan_from_json(nlohmann::json::parse(json.dump()));
    ASSERT_EQ(again.points.size(), 2u);
    const SweepPoint& point = again.points[1];
    EXPECT_EQ(point.run.point_settings, plan.points[1].run.point_settings);
    EXPECT_EQ(point.run.folder, "out/p");
    EXPECT_EQ(point.files, plan.points[1].files);
    EXPECT_EQ(point.words, plan.points[1].words);
    EXPECT_EQ(again.digests, plan.digests);
    ProgramPaths paths;
    paths.executable = "/program";
    RunOptions options = plan.options_of(plan.points[1]);
    options.verbosity = -1;
    EXPECT_EQ(child_command(point.run, again.options_of(point), paths),
              child_command(plan.points[1].run, options, paths));
}

TEST(SweepProgressTest, WithoutATerminalItIsSaidFromTimeToTime) {
    testing::internal::CaptureStderr();
    {
        SweepProgress often("play", 2, ProgressStyle::kLog, 0);
        often.note("2 PENDING (Resources)");
        SweepProgress seldom("other", 2, ProgressStyle::kLog, 3600);
        seldom.note("2 PENDING (Resources)");
        SweepProgress never("quiet", 2, ProgressStyle::kNone, 0);
        never.note("2 PENDING (Resources)");
    }
    EXPECT_EQ(testing::internal::GetCapturedStderr(),
              "play: 0/2 points, 0:00\nplay: 0/2 points, 0:00; 2 PENDING (Resources)\n");
}

TEST(SweepProgressTest, TheLineSaysHowFarHowLongAndWhen) {
    EXPECT_EQ(SweepProgress::line_text(0, 8, 0, 0), "0/8 points, 0:00");
    EXPECT_EQ(SweepProgress::line_text(2, 8, 1, 10),
              "2/8 points, 1 not passed, 0:10, about 0:30 left");
    EXPECT_EQ(SweepProgress::line_text(1, 101, 0, 60), "1/101 points, 1:00, about 1:40:00 left");
    EXPECT_EQ(SweepProgress::line_text(8, 8, 0, 61), "8/8 points, 1:01");
}

}  // namespace
}  // namespace doorbell::cli
