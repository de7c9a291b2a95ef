#include "testbench/host/guest_files.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <vector>

namespace doorbell {
namespace {

std::vector<std::uint8_t> read_all(guest_file& file, std::uint32_t piece_bytes) {
    std::vector<std::uint8_t> all, piece(piece_bytes);
    for (;;) {
        const std::int64_t got = file.read(piece.data(), piece_bytes);
        EXPECT_GE(got, 0);
        if (got <= 0) return all;
        all.insert(all.end(), piece.begin(), piece.begin() + got);
    }
}

std::unique_ptr<guest_file> open(const std::string& name, bool for_writing,
                                 std::uint64_t seed = 1) {
    std::string error;
    std::unique_ptr<guest_file> file = open_guest_file(name, for_writing, seed, error);
    EXPECT_EQ(file == nullptr, !error.empty()) << name << error;
    return file;
}

TEST(GuestFiles, SizesHaveSuffixesOfPowersOf1024) {
    const std::pair<const char*, std::uint64_t> good[] = {
        {"0", 0}, {"1", 1}, {"1460", 1460}, {"3K", 3072}, {"10M", 10485760}, {"2G", 2147483648}};
    for (const auto& [text, want] : good) {
        std::uint64_t size = 99;
        EXPECT_TRUE(parse_size(text, size)) << text;
        EXPECT_EQ(size, want);
    }
    std::uint64_t size = 0;
    for (const char* bad : {"", "K", "-1", "1k", "1KB", "1 K", "0x10", "1.5M",
                            "99999999999999999999", "9999999999G"}) {
        EXPECT_FALSE(parse_size(bad, size)) << bad;
    }
}

TEST(GuestFiles, GeneratedBytesDependOnTheSeedAloneNotOnThePieces) {
    const auto a = read_all(*open("generate:10001", false), 10001);
    const auto b = read_all(*open("generate:10001", false), 7);
    const auto c = read_all(*open("generate:10001", false, 2), 1460);
    EXPECT_EQ(a.size(), 10001u);
    EXPECT_EQ(a, b);
    EXPECT_NE(a, c);
    EXPECT_EQ(open("generate:1K", false)->size(), 1024);
    EXPECT_EQ(read_all(*open("generate:0", false), 10).size(), 0u);
}

TEST(GuestFiles, WhatIsWrittenIsInTheFileAfterFinish) {
    const std::string path = testing::TempDir() + "doorbell_guest_files_test";
    const auto bytes = read_all(*open("generate:300K", false), 1460);
    {
        auto file = open(path, true);
        for (std::size_t at = 0; at < bytes.size(); at += 1000) {
            const auto piece =
                static_cast<std::uint32_t>(std::min<std::size_t>(1000, bytes.size() - at));
            ASSERT_EQ(file->write(&bytes[at], piece), piece);
        }
        EXPECT_EQ(file->size(), 300 * 1024);
        EXPECT_EQ(file->finish(), 0);
        EXPECT_EQ(std::filesystem::file_size(path), 300u * 1024);
        std::uint8_t byte = 0;
        EXPECT_EQ(file->read(&byte, 1), -EBADF);
    }
    auto file = open(path, false);
    EXPECT_EQ(file->size(), 300 * 1024);
    EXPECT_EQ(read_all(*file, 4096), bytes);
    EXPECT_EQ(file->write(bytes.data(), 1), -EBADF);
    open(path, true);  // Truncates.
    EXPECT_EQ(std::filesystem::file_size(path), 0u);
    std::filesystem::remove(path);
}

TEST(GuestFiles, AFullDiskIsAnError) {
    if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
    auto file = open("/dev/full", true);
    ASSERT_NE(file, nullptr);
    const std::vector<std::uint8_t> bytes(1000);
    EXPECT_EQ(file->write(bytes.data(), 1000), 1000);
    EXPECT_EQ(file->finish(), -ENOSPC);
    EXPECT_EQ(file->write(bytes.data(), 1000), -ENOSPC);
}

TEST(GuestFiles, DiscardTakesEverything) {
    auto file = open("discard:", true);
    const std::uint8_t byte = 0;
    EXPECT_EQ(file->write(&byte, 1), 1);
    EXPECT_EQ(file->size(), 1);
}

TEST(GuestFiles, WhatCannotBeOpenedSaysWhy) {
    const std::pair<const char*, bool> bad[] = {{"/nowhere/at/all", false},
                                                {"/nowhere/at/all", true},
                                                {"/tmp", false},
                                                {"/tmp", true},
                                                {"", false},
                                                {"generate:", false},
                                                {"generate:x", false},
                                                {"generate:1", true},
                                                {"discard:", false},
                                                {"discard:x", true}};
    for (const auto& [name, for_writing] : bad) {
        std::string error;
        EXPECT_EQ(open_guest_file(name, for_writing, 1, error), nullptr) << name;
        EXPECT_NE(error, "") << name;
    }
}

}  // namespace
}  // namespace doorbell
