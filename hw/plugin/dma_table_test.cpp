#include "hw/plugin/dma_table.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
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
    EXPECT_TRUE(table.memory_vanished());
    ASSERT_EQ(ftruncate(file.number(), static_cast<off_t>(file.size_bytes())), 0);
}

#if defined(__x86_64__)

/// A guest that looks at its descriptors after each instruction of the server, and gives each one
/// back for the next frame as soon as it is done.
struct QuickGuest {
    static constexpr std::uint32_t kDescriptor = 16;
    static constexpr std::uint32_t kDone = 8;  ///< The byte with DD.
    static constexpr std::uint8_t kGivenBack = 0xA0;

    static void look(int /*signal*/) {
        for (std::uint32_t i = 0; i < count; i++) {
            volatile std::uint8_t* const one = ring + i * kDescriptor;
            if (given_back[i] || (one[kDone] & 1) == 0) continue;
            given_back[i] = true;
            for (std::uint32_t k = 0; k < kDescriptor; k++) {
                if (one[k] != written[i * kDescriptor + k]) half_done++;
                one[k] = kGivenBack;
            }
        }
    }

    static inline volatile std::uint8_t* ring = nullptr;
    static inline const std::uint8_t* written = nullptr;
    static inline std::uint32_t count = 0;
    static inline std::uint32_t half_done = 0;
    static inline std::array<bool, 64> given_back{};
};

// The trap flag: from here on a signal after each instruction. The 128 bytes below the stack's top
// may be in use.
#define STEP_BY_STEP(operation, word)                                     \
    asm volatile("lea -128(%%rsp), %%rsp\n pushfq\n " operation " $" word \
                 ", (%%rsp)\n popfq\n "                                   \
                 "lea 128(%%rsp), %%rsp" ::                               \
                     : "memory", "cc")

TEST_F(Table, a_descriptor_is_whole_when_it_is_done_and_not_touched_any_more) {
    ASSERT_EQ(add(0x10000, kPage), 0);
    struct sigaction looks {};
    looks.sa_handler = QuickGuest::look;
    struct sigaction before {};
    ASSERT_EQ(sigaction(SIGTRAP, &looks, &before), 0);
    for (std::uint32_t count = 1; count <= 64; count++) {
        const std::uint32_t size_bytes = count * QuickGuest::kDescriptor;
        for (std::uint32_t i = 0; i < size_bytes; i++) data[i] = static_cast<std::uint8_t>(i | 1);
        std::memset(file.bytes(), 0, kPage);
        QuickGuest::ring = file.bytes();
        QuickGuest::written = data.data();
        QuickGuest::count = count;
        QuickGuest::half_done = 0;
        QuickGuest::given_back = {};

        STEP_BY_STEP("orq", "0x100");
        const Failure failure = table.write(0x10000, data.data(), size_bytes);
        STEP_BY_STEP("andq", "-0x101");

        EXPECT_EQ(failure, Failure::kNone);
        QuickGuest::look(0);
        EXPECT_EQ(QuickGuest::half_done, 0U) << "of " << count << " descriptors";
        for (std::uint32_t i = 0; i < size_bytes; i++) {
            ASSERT_EQ(file.bytes()[i], QuickGuest::kGivenBack)
                << "byte " << i << " of " << count << " descriptors was written once more";
        }
    }
    ASSERT_EQ(sigaction(SIGTRAP, &before, nullptr), 0);
}

#endif

}  // namespace
}  // namespace doorbell::plugin::test
