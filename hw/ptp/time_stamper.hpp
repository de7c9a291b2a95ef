#pragma once

#include <array>

#include "hw/base/frame_time_port.hpp"

namespace doorbell {

/// The place of IEEE 1588 in the NIC: hears the time of each frame's start delimiter, on its way
/// out and in. The registers of the group (SYSTIM, TIMINCA, TSYNCTXCTL, ...) are storage of the
/// register file so far; a clock that runs and stamps that latch will be built here.
class TimeStamper final : public FrameTimePort {
public:
    struct Last {
        std::uint64_t frame = 0;
        Picoseconds delimiter_ps = 0;
        std::uint64_t frames = 0;
    };

    void frame_started(Direction direction, const Frame& frame, Picoseconds delimiter_ps) override {
        Last& last = last_[static_cast<std::size_t>(direction)];
        last = {frame.number, delimiter_ps, last.frames + 1};
    }
    void reset() { last_ = {}; }
    [[nodiscard]] const Last& last(Direction direction) const {
        return last_[static_cast<std::size_t>(direction)];
    }

private:
    std::array<Last, 2> last_;
};

}  // namespace doorbell
