#pragma once

#include <cstdint>

#include "hw/base/frame.hpp"
#include "hw/base/stats_port.hpp"

namespace doorbell {

/// Which counters a frame moves (specification 2.7). Octets are those from the destination address
/// to the FCS.

/// Every frame that the enabled receiver sees, good or bad.
void count_seen(StatsPort& stats, std::uint32_t wire_bytes);
/// A good frame that passed the filter and found room; one counted in MPC is not counted here.
void count_received(StatsPort& stats, const Frame& frame);
/// A frame that went out.
void count_sent(StatsPort& stats, const Frame& frame);
/// A PAUSE frame that went out: in the totals, and in XOFFTXC or XONTXC, but no good packet.
void count_pause_sent(StatsPort& stats, const Frame& frame, bool xoff);

}  // namespace doorbell
