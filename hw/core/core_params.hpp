#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

struct CoreParams {
    /// One MDIO frame: 64 bits at an MDC of 2.5 MHz (IEEE 802.3 22.2.4.5).
    Picoseconds mdic_transaction_ps = nanoseconds(25'600);
    /// U6: what PBA.TXA reads.
    enum class Txa : std::uint8_t { kDerived = 0, kStorage = 1 };
    /// U22: what is in the tables that the specification calls undefined after power-on.
    enum class Tables : std::uint8_t { kZero = 0, kRandom = 1 };

    Txa u6_pba_txa = Txa::kDerived;
    /// U10: CTRL after a reset.
    std::uint32_t u10_ctrl_reset = 0x00140249;
    /// U11: others whose reset value is in doubt.
    std::uint32_t u11_ctrl_ext_reset = 0;
    std::uint32_t u11_factps_reset = 0x20000004;
    std::uint32_t u11_gcr_reset = 0x06800200;
    std::uint32_t u11_ledctl_reset = 0x00068302;
    std::uint32_t u11_manc_reset = 0x10000000;
    Tables u22_tables = Tables::kZero;
    /// A boot agent left SWSM.SMBI set (specification section 11).
    bool smbi_left_set = false;
};

}  // namespace doorbell
