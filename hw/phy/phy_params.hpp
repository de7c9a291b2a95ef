#pragma once

#include "hw/base/time.hpp"

namespace doorbell {

struct PhyParams {
    /// From the restart of negotiation (or the cable going in) to link: 2 s to 4 s on real copper.
    Picoseconds autonegotiation_ps = seconds(2);
    /// The same when one end is forced: parallel detection, or BMCR.AN_ENABLE = 0.
    Picoseconds forced_link_ps = milliseconds(10);
    /// Erratum: the receive path hangs this long after the link came up, until the PHY is reset; 0
    /// is never.
    Picoseconds erratum_receive_hang_ps = 0;
    /// A frame's way through the PHY, from the MAC to the cable and back from it. 0: none; no
    /// figure of this PHY is public.
    Picoseconds tx_latency_ps = 0;
    Picoseconds rx_latency_ps = 0;
    /// U19: a register or page that does not exist answers with an error instead of 0.
    bool u19_unknown_register_is_error = false;
};

}  // namespace doorbell
