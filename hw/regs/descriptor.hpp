#pragma once

#include <array>
#include <cstdint>

#include "hw/base/bits.hpp"

namespace doorbell::regs {

/// A descriptor as it lies in host memory: N little-endian words of 64 bits. Copy it once, judge
/// the copy: the driver may rewrite its memory at any time.
template <unsigned N>
struct Descriptor {
    std::array<std::uint64_t, N> words{};

    static constexpr unsigned kSizeBytes = N * 8;

    static Descriptor load(const std::uint8_t* bytes) {
        Descriptor copy;
        for (unsigned i = 0; i < N; i++) copy.words[i] = load_le64(bytes + i * 8);
        return copy;
    }
    void store(std::uint8_t* bytes) const {
        for (unsigned i = 0; i < N; i++) store_le64(bytes + i * 8, words[i]);
    }
};

/// A named bit range of one word of a descriptor format. `N` is the format's number of words: a
/// field of a 32-byte format cannot be applied to a 16-byte descriptor.
template <unsigned N>
struct DescriptorField {
    const char* name;
    unsigned word;
    unsigned lsb;
    unsigned width;
    const char* description;

    constexpr std::uint64_t mask() const {
        return (width == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1) << lsb;
    }
    constexpr std::uint64_t get(const Descriptor<N>& descriptor) const {
        return (descriptor.words[word] & mask()) >> lsb;
    }
    constexpr void put(Descriptor<N>& descriptor, std::uint64_t value) const {
        descriptor.words[word] = (descriptor.words[word] & ~mask()) | ((value << lsb) & mask());
    }
};

}  // namespace doorbell::regs
