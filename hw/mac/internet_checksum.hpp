#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hw/base/bits.hpp"

namespace doorbell {

/// The one's complement sum of RFC 1071: everything that inserts or checks a checksum uses this.
/// Words are added in the order of the machine, 32 bits at a time into 64: the sum does not depend
/// on byte order until it is folded (RFC 1071, section 2(B)), and 2^32 words fit before a carry is
/// lost, which is far more than a frame holds.
inline std::uint64_t internet_partial_sum(const std::uint8_t* data, std::size_t size_bytes) {
    std::uint64_t sum = 0;
    std::size_t i = 0;
    for (; i + 4 <= size_bytes; i += 4) {
        std::uint32_t word;
        std::memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    if (i < size_bytes) {  // A trailing odd byte is the first of a word padded with zero.
        std::uint32_t word = 0;
        std::memcpy(&word, data + i, size_bytes - i);
        sum += word;
    }
    return sum;
}

/// 64 bits of carries brought down to 16; 0 only when nothing but zeros was added.
inline std::uint16_t fold_internet_sum(std::uint64_t sum) {
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 32) + (sum & 0xffffffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    sum = (sum >> 16) + (sum & 0xffff);
    return static_cast<std::uint16_t>(sum);
}

/// Sum of the big-endian 16-bit words of `data`, and of `seed` (words added up in host order, such
/// as a pseudo-header). What is sent in a checksum field is its complement.
inline std::uint16_t internet_sum(const std::uint8_t* data, std::size_t size_bytes,
                                  std::uint64_t seed = 0) {
    const std::uint16_t native = fold_internet_sum(internet_partial_sum(data, size_bytes));
    std::uint8_t memory_order[2];
    std::memcpy(memory_order, &native, sizeof native);
    return fold_internet_sum(load_be16(memory_order) + seed);
}

/// Data that contains its own checksum sums up to all ones.
inline constexpr std::uint16_t kInternetSumGood = 0xffff;

}  // namespace doorbell
