#include "testbench/cli/child_result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>

#include "testbench/report/test_folder.hpp"

namespace doorbell::cli {
namespace {

using testing::HasSubstr;

class ChildResultTest : public testing::Test {
protected:
    /// What the parent makes of a child that wrote `verdict` (nothing when empty) and ended so.
    nlohmann::json result_of(const std::string& verdict, const ChildEnd& end) {
        if (!verdict.empty()) {
            std::ofstream(folder / "result.json")
                << R"({"verdict": ")" << verdict << R"(", "mine": true})";
        }
        PlannedRun run{"ping", "ping", "ping.toml", folder / "", 0, {}};
        return child_result(run, end, {}, {});
    }
    static ChildEnd exited(int code) { return {true, code, 0}; }
    static ChildEnd killed(int signal) { return {true, -1, signal}; }

    report::TestFolder folder;
};

TEST_F(ChildResultTest, AChildThatEndsAsItsResultSaysIsBelieved) {
    EXPECT_TRUE(result_of("pass", exited(0)).contains("mine"));
    EXPECT_TRUE(result_of("fail", exited(1)).contains("mine"));
    EXPECT_TRUE(result_of("broken", exited(3)).contains("mine"));
}

TEST_F(ChildResultTest, AChildThatEndsOtherwiseThanItsResultSaysHasBroken) {
    for (const ChildEnd& end : {exited(1), exited(23), killed(SIGABRT), killed(SIGSEGV)}) {
        const auto result = result_of("pass", end);
        EXPECT_EQ(result["verdict"], "broken");
        EXPECT_THAT(result["failures"][0].get<std::string>(), HasSubstr(end.text()));
        EXPECT_EQ(report::read_file(folder / "result.json"), result.dump(2) + "\n");
    }
}

TEST_F(ChildResultTest, AChildThatLeavesNothingOrHalfAResultHasBroken) {
    EXPECT_EQ(result_of("", exited(0))["verdict"], "broken");
    std::ofstream(folder / "result.json") << R"({"verdict": "pa)";
    EXPECT_EQ(result_of("", exited(0))["verdict"], "broken");
}

TEST_F(ChildResultTest, WhatTheUserStoppedHasNotBroken) {
    EXPECT_EQ(result_of("", killed(SIGINT))["verdict"], "error");
    EXPECT_EQ(result_of("", ChildEnd{})["verdict"], "error");
    EXPECT_THAT(result_of("", killed(SIGINT))["failures"][0].get<std::string>(),
                HasSubstr("interrupted by signal 2"));
}

TEST_F(ChildResultTest, WhatAnInterruptKeptFromStartingLeavesAnEarlierResultAlone) {
    ChildEnd withheld;
    withheld.withheld = true;
    const auto result = result_of("pass", withheld);
    EXPECT_EQ(result["verdict"], "error");
    EXPECT_EQ(result["failures"][0], "not started: interrupted");
    EXPECT_THAT(report::read_file(folder / "result.json"), HasSubstr("mine"));
}

TEST_F(ChildResultTest, ACrashSaysHowToLookIntoItAndWhatItLeft) {
    std::ofstream(folder / "wire.pcapng") << "x";
    const auto result = result_of("", killed(SIGSEGV));
    EXPECT_THAT(result["failures"][1].get<std::string>(), HasSubstr("gdb --args"));
    EXPECT_THAT(result["failures"][2].get<std::string>(), HasSubstr("build asan-ubsan && build/"));
    EXPECT_EQ(result["artifacts"]["capture"], "wire.pcapng");
    EXPECT_FALSE(result["artifacts"].contains("trace"));
}

}  // namespace
}  // namespace doorbell::cli
