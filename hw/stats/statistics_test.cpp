#include "hw/stats/statistics.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <string>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

using namespace regs::i82574l;

class StatisticsTest : public testing::Test {
protected:
    std::uint32_t read(std::uint32_t offset) { return registers.bus_read(offset); }
    regs::RegisterFile registers{kMap};
    Statistics stats{registers};
};

// Offsets typed from the specification, section 2.7: the table in the code is not asked.
TEST_F(StatisticsTest, EveryCounterIsAtTheOffsetOfTheDatasheet) {
    const std::map<Stat, std::uint32_t> offsets = {
        {Stat::kCRCERRS, 0x4000},  {Stat::kALGNERRC, 0x4004}, {Stat::kSYMERRS, 0x4008},
        {Stat::kRXERRC, 0x400c},   {Stat::kMPC, 0x4010},      {Stat::kSCC, 0x4014},
        {Stat::kECOL, 0x4018},     {Stat::kMCC, 0x401c},      {Stat::kLATECOL, 0x4020},
        {Stat::kCOLC, 0x4028},     {Stat::kDC, 0x4030},       {Stat::kTNCRS, 0x4034},
        {Stat::kSEC, 0x4038},      {Stat::kCEXTERR, 0x403c},  {Stat::kRLEC, 0x4040},
        {Stat::kXONRXC, 0x4048},   {Stat::kXONTXC, 0x404c},   {Stat::kXOFFRXC, 0x4050},
        {Stat::kXOFFTXC, 0x4054},  {Stat::kFCRUC, 0x4058},    {Stat::kPRC64, 0x405c},
        {Stat::kPRC127, 0x4060},   {Stat::kPRC255, 0x4064},   {Stat::kPRC511, 0x4068},
        {Stat::kPRC1023, 0x406c},  {Stat::kPRC1522, 0x4070},  {Stat::kGPRC, 0x4074},
        {Stat::kBPRC, 0x4078},     {Stat::kMPRC, 0x407c},     {Stat::kGPTC, 0x4080},
        {Stat::kGORC, 0x4088},     {Stat::kGOTC, 0x4090},     {Stat::kRNBC, 0x40a0},
        {Stat::kRUC, 0x40a4},      {Stat::kRFC, 0x40a8},      {Stat::kROC, 0x40ac},
        {Stat::kRJC, 0x40b0},      {Stat::kMGTPRC, 0x40b4},   {Stat::kMGTPDC, 0x40b8},
        {Stat::kMGTPTC, 0x40bc},   {Stat::kTOR, 0x40c0},      {Stat::kTOT, 0x40c8},
        {Stat::kTPR, 0x40d0},      {Stat::kTPT, 0x40d4},      {Stat::kPTC64, 0x40d8},
        {Stat::kPTC127, 0x40dc},   {Stat::kPTC255, 0x40e0},   {Stat::kPTC511, 0x40e4},
        {Stat::kPTC1023, 0x40e8},  {Stat::kPTC1522, 0x40ec},  {Stat::kMPTC, 0x40f0},
        {Stat::kBPTC, 0x40f4},     {Stat::kTSCTC, 0x40f8},    {Stat::kTSCTFC, 0x40fc},
        {Stat::kIAC, 0x4100},      {Stat::kICRXPTC, 0x4104},  {Stat::kICRXATC, 0x4108},
        {Stat::kICTXPTC, 0x410c},  {Stat::kICTXATC, 0x4110},  {Stat::kICTXQEC, 0x4118},
        {Stat::kICTXQMTC, 0x411c}, {Stat::kICRXDMTC, 0x4120}, {Stat::kICRXOC, 0x4124}};
    ASSERT_EQ(offsets.size(), static_cast<std::size_t>(Stat::kCount));
    std::uint64_t amount = 1;
    for (const auto& [stat, offset] : offsets) stats.count(stat, amount++);
    amount = 1;
    for (const auto& [stat, offset] : offsets) {
        EXPECT_EQ(read(offset), amount++) << std::hex << offset;
    }
}

TEST_F(StatisticsTest, ReadingClearsACounter) {
    stats.count(Stat::kGPRC);
    stats.count(Stat::kGPRC, 4);
    EXPECT_EQ(registers.debug_read(0x4074), 5u) << "a debugger disturbs nothing";
    EXPECT_EQ(read(0x4074), 5u);
    EXPECT_EQ(read(0x4074), 0u);
    EXPECT_EQ(stats.value(Stat::kGPRC), 0u);
}

TEST_F(StatisticsTest, ACounterSticksAtAllOnes) {
    stats.count(Stat::kMPC, 0xffff'fffe);
    stats.count(Stat::kMPC);
    stats.count(Stat::kMPC);
    stats.count(Stat::kMPC, ~std::uint64_t{0});
    EXPECT_EQ(read(0x4010), 0xffff'ffffu);
}

TEST_F(StatisticsTest, OctetCountersHave64BitsAndStick) {
    stats.count(Stat::kGORC, 0xffff'ffff);
    stats.count(Stat::kGORC, 2);
    EXPECT_EQ(read(0x4088), 1u);
    EXPECT_EQ(read(0x408c), 1u);
    stats.count(Stat::kTOT, ~std::uint64_t{0} - 1);
    stats.count(Stat::kTOT, 5);
    EXPECT_EQ(read(0x40c8), 0xffff'ffffu);
    EXPECT_EQ(read(0x40cc), 0xffff'ffffu);
}

TEST_F(StatisticsTest, ReadingHighClearsThePairAndReadingLowNothing) {
    for (const auto& [stat, low] : std::map<Stat, std::uint32_t>{{Stat::kGORC, 0x4088},
                                                                 {Stat::kGOTC, 0x4090},
                                                                 {Stat::kTOR, 0x40c0},
                                                                 {Stat::kTOT, 0x40c8}}) {
        stats.count(stat, 0x1'0000'0005);
        EXPECT_EQ(read(low), 5u);
        EXPECT_EQ(read(low), 5u);
        EXPECT_EQ(read(low + 4), 1u);
        EXPECT_EQ(read(low), 0u);
        EXPECT_EQ(read(low + 4), 0u);
    }
}

TEST_F(StatisticsTest, AResetOfTheRegistersClearsThem) {
    stats.count(Stat::kGPRC, 7);
    registers.reset(regs::ResetKind::kSoftware);
    EXPECT_EQ(stats.value(Stat::kGPRC), 0u);
}

TEST(StatisticsParams, U21LetsEachHalfClearItself) {
    regs::RegisterFile registers(kMap);
    StatisticsParams params;
    params.u21_high_read_clears_pair = false;
    Statistics stats(registers, params);
    stats.count(Stat::kGORC, 0x1'0000'0005);
    EXPECT_EQ(registers.bus_read(0x408c), 1u);
    EXPECT_EQ(registers.bus_read(0x408c), 0u);
    EXPECT_EQ(registers.bus_read(0x4088), 5u) << "the low half stood";
    EXPECT_EQ(registers.bus_read(0x4088), 0u) << "and its own read clears it";
}

}  // namespace
}  // namespace doorbell
