#include "hw/nic/loopback.hpp"

#include <utility>

namespace doorbell {

namespace {

/// Preamble and start frame delimiter: a time stamp refers to their end (IEEE 802.3 clause 90.7).
constexpr Picoseconds kPreambleBits = 64;
/// Places of frames that have arrived are given back by this many at a time.
constexpr std::size_t kCompactAt = 128;

}  // namespace

Loopback::Loopback(Timeline& timeline, const PhyParams& phy, const DeviceState& state,
                   EthernetPort& wire, FrameTimePort& times)
    : timeline_(timeline),
      phy_tx_ps_(phy.tx_latency_ps),
      phy_rx_ps_(phy.rx_latency_ps),
      state_(state),
      wire_(wire),
      times_(times),
      arrival_task_([this] { arrive(); }) {}

Loopback::~Loopback() {
    timeline_.cancel(arrival_task_);
}

void Loopback::reset() {
    timeline_.cancel(arrival_task_);
    coming_.clear();
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
        wire_.transmit(std::move(frame), start_ps + phy_tx_ps_, end_ps + phy_tx_ps_);
        return;
    }
    looped_++;
    const Picoseconds way_ps = state_.mac_loopback ? 0 : phy_tx_ps_ + phy_rx_ps_;
    comes({std::move(frame), start_ps + way_ps, end_ps + way_ps});
}

void Loopback::receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (active()) return;
    Coming coming{std::move(frame), start_ps + phy_rx_ps_, end_ps + phy_rx_ps_};
    if (phy_rx_ps_ == 0) return hand_over(std::move(coming));
    comes(std::move(coming));
}

void Loopback::comes(Coming coming) {
    // A frame that takes a shorter way than the one before, since the mode changed, may overtake
    // it.
    std::size_t place = coming_.size();
    while (place > next_ && coming_[place - 1].end_ps > coming.end_ps) place--;
    coming_.insert(coming_.begin() + static_cast<std::ptrdiff_t>(place), std::move(coming));
    timeline_.schedule_by(arrival_task_, coming_[next_].end_ps);
}

void Loopback::hand_over(Coming coming) {
    coming.frame->time_stamp =
        times_.frame_started(Direction::kRx, *coming.frame, delimiter_ps(coming.start_ps));
    receiver_->receive(std::move(coming.frame), coming.start_ps, coming.end_ps);
}

void Loopback::arrive() {
    Coming coming = std::move(coming_[next_++]);
    if (next_ == coming_.size() || next_ >= kCompactAt) {
        coming_.erase(coming_.begin(), coming_.begin() + static_cast<std::ptrdiff_t>(next_));
        next_ = 0;
    }
    if (!coming_.empty()) timeline_.schedule(arrival_task_, coming_[next_].end_ps);
    hand_over(std::move(coming));
}

}  // namespace doorbell
