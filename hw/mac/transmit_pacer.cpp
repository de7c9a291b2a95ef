#include "hw/mac/transmit_pacer.hpp"

#include <cassert>

#include "hw/mac/ethernet.hpp"

namespace doorbell {

void TransmitPacer::set_speed(std::uint32_t speed_mbps) {
    assert(speed_mbps > 0);
    byte_ps_ = seconds(8) / (std::uint64_t{speed_mbps} * 1'000'000);
}

void TransmitPacer::reset(Picoseconds now_ps) {
    // What is on the wire stays there: the next frame keeps its distance to it.
    if (free_ps_ < now_ps) free_ps_ = now_ps;
    paused_until_ps_ = 0;
}

TransmitPacer::Slot TransmitPacer::reserve(Picoseconds start_ps, std::uint32_t wire_bytes) {
    assert(start_ps >= free_ps_);
    const Picoseconds end_ps = start_ps + (ethernet::kPreambleBytes + wire_bytes) * byte_ps_;
    free_ps_ = end_ps + gap_bytes_ * byte_ps_;
    return {start_ps, end_ps};
}

}  // namespace doorbell
