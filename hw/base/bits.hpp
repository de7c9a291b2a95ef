#pragma once

#include <cstdint>
#include <cstring>

/// Byte order stands here and nowhere else. Descriptors and registers are little-endian, network
/// headers big-endian; both are read byte by byte so that alignment and host order do not matter.
namespace doorbell {

/// Little-endian hosts, which is nearly all, copy; others turn the bytes round.
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
constexpr std::uint16_t from_le(std::uint16_t v) {
    return v;
}
constexpr std::uint32_t from_le(std::uint32_t v) {
    return v;
}
constexpr std::uint64_t from_le(std::uint64_t v) {
    return v;
}
#else
constexpr std::uint16_t from_le(std::uint16_t v) {
    return __builtin_bswap16(v);
}
constexpr std::uint32_t from_le(std::uint32_t v) {
    return __builtin_bswap32(v);
}
constexpr std::uint64_t from_le(std::uint64_t v) {
    return __builtin_bswap64(v);
}
#endif

template <typename Word>
Word load_le(const std::uint8_t* p) {
    Word v;
    std::memcpy(&v, p, sizeof v);
    return from_le(v);
}
template <typename Word>
void store_le(std::uint8_t* p, Word v) {
    v = from_le(v);
    std::memcpy(p, &v, sizeof v);
}

inline std::uint16_t load_le16(const std::uint8_t* p) {
    return load_le<std::uint16_t>(p);
}
inline std::uint32_t load_le32(const std::uint8_t* p) {
    return load_le<std::uint32_t>(p);
}
inline std::uint64_t load_le64(const std::uint8_t* p) {
    return load_le<std::uint64_t>(p);
}
inline void store_le16(std::uint8_t* p, std::uint16_t v) {
    store_le(p, v);
}
inline void store_le32(std::uint8_t* p, std::uint32_t v) {
    store_le(p, v);
}
inline void store_le64(std::uint8_t* p, std::uint64_t v) {
    store_le(p, v);
}

inline std::uint16_t load_be16(const std::uint8_t* p) {
    return static_cast<std::uint16_t>(p[0] << 8 | p[1]);
}
inline std::uint32_t load_be32(const std::uint8_t* p) {
    return static_cast<std::uint32_t>(load_be16(p)) << 16 | load_be16(p + 2);
}
inline void store_be16(std::uint8_t* p, std::uint16_t v) {
    p[0] = static_cast<std::uint8_t>(v >> 8);
    p[1] = static_cast<std::uint8_t>(v);
}
inline void store_be32(std::uint8_t* p, std::uint32_t v) {
    store_be16(p, static_cast<std::uint16_t>(v >> 16));
    store_be16(p + 2, static_cast<std::uint16_t>(v));
}

/// The `width` bits of `word` that start at bit `lsb`.
constexpr std::uint64_t bits(std::uint64_t word, unsigned lsb, unsigned width) {
    return (word >> lsb) & (width >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << width) - 1);
}
constexpr bool bit(std::uint64_t word, unsigned index) {
    return (word >> index & 1) != 0;
}

/// The smallest power of two that is not below `n`; 1 for 0.
template <typename Word>
constexpr Word power_of_two_from(Word n) {
    Word power = 1;
    while (power < n) power *= 2;
    return power;
}

}  // namespace doorbell
