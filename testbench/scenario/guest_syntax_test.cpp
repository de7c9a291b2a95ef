#include "testbench/scenario/guest_syntax.hpp"

#include <gtest/gtest.h>

namespace doorbell::scenario {
namespace {

TEST(GuestSyntaxTest, ASettingStaysInItsRangeAndOnItsSteps) {
    for (const char* good : {"8", "16", "4096"}) {
        EXPECT_EQ(check_setting("r", good, "8..4096, by 8").what, "") << good;
    }
    for (const char* bad : {"0", "9", "4104", "-8", "8.0", "", "many"}) {
        const SyntaxMistake mistake = check_setting("r", bad, "8..4096, by 8");
        EXPECT_EQ(mistake.what, std::string("'r' cannot be ") + bad);
        EXPECT_EQ(mistake.why, "it takes 8..4096, by 8");
    }
    EXPECT_EQ(check_setting("r", "65535", "0..65535").what, "");
    EXPECT_NE(check_setting("r", "65536", "0..65535").what, "");
}

TEST(GuestSyntaxTest, ASettingIsOneOfItsWords) {
    EXPECT_EQ(check_setting("m", "msi", "intx|msi|msix").what, "");
    EXPECT_EQ(check_setting("m", "misx", "intx|msi|msix").help, "did you mean 'msix'?");
}

TEST(GuestSyntaxTest, WhatIsNotDescribedIsLeftToTheGuest) {
    EXPECT_EQ(check_setting("x", "anything", "").what, "");
    EXPECT_EQ(check_setting("x", "anything", "a sentence about it").what, "");
}

constexpr const char* kSynopsis =
    "(--listen PORT | --to ADDRESS --port PORT) --file NAME [--count N] [--size BYTES:8..1500] "
    "[--bytes N:1..] [--offload 0|1] [--mac MAC]";

std::string mistake_in(std::vector<std::string> words) {
    words.insert(words.begin(), "send");
    return check_command(words, kSynopsis).what;
}

TEST(GuestSyntaxTest, ACommandHasTheArgumentsOfItsSynopsis) {
    EXPECT_EQ(mistake_in({"--file", "x", "--listen", "1"}), "");
    EXPECT_EQ(mistake_in({"--to", "10.0.0.1", "--port", "3", "--file", "--odd", "--count", "3"}),
              "");
    EXPECT_EQ(mistake_in(
                  {"--file", "x", "--listen", "1", "--offload", "1", "--mac", "02:00:00:00:01:fF"}),
              "");
}

TEST(GuestSyntaxTest, ANumberStaysInTheRangeBehindItsUnit) {
    const auto mistake = [](const char* option, const char* value) {
        return check_command({"send", "--listen", "1", "--file", "x", option, value}, kSynopsis);
    };
    for (const char* good : {"8", "1500"}) EXPECT_EQ(mistake("--size", good).what, "") << good;
    EXPECT_EQ(mistake("--bytes", "18446744073709551615").what, "");
    EXPECT_EQ(mistake("--count", "0").what, "");
    const SyntaxMistake low = mistake("--size", "7");
    EXPECT_EQ(low.what, "'--size' cannot be 7");
    EXPECT_EQ(low.why, "it takes 8..1500");
    EXPECT_EQ(low.help, "the nearest is 8");
    EXPECT_EQ(low.word, 6u);
    EXPECT_EQ(mistake("--size", "1501").help, "the nearest is 1500");
    EXPECT_EQ(mistake("--bytes", "0").why, "it takes 1..");
    EXPECT_EQ(mistake("--size", "-8").what, "'--size' must be a whole number, not '-8'");
    EXPECT_EQ(mistake("--size", "-8").why, "it takes 8..1500");
}

TEST(GuestSyntaxTest, OneAlternativeIsRequiredAsAWhole) {
    const char* wanted = "send needs either --listen PORT or --to ADDRESS --port PORT";
    EXPECT_EQ(mistake_in({"--file", "x"}), wanted);
    EXPECT_EQ(mistake_in({"--file", "x", "--port", "1"}), wanted);
    EXPECT_EQ(mistake_in({"--file", "x", "--listen", "1", "--port", "1"}), wanted);
    EXPECT_EQ(mistake_in({"--file", "x", "--listen", "1", "--to", "10.0.0.1", "--port", "1"}),
              wanted);
    // A value that looks like an option is none.
    EXPECT_EQ(mistake_in({"--file", "--listen"}), wanted);
}

TEST(GuestSyntaxTest, EveryKindOfMistakeInACommandIsSaid) {
    EXPECT_EQ(mistake_in({}), "send needs '--file NAME'");
    EXPECT_EQ(mistake_in({"--flie", "x"}), "send has no argument '--flie'");
    EXPECT_EQ(mistake_in({"file"}), "send has no argument 'file'");
    EXPECT_EQ(mistake_in({"--file"}), "'--file' needs a value: NAME");
    EXPECT_EQ(mistake_in({"--file", "x", "--count", "many"}),
              "'--count' must be a whole number, not 'many'");
    EXPECT_EQ(mistake_in({"--file", "x", "--listen", "0"}),
              "'--listen' must be a port, 1..65535, not '0'");
    EXPECT_EQ(mistake_in({"--file", "x", "--to", "10.0.0"}),
              "'--to' must be an IPv4 address, not '10.0.0'");
    EXPECT_EQ(mistake_in({"--file", "x", "--offload", "2"}),
              "'--offload' must be one of 0|1, not '2'");
    EXPECT_EQ(mistake_in({"--file", "x", "--mac", "02:00"}),
              "'--mac' must be a MAC address, as in 02:00:00:00:01:00, not '02:00'");
    EXPECT_EQ(mistake_in({"--file", "x", "--file", "x"}), "'--file' is given twice");
    EXPECT_EQ(check_command({"send", "--flie", "x"}, kSynopsis).help, "did you mean '--file'?");
}

}  // namespace
}  // namespace doorbell::scenario
