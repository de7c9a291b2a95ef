#include "testbench/report/buffered_file.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <sstream>

#include "testbench/report/test_folder.hpp"

namespace doorbell::report {
namespace {

TEST(BufferedFileTest, HoldsEveryByteInOrderWhateverTheSizesOfThePieces) {
    TestFolder folder;
    std::string expected;
    BufferedFile file(folder / "f");
    for (std::size_t i = 0; i < 3000; i++) {
        const std::string piece(i % 700, static_cast<char>('a' + i % 26));
        expected += piece;
        file.append(piece.data(), piece.size());
    }
    const std::string large(BufferedFile::kBufferBytes + 17, 'L');
    expected += large;
    file.append(large.data(), large.size());
    EXPECT_TRUE(file.close());
    EXPECT_EQ(file.size_bytes(), expected.size());
    EXPECT_EQ(read_file(folder / "f"), expected);
}

TEST(BufferedFileTest, SaysThatThePathCannotBeWritten) {
    BufferedFile file("/nonexistent/folder/f");
    file.append("x", 1);
    EXPECT_FALSE(file.close());
    EXPECT_EQ(file.error(), ENOENT);
}

TEST(BufferedFileTest, SaysThatTheDiskIsFull) {
    BufferedFile file("/dev/full");
    const std::string data(BufferedFile::kBufferBytes, 'x');
    file.append(data.data(), data.size());
    file.append(data.data(), data.size());
    EXPECT_FALSE(file.close());
    EXPECT_EQ(file.error(), ENOSPC);
}

}  // namespace
}  // namespace doorbell::report
