#include "hw/mac/internet_checksum.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

using Bytes = std::vector<std::uint8_t>;

TEST(InternetChecksum, GivesTheExampleOfRfc1071) {
    const Bytes data = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    EXPECT_EQ(internet_sum(data.data(), data.size()), 0xddf2);  // RFC 1071 section 3
}

TEST(InternetChecksum, AHeaderWithItsChecksumSumsToAllOnes) {
    // A well-known header: 4500 0073 0000 4000 4011 B861 C0A8 0001 C0A8 00C7.
    const Bytes header = {0x45, 0x00, 0x00, 0x73, 0x00, 0x00, 0x40, 0x00, 0x40, 0x11,
                          0xb8, 0x61, 0xc0, 0xa8, 0x00, 0x01, 0xc0, 0xa8, 0x00, 0xc7};
    EXPECT_EQ(internet_sum(header.data(), header.size()), kInternetSumGood);
    Bytes without = header;
    without[10] = without[11] = 0;
    EXPECT_EQ(static_cast<std::uint16_t>(~internet_sum(without.data(), without.size())), 0xb861);
}

TEST(InternetChecksum, ATrailingOddByteIsTheHighHalfOfAWord) {
    const Bytes data = {0x12, 0x34, 0x56};
    EXPECT_EQ(internet_sum(data.data(), data.size()), 0x1234 + 0x5600);
}

TEST(InternetChecksum, OfNothingIsItsSeed) {
    EXPECT_EQ(internet_sum(nullptr, 0), 0);
    EXPECT_EQ(internet_sum(nullptr, 0, 0x12345), 0x2346);
}

TEST(InternetChecksum, AgreesWithWordByWordAdditionAtEveryLengthAndAlignment) {
    Prng prng(1);
    Bytes data(2100);
    for (std::uint8_t& byte : data) {
        byte = prng.below(8) == 0 ? std::uint8_t{0xff} : static_cast<std::uint8_t>(prng.next());
    }
    for (std::size_t length = 0; length < 2000; length += 1 + length / 40) {
        for (std::size_t offset = 0; offset < 9; offset++) {
            std::uint32_t sum = 0;
            for (std::size_t i = 0; i < length; i += 2) {
                const std::uint32_t low = i + 1 < length ? data[offset + i + 1] : 0;
                sum += data[offset + i] * 256u + low;
                sum = (sum & 0xffff) + (sum >> 16);
            }
            ASSERT_EQ(internet_sum(data.data() + offset, length), sum) << length << "+" << offset;
        }
    }
}

TEST(InternetChecksum, OfTheRestIsThatOfTheWholeLessItsHead) {
    constexpr std::uint64_t kSeed = 6;  // As a pseudo-header has it: the two zeros become one.
    Prng prng(2);
    Bytes data(200);
    for (std::uint8_t& byte : data) byte = static_cast<std::uint8_t>(prng.next());
    for (std::size_t length = 1; length <= data.size(); length++) {
        const std::uint64_t whole = internet_partial_sum(data.data(), length);
        for (std::size_t head = 0; head < length; head += 2) {
            const std::uint64_t rest =
                internet_sum_behind(whole, internet_partial_sum(data.data(), head));
            ASSERT_EQ(finish_internet_sum(rest, kSeed),
                      internet_sum(data.data() + head, length - head, kSeed))
                << head << " of " << length;
        }
    }
}

TEST(InternetChecksum, LosesNoCarryOnAllOnes) {
    const Bytes data(65536, 0xff);
    EXPECT_EQ(internet_sum(data.data(), data.size()), 0xffff);
}

}  // namespace
}  // namespace doorbell
