#include "testbench/wire/wire_delivery.hpp"

#include <utility>

#include "hw/base/generated/events.hpp"

namespace doorbell::wire {

WireDelivery::WireDelivery(Timeline& timeline, EventPort events, Picoseconds propagation_ps)
    : timeline_(timeline),
      events_(events),
      propagation_ps_(propagation_ps),
      deliver_([this] { deliver(); }) {}

WireDelivery::~WireDelivery() {
    timeline_.cancel(deliver_);
}

void WireDelivery::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    const Picoseconds duration_ps = end_ps - start_ps;
    if (start_ps < busy_until_ps_) {
        const Picoseconds byte_ps = duration_ps / (kPreambleBytes + frame->wire_bytes());
        const Picoseconds shifted_ps = busy_until_ps_ + kGapBytes * byte_ps;
        if (shifted_ps - start_ps > kBacklogLimit_ps) {
            backlog_drops_++;
            events::wire_fault(events_, timeline_, {frame->packet, frame->number},
                               static_cast<std::uint64_t>(WireFault::kLost),
                               static_cast<std::uint64_t>(LossReason::kBacklog));
            return;
        }
        start_ps = shifted_ps;
    }
    busy_until_ps_ = start_ps + duration_ps;
    flights_.push({std::move(frame), start_ps + propagation_ps_, busy_until_ps_ + propagation_ps_});
    if (flights_.size() == 1) timeline_.schedule(deliver_, flights_.front().end_ps);
}

void WireDelivery::deliver() {
    while (!flights_.empty() && flights_.front().end_ps <= timeline_.now_ps()) {
        Flight flight = flights_.pop();
        delivered_frames_++;
        delivered_bytes_ += flight.frame->wire_bytes();
        if (arrival_ != nullptr) arrival_->arrived(*flight.frame, flight.end_ps);
        endpoint_->receive(std::move(flight.frame), flight.start_ps, flight.end_ps);
    }
    if (!flights_.empty() && !deliver_.scheduled()) {
        timeline_.schedule(deliver_, flights_.front().end_ps);
    }
}

std::uint64_t WireDelivery::clear() {
    timeline_.cancel(deliver_);
    const std::uint64_t lost = flights_.size();
    while (!flights_.empty()) (void)flights_.pop();
    busy_until_ps_ = 0;
    return lost;
}

}  // namespace doorbell::wire
