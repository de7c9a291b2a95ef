#include "testbench/wire/wire_delivery.hpp"

#include <utility>

#include "hw/base/generated/events.hpp"

namespace doorbell::wire {

WireDelivery::WireDelivery(Timeline& timeline, EventPort events, Picoseconds propagation_ps)
    : timeline_(timeline),
      events_(events),
      propagation_ps_(propagation_ps),
      ring_(16),
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
    push({std::move(frame), start_ps + propagation_ps_, busy_until_ps_ + propagation_ps_});
    if (count_ == 1) timeline_.schedule(deliver_, at(0).end_ps);
}

void WireDelivery::deliver() {
    while (count_ > 0 && at(0).end_ps <= timeline_.now_ps()) {
        Flight flight = pop();
        delivered_frames_++;
        delivered_bytes_ += flight.frame->wire_bytes();
        if (arrival_ != nullptr) arrival_->arrived(*flight.frame, flight.end_ps);
        endpoint_->receive(std::move(flight.frame), flight.start_ps, flight.end_ps);
    }
    if (count_ > 0 && !deliver_.scheduled()) timeline_.schedule(deliver_, at(0).end_ps);
}

std::uint64_t WireDelivery::clear() {
    timeline_.cancel(deliver_);
    const std::uint64_t lost = count_;
    while (count_ > 0) pop();
    busy_until_ps_ = 0;
    return lost;
}

void WireDelivery::push(Flight flight) {
    if (count_ == ring_.size()) {
        std::vector<Flight> larger(ring_.size() * 2);
        for (std::size_t i = 0; i < count_; i++) larger[i] = std::move(at(i));
        ring_ = std::move(larger);
        head_ = 0;
    }
    at(count_) = std::move(flight);
    count_++;
}

WireDelivery::Flight WireDelivery::pop() {
    Flight flight = std::move(at(0));
    head_ = (head_ + 1) % ring_.size();
    count_--;
    return flight;
}

}  // namespace doorbell::wire
