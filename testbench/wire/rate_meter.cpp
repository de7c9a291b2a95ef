#include "testbench/wire/rate_meter.hpp"

#include <algorithm>
#include <utility>

#include "hw/base/byte_time.hpp"
#include "testbench/wire/wire_delivery.hpp"

namespace doorbell::wire {

double RateMeter::Rate::frames_per_s() const {
    if (frames < 2) return 0;
    return static_cast<double>(frames - 1) * 1e12 /
           static_cast<double>(last_start_ps - first_start_ps);
}

double RateMeter::Rate::occupancy() const {
    if (frames < 2) return 0;
    return static_cast<double>(occupied_ps) / static_cast<double>(last_start_ps - first_start_ps);
}

RateMeter::RateMeter(Timeline& timeline, const RateMeterParams& params,
                     std::function<void()> begins, std::function<void()> ends)
    : timeline_(timeline),
      params_(params),
      begins_(std::move(begins)),
      ends_(std::move(ends)),
      begin_task_([this] { begin(); }),
      end_task_([this] { finish(); }),
      gap_ps_(ByteTime(params.rate_mbps).take(WireDelivery::kGapBytes)) {}

RateMeter::~RateMeter() {
    timeline_.cancel(begin_task_);
    timeline_.cancel(end_task_);
}

void RateMeter::frame_enters(std::uint32_t end, Picoseconds start_ps, Picoseconds end_ps) {
    if (!params_.ends[end] || phase_ == Phase::kOver) return;
    Side& side = sides_[end];
    if (side.frames++ == 0) {
        side.first_ps = start_ps;
        note_first_frame();
    }
    if (side.frames >= params_.frames && begin_ps_ != kNever && end_ps_ == kNever &&
        start_ps > begin_ps_) {
        end_ps_ = start_ps;
        timeline_.schedule(end_task_, std::max(start_ps, timeline_.now_ps()));
    }
    if (start_ps < begin_ps_ || start_ps > end_ps_) return;
    Rate& rate = side.rate;
    if (rate.frames++ == 0) {
        rate.first_start_ps = start_ps;
    } else {
        const Picoseconds gap_ps = start_ps - rate.last_start_ps;
        rate.gap_min_ps = std::min(rate.gap_min_ps, gap_ps);
        rate.gap_max_ps = std::max(rate.gap_max_ps, gap_ps);
        // The last frame's own time lies behind its start.
        rate.occupied_ps += side.last_occupied_ps;
    }
    rate.last_start_ps = start_ps;
    side.last_occupied_ps = end_ps - start_ps + gap_ps_;
}

void RateMeter::note_first_frame() {
    Picoseconds latest_ps = 0;
    for (std::uint32_t end = 0; end < 2; end++) {
        if (!params_.ends[end]) continue;
        if (sides_[end].frames == 0) return;
        latest_ps = std::max(latest_ps, sides_[end].first_ps);
    }
    phase_ = Phase::kWarmingUp;
    begin_ps_ = latest_ps + params_.warmup_ps;
    timeline_.schedule(begin_task_, std::max(begin_ps_, timeline_.now_ps()));
}

void RateMeter::begin() {
    phase_ = Phase::kMeasuring;
    begins_();
}

void RateMeter::finish() {
    phase_ = Phase::kOver;
    ends_();
}

}  // namespace doorbell::wire
