#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "hw/base/time.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::wire {

struct RateMeterParams {
    /// Which ends of the link are measured: what enters there.
    std::array<bool, 2> ends{true, true};
    /// From the first frame of the last end to begin, until it counts.
    Picoseconds warmup_ps = milliseconds(1);
    /// Frames of an end, warm-up included, after which the measurement is over: the first end that
    /// gets there ends it.
    std::uint64_t frames = 10'000;
    std::uint32_t rate_mbps = 1000;
};

/// Measures at what times frames enter a link between two moments that it finds itself: all ends
/// have been busy for the warm-up, and one has had its frames.
class RateMeter final : public LinkMeter {
public:
    struct Rate {
        std::uint64_t frames = 0;
        Picoseconds first_start_ps = 0;
        Picoseconds last_start_ps = 0;
        Picoseconds gap_min_ps = kNever;  ///< Between two starts.
        Picoseconds gap_max_ps = 0;
        Picoseconds occupied_ps = 0;  ///< Preambles, frames and the gaps the standard asks for.
        [[nodiscard]] double frames_per_s() const;
        /// Share of the time from the first start to the last one.
        [[nodiscard]] double occupancy() const;
    };

    /// Called at the two moments.
    RateMeter(Timeline& timeline, const RateMeterParams& params, std::function<void()> begins,
              std::function<void()> ends);
    ~RateMeter() override;
    RateMeter(const RateMeter&) = delete;
    RateMeter& operator=(const RateMeter&) = delete;

    void frame_enters(std::uint32_t end, Picoseconds start_ps, Picoseconds end_ps) override;

    [[nodiscard]] bool complete() const { return phase_ == Phase::kOver; }
    [[nodiscard]] const Rate& rate(std::uint32_t end) const { return sides_.at(end).rate; }
    /// Warm-up included.
    [[nodiscard]] std::uint64_t frames_seen(std::uint32_t end) const {
        return sides_.at(end).frames;
    }
    [[nodiscard]] Picoseconds begin_ps() const { return begin_ps_; }
    [[nodiscard]] Picoseconds end_ps() const { return end_ps_; }

private:
    enum class Phase : std::uint8_t { kWaiting, kWarmingUp, kMeasuring, kOver };
    struct Side {
        std::uint64_t frames = 0;  ///< From the first one on.
        Picoseconds first_ps = 0;
        Picoseconds last_occupied_ps = 0;
        Rate rate;
    };

    void note_first_frame();
    void begin();
    void finish();

    Timeline& timeline_;
    const RateMeterParams params_;
    const std::function<void()> begins_;
    const std::function<void()> ends_;
    Task begin_task_;
    Task end_task_;
    Phase phase_ = Phase::kWaiting;
    Picoseconds gap_ps_;
    Picoseconds begin_ps_ = kNever;
    Picoseconds end_ps_ = kNever;
    std::array<Side, 2> sides_;
};

}  // namespace doorbell::wire
