#pragma once

#include <cstdint>

#include "hw/base/link_port.hpp"

namespace doorbell::phy {

/// What two ends of a cable come to, seen from one of them.
struct Resolution {
    bool link = false;
    std::uint32_t speed_mbps = 0;
    bool full_duplex = false;
};

/// Both negotiate: the best common mode (IEEE 802.3 annex 28B.3), or the worst when one of them
/// asks for low power link up. One negotiates: it detects the other's 10 or 100 Mb/s in parallel
/// and takes half duplex (28.2.3.1). Both are forced: link at equal speeds, each with its own
/// duplex.
[[nodiscard]] Resolution resolve(const LinkAbilities& mine, const LinkAbilities& theirs);

/// Who may send PAUSE frames to whom (IEEE 802.3 table 28B-3).
struct PauseResolution {
    bool transmit = false;
    bool receive = false;
};
[[nodiscard]] PauseResolution resolve_pause(std::uint16_t my_anar, std::uint16_t their_anar);

/// Which end of a 1000BASE-T link gives the clock, seen from one of them (IEEE 802.3 table 40-5).
enum class ClockRole : std::uint8_t {
    kSlave,
    kMaster,
    kTie,    ///< Equal seeds: both ends draw again.
    kFault,  ///< Both are set by hand to the same: no link.
};
[[nodiscard]] ClockRole resolve_clock_role(const LinkAbilities& mine, const LinkAbilities& theirs);

}  // namespace doorbell::phy
