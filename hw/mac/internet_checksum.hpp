#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "hw/base/bits.hpp"

namespace doorbell {

namespace detail {

/// 64 bits of memory in the order of the machine.
inline unsigned long long machine_word(const std::uint8_t* from) {
    unsigned long long word;
    std::memcpy(&word, from, sizeof word);
    return word;
}

/// `sum` and the 32 bytes at `data`; what runs over is added to `carries`.
inline unsigned long long add_32_bytes(unsigned long long sum, const std::uint8_t* data,
                                       unsigned long long& carries) {
#if defined(__x86_64__)
    // One addition for 8 bytes: the carry goes along in the processor's flag.
    unsigned long long first, second, third, fourth, all;
    unsigned char carry = _addcarry_u64(0, sum, machine_word(data), &first);
    carry = _addcarry_u64(carry, first, machine_word(data + 8), &second);
    carry = _addcarry_u64(carry, second, machine_word(data + 16), &third);
    carry = _addcarry_u64(carry, third, machine_word(data + 24), &fourth);
    _addcarry_u64(carry, carries, 0, &all);
    carries = all;
    return fourth;
#else
    for (std::size_t i = 0; i < 32; i += 8) {
        carries += __builtin_add_overflow(sum, machine_word(data + i), &sum) ? 1 : 0;
    }
    return sum;
#endif
}

}  // namespace detail

/// The one's complement sum of RFC 1071: everything that inserts or checks a checksum uses this.
/// Words are added in the order of the machine, since the sum does not depend on byte order until
/// it is folded (RFC 1071, section 2(B)); 64 bits at a time, in two sums that do not wait for each
/// other, with the carries counted beside them and added in at the end, where they have the weight
/// of 1 (end-around). The result fits into 34 bits, so that sums of several pieces can be added.
inline std::uint64_t internet_partial_sum(const std::uint8_t* data, std::size_t size_bytes) {
    unsigned long long sum = 0;
    unsigned long long other = 0;
    unsigned long long carries = 0;
    std::size_t left = size_bytes;
    for (; left >= 64; left -= 64, data += 64) {
        sum = detail::add_32_bytes(sum, data, carries);
        other = detail::add_32_bytes(other, data + 32, carries);
    }
    carries += __builtin_add_overflow(sum, other, &sum) ? 1 : 0;
    if (left >= 32) {
        sum = detail::add_32_bytes(sum, data, carries);
        left -= 32;
        data += 32;
    }
    for (; left >= 8; left -= 8, data += 8) {
        carries += __builtin_add_overflow(sum, detail::machine_word(data), &sum) ? 1 : 0;
    }
    if (left > 0) {  // A trailing odd byte is the first of a word padded with zero.
        unsigned long long word = 0;
        std::memcpy(&word, data, left);
        carries += __builtin_add_overflow(sum, word, &sum) ? 1 : 0;
    }
    return (sum >> 32) + (sum & 0xffffffff) + carries;
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

/// A partial sum as a sum of big-endian 16-bit words, and `seed` (words added up in host order,
/// such as a pseudo-header) with it.
inline std::uint16_t finish_internet_sum(std::uint64_t partial, std::uint64_t seed = 0) {
    const std::uint16_t native = fold_internet_sum(partial);
    std::uint8_t memory_order[2];
    std::memcpy(memory_order, &native, sizeof native);
    return fold_internet_sum(load_be16(memory_order) + seed);
}

/// Sum of the big-endian 16-bit words of `data`, and of `seed`. What is sent in a checksum field is
/// its complement.
inline std::uint16_t internet_sum(const std::uint8_t* data, std::size_t size_bytes,
                                  std::uint64_t seed = 0) {
    return finish_internet_sum(internet_partial_sum(data, size_bytes), seed);
}

/// The partial sum of what follows `head` in data with the partial sum `whole`; `head` is an even
/// number of bytes. The negative of a sum is its complement (RFC 1624). Zeros that follow may give
/// all ones, which is the other 0 of this arithmetic: equal as soon as a word that is not 0 is
/// added.
inline std::uint64_t internet_sum_behind(std::uint64_t whole, std::uint64_t head) {
    return whole + (fold_internet_sum(head) ^ 0xffffu);
}

/// Data that contains its own checksum sums up to all ones.
inline constexpr std::uint16_t kInternetSumGood = 0xffff;

}  // namespace doorbell
