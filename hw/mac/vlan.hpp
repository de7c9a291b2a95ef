#pragma once

#include <cassert>
#include <cstdint>
#include <cstring>

#include "hw/mac/ethernet.hpp"

namespace doorbell {

/// IEEE 802.1Q tags: four bytes behind the source address, the EtherType (VET) first.
namespace vlan {

inline bool is_tagged(const std::uint8_t* frame, std::uint32_t size_bytes, std::uint16_t vet) {
    return size_bytes >= ethernet::kHeaderBytes + ethernet::kVlanTagBytes &&
           load_be16(frame + ethernet::kTypeOffset) == vet;
}
inline std::uint16_t tag(const std::uint8_t* frame) {
    return load_be16(frame + ethernet::kTagOffset);
}
constexpr std::uint32_t identity(std::uint16_t tag) {
    return tag & 0xfff;
}
constexpr bool canonical_format(std::uint16_t tag) {
    return (tag >> 12 & 1) != 0;
}

/// Removes the tag by moving the addresses four bytes up: the frame then starts at the result.
inline std::uint8_t* strip(std::uint8_t* frame) {
    std::memmove(frame + ethernet::kVlanTagBytes, frame, ethernet::kTypeOffset);
    return frame + ethernet::kVlanTagBytes;
}

/// Inserts a tag into a frame that stands four bytes behind `room`: the addresses move down, the
/// frame then starts at `room`.
inline void insert_below(std::uint8_t* room, std::uint16_t vet, std::uint16_t tag) {
    std::memmove(room, room + ethernet::kVlanTagBytes, ethernet::kTypeOffset);
    store_be16(room + ethernet::kTypeOffset, vet);
    store_be16(room + ethernet::kTagOffset, tag);
}

}  // namespace vlan
}  // namespace doorbell
