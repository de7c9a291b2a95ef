#pragma once

#include <cstdint>

namespace doorbell {

/// BAR1 and the flash range of the I/O window: no flash is fitted, so every byte reads as erased
/// (specification 1.3) and writes are lost.
inline constexpr std::uint32_t kErasedFlash = 0xFFFFFFFF;

}  // namespace doorbell
