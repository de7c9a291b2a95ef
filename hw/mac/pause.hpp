#pragma once

#include <cstdint>
#include <cstring>

#include "hw/base/frame.hpp"
#include "hw/base/time.hpp"
#include "hw/mac/ethernet.hpp"

/// A PAUSE frame (IEEE 802.3 annex 31B):
///
///     destination 6 | source 6 | type 2 | opcode 2 | time 2 | zeros to 60 bytes | FCS 4
namespace doorbell::pause {

inline constexpr std::uint16_t kOpcode = 1;
inline constexpr std::uint32_t kOpcodeOffset = ethernet::kHeaderBytes;
inline constexpr std::uint32_t kTimeOffset = kOpcodeOffset + 2;
/// What has to be there to know the time.
inline constexpr std::uint32_t kMinimumBytes = kTimeOffset + 2;
inline constexpr std::uint32_t kFrameBytes = ethernet::kMinimumFrameBytes - ethernet::kFcsBytes;
/// On the wire, with preamble and gap.
inline constexpr std::uint64_t kWireBits =
    (ethernet::kPreambleBytes + ethernet::kMinimumFrameBytes + 12) * 8;
/// The unit of the time.
inline constexpr std::uint32_t kQuantumBits = 512;
/// A station that was told to stop begins no frame later than this (31B.3.7, up to 1000 Mb/s).
inline constexpr std::uint32_t kReactionBits = 2 * kQuantumBits;

constexpr Picoseconds bit_times(std::uint64_t bits, std::uint32_t speed_mbps) {
    return bits * 1'000'000 / speed_mbps;
}

/// Time 0 is XON.
inline void build(Frame& frame, ethernet::Address destination, ethernet::Address source,
                  std::uint16_t type, std::uint16_t quanta) {
    frame.resize(kFrameBytes);
    std::memset(frame.data(), 0, kFrameBytes);
    ethernet::store_address(frame.data(), destination);
    ethernet::store_address(frame.data() + ethernet::kSourceOffset, source);
    store_be16(frame.data() + ethernet::kTypeOffset, type);
    store_be16(frame.data() + kOpcodeOffset, kOpcode);
    store_be16(frame.data() + kTimeOffset, quanta);
}

}  // namespace doorbell::pause
