#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "hw/base/bits.hpp"

namespace doorbell {

/// The one's complement sum of RFC 1071: everything that inserts or checks a checksum uses this.
/// Words are added in the order of the machine, since the sum does not depend on byte order until
/// it is folded (RFC 1071, section 2(B)); 64 bits at a time into 128, of which the upper half are
/// the carries: they are added in at the end, where they have the weight of 1 (end-around). The
/// result fits into 34 bits, so that sums of several pieces can be added.
inline std::uint64_t internet_partial_sum(const std::uint8_t* data, std::size_t size_bytes) {
    __extension__ unsigned __int128 sum = 0;
    const auto add = [&](std::uint64_t word) { sum += word; };
    const auto load = [](const std::uint8_t* from) {
        std::uint64_t word;
        std::memcpy(&word, from, sizeof word);
        return word;
    };
    std::size_t i = 0;
    for (; i + 32 <= size_bytes; i += 32) {
        add(load(data + i));
        add(load(data + i + 8));
        add(load(data + i + 16));
        add(load(data + i + 24));
    }
    for (; i + 8 <= size_bytes; i += 8) add(load(data + i));
    if (i < size_bytes) {  // A trailing odd byte is the first of a word padded with zero.
        std::uint64_t word = 0;
        std::memcpy(&word, data + i, size_bytes - i);
        add(word);
    }
    const auto low = static_cast<std::uint64_t>(sum);
    return (low >> 32) + (low & 0xffffffff) + static_cast<std::uint64_t>(sum >> 64);
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
