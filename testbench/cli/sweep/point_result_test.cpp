#include "testbench/cli/sweep/point_result.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <csignal>

#include "testbench/report/test_folder.hpp"

namespace doorbell::cli {
namespace {

using testing::HasSubstr;

/// Points run by a stand-in for the program: a script that gets the words of a child's command.
class PointResultTest : public testing::Test {
protected:
    PointResultTest() {
        paths.executable = folder / "program";
        script(
            "echo said; printf '{\"verdict\": \"pass\", \"out\": \"%s\"}' \"$out\" "
            ">\"$out/result.json\"");
        point.run = {"ping", "ping", folder / "s.toml", folder / "points" / "1", 0, {}};
        point.identity = "me";
        point.files = {paths.executable.string(), (folder / "s.toml").string()};
        std::ofstream(folder / "s.toml") << "one";
        plan();
    }
    void script(const std::string& body) const {
        std::ofstream(paths.executable)
            << "#!/bin/sh\nwhile [ \"$1\" != --out ]; do shift; done; out=$2\n" + body + "\n";
        chmod(paths.executable.c_str(), 0755);
    }
    void plan() {
        FileDigests digests;
        for (const std::string& file : point.files) planned.digests[file] = digests.digest(file);
    }
    PointEnd run() {
        PointEnd last;
        signal_number = run_points(planned, {&point}, paths, 1,
                                   [&](const SweepPoint&, const PointEnd& end) { last = end; });
        return last;
    }

    report::TestFolder folder;
    ProgramPaths paths;
    SweepPlan planned;
    SweepPoint point;
    int signal_number = 0;
};

TEST_F(PointResultTest, APointThatRanHasAResultForItsIdentityOnly) {
    EXPECT_FALSE(read_result(point));
    ASSERT_TRUE(run().result);
    ASSERT_TRUE(read_result(point));
    EXPECT_EQ(read_result(point)->result["verdict"], "pass");
    EXPECT_GT(read_result(point)->wall_s, 0);
    point.identity = "another";
    EXPECT_FALSE(read_result(point));
}

TEST_F(PointResultTest, AResultThatWasTamperedWithCutOrForgottenIsNone) {
    (void)run();
    const auto file = point.run.folder / "result.json";
    const std::string whole = report::read_file(file);
    std::ofstream(file) << whole.substr(0, 10);
    EXPECT_FALSE(read_result(point));
    std::ofstream(file) << R"({"verdict": "pass", "other": 1})";
    EXPECT_FALSE(read_result(point));
    std::ofstream(file) << whole;
    EXPECT_TRUE(read_result(point));
    forget_result(point);
    EXPECT_FALSE(read_result(point));
}

TEST_F(PointResultTest, ADamagedStampIsNone) {
    (void)run();
    for (const char* text : {"", "[]", "{}", R"({"identity": 5})", R"({"identity": "me"})",
                             R"({"identity": "me", "read": 1, "result": "x"})",
                             R"({"identity": "me", "read": {}, "result": {}})"}) {
        std::ofstream(point.run.folder / "point.json") << text;
        EXPECT_FALSE(read_result(point)) << text;
    }
}

TEST_F(PointResultTest, AResultThatSaysNoVerdictHasBroken) {
    for (const char* text : {"{}", R"({"verdict": 1})"}) {
        script("printf '" + std::string(text) + "' >\"$out/result.json\"");
        plan();
        const PointEnd end = run();
        ASSERT_TRUE(end.result);
        EXPECT_EQ(end.result->result["verdict"], "broken");
    }
}

TEST_F(PointResultTest, AFileThatARunReadsIsPartOfItsResultAndOneItWritesIsNot) {
    const std::string in = folder / "in";
    const std::string out = folder / "out";
    std::ofstream(in) << "one";
    std::ofstream(out) << "old";
    point.words = {{in, digest_of("one")}, {out, digest_of("old")}, {"word", ""}};
    script("cat " + in + " >" + out + "; printf '{\"verdict\": \"pass\"}' >\"$out/result.json\"");
    plan();
    ASSERT_TRUE(run().result);
    EXPECT_TRUE(read_result(point));
    point.words[out] = digest_of("one");
    EXPECT_TRUE(read_result(point)) << "what it wrote";
    point.words[in] = digest_of("other");
    EXPECT_FALSE(read_result(point));
    EXPECT_THAT(run().why, HasSubstr("in' is another than when the sweep was planned"));
    point.words[in] = digest_of("one");
    point.words["word"] = digest_of("a file of that name, now");
    EXPECT_FALSE(read_result(point));
}

TEST_F(PointResultTest, WhatAnEarlierRunLeftIsNotTakenForThisOnes) {
    (void)run();
    std::ofstream(point.run.folder / "wire.pcapng") << "old";
    script("exit 0");
    plan();
    const PointEnd end = run();
    ASSERT_TRUE(end.result);
    EXPECT_EQ(end.result->result["verdict"], "broken");
    EXPECT_FALSE(std::filesystem::exists(point.run.folder / "wire.pcapng"));
}

TEST_F(PointResultTest, APointThatAnInterruptEndedHasNoResult) {
    script("printf '{\"verdict\": \"pass\"}' >\"$out/result.json\"; kill -INT $PPID; exec sleep 5");
    plan();
    const PointEnd end = run();
    EXPECT_EQ(signal_number, SIGINT);
    EXPECT_FALSE(end.result);
    EXPECT_THAT(end.why, HasSubstr("interrupted by signal 2"));
    EXPECT_FALSE(read_result(point));
}

TEST_F(PointResultTest, WhatBrokeOrWasTheMachinesFaultIsTriedAgainAndAFailureIsAResult) {
    const auto final_verdict = [](const char* verdict) {
        PointResult result;
        result.result = {{"verdict", verdict}};
        return is_final(result);
    };
    EXPECT_TRUE(final_verdict("pass"));
    EXPECT_TRUE(final_verdict("fail"));
    EXPECT_FALSE(final_verdict("error"));
    EXPECT_FALSE(final_verdict("broken"));
}

TEST_F(PointResultTest, AFileThatChangedBeforeOrWhileThePointRanMakesItNoResult) {
    std::ofstream(folder / "s.toml") << "other";
    EXPECT_THAT(run().why, HasSubstr("s.toml' is another than when the sweep was planned"));
    EXPECT_FALSE(std::filesystem::exists(point.run.folder)) << "it ran";
    plan();
    EXPECT_TRUE(run().result);
    script("printf '{\"verdict\": \"pass\"}' >\"$out/result.json\"; echo more >>" +
           (folder / "s.toml").string());
    plan();
    EXPECT_THAT(run().why, HasSubstr("s.toml' is another"));
    EXPECT_FALSE(read_result(point));
}

TEST_F(PointResultTest, WhatAPointPrintsIsInItsFolder) {
    (void)run();
    EXPECT_EQ(report::read_file(point.run.folder / "run.log"), "said\n");
}

TEST_F(PointResultTest, AFolderThatCannotBeMadeIsSaid) {
    std::ofstream(folder / "points") << "a file";
    EXPECT_THAT(run().why, HasSubstr("its folder '"));
}

TEST(FileDigestsTest, ADigestIsOfTheContentsAndNoFileHasNone) {
    const report::TestFolder folder;
    FileDigests digests;
    const std::string file = folder / "f";
    EXPECT_EQ(digests.digest(file), "");
    std::ofstream(file) << "one";
    const std::string one = digests.digest(file);
    EXPECT_EQ(one, digest_of("one"));
    std::ofstream(file) << "other";
    EXPECT_EQ(digests.digest(file), digest_of("other"));
    // Either alone tells a change: the time, or, where that is too coarse, the size.
    std::ofstream(file) << "OTHER";
    std::filesystem::last_write_time(
        file, std::filesystem::last_write_time(file) - std::chrono::seconds(5));
    EXPECT_EQ(digests.digest(file), digest_of("OTHER"));
    const auto time = std::filesystem::last_write_time(file);
    std::ofstream(file) << "longer";
    std::filesystem::last_write_time(file, time);
    EXPECT_EQ(digests.digest(file), digest_of("longer"));
    EXPECT_EQ(digests.digest(folder / ""), "") << "a folder";
}

}  // namespace
}  // namespace doorbell::cli
