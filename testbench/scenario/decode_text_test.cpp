#include "testbench/scenario/decode_text.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace doorbell::scenario {
namespace {

using testing::ElementsAre;

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    if (!command_words(ConfigNode(line, {}), words)) words.push_back("<refused>");
    return words;
}

TEST(DecodeTextTest, ACommandIsSplitAtBlanksAndQuotesKeepThem) {
    EXPECT_THAT(words_of("ping  --to\t10.0.0.2"), ElementsAre("ping", "--to", "10.0.0.2"));
    EXPECT_THAT(words_of("send --file 'a b' \"c d\" e'f g'h ''"),
                ElementsAre("send", "--file", "a b", "c d", "ef gh", ""));
    EXPECT_THAT(words_of("send 'open"), ElementsAre("<refused>"));
    EXPECT_THAT(words_of("   "), ElementsAre("<refused>"));
}

TEST(DecodeTextTest, AddressesAreFourOctetsAndNothingElse) {
    std::uint32_t address = 0;
    EXPECT_TRUE(parse_address("192.168.255.1", address));
    EXPECT_EQ(address, 0xc0a8ff01u);
    for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.-4", "1..2.3", "a.b.c.d",
                            "1.2.3.4 ", "1.2.3.0004"}) {
        EXPECT_FALSE(parse_address(bad, address)) << bad;
    }
}

TEST(DecodeTextTest, NetworksHaveAPrefixOfUpTo32Bits) {
    std::uint32_t address = 0;
    std::uint32_t bits = 0;
    EXPECT_EQ(parse_network("10.0.0.0/8", address, bits), "");
    EXPECT_EQ(bits, 8u);
    EXPECT_NE(parse_network("10.0.0.0", address, bits), "");
    EXPECT_NE(parse_network("10.0.0.0/33", address, bits), "");
    EXPECT_NE(parse_network("10.0.0.0/", address, bits), "");
}

TEST(DecodeTextTest, AStarMatchesAnyPart) {
    EXPECT_TRUE(matches("host.*.tx.frames", "host.a.nic0.tx.frames"));
    EXPECT_TRUE(matches("*", ""));
    EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
    EXPECT_FALSE(matches("a*b", "a-b-c"));
    EXPECT_FALSE(matches("abc", "abcd"));
    EXPECT_TRUE(matches("abc", "abc"));
}

TEST(DecodeTextTest, NumbersHaveNoTail) {
    std::uint64_t whole = 0;
    EXPECT_TRUE(parse_unsigned("18446744073709551615", whole));
    EXPECT_FALSE(parse_unsigned("18446744073709551616", whole));
    EXPECT_FALSE(parse_unsigned("1k", whole));
    double real = 0;
    EXPECT_TRUE(parse_real("1.5e3", real));
    EXPECT_FALSE(parse_real("1.5x", real));
    EXPECT_FALSE(parse_real("nan", real));
}

}  // namespace
}  // namespace doorbell::scenario
