#include "testbench/checks/file_comparison.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "testbench/host/guest_files.hpp"
#include "testbench/report/test_folder.hpp"

namespace doorbell::checks {
namespace {

using report::TestFolder;
using testing::HasSubstr;

class FileComparisonTest : public testing::Test {
protected:
    std::string write(const std::string& name, const std::string& content) {
        const std::filesystem::path path = folder / name;
        std::ofstream(path, std::ios::binary) << content;
        return path.string();
    }
    TestFolder folder;
    std::string large = std::string(700'000, 'x');
};

TEST_F(FileComparisonTest, EqualFilesAreIdenticalWhateverTheirSize) {
    for (const std::size_t size : {0u, 1u, 262'143u, 262'144u, 262'145u, 700'000u}) {
        const std::string content = large.substr(0, size);
        const auto result = compare_files(write("a", content), write("b", content), 1);
        EXPECT_TRUE(result.identical) << size << result.difference;
        EXPECT_EQ(result.equal_bytes, size);
    }
}

TEST_F(FileComparisonTest, OneFlippedBitAnywhereIsFoundAtItsPlace) {
    for (const std::size_t place : {0u, 262'143u, 262'144u, 699'999u}) {
        std::string other = large;
        other[place] = 'y';
        const auto result = compare_files(write("a", large), write("b", other), 1);
        EXPECT_FALSE(result.identical);
        EXPECT_EQ(result.equal_bytes, place);
        EXPECT_THAT(result.difference, HasSubstr("at byte " + std::to_string(place)));
    }
}

TEST_F(FileComparisonTest, AMissingOrASurplusByteIsFound) {
    const std::string a = write("a", large);
    EXPECT_THAT(compare_files(a, write("b", large.substr(1)), 1).difference, HasSubstr("shorter"));
    EXPECT_THAT(compare_files(a, write("c", large + "x"), 1).difference, HasSubstr("longer"));
    const std::string whole = large.substr(0, 262'144);
    EXPECT_FALSE(compare_files(write("d", whole), write("e", whole + "x"), 1).identical);
    EXPECT_FALSE(compare_files(write("f", whole), write("g", ""), 1).identical);
}

TEST_F(FileComparisonTest, AFileThatIsNotThereIsNotIdentical) {
    const auto result = compare_files(write("a", "x"), (folder / "none").string(), 1);
    EXPECT_FALSE(result.identical);
    EXPECT_THAT(result.difference, HasSubstr("none"));
}

TEST_F(FileComparisonTest, GeneratedBytesAreThoseOfTheSeed) {
    std::string error;
    const auto file = open_guest_file("generate:300000", false, 5, error);
    ASSERT_NE(file, nullptr) << error;
    std::string content;
    std::vector<char> piece(10'000);
    for (std::int64_t got = 0; (got = file->read(piece.data(), 10'000)) > 0;) {
        content.append(piece.data(), static_cast<std::size_t>(got));
    }
    EXPECT_EQ(content.size(), 300'000u);
    const std::string path = write("a", content);
    EXPECT_TRUE(compare_files("generate:300000", path, 5).identical);
    EXPECT_FALSE(compare_files("generate:300000", path, 6).identical);
}

}  // namespace
}  // namespace doorbell::checks
