#include "hw/packet_buffer/packet_buffer.hpp"

#include <algorithm>
#include <cassert>

#include "hw/base/generated/events.hpp"

namespace doorbell {

PacketBufferSplit split_packet_buffer(std::uint32_t rxa_kilobytes, std::uint32_t pbs_kilobytes) {
    const std::uint32_t total = std::min(pbs_kilobytes, kPacketBufferKilobytes);
    const std::uint32_t rx = std::min(rxa_kilobytes, total);
    return {rx * 1024, (total - rx) * 1024};
}

void FifoSpace::set_watermarks(std::uint32_t high_bytes, std::uint32_t low_bytes,
                               WatermarkListener* listener) {
    high_bytes_ = high_bytes;
    low_bytes_ = low_bytes;
    listener_ = listener;
    if (high_bytes == 0) above_high_ = false;
    check_watermarks();
}

bool FifoSpace::reserve(std::uint32_t bytes, Picoseconds now_ps) {
    if (bytes > free_bytes()) return false;
    used_bytes_ += bytes;
    peak_bytes_ = std::max(peak_bytes_, used_bytes_);
    changed(now_ps);
    return true;
}

void FifoSpace::release(std::uint32_t bytes, Picoseconds now_ps) {
    assert(bytes <= used_bytes_);
    used_bytes_ -= bytes;
    changed(now_ps);
}

void FifoSpace::changed(Picoseconds now_ps) {
    events::fifo_level(events_, now_ps, {}, static_cast<std::uint64_t>(direction_), used_bytes_,
                       capacity_bytes_);
    check_watermarks();
}

void FifoSpace::compare_with_watermarks() {
    if (!above_high_ && used_bytes_ > high_bytes_) {
        above_high_ = true;
        listener_->above_high_watermark();
    } else if (above_high_ && used_bytes_ < low_bytes_) {
        above_high_ = false;
        listener_->below_low_watermark();
    }
}

}  // namespace doorbell
