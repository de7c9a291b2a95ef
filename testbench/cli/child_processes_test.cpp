#include "testbench/cli/child_processes.hpp"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <map>

#include "testbench/cli/interrupt_guard.hpp"
#include "testbench/report/test_folder.hpp"

namespace doorbell::cli {
namespace {

std::vector<std::string> shell(const std::string& script) {
    return {"/bin/sh", "-c", script};
}

std::map<std::size_t, ChildEnd> run(const std::vector<std::vector<std::string>>& commands,
                                    unsigned jobs) {
    std::map<std::size_t, ChildEnd> ends;
    run_children(commands, jobs, [&](std::size_t index, const ChildEnd& end) {
        EXPECT_TRUE(ends.emplace(index, end).second) << index << " ended twice";
    });
    return ends;
}

TEST(ChildProcessesTest, EveryChildEndsOnceWithItsOwnCode) {
    const auto ends = run({shell("exit 0"), shell("exit 3"), shell("exit 7")}, 2);
    ASSERT_EQ(ends.size(), 3u);
    EXPECT_EQ(ends.at(0).exit_code, 0);
    EXPECT_EQ(ends.at(1).exit_code, 3);
    EXPECT_EQ(ends.at(2).exit_code, 7);
}

TEST(ChildProcessesTest, ASignalIsNoExitCode) {
    const auto ends = run({shell("kill -ABRT $$")}, 1);
    EXPECT_EQ(ends.at(0).exit_code, -1);
    EXPECT_EQ(ends.at(0).signal, SIGABRT);
    EXPECT_EQ(ends.at(0).text(), "signal 6 (Aborted)");
}

TEST(ChildProcessesTest, AProgramThatIsNotThereWasNotStarted) {
    const auto ends = run({{"/nonexistent/program"}, shell("exit 0")}, 1);
    EXPECT_FALSE(ends.at(0).started);
    EXPECT_EQ(ends.at(0).why, "'/nonexistent/program' cannot be run: No such file or directory");
    EXPECT_TRUE(ends.at(1).started);
}

TEST(ChildProcessesTest, ALogThatCannotBeWrittenIsSaid) {
    std::string why;
    run_children(
        {shell("exit 0")}, 1, [&](std::size_t, const ChildEnd& end) { why = end.why; }, {},
        [](std::size_t) { return "/nonexistent/log"; });
    EXPECT_EQ(why, "'/nonexistent/log' cannot be written: No such file or directory");
}

TEST(ChildProcessesTest, NoMoreRunAtATimeThanJobs) {
    // Each child counts the others by files in a folder of theirs.
    char name[] = "/tmp/doorbell-jobs-XXXXXX";
    const std::string folder = mkdtemp(name);
    const std::string script = "touch " + folder + "/$$; ls " + folder + " | wc -l >> " + folder +
                               ".counts; sleep 0.05; rm " + folder + "/$$";
    run(std::vector<std::vector<std::string>>(8, shell(script)), 3);
    const auto check =
        run({shell("sort -n " + folder + ".counts | tail -1 | grep -qx '[123]'")}, 1);
    EXPECT_EQ(check.at(0).exit_code, 0);
    run({shell("rm -r " + folder + " " + folder + ".counts")}, 1);
}

TEST(ChildProcessesTest, WhatAChildPrintsGoesToItsLogOverWhatWasThere) {
    const report::TestFolder folder;
    const auto log = [&](std::size_t i) -> std::string { return folder / std::to_string(i); };
    std::ofstream(log(0)) << "an older and longer log\n";
    run_children(
        {shell("echo out; echo error >&2"), shell("echo other")}, 1,
        [](std::size_t, const ChildEnd&) {}, {}, log);
    EXPECT_EQ(report::read_file(log(0)), "out\nerror\n");
    EXPECT_EQ(report::read_file(log(1)), "other\n");
}

TEST(ChildProcessesTest, AnInterruptOutsideIsNotForgottenByTheChildrenWithin) {
    const InterruptGuard guard;
    raise(SIGTERM);
    const auto ends = run({shell("exit 0")}, 1);
    EXPECT_TRUE(ends.at(0).withheld);
    EXPECT_EQ(InterruptGuard::signal(), SIGTERM);
}

// When it comes is left to chance; what is told apart is at once from when the child ends.
TEST(ChildProcessesTest, AnInterruptAtAnyInstantIsPassedOnAtOnce) {
    for (int i = 0; i < 200; i++) {
        const InterruptGuard guard;
        const pid_t parent = getpid();
        const pid_t killer = fork();
        if (killer == 0) {
            // A child starts in about a millisecond: before, while and after.
            usleep(static_cast<useconds_t>(i * 15));
            kill(parent, SIGINT);
            _exit(0);
        }
        const std::time_t started = std::time(nullptr);
        ChildEnd last;
        run_children({{"/bin/sleep", "30"}}, 1,
                     [&](std::size_t, const ChildEnd& end) { last = end; });
        EXPECT_TRUE(last.signal == SIGINT || last.withheld) << last.text();
        ASSERT_LT(std::time(nullptr) - started, 20);
        waitpid(killer, nullptr, 0);
    }
}

TEST(ChildProcessesTest, WhoIsKilledTakesItsChildrenAlong) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        // The child keeps the pipe open for as long as it lives.
        run_children(
            {shell("echo up; exec sleep 60")}, 1, [](std::size_t, const ChildEnd&) {},
            [&](std::size_t) { return dup2(ends[1], STDOUT_FILENO) >= 0; });
        _exit(1);
    }
    close(ends[1]);
    char text[4] = "";
    ASSERT_EQ(read(ends[0], text, 3), 3);
    ASSERT_STREQ(text, "up\n");
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    pollfd closed{ends[0], POLLIN, 0};
    EXPECT_EQ(poll(&closed, 1, 10'000), 1) << "it still lives";
    close(ends[0]);
}

TEST(ChildProcessesTest, AnInterruptIsPassedOnAndNothingNewIsStarted) {
    const std::string parent = std::to_string(getpid());
    const auto ends = run({shell("kill -INT " + parent + "; exec sleep 10"), shell("exit 0")}, 1);
    EXPECT_EQ(ends.at(0).signal, SIGINT);
    EXPECT_FALSE(ends.at(1).started);
    EXPECT_TRUE(ends.at(1).withheld);
}

}  // namespace
}  // namespace doorbell::cli
