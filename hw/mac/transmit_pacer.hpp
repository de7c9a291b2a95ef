#pragma once

#include <algorithm>
#include <cstdint>

#include "hw/base/byte_time.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// The transmit side of the wire as a resource with a busy-until time:
///
///      start_ps                                  end_ps          free_ps
///     ....| preamble 8 | destination .. FCS         |  gap  4 + IPGT  |....
///
/// The gap is 96 bit times with TIPG at its reset value (IEEE 802.3 clause 4.4.2); AIT adds to it.
class TransmitPacer {
public:
    struct Slot {
        Picoseconds start_ps;  ///< First bit of the preamble.
        Picoseconds end_ps;    ///< Last bit of the FCS.
    };

    void set_speed(std::uint32_t speed_mbps);
    /// TIPG.IPGT and AIT.AIFS, both in byte times.
    void set_gap(std::uint32_t ipgt, std::uint32_t aifs) { gap_bytes_ = kFixedGap + ipgt + aifs; }
    void reset(Picoseconds now_ps);

    [[nodiscard]] Picoseconds free_ps() const { return free_ps_; }
    /// When a frame that is ready at `ready_ps` can start.
    [[nodiscard]] Picoseconds start_ps(Picoseconds ready_ps) const {
        return std::max({ready_ps, free_ps_, paused_until_ps_});
    }
    /// The same for a MAC control frame, which no PAUSE holds back.
    [[nodiscard]] Picoseconds control_start_ps(Picoseconds ready_ps) const {
        return std::max(ready_ps, free_ps_);
    }
    /// The partner's PAUSE: what is on the wire ends, no other frame starts before.
    void pause(Picoseconds until_ps) { paused_until_ps_ = until_ps; }
    /// Whether the pause alone holds back a frame that is ready at `ready_ps`.
    [[nodiscard]] bool paused_at(Picoseconds ready_ps) const {
        return paused_until_ps_ > control_start_ps(ready_ps);
    }
    /// Takes the wire for a frame of `wire_bytes` (FCS included) from `start_ps`, which is free.
    Slot reserve(Picoseconds start_ps, std::uint32_t wire_bytes);
    /// A frame for a wire without a rate takes no time on it; it only keeps its place in the order.
    Slot pass(Picoseconds start_ps) {
        free_ps_ = start_ps;
        return {start_ps, start_ps};
    }

private:
    static constexpr std::uint32_t kFixedGap = 4;

    ByteTime byte_time_{1000};
    std::uint32_t gap_bytes_ = kFixedGap + 8;
    Picoseconds free_ps_ = 0;
    Picoseconds paused_until_ps_ = 0;
};

}  // namespace doorbell
