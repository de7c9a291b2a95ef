#pragma once

#include <cstdint>

#include "hw/base/frame.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// What one end of a cable offers to the other (IEEE 802.3 clause 28 and 40): the PHY's ANAR and
/// CTRL1000 registers when it negotiates, else what it is forced to.
struct LinkAbilities {
    bool present = false;        ///< Somebody is there and powered.
    bool negotiates = true;      ///< false: forced to `speed_mbps` and `full_duplex`.
    std::uint16_t anar = 0;      ///< Register 4 as advertised.
    std::uint16_t ctrl1000 = 0;  ///< Register 9 as advertised.
    std::uint32_t speed_mbps = 0;
    bool full_duplex = true;
    /// Low power link up: offers its lowest speed first, so that both ends come to the lowest one.
    bool lowest_first = false;
    /// 11 bits, drawn anew for each negotiation: who of two equal ends is master of a 1000BASE-T
    /// link (40.5.1.2, message page 2).
    std::uint16_t master_seed = 0;
};

/// What a wire takes off its sender. A cable between simulated NICs carries real frames at a real
/// rate and takes nothing; the way into a host kernel would only undo the work.
struct WireOffloads {
    bool checksums = false;  ///< Takes frames with `FrameHints::checksum_unfinished`.
    bool trains = false;     ///< Puts segments together again: tell it which belong together.
    bool untimed = false;    ///< Has no rate: a frame takes no time on it.
};

/// The wire as the NIC sees it.
class EthernetPort {
public:
    virtual ~EthernetPort() = default;
    /// A frame leaves: `start_ps` is its first preamble bit, `end_ps` the end of its FCS. May be
    /// called before `start_ps`; calls come in the order of their times.
    virtual void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) = 0;
    /// Our PHY's offer changed (or vanished); the other end is told at once.
    virtual void advertise(const LinkAbilities& abilities) = 0;
    /// As of now: may change from frame to frame. Who takes nothing when the NIC is made is not
    /// asked again.
    [[nodiscard]] virtual WireOffloads offloads() const { return {}; }
};

/// The NIC as the wire sees it.
class EthernetEndpoint {
public:
    virtual ~EthernetEndpoint() = default;
    /// A frame has arrived: called at `end_ps`, the time its last bit is here.
    virtual void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) = 0;
    /// The far end's offer as it is now: `present == false` when the cable is out.
    virtual void partner(const LinkAbilities& abilities) = 0;
    /// Link is up and the receiver on: frames are looked at.
    [[nodiscard]] virtual bool listens() const { return true; }
    /// False: a frame of `wire_bytes` would be lost now for want of room. For a far end that can
    /// wait; a real cable cannot and does not ask.
    [[nodiscard]] virtual bool has_room(std::uint32_t wire_bytes) const {
        static_cast<void>(wire_bytes);
        return true;
    }
};

}  // namespace doorbell
