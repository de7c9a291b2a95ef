#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "hw/base/event_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/poll_source.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::wire {

/// The outside world at the other end of a served NIC's cable: a TAP device, a user-mode network, a
/// capture file, another process. It is the NIC's `EthernetPort`, watches descriptors of its own,
/// and hands what arrives to the NIC at the timeline's present time, never from within a call of
/// the NIC's.
class FarSide : public EthernetPort, public PollSource {
public:
    /// The NIC to deliver to; before the first frame, and once. The NIC has been made, and may not
    /// have been reset yet.
    virtual void attach(EthernetEndpoint& endpoint) = 0;
    /// Called once at the end of each turn of the loop: what was collected goes out now, and what
    /// waited for room in the NIC goes in.
    virtual void flush() {}
    /// Sees every frame (end 0 is the NIC: out is what it sends, in what it is given), whole and
    /// with its checksums, as on a cable; nullptr for nobody.
    virtual void tap(WireTap* tap) = 0;
    /// What it is and what it can do, for a line of the log: "TAP device tap0, ...".
    [[nodiscard]] virtual std::string description() const = 0;
    virtual void visit_metrics(MetricVisitor& visitor) const = 0;
};

/// A capture file that is being written: `frame_out` is what the NIC at end 0 sends.
class CaptureFile : public WireTap {
public:
    /// What has been seen can be read by others; false when something could not be written.
    [[nodiscard]] virtual bool flush() = 0;
};

/// Opens one; nullptr and a sentence when that cannot be.
using OpenCapture =
    std::function<std::unique_ptr<CaptureFile>(const std::string& path, std::string& error)>;

/// What a far side is made with; all of it outlives it.
struct FarSideContext {
    Timeline& timeline;
    FramePool& frames;
    EventPort events = {};
    /// A line for the log, without a full stop: what a user should know while it runs.
    std::function<void(const std::string&)> say = {};
    OpenCapture open_capture = {};  ///< For `pcap:IN,OUT`.
};

}  // namespace doorbell::wire
