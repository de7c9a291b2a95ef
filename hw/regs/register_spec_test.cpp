// What the specification says of the register map, against the contract and the register file.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <string>

#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/regs/register_spec_rows_test.hpp"

namespace doorbell::regs {
namespace {

using i82574l::kAll;
using i82574l::kFields;

const Register& by_name(const std::string& name) {
    for (const Register* reg : kAll) {
        if (name == reg->name) return *reg;
    }
    ADD_FAILURE() << name << " is missing from the contract";
    return *kAll[0];
}

const spec::Row& row_of(const std::string& name) {
    for (const spec::Row& row : spec::kRows) {
        if (name == row.name) return row;
    }
    ADD_FAILURE() << name << " is missing from the table of this test";
    return spec::kRows[0];
}

/// The three BARs of the part.
struct Files {
    RegisterFile& of(std::uint32_t bar) { return bar == 0 ? memory : bar == 2 ? io : msix; }
    RegisterFile memory{i82574l::kMap};
    RegisterFile io{i82574l::kIoMap};
    RegisterFile msix{i82574l::kMsixMap};
};

std::uint32_t offset_of(const spec::Row& row, std::uint32_t index) {
    return row.offset + index * row.stride;
}

TEST(RegisterSpec, TheContractHasExactlyTheRegistersOfTheIndex) {
    EXPECT_EQ(std::size(spec::kRows), 216u);
    EXPECT_EQ(std::size(kAll), std::size(spec::kRows));
    for (const spec::Row& row : spec::kRows) {
        const Register& reg = by_name(row.name);
        EXPECT_EQ(reg.bar, row.bar) << row.name;
        EXPECT_EQ(reg.offset, row.offset) << row.name;
        EXPECT_EQ(reg.count, row.count) << row.name;
        if (row.count > 1) {
            EXPECT_EQ(reg.stride, row.stride) << row.name;
        }
    }
}

TEST(RegisterSpec, EveryWordReadsItsResetValueAfterPowerOn) {
    Files files;
    for (const spec::Row& row : spec::kRows) {
        const auto reset = row.reset == spec::kOpen ? 0 : static_cast<std::uint32_t>(row.reset);
        for (std::uint32_t i = 0; i < row.count; i++) {
            EXPECT_EQ(files.of(row.bar).bus_read(offset_of(row, i)), reset) << row.name << i;
        }
    }
}

TEST(RegisterSpec, ReadOnlyRegistersIgnoreWrites) {
    Files files;
    for (const spec::Row& row : spec::kRows) {
        if (row.access != spec::kRo) continue;
        RegisterFile& file = files.of(row.bar);
        for (std::uint32_t stored : {0x5A5A5A5Au, 0xA5A5A5A5u}) {
            file.poke(by_name(row.name), stored, row.count - 1);
            const std::uint32_t offset = offset_of(row, row.count - 1);
            const std::uint32_t before = file.debug_read(offset);
            // STATUS.PHYRA, the exception, clears when written 0: bits are written as they are.
            for (std::uint32_t written : {before, 0xFFFFFFFFu}) {
                file.bus_write(offset, written);
                EXPECT_EQ(file.debug_read(offset), before) << row.name;
            }
        }
    }
}

TEST(RegisterSpec, WriteOnlyRegistersReadZero) {
    Files files;
    for (const spec::Row& row : spec::kRows) {
        if (row.access != spec::kWo) continue;
        files.of(row.bar).bus_write(row.offset, 0xFFFFFFFF);
        EXPECT_EQ(files.of(row.bar).bus_read(row.offset), 0u) << row.name;
    }
}

TEST(RegisterSpec, CountersClearWhenReadExceptTheLowHalvesOfPairs) {
    Files files;
    for (const spec::Row& row : spec::kRows) {
        if (row.access != spec::kRc || std::string(row.name) == "ICR") continue;
        const std::string name = row.name;
        const bool low_half =
            name == "GORCL" || name == "GOTCL" || name == "TORL" || name == "TOTL";
        RegisterFile& file = files.of(row.bar);
        file.poke(by_name(name), 0xFFFFFFFF, row.count - 1);
        const std::uint32_t offset = offset_of(row, row.count - 1);
        file.bus_write(offset, 0);
        EXPECT_EQ(file.bus_read(offset), 0xFFFFFFFFu) << name << " ignores writes";
        EXPECT_EQ(file.bus_read(offset), low_half ? 0xFFFFFFFFu : 0u) << name;
    }
}

TEST(RegisterSpec, WriteOneToClearRegistersDoThat) {
    Files files;
    for (const spec::Row& row : spec::kRows) {
        if (row.access != spec::kW1c) continue;
        RegisterFile& file = files.of(row.bar);
        file.poke(by_name(row.name), 0x1F);
        file.bus_write(row.offset, 0x05);
        EXPECT_EQ(file.bus_read(row.offset), 0x1Au) << row.name;
    }
}

TEST(RegisterSpec, TheInterruptMaskIsSetByWritingOnes) {
    RegisterFile file(i82574l::kMap);
    file.bus_write(0x000D0, 0x00000004);
    file.bus_write(0x000D0, 0xFE000080);
    EXPECT_EQ(file.bus_read(0x000D0), 0x00000084u) << "bits 24:0, writing 0 changes nothing";
}

TEST(RegisterSpec, StatusPhyraClearsByWritingZero) {
    RegisterFile file(i82574l::kMap);
    file.poke(i82574l::STATUS, 0x00080400);
    file.bus_write(0x00008, 0x00000400);
    EXPECT_EQ(file.bus_read(0x00008), 0x00080400u);
    file.bus_write(0x00008, 0);
    EXPECT_EQ(file.bus_read(0x00008), 0x00080000u);
    file.bus_write(0x00008, 0x00000400);
    EXPECT_EQ(file.bus_read(0x00008), 0x00080000u) << "only hardware sets it";
}

TEST(RegisterSpec, EveryFieldLiesWhereTheSpecificationPutsIt) {
    std::size_t expected = 0;
    for (const spec::Layout& layout : spec::kLayouts) {
        std::istringstream fields(layout.fields);
        for (std::string field; fields >> field; expected++) {
            const std::size_t colon = field.find(':');
            const std::string name = field.substr(0, colon);
            const std::string bits = field.substr(colon + 1);
            const unsigned msb = static_cast<unsigned>(std::stoul(bits));
            const std::size_t second = bits.find(':');
            const unsigned lsb = second == std::string::npos
                                     ? msb
                                     : static_cast<unsigned>(std::stoul(bits.substr(second + 1)));
            const auto found = std::find_if(std::begin(kFields), std::end(kFields), [&](auto* f) {
                return std::string(f->reg.name) == layout.name && name == f->name;
            });
            ASSERT_NE(found, std::end(kFields)) << layout.name << "." << name;
            EXPECT_EQ((*found)->lsb, lsb) << layout.name << "." << name;
            EXPECT_EQ((*found)->width, msb - lsb + 1) << layout.name << "." << name;
        }
    }
    // ICS, IMS and IMC repeat the 23 named ranges of ICR 24:0 each; the statistics and GSCN-like
    // rows of section 2.7 are one field of 32 bits each.
    std::size_t others = 0;
    for (const Field* field : kFields) {
        const std::string reg = field->reg.name;
        const bool mask = reg == "ICS" || reg == "IMS" || reg == "IMC";
        const bool counter = std::string(field->reg.group) == "statistics";
        if (!mask && !counter) continue;
        others++;
        if (counter) {
            EXPECT_EQ(field->mask(), 0xFFFFFFFFu) << reg;
            continue;
        }
        const auto cause = std::find_if(std::begin(kFields), std::end(kFields), [&](auto* f) {
            return std::string(f->reg.name) == "ICR" && std::strcmp(f->name, field->name) == 0;
        });
        ASSERT_NE(cause, std::end(kFields)) << reg << "." << field->name;
        EXPECT_EQ((*cause)->mask(), field->mask()) << reg << "." << field->name;
    }
    EXPECT_EQ(std::size(kFields), expected + others);
}

TEST(RegisterSpec, LegacyOffsetsReachTheirRegisters) {
    RegisterFile file(i82574l::kMap);
    std::uint32_t index = 0;
    for (const spec::LegacyOffset& legacy : spec::kLegacyOffsets) {
        EXPECT_EQ(file.find(legacy.offset, index), &by_name(legacy.name)) << legacy.name;
        EXPECT_EQ(index, 0u) << legacy.name;
    }
    EXPECT_EQ(file.find(0x000B8, index), &i82574l::RAL) << "receive addresses 0..15 from 0x40 on";
    EXPECT_EQ(index, 15u);
    EXPECT_EQ(file.find(0x007FC, index), &i82574l::VFTA);
    EXPECT_EQ(index, 127u);
    EXPECT_EQ(std::size(spec::kLegacyOffsets), i82574l::kMap.alias_count);
}

TEST(RegisterSpec, TheSelfTestOfEthtoolPasses) {
    RegisterFile file(i82574l::kMap);
    for (const spec::SelfTest& test : spec::kSelfTests) {
        const spec::Row& row = row_of(test.name);
        for (std::uint32_t i = test.first; i <= test.last; i++) {
            const std::uint32_t offset = offset_of(row, i);
            for (std::uint32_t pattern : {0x5A5A5A5Au, 0xA5A5A5A5u, 0u, 0xFFFFFFFFu}) {
                file.bus_write(offset, pattern & test.write_mask);
                EXPECT_EQ(file.bus_read(offset), pattern & test.write_mask & test.read_mask)
                    << test.name << "[" << i << "] " << std::hex << pattern;
            }
        }
    }
}

TEST(RegisterSpec, TheSelfTestOfReceiveAndTransmitControlPasses) {
    RegisterFile file(i82574l::kMap);
    for (std::uint32_t control : {0x00100u, 0x00400u}) {  // RCTL, TCTL
        file.bus_write(control, 0xFFFFFFFF);
        file.bus_write(control, 0);
        EXPECT_EQ(file.bus_read(control), 0u) << std::hex << control;
    }
    for (std::uint32_t write_mask : {0x003FFFFBu, 0xFFFFFFFFu}) {
        for (std::uint32_t pattern : {0x5A5A5A5Au, 0xA5A5A5A5u, 0u, 0xFFFFFFFFu}) {
            file.bus_write(0x00100, pattern & write_mask);
            EXPECT_EQ(file.bus_read(0x00100) & 0x06DFB3FE, pattern & write_mask & 0x06DFB3FE);
        }
    }
}

TEST(RegisterSpec, TheSelfTestCannotToggleStatus) {
    RegisterFile file(i82574l::kMap);
    file.poke(i82574l::STATUS, 0x00080683);  // 1000 Mb/s, full duplex, link up, PHYRA
    const std::uint32_t before = file.bus_read(0x00008);
    for (std::uint32_t written :
         {before ^ 0x7FFFF033, 0x7FFFF033u | before, before & ~0x7FFFF033u}) {
        file.bus_write(0x00008, written);
        EXPECT_EQ(file.bus_read(0x00008) & 0x7FFFF033, before & 0x7FFFF033);
    }
}

TEST(RegisterSpec, ASoftwareResetKeepsWhatSection92Keeps) {
    Files files;
    for (const char* name : spec::kKeptByCtrlRst) {
        const spec::Row& row = row_of(name);
        files.of(row.bar).poke(by_name(name), 0x00000003, row.count - 1);
    }
    for (const spec::Row& row : spec::kRows) {
        if (row.reset == spec::kOpen) files.of(row.bar).poke(by_name(row.name), 3, row.count - 1);
    }
    for (const char* name : spec::kClearedByCtrlRst) {
        const spec::Row& row = row_of(name);
        files.of(row.bar).poke(by_name(name), 0xA5A5A5A5, row.count - 1);
    }
    for (std::uint32_t bar : {0u, 2u, 3u}) files.of(bar).reset(ResetKind::kSoftware);
    for (const char* name : spec::kKeptByCtrlRst) {
        const spec::Row& row = row_of(name);
        EXPECT_EQ(files.of(row.bar).word(by_name(name), row.count - 1), 3u) << name;
    }
    for (const spec::Row& row : spec::kRows) {
        if (row.reset != spec::kOpen) continue;
        EXPECT_EQ(files.of(row.bar).word(by_name(row.name), row.count - 1), 3u) << row.name;
    }
    for (const char* name : spec::kClearedByCtrlRst) {
        const spec::Row& row = row_of(name);
        EXPECT_EQ(files.of(row.bar).word(by_name(name), row.count - 1), row.reset) << name;
    }
    for (const char* name : {"MTA", "VFTA", "RETA", "RSSRK"}) {
        files.memory.reset(ResetKind::kPowerOn);
        EXPECT_EQ(files.memory.word(by_name(name), row_of(name).count - 1), 0u) << "U22: " << name;
    }
}

TEST(RegisterSpec, ReservedBitsAreStoredWhereDriversRelyOnIt) {
    RegisterFile file(i82574l::kMap);
    for (const char* name : spec::kReservedBitsStored) {
        const Register& reg = by_name(name);
        std::uint32_t named = 0;
        for (const Field* field : kFields) {
            if (&field->reg == &reg) named |= field->mask();
        }
        ASSERT_NE(~named, 0u) << name;
        file.bus_write(reg.offset, 0xFFFFFFFF);
        EXPECT_EQ(file.bus_read(reg.offset) & ~named, ~named) << name;
    }
    // Everywhere else they stay 0.
    file.bus_write(0x00000, 0xFFFFFFFF);
    EXPECT_EQ(file.bus_read(0x00000), 0xF8FC1BEDu)
        << "CTRL: RST clears itself, the rest is storage";
    file.bus_write(0x05000, 0xFFFFFFFF);
    EXPECT_EQ(file.bus_read(0x05000), 0x00003BFFu) << "RXCSUM";
}

TEST(RegisterSpec, RegistersWithoutFieldsAreStorageOrReadZeroAsTheirTextSays) {
    RegisterFile file(i82574l::kMap);
    for (const char* name : {"ERT", "CPUVEC", "EEARBC", "FLSWCNT", "FLOL", "TCTL_EXT", "TSPMT",
                             "RSSIM", "RSSIR", "MFVAL", "FUNCTAG", "HOST_IF"}) {
        file.bus_write(row_of(name).offset, 0xA5A5A5A5);
        EXPECT_EQ(file.bus_read(row_of(name).offset), 0xA5A5A5A5u) << name;
    }
    for (const char* name : {"FLMNGCTL", "FLMNGDATA", "FLMNGCNT", "RXCW"}) {
        file.bus_write(row_of(name).offset, 0xFFFFFFFF);
        EXPECT_EQ(file.bus_read(row_of(name).offset), 0u) << name;
    }
}

}  // namespace
}  // namespace doorbell::regs
