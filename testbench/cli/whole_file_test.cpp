#include "testbench/cli/whole_file.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>

#include "testbench/report/test_folder.hpp"

namespace doorbell::cli {
namespace {

TEST(WholeFileTest, TheNewTextTakesThePlaceOfTheOldAndNothingElseStays) {
    const report::TestFolder folder;
    EXPECT_EQ(write_whole_file(folder / "f", "a longer text"), "");
    EXPECT_EQ(write_whole_file(folder / "f", "short"), "");
    EXPECT_EQ(report::read_file(folder / "f"), "short");
    EXPECT_EQ(read_whole_file(folder / "f"), "short");
    EXPECT_EQ(read_whole_file(folder / "none"), "");
    const std::filesystem::directory_iterator files(folder / "");
    EXPECT_EQ(std::distance(begin(files), end(files)), 1);
}

TEST(WholeFileTest, WhereThereIsNoRoomTheOldTextStays) {
    const report::TestFolder folder;
    EXPECT_EQ(write_whole_file(folder / "f", "old"), "");
    rlimit before{};
    getrlimit(RLIMIT_FSIZE, &before);
    rlimit little = before;
    little.rlim_cur = 100;
    setrlimit(RLIMIT_FSIZE, &little);
    const auto handler = signal(SIGXFSZ, SIG_IGN);
    const std::string why = write_whole_file(folder / "f", std::string(1000, 'x'));
    signal(SIGXFSZ, handler);
    setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(why, "File too large");
    EXPECT_EQ(report::read_file(folder / "f"), "old");
}

TEST(WholeFileTest, WhatCannotBeWrittenIsSaidAndLeavesNothing) {
    const report::TestFolder folder;
    EXPECT_EQ(write_whole_file(folder / "none" / "f", "text"), "No such file or directory");
    std::filesystem::create_directory(folder / "d");
    EXPECT_EQ(write_whole_file(folder / "d", "text"), "Is a directory");
    const std::filesystem::directory_iterator files(folder / "");
    EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "the folder d only";
}

}  // namespace
}  // namespace doorbell::cli
