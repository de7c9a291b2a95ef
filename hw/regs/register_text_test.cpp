#include "hw/regs/register_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell::regs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

RegisterAnswer ask(const std::vector<std::string>& arguments) {
    return ask_registers(i82574l::kContract, arguments);
}

/// The one register that the question finds.
RegisterText found(const std::vector<std::string>& arguments) {
    const RegisterAnswer answer = ask(arguments);
    EXPECT_TRUE(answer.ok) << answer.error;
    EXPECT_EQ(answer.registers.size(), 1u);
    return answer.registers.empty() ? RegisterText{} : answer.registers[0];
}

std::string refused(const std::vector<std::string>& arguments) {
    const RegisterAnswer answer = ask(arguments);
    EXPECT_FALSE(answer.ok) << answer.text;
    EXPECT_TRUE(answer.text.empty());
    EXPECT_TRUE(answer.registers.empty());
    return answer.error;
}

const FieldText& field(const RegisterText& reg, const std::string& name) {
    for (const FieldText& candidate : reg.fields) {
        if (candidate.name == name) return candidate;
    }
    ADD_FAILURE() << reg.name << " shows no field " << name;
    static const FieldText kNone;
    return kNone;
}

TEST(RegisterText, WithoutArgumentsTheWholeMapIsShown) {
    const RegisterAnswer answer = ask({});
    ASSERT_TRUE(answer.ok);
    EXPECT_EQ(answer.registers.size(), 216u);
    EXPECT_THAT(answer.text, StartsWith("BAR 0: register file, 209 registers\nOffset   Name"));
    EXPECT_THAT(answer.text, HasSubstr("\n0x00000  CTRL         1            rw sc"));
    EXPECT_THAT(answer.text, HasSubstr("\n0x03818  TDT          2 x 0x100    rw "));
    EXPECT_THAT(answer.text, HasSubstr("0x00140249  Device control"));
    EXPECT_THAT(answer.text, HasSubstr("\nBAR 3: MSI-X table, 5 registers\n"));
    EXPECT_THAT(answer.text, HasSubstr("\n0x02000  MSIXPBA"));
}

TEST(RegisterText, ANameIsFoundInAnyCase) {
    for (const char* name : {"RCTL", "rctl", "Rctl"}) {
        const RegisterText reg = found({name});
        EXPECT_EQ(reg.name, "RCTL");
        EXPECT_EQ(reg.offset, 0x100u);
        EXPECT_EQ(reg.group, "receive");
        EXPECT_FALSE(reg.value.has_value());
    }
}

TEST(RegisterText, ARegisterIsShownWithItsFieldsAndCodes) {
    const RegisterAnswer answer = ask({"CTRL"});
    EXPECT_THAT(answer.text, StartsWith("CTRL  BAR 0 0x00000  (general)\n"));
    EXPECT_THAT(answer.text, HasSubstr("Also at 0x00004.\n"));
    EXPECT_THAT(answer.text, HasSubstr("Access rw sc, reset 0x00140249, reset by CTRL.RST.\n"));
    const RegisterText reg = found({"CTRL"});
    EXPECT_EQ(field(reg, "RST").bits, "26");
    EXPECT_EQ(field(reg, "RST").access, "sc");
    EXPECT_EQ(field(reg, "SPEED").bits, "9:8");
    EXPECT_EQ(field(reg, "SPEED").reset, 2u);
    ASSERT_EQ(field(reg, "SPEED").values.size(), 3u);
    EXPECT_EQ(field(reg, "SPEED").values[2].name, "MBPS_1000");
    EXPECT_THAT(answer.text, HasSubstr("2 MBPS_1000\n"));
    EXPECT_THAT(ask({"PBA"}).text, HasSubstr("kept by CTRL.RST"));
}

TEST(RegisterText, AWordOfAnArrayIsFoundByIndexAndByOffset) {
    for (const char* question : {"TDT[1]", "tdt[1]", "TDT[0x1]", "0x3918", "0x03918", "3918"}) {
        const RegisterText reg = found({question});
        EXPECT_EQ(reg.name, "TDT[1]") << question;
        EXPECT_EQ(reg.offset, 0x3918u) << question;
        EXPECT_TRUE(reg.aliases.empty()) << "only queue 0 has an 8254x position";
    }
    EXPECT_EQ(found({"TDT"}).aliases, std::vector<std::uint32_t>{0x438});
}

TEST(RegisterText, AliasesReachTheirRegister) {
    EXPECT_EQ(found({"0x00438"}).name, "TDT[0]");
    EXPECT_EQ(found({"0x00004"}).name, "CTRL");
    const RegisterText last = found({"0xb8"});
    EXPECT_EQ(last.name, "RAL[15]");
    EXPECT_EQ(last.offset, 0x5478u);
    EXPECT_EQ(last.aliases, std::vector<std::uint32_t>{0xB8});
}

TEST(RegisterText, OtherBarsAreReachedByTheirNumber) {
    EXPECT_EQ(found({"3:0x2000"}).name, "MSIXPBA");
    EXPECT_EQ(found({"3:1c"}).name, "MSIXTVCTRL[1]");
    EXPECT_EQ(found({"2:0x4"}).name, "IODATA");
    EXPECT_EQ(refused({"1:0"}), "BAR 1 has no registers");
    EXPECT_EQ(refused({"2:0x20"}), "0x00020 of BAR 2 lies beyond it: it ends at 0x00020");
}

TEST(RegisterText, AValueIsDecodedFieldByField) {
    // Enabled, MAC loopback, broadcasts, buffers of 1024 bytes, CRC stripped.
    const RegisterText reg = found({"RCTL", "0x04018042"});
    EXPECT_EQ(reg.value, 0x04018042u);
    EXPECT_EQ(field(reg, "EN").value, 1u);
    EXPECT_EQ(field(reg, "UPE").value, 0u);
    EXPECT_EQ(field(reg, "LBM").value, 1u);
    EXPECT_EQ(field(reg, "LBM").value_name, "MAC");
    EXPECT_EQ(field(reg, "BAM").value, 1u);
    EXPECT_EQ(field(reg, "BSIZE").value, 1u);
    EXPECT_EQ(field(reg, "BSIZE").value_name, "BYTES_1024");
    EXPECT_EQ(field(reg, "SECRC").value, 1u);
    EXPECT_EQ(reg.unnamed_bits, 0u);
    const RegisterAnswer answer = ask({"RCTL", "0x04018042"});
    EXPECT_THAT(answer.text, HasSubstr("Value 0x04018042:\n"));
    EXPECT_THAT(answer.text, HasSubstr("1 MAC"));
    EXPECT_THAT(answer.text, Not(HasSubstr("outside all fields")));
}

TEST(RegisterText, DecimalValuesAndUnnamedBitsAreUnderstood) {
    const RegisterText reg = found({"RAH[3]", "4294967295"});
    EXPECT_EQ(field(reg, "RAH").value, 0xFFFFu);
    EXPECT_EQ(field(reg, "AV").value, 1u);
    EXPECT_EQ(reg.unnamed_bits, 0x7FFC0000u);
    EXPECT_THAT(ask({"RAH[3]", "4294967295"}).text,
                HasSubstr("0x7FFC0000 lies outside all fields"));
}

TEST(RegisterText, ANearMissGetsASuggestion) {
    EXPECT_EQ(refused({"RCLT"}), "there is no register 'RCLT'; did you mean RCTL?");
    EXPECT_EQ(refused({"RCTRL"}), "there is no register 'RCTRL'; did you mean CTRL or RCTL?");
    EXPECT_EQ(refused({"TXDCTRL"}), "there is no register 'TXDCTRL'; did you mean TXDCTL?");
    EXPECT_EQ(refused({"tdb"}), "there is no register 'tdb'; did you mean TDBAL or TDBAH?");
    EXPECT_THAT(refused({"RCTL.BSIZE"}), HasSubstr("did you mean RCTL"));
    EXPECT_EQ(refused({"SRRCTL_OF_IGB"}),
              "there is no register 'SRRCTL_OF_IGB'; `doorbell regs` lists all");
    EXPECT_EQ(refused({std::string(5000, 'R')}),
              "there is no register '" + std::string(5000, 'R') + "'; `doorbell regs` lists all");
    EXPECT_THAT(refused({""}), HasSubstr("there is no register ''"));
}

TEST(RegisterText, WhatPointsNowhereIsRefusedWithTheReason) {
    EXPECT_EQ(refused({"TDT[2]"}), "TDT has 2 words: the last is TDT[1]");
    EXPECT_EQ(refused({"CTRL[1]"}), "CTRL has 1 word: the last is CTRL[0]");
    for (const char* question :
         {"TDT[", "TDT[]", "TDT[x]", "TDT[1", "TDT[1]x", "TDT[-1]", "TDT[99999999999999999999]"}) {
        EXPECT_EQ(refused({question}),
                  "'" + std::string(question) + "': an index is written TDT[0]");
    }
    EXPECT_EQ(refused({"0x3819"}), "0x03819 of BAR 0 is not dword aligned; it is within TDT");
    EXPECT_EQ(refused({"0x1580"}),
              "no register lies at 0x01580 of BAR 0: it reads 0 and ignores writes");
    EXPECT_EQ(refused({"0x20000"}), "0x20000 of BAR 0 lies beyond it: it ends at 0x20000");
    EXPECT_EQ(refused({"0xZZ"}), "'0xZZ' is no hexadecimal offset");
    EXPECT_EQ(refused({"0x1FFFFFFFF"}), "'0x1FFFFFFFF' is no hexadecimal offset");
}

TEST(RegisterText, AValueThatIsNoneIsRefused) {
    for (const char* value : {"", "0x", "hello", "-1", "0x1FFFFFFFF", "4294967296", "12ab"}) {
        EXPECT_EQ(refused({"CTRL", value}),
                  "'" + std::string(value) + "' is no value of 32 bits: 0x... or decimal");
    }
    EXPECT_EQ(refused({"CTRL", "1", "2"}), "too many arguments: regs [NAME|OFFSET [VALUE]]");
}

TEST(RegisterText, EveryWordOfTheMapIsFoundUnderItsNameAndItsOffset) {
    for (const Register* reg : i82574l::kAll) {
        const std::uint32_t last = reg->count - 1;
        const std::string name = std::string(reg->name) + "[" + std::to_string(last) + "]";
        char offset[32];
        std::snprintf(offset, sizeof offset, "%u:0x%x", static_cast<unsigned>(reg->bar),
                      static_cast<unsigned>(reg->offset_of(last)));
        EXPECT_EQ(found({name}).offset, reg->offset_of(last));
        EXPECT_EQ(found({offset}).name, reg->count == 1 ? reg->name : name);
    }
}

}  // namespace
}  // namespace doorbell::regs
