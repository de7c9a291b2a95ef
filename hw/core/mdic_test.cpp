#include "hw/core/mdic.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/core/core_bench_test.hpp"

namespace doorbell::core_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kWrite = 1u << 26;
constexpr std::uint32_t kRead = 2u << 26;
constexpr std::uint32_t kReady = 1u << 28;
constexpr std::uint32_t kIntEn = 1u << 29;
constexpr std::uint32_t kError = 1u << 30;
constexpr std::uint32_t kMdac = 1u << 9;

constexpr std::uint32_t at(std::uint32_t phy, std::uint32_t reg) {
    return phy << 21 | reg << 16;
}

TEST(Mdic, a_read_is_ready_after_one_mdio_frame_with_data_and_register_number) {
    CoreBench nic;
    nic.phy.words[2] = 0x0141;
    nic.write(r::MDIC, kRead | at(1, 2));
    EXPECT_EQ(nic.read(r::MDIC) & kReady, 0u);
    nic.timeline.advance_by(25'600'000 - 1);
    EXPECT_EQ(nic.read(r::MDIC) & kReady, 0u);
    nic.timeline.advance_by(1);
    EXPECT_EQ(nic.read(r::MDIC), kReady | kRead | at(1, 2) | 0x0141);
}

TEST(Mdic, a_write_reaches_the_phy) {
    CoreBench nic;
    nic.write(r::MDIC, kWrite | at(1, 22) | 0x0002);
    nic.timeline.advance_by(microseconds(26));
    EXPECT_EQ(nic.phy.words[22], 2);
    EXPECT_EQ(nic.read(r::MDIC), kReady | kWrite | at(1, 22) | 0x0002);
}

TEST(Mdic, nobody_at_the_address_is_an_error_that_the_next_transaction_clears) {
    CoreBench nic;
    nic.write(r::MDIC, kRead | at(2, 2));
    nic.timeline.advance_by(microseconds(26));
    EXPECT_EQ(nic.read(r::MDIC) & (kReady | kError), kReady | kError);
    nic.write(r::MDIC, kRead | at(1, 2));
    EXPECT_EQ(nic.read(r::MDIC) & (kReady | kError), 0u);
    nic.timeline.advance_by(microseconds(26));
    EXPECT_EQ(nic.read(r::MDIC) & (kReady | kError), kReady);
}

TEST(Mdic, a_reserved_operation_ends_with_an_error) {
    for (const std::uint32_t op : {0u, 3u << 26}) {
        CoreBench nic;
        nic.write(r::MDIC, op | at(1, 2) | 0x1234);
        nic.timeline.advance_by(microseconds(26));
        EXPECT_EQ(nic.read(r::MDIC) & (kReady | kError), kReady | kError);
        EXPECT_THAT(nic.phy.words, IsEmpty());
    }
}

TEST(Mdic, mdac_is_raised_only_when_int_en_asks_for_it) {
    CoreBench nic;
    nic.write(r::MDIC, kRead | at(1, 2));
    nic.timeline.advance_by(microseconds(26));
    EXPECT_THAT(nic.interrupts.raised, IsEmpty());
    nic.write(r::MDIC, kIntEn | kRead | at(1, 2));
    nic.timeline.advance_by(microseconds(26));
    EXPECT_THAT(nic.interrupts.raised, ElementsAre(kMdac));
}

TEST(Mdic, writing_ready_starts_nothing) {
    CoreBench nic;
    nic.write(r::MDIC, kReady | kWrite | at(1, 0) | 0xFFFF);
    nic.timeline.advance_by(microseconds(100));
    EXPECT_THAT(nic.phy.words, IsEmpty());
}

TEST(Mdic, a_reset_drops_the_transaction) {
    CoreBench nic;
    nic.write(r::MDIC, kIntEn | kWrite | at(1, 0) | 0xFFFF);
    nic.write(r::CTRL, 1u << 26);
    nic.timeline.advance_by(microseconds(100));
    EXPECT_THAT(nic.phy.words, IsEmpty());
    EXPECT_EQ(nic.read(r::MDIC), kReady);
    EXPECT_THAT(nic.interrupts.raised, IsEmpty());
}

}  // namespace
}  // namespace doorbell::core_test
