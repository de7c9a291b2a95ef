#include "testbench/cli/sweep/slurm_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbell::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

TEST(SlurmTextTest, TheJobIsFoundInWhatSbatchPrints) {
    EXPECT_EQ(parse_job_id("123\n"), "123");
    EXPECT_EQ(parse_job_id("123;cluster\n"), "123");
    EXPECT_EQ(parse_job_id("sbatch: warning: something 9\n77\n"), "77");
    EXPECT_EQ(parse_job_id("sbatch: error: Batch job submission failed\n"), "");
    EXPECT_EQ(parse_job_id(""), "");
}

TEST(SlurmTextTest, TasksHaveTheirStatesAndReasons) {
    const SlurmTasks tasks = parse_squeue(
        "0|RUNNING|None\n1|PENDING|Resources\n2|CANCELLED|None\nslurm_load_jobs error: x\n");
    ASSERT_THAT(tasks, SizeIs(3));
    EXPECT_EQ(tasks.at(0).state, "RUNNING");
    EXPECT_EQ(tasks.at(0).detail, "");
    EXPECT_EQ(tasks.at(1).detail, "Resources");
    EXPECT_FALSE(has_ended(tasks.at(0).state));
    EXPECT_FALSE(has_ended(tasks.at(1).state));
    EXPECT_TRUE(has_ended(tasks.at(2).state));
}

TEST(SlurmTextTest, AccountingKnowsTasksByTheirJob) {
    const SlurmTasks tasks = parse_sacct(
        "5_0|COMPLETED|0:0\n5_12|OUT_OF_MEMORY|0:125\n5_3|CANCELLED by 0|0:15\n"
        "5_[7-9]|PENDING|0:0\n5|x|y\n");
    ASSERT_THAT(tasks, SizeIs(3));
    EXPECT_EQ(tasks.at(12).state, "OUT_OF_MEMORY");
    EXPECT_EQ(tasks.at(3).state, "CANCELLED");
    EXPECT_EQ(tasks.at(12).detail, "exit 0:125");
}

TEST(SlurmTextTest, AnEndIsSaidWithWhatHelps) {
    EXPECT_THAT(end_text({"OUT_OF_MEMORY", "exit 0:125"}), HasSubstr("--mem=..."));
    EXPECT_THAT(end_text({"OUT_OF_MEMORY", "exit 0:125"}),
                HasSubstr("(OUT_OF_MEMORY, exit 0:125)"));
    EXPECT_THAT(end_text({"TIMEOUT", ""}), HasSubstr("--time=...' gives more (TIMEOUT)"));
    EXPECT_EQ(end_text({"NODE_FAIL", ""}), "its node failed (NODE_FAIL)");
    EXPECT_EQ(end_text({"CANCELLED", ""}), "it was cancelled (CANCELLED)");
    EXPECT_EQ(end_text({"FAILED", "exit 2:0"}), "it ended without a result (FAILED, exit 2:0)");
}

TEST(SlurmTextTest, TheLongestArrayIsInTheConfiguration) {
    EXPECT_EQ(parse_max_array_size("MailProg   = /bin/mail\nMaxArraySize            = 1001\n"),
              1001u);
    EXPECT_EQ(parse_max_array_size("slurm_load_ctl_conf error"), 0u);
    EXPECT_EQ(parse_max_array_size("MaxArraySize ="), 0u);
}

TEST(SlurmTextTest, TasksShareThePointsAndAreNoMoreThanAnArrayHas) {
    EXPECT_THAT(split_into_tasks(3, 1, 10),
                ElementsAre(ElementsAre(0u), ElementsAre(1u), ElementsAre(2u)));
    EXPECT_THAT(split_into_tasks(5, 2, 10),
                ElementsAre(ElementsAre(0u, 1u), ElementsAre(2u, 3u), ElementsAre(4u)));
    EXPECT_THAT(split_into_tasks(10'000, 1, 1001), SizeIs(1000));
    EXPECT_THAT(split_into_tasks(1001, 1, 1001), SizeIs(1001));
    EXPECT_THAT(split_into_tasks(1002, 1, 1001), SizeIs(501));
}

TEST(SlurmTextTest, APercentOfAFolderIsNoPattern) {
    EXPECT_EQ(output_pattern("/a/100%a %"), "/a/100%%a %%");
}

TEST(SlurmTextTest, AWordThatBelongsToNoOptionWouldBeTheScript) {
    EXPECT_EQ(refused_argument({"other.sh"}), "other.sh");
    EXPECT_EQ(refused_argument({"-p", "short", "other.sh"}), "other.sh");
    EXPECT_EQ(refused_argument({"--time=10", "other.sh"}), "other.sh");
    EXPECT_EQ(refused_argument({"--", "-x"}), "--");
    EXPECT_EQ(refused_argument({"--comment", "two words"}), "");
}

TEST(SlurmTextTest, WhatTheSweepSetsItselfIsRefused) {
    EXPECT_EQ(refused_argument({"--time=10", "--account", "me", "-p", "short"}), "");
    EXPECT_EQ(refused_argument({"--time=10", "--array=0-3"}), "--array=0-3");
    EXPECT_EQ(refused_argument({"-a0-3"}), "-a0-3");
    EXPECT_EQ(refused_argument({"--wrap", "x"}), "--wrap");
    EXPECT_EQ(refused_argument({"--arr=0-3"}), "--arr=0-3") << "getopt takes what is cut, too";
    EXPECT_EQ(refused_argument({"--wait-for-switches=2", "--partition=x"}), "");
    EXPECT_EQ(refused_argument({"-Mother"}), "-Mother") << "squeue would not see its jobs";
}

}  // namespace
}  // namespace doorbell::cli
