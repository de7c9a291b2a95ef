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
    /// Sent, with a wish for a stamp: may be told ahead of time. Received: true when the frame is
    /// one to be stamped.
    virtual bool frame_started(Direction direction, const Frame& frame,
                               Picoseconds delimiter_ps) = 0;
    /// The frame that was heard last, and is one to be stamped, is good and was let in by the
    /// filter: true when it has got the stamp, which only one can have until software takes it.
    [[nodiscard]] virtual bool stamp_received(const Frame& frame) = 0;
};

}  // namespace doorbell
