#include "hw/nic/loopback.hpp"

#include <utility>

namespace doorbell {

namespace {

/// Preamble and start frame delimiter: a time stamp refers to their end (IEEE 802.3 clause 90.7).
constexpr Picoseconds kPreambleBits = 64;
/// Places of frames that have arrived are given back by this many at a time.
constexpr std::size_t kCompactAt = 128;

}  // namespace

Loopback::Loopback(Timeline& timeline, const DeviceState& state, EthernetPort& wire,
                   FrameTimePort& times)
    : timeline_(timeline), state_(state), wire_(wire), times_(times), arrival_task_([this] {
          arrive();
      }) {}

Loopback::~Loopback() {
    timeline_.cancel(arrival_task_);
}

void Loopback::reset() {
    timeline_.cancel(arrival_task_);
    turning_.clear();
    next_ = 0;
}

Picoseconds Loopback::delimiter_ps(Picoseconds start_ps) const {
    return start_ps + kPreambleBits * 1'000'000 / state_.speed_mbps;
}

void Loopback::transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (frame->time_stamp) {
        times_.frame_started(Direction::kTx, *frame, delimiter_ps(start_ps));
    }
    if (!active()) {
        wire_.transmit(std::move(frame), start_ps, end_ps);
        return;
    }
    looped_++;
    turning_.push_back({std::move(frame), start_ps, end_ps});
    if (!arrival_task_.scheduled()) timeline_.schedule(arrival_task_, turning_[next_].end_ps);
}

void Loopback::receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (active()) return;
    frame->time_stamp = times_.frame_started(Direction::kRx, *frame, delimiter_ps(start_ps));
    receiver_->receive(std::move(frame), start_ps, end_ps);
}

void Loopback::arrive() {
    Turning turning = std::move(turning_[next_++]);
    if (next_ == turning_.size() || next_ >= kCompactAt) {
        turning_.erase(turning_.begin(), turning_.begin() + static_cast<std::ptrdiff_t>(next_));
        next_ = 0;
    }
    if (!turning_.empty()) timeline_.schedule(arrival_task_, turning_[next_].end_ps);
    turning.frame->time_stamp =
        times_.frame_started(Direction::kRx, *turning.frame, delimiter_ps(turning.start_ps));
    receiver_->receive(std::move(turning.frame), turning.start_ps, turning.end_ps);
}

}  // namespace doorbell
