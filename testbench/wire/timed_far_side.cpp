#include "testbench/wire/timed_far_side.hpp"

#include <algorithm>
#include <utility>

namespace doorbell::wire {

namespace {

constexpr std::uint64_t kByteAtOneMbps_ps = 8'000'000;

/// The sender's clock has whole picoseconds a byte, so it may be a little faster than its rate.
LinkParams cable_for(std::uint32_t rate_mbps) {
    LinkParams cable;
    cable.rate_mbps = rate_mbps;
    if (kByteAtOneMbps_ps % rate_mbps != 0) cable.rate_mbps++;
    return cable;
}

}  // namespace

TimedFarSide::TimedFarSide(std::unique_ptr<FarSide> outside, std::uint32_t rate_mbps,
                           const FarSideContext& context)
    : context_(context),
      byte_ps_((kByteAtOneMbps_ps + rate_mbps - 1) / rate_mbps),
      rate_mbps_(rate_mbps),
      outside_(std::move(outside)),
      outer_end_(*this),
      entrance_(*this),
      cable_(context.timeline, context.frames, context.events, cable_for(rate_mbps), 1, 0) {
    cable_.attach(kOuterEnd, outer_end_);
}

TimedFarSide::~TimedFarSide() = default;

void TimedFarSide::attach(EthernetEndpoint& endpoint) {
    nic_ = &endpoint;
    cable_.attach(kNicEnd, endpoint);
    outside_->attach(entrance_);
}

void TimedFarSide::transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    cable_.port(kNicEnd).transmit(std::move(frame), start_ps, end_ps);
}

void TimedFarSide::advertise(const LinkAbilities& abilities) {
    cable_.port(kNicEnd).advertise(abilities);
}

void TimedFarSide::before_wait(std::vector<pollfd>& watched, int& timeout_ms) {
    outside_->before_wait(watched, timeout_ms);
}

void TimedFarSide::after_wait(const pollfd* ready, std::size_t count) {
    outside_->after_wait(ready, count);
}

void TimedFarSide::flush() {
    outside_->flush();
}

std::string TimedFarSide::description() const {
    return outside_->description() + ", over a cable of " + std::to_string(rate_mbps_) + " Mb/s";
}

void TimedFarSide::visit_metrics(MetricVisitor& visitor) const {
    outside_->visit_metrics(visitor);
    cable_.visit_metrics(visitor);
}

void TimedFarSide::OuterEnd::receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    owner_.outside_->transmit(std::move(frame), start_ps, end_ps);
}

void TimedFarSide::OuterEnd::partner(const LinkAbilities& abilities) {
    owner_.outside_->advertise(abilities);
}

void TimedFarSide::Entrance::receive(FramePtr frame, Picoseconds, Picoseconds) {
    const Picoseconds start_ps = std::max(free_ps_, owner_.context_.timeline.now_ps());
    const Picoseconds end_ps =
        start_ps + (WireDelivery::kPreambleBytes + frame->wire_bytes()) * owner_.byte_ps_;
    free_ps_ = end_ps + WireDelivery::kGapBytes * owner_.byte_ps_;
    owner_.cable_.port(kOuterEnd).transmit(std::move(frame), start_ps, end_ps);
}

void TimedFarSide::Entrance::partner(const LinkAbilities& abilities) {
    owner_.cable_.port(kOuterEnd).advertise(abilities);
}

bool TimedFarSide::Entrance::has_room(std::uint32_t) const {
    return free_ps_ <= owner_.context_.timeline.now_ps() + kAhead_ps;
}

bool TimedFarSide::Entrance::listens() const {
    return owner_.nic_ != nullptr && owner_.nic_->listens();
}

}  // namespace doorbell::wire
