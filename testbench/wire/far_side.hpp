#pragma once

#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/poll_source.hpp"

namespace doorbell::wire {

/// The outside world at the other end of a served NIC's cable: a TAP device, a user-mode network, a
/// capture file, another process. It is the NIC's `EthernetPort`, watches descriptors of its own,
/// and hands what arrives to the NIC at the timeline's present time.
class FarSide : public EthernetPort, public PollSource {
public:
    /// The NIC to deliver to; before the first frame, and once.
    virtual void attach(EthernetEndpoint& endpoint) = 0;
    /// Called once at the end of each turn of the loop: what was collected goes out now.
    virtual void flush() {}
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

}  // namespace doorbell::wire
