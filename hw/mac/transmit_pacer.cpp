#include "hw/mac/transmit_pacer.hpp"

#include <cassert>

#include "hw/mac/ethernet.hpp"

namespace doorbell {

void TransmitPacer::set_speed(std::uint32_t speed_mbps) {
    assert(speed_mbps > 0);
    if (speed_mbps != byte_time_.rate_mbps()) byte_time_ = ByteTime(speed_mbps);
}

void TransmitPacer::reset(Picoseconds now_ps) {
    // What is on the wire stays there: the next frame keeps its distance to it.
    if (free_ps_ < now_ps) free_ps_ = now_ps;
    paused_until_ps_ = 0;
}

TransmitPacer::Slot TransmitPacer::reserve(Picoseconds start_ps, std::uint32_t wire_bytes) {
    assert(start_ps >= free_ps_);
    // A frame right behind another one starts where that one's gap ends to the fraction of a
    // picosecond: only then do rates that divide no whole ones keep their rate.
    if (start_ps > free_ps_) byte_time_.forget_fraction();
    const Picoseconds end_ps = start_ps + byte_time_.take(ethernet::kPreambleBytes + wire_bytes);
    free_ps_ = end_ps + byte_time_.take(gap_bytes_);
    return {start_ps, end_ps};
}

}  // namespace doorbell
