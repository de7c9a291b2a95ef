#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

struct CoreParams {
    /// One MDIO frame: 64 bits at an MDC of 2.5 MHz (IEEE 802.3 22.2.4.5).
    Picoseconds mdic_transaction_ps = nanoseconds(25'600);
    /// U10: CTRL after a reset.
    std::uint32_t u10_ctrl_reset = 0x00140249;
    /// A boot agent left SWSM.SMBI set (specification section 11).
    bool smbi_left_set = false;
};

}  // namespace doorbell
