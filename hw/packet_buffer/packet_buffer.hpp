#pragma once

#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// What a frame of `frame_bytes` (FCS included) takes in the packet buffer: whole words of 8 bytes
/// and a header of 16.
constexpr std::uint32_t packet_buffer_bytes(std::uint32_t frame_bytes) {
    return (frame_bytes + 7) / 8 * 8 + 16;
}

/// The 40 KB split between receive and transmit: PBA.RXA of PBS.SIZE, what is beyond either is cut
/// off.
struct PacketBufferSplit {
    std::uint32_t rx_bytes = 0;
    std::uint32_t tx_bytes = 0;
};
inline constexpr std::uint32_t kPacketBufferKilobytes = 40;
[[nodiscard]] PacketBufferSplit split_packet_buffer(
    std::uint32_t rxa_kilobytes, std::uint32_t pbs_kilobytes = kPacketBufferKilobytes);

/// Hears when the fill of a FIFO crosses a watermark: flow control generates PAUSE frames from it.
class WatermarkListener {
public:
    virtual ~WatermarkListener() = default;
    virtual void above_high_watermark() = 0;
    virtual void below_low_watermark() = 0;
};

/// Occupancy of one half of the packet buffer. Knows bytes, not frames.
class FifoSpace {
public:
    FifoSpace(Direction direction, EventPort events) : direction_(direction), events_(events) {}

    void reset(std::uint32_t capacity_bytes) {
        capacity_bytes_ = capacity_bytes;
        used_bytes_ = 0;
        above_high_ = false;
    }
    /// `high_bytes` 0: never. FCRTH and FCRTL (specification 7.6). What is above the high one now
    /// is told at once.
    void set_watermarks(std::uint32_t high_bytes, std::uint32_t low_bytes,
                        WatermarkListener* listener);

    [[nodiscard]] std::uint32_t capacity_bytes() const { return capacity_bytes_; }
    [[nodiscard]] std::uint32_t used_bytes() const { return used_bytes_; }
    [[nodiscard]] std::uint32_t free_bytes() const { return capacity_bytes_ - used_bytes_; }
    [[nodiscard]] std::uint32_t peak_bytes() const { return peak_bytes_; }

    /// False, and nothing changed, when there is no room.
    [[nodiscard]] bool reserve(std::uint32_t bytes, Picoseconds now_ps);
    void release(std::uint32_t bytes, Picoseconds now_ps);

private:
    void changed(Picoseconds now_ps);
    void check_watermarks() {
        if (high_bytes_ != 0) compare_with_watermarks();
    }
    void compare_with_watermarks();

    Direction direction_;
    EventPort events_;
    std::uint32_t capacity_bytes_ = 0;
    std::uint32_t used_bytes_ = 0;
    std::uint32_t peak_bytes_ = 0;
    std::uint32_t high_bytes_ = 0;
    std::uint32_t low_bytes_ = 0;
    bool above_high_ = false;
    WatermarkListener* listener_ = nullptr;
};

}  // namespace doorbell
