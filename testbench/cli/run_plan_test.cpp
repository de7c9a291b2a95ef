#include "testbench/cli/run_plan.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbell::cli {
namespace {

using testing::AllOf;
using testing::Contains;

TEST(RunPlanTest, TheReplayCommandNamesScenarioSettingsPointAndSeedForAShell) {
    RunOptions options;
    options.seed = 7;
    options.sets = {"workload.input=my file"};
    ProgramPaths paths;
    paths.command = "./doorbell";
    const PlannedRun run{"tcp_file", "tcp_file", "x.toml", "out", 1, {{"nic.irq.itr", "5"}}};
    EXPECT_EQ(replay_command(run, options, paths),
              "./doorbell run tcp_file --set 'workload.input=my file' --set nic.irq.itr=5 "
              "--no-sweep --seed 7");
}

TEST(RunPlanTest, AChildIsToldEverythingThatChangesARun) {
    RunOptions options;
    options.seed = 9;
    options.capture = Capture::kNone;
    options.trace = Trace::kJson;
    options.hash = true;
    options.sets = {"a=b"};
    options.sweep = {{"k=1,2"}, false};
    ProgramPaths paths;
    paths.executable = "/bin/doorbell";
    const PlannedRun run{"s", "s", "/s.toml", "/out", 4, {}};
    EXPECT_THAT(
        child_command(run, options, paths),
        AllOf(Contains("--child"), Contains("4"), Contains("9"), Contains("/out"), Contains("none"),
              Contains("--trace=json"), Contains("--hash"), Contains("a=b"), Contains("/s.toml"),
              Contains("--axis"), Contains("k=1,2"), Contains("--no-sweep")));
}

TEST(RunPlanTest, EveryRunHasAFolderOfItsOwn) {
    RunOptions options;
    EXPECT_EQ(run_folder(options, "ping", false, 1, 0), "out/ping");
    EXPECT_EQ(run_folder(options, "ping", true, 3, 2), "out/ping/002");
    options.out = "/x";
    EXPECT_EQ(run_folder(options, "ping", false, 1, 0), "/x");
    EXPECT_EQ(run_folder(options, "ping", false, 3, 1), "/x/001");
    EXPECT_EQ(run_folder(options, "ping", true, 1, 0), "/x/ping");
}

TEST(ProgramPathsTest, AShellReadsAQuotedWordAsItWas) {
    EXPECT_EQ(shell_quoted("plain-1.2/x=y"), "plain-1.2/x=y");
    EXPECT_EQ(shell_quoted("two words"), "'two words'");
    EXPECT_EQ(shell_quoted("it's"), "'it'\\''s'");
    EXPECT_EQ(shell_quoted(""), "''");
    EXPECT_EQ(shell_quoted("$(rm)"), "'$(rm)'");
}

TEST(ProgramPathsTest, ImagesAreFoundByNameOrByPath) {
    ProgramPaths paths;
    paths.images = "/guests";
    EXPECT_EQ(image_path(paths, "default", "/s"), "/guests/doorbell_guest.guest.so");
    EXPECT_EQ(image_path(paths, "mine", "/s"), "/guests/mine.guest.so");
    EXPECT_EQ(image_path(paths, "./mine.so", "/s"), "/s/./mine.so");
    EXPECT_EQ(image_path(paths, "/abs/mine.so", "/s"), "/abs/mine.so");
}

}  // namespace
}  // namespace doorbell::cli
