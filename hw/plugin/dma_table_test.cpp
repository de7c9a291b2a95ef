#include "hw/plugin/dma_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "hw/plugin/client_support_test.hpp"

namespace doorbell::plugin::test {
namespace {

using Failure = DmaTable::Failure;
constexpr std::uint64_t kPage = vu::kPageBytes;

class Table : public ::testing::Test {
protected:
    [[nodiscard]] int add(std::uint64_t address, std::uint64_t size_bytes, std::uint64_t offset = 0,
                          bool readable = true, bool writable = true) {
        return table.add({address, size_bytes, nullptr, readable, writable}, file.number(), offset);
    }
    [[nodiscard]] bool untouched() {
        for (std::uint64_t i = 0; i < file.size_bytes(); i++) {
            if (file.bytes()[i] != 0) return false;
        }
        return true;
    }
    SharedFile file{16 * kPage};
    DmaTable table;
    std::array<std::uint8_t, 3 * kPage> data{};
};

TEST_F(Table, a_write_that_ends_outside_of_what_is_mapped_moves_nothing) {
    ASSERT_EQ(add(0x10000, kPage), 0);
    ASSERT_EQ(add(0x11000, kPage, kPage), 0);
    data.fill(0xAB);
    EXPECT_EQ(table.write(0x11800, data.data(), kPage), Failure::kNotMapped);
    EXPECT_EQ(table.write(0x10800, data.data(), 2 * kPage), Failure::kNotMapped);
    EXPECT_EQ(table.write(0xF800, data.data(), kPage), Failure::kNotMapped);
    EXPECT_TRUE(untouched());
    EXPECT_EQ(table.write(0x10800, data.data(), kPage), Failure::kNone);
    EXPECT_EQ(file.bytes()[0x7FF], 0);
    EXPECT_EQ(file.bytes()[0x800], 0xAB);
    EXPECT_EQ(file.bytes()[0x17FF], 0xAB);
    EXPECT_EQ(file.bytes()[0x1800], 0);
}

TEST_F(Table, what_served_one_direction_does_not_open_the_other) {
    ASSERT_EQ(add(0x10000, kPage, 0, true, false), 0);
    ASSERT_EQ(add(0x20000, kPage, kPage, false, true), 0);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(table.read(0x10000, data.data(), 8), Failure::kNone);
        EXPECT_EQ(table.write(0x10000, data.data(), 8), Failure::kNotAllowed);
        EXPECT_EQ(table.write(0x20000, data.data(), 8), Failure::kNone);
        EXPECT_EQ(table.read(0x20000, data.data(), 8), Failure::kNotAllowed);
    }
}

TEST_F(Table, the_last_page_of_all_addresses_is_a_page_like_others) {
    const std::uint64_t last_page = ~std::uint64_t{0} - kPage + 1;
    ASSERT_EQ(add(last_page, kPage), 0);
    data.fill(0x17);
    EXPECT_EQ(table.write(last_page + kPage - 8, data.data(), 8), Failure::kNone);
    EXPECT_EQ(file.bytes()[kPage - 1], 0x17);
    EXPECT_EQ(table.write(last_page + kPage - 8, data.data(), 16), Failure::kNotMapped)
        << "addresses do not start over";
    EXPECT_EQ(add(0, kPage, kPage), 0);
    EXPECT_EQ(table.read(last_page + kPage - 8, data.data(), 16), Failure::kNotMapped);
    EXPECT_EQ(table.remove(last_page, kPage), 0);
    EXPECT_EQ(table.read(last_page, data.data(), 8), Failure::kNotMapped);
}

TEST_F(Table, an_unmapped_range_is_given_back_to_the_system) {
    // More than a process may have: none of them can have been kept.
    for (int i = 0; i < 70'000; i++) {
        ASSERT_EQ(add(0x10000, kPage, static_cast<std::uint64_t>(i % 2) * 2 * kPage), 0) << i;
        ASSERT_EQ(table.remove(0x10000, kPage), 0);
    }
    // And it is still noticed when memory goes.
    ASSERT_EQ(add(0x10000, 4 * kPage), 0);
    ASSERT_EQ(ftruncate(file.number(), kPage), 0);
    EXPECT_EQ(table.read(0x10000, data.data(), 8), Failure::kNone);
    EXPECT_FALSE(table.memory_vanished());
    data.fill(0xAB);
    EXPECT_EQ(table.read(0x10000 + 2 * kPage, data.data(), 8), Failure::kNone);
    EXPECT_EQ(data[0], 0) << "zeros are in the place of what is lost";
    EXPECT_TRUE(table.memory_vanished());
    EXPECT_FALSE(table.memory_vanished()) << "said once";
    // Over the border of what is left, in both directions.
    EXPECT_EQ(table.write(0x10000, data.data(), 2 * kPage), Failure::kNone);
    EXPECT_EQ(table.read(0x10000, data.data(), 3 * kPage), Failure::kNone);
    ASSERT_EQ(ftruncate(file.number(), static_cast<off_t>(file.size_bytes())), 0);
}

}  // namespace
}  // namespace doorbell::plugin::test
