#pragma once

#include "hw/base/cause_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// Who wants to know when frames were on the wire: time stamps (IEEE 1588) refer to the end of the
/// start frame delimiter (IEEE 802.3 clause 90.7).
class FrameTimePort {
public:
    virtual ~FrameTimePort() = default;
    virtual void frame_started(Direction direction, const Frame& frame,
                               Picoseconds delimiter_ps) = 0;
};

}  // namespace doorbell
