#pragma once

#include "hw/base/cause_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// Rings and descriptors of one personality (82574L: hw/rings). Between the MAC's filters and the
/// DMA engine; knows its registers through the register file.
class QueueEngine : public WriteBackPort {
public:
    /// A new epoch: heads, tails, caches, FIFOs and pending write-backs are gone.
    virtual void reset() = 0;
    /// Link, speed, bus mastering or an enable bit changed: look again at what may run.
    virtual void device_state_changed() = 0;
    /// A frame has arrived whole (from the wire, or looped back).
    virtual void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) = 0;
    /// Link is up and the receiver on: frames are looked at.
    [[nodiscard]] virtual bool listens() const { return true; }
    /// False: a frame of `wire_bytes` would be lost now for want of room in the packet buffer.
    [[nodiscard]] virtual bool has_room(std::uint32_t wire_bytes) const {
        static_cast<void>(wire_bytes);
        return true;
    }
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

}  // namespace doorbell
