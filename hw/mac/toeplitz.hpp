#pragma once

#include <array>
#include <cstdint>

namespace doorbell {

/// The hash of receive side scaling: for each bit of the input that is 1, the 32 bits of the key
/// that start at the position of that bit are added (exclusive or). Four bits of input are one look
/// into a table that is made when the key is set.
class ToeplitzHash {
public:
    static constexpr std::uint32_t kKeyBytes = 40;
    /// 32 bits of key behind the last bit of input.
    static constexpr std::uint32_t kInputBytes = kKeyBytes - 4;
    using Key = std::array<std::uint8_t, kKeyBytes>;

    void set_key(const Key& key) {
        for (std::uint32_t nibble = 0; nibble < table_.size(); nibble++) {
            std::array<std::uint32_t, kBits> window{};
            for (std::uint32_t bit = 0; bit < kBits; bit++) {
                window[bit] = key_bits(key, nibble * kBits + bit);
            }
            for (std::uint32_t value = 0; value < kValues; value++) {
                std::uint32_t sum = 0;
                for (std::uint32_t bit = 0; bit < kBits; bit++) {
                    if ((value >> (kBits - 1 - bit) & 1) != 0) sum ^= window[bit];
                }
                table_[nibble][value] = sum;
            }
        }
    }
    /// What `size_bytes` of input contribute that lie `offset` bytes behind its start.
    [[nodiscard]] std::uint32_t of(std::uint32_t offset, const std::uint8_t* data,
                                   std::uint32_t size_bytes) const {
        std::uint32_t hash = 0;
        for (std::uint32_t i = 0; i < size_bytes; i++) {
            const std::uint32_t nibble = 2 * (offset + i);
            hash ^= table_[nibble][data[i] >> kBits] ^ table_[nibble + 1][data[i] & (kValues - 1)];
        }
        return hash;
    }

private:
    static constexpr std::uint32_t kBits = 4;
    static constexpr std::uint32_t kValues = 1u << kBits;

    /// 32 bits of the key from a bit on; the first bit of a byte is its highest.
    static std::uint32_t key_bits(const Key& key, std::uint32_t first) {
        std::uint64_t bits = 0;
        for (std::uint32_t i = 0; i < 5; i++) {
            const std::uint32_t byte = first / 8 + i;
            bits = bits << 8 | (byte < kKeyBytes ? key[byte] : 0);
        }
        return static_cast<std::uint32_t>(bits >> (8 - first % 8));
    }

    std::array<std::array<std::uint32_t, kValues>, 2 * kInputBytes> table_{};
};

}  // namespace doorbell
