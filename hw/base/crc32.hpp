#pragma once

#include <cstddef>
#include <cstdint>

namespace doorbell {

/// Ethernet frame check sequence (IEEE 802.3 clause 3.2.9) of `size_bytes` bytes, as the 32-bit
/// value whose least significant byte is sent first.
std::uint32_t ethernet_fcs(const std::uint8_t* data, std::size_t size_bytes);

}  // namespace doorbell
