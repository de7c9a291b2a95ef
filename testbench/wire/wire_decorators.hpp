#pragma once

#include <cstdint>

#include "hw/base/event_port.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/wire/wire_path.hpp"

/// What a bad wire does to frames, one class each. Each has a random stream of its own, so that
/// turning one fault on does not move the dice of another; with a rate of 0 no die is thrown.
namespace doorbell::wire {

/// Where a decorator stands: what it needs from its surroundings.
struct WireContext {
    Timeline& timeline;
    FramePool& frames;
    EventPort events;
    std::uint64_t seed;
    std::uint64_t stream;  ///< Unique per link, direction and decorator.
};

class WireDecorator : public WirePath {
public:
    WireDecorator(const WireContext& context, WirePath& next);

    void set_rate_ppm(std::uint32_t rate_ppm) { rate_ppm_ = rate_ppm; }
    [[nodiscard]] std::uint32_t rate_ppm() const { return rate_ppm_; }
    /// Frames touched so far.
    [[nodiscard]] std::uint64_t touched() const { return touched_; }

    std::uint64_t clear() override { return next_.clear(); }

protected:
    [[nodiscard]] bool fires() { return rate_ppm_ > 0 && prng_.chance_ppm(rate_ppm_); }
    void touch(WireFault fault, const Frame& frame, std::uint64_t detail);
    void count_touched() { touched_++; }

    Timeline& timeline_;
    FramePool& frames_;
    EventPort events_;
    Prng prng_;
    WirePath& next_;

private:
    std::uint32_t rate_ppm_ = 0;
    std::uint64_t touched_ = 0;
};

/// Frames vanish.
class LossyWire final : public WireDecorator {
public:
    using WireDecorator::WireDecorator;
    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
};

/// Frames arrive twice, the twin right behind the original.
class DuplicatingWire final : public WireDecorator {
public:
    using WireDecorator::WireDecorator;
    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
};

/// Bits of the frame or of its FCS flip: one to three of them, so that the CRC, whose Hamming
/// distance is 4 up to 91,607 bits (Koopman 2002), can always tell. One event for each flip.
class CorruptingWire final : public WireDecorator {
public:
    using WireDecorator::WireDecorator;
    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;

private:
    void flip(Frame& frame, std::uint32_t bit_index);
};

/// Frames are held up for a time drawn from (0, limit]; those behind them wait, order is kept.
class DelayingWire final : public WireDecorator {
public:
    using WireDecorator::WireDecorator;
    void set_limit_ps(Picoseconds limit_ps) { limit_ps_ = limit_ps; }
    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;

private:
    Picoseconds limit_ps_ = microseconds(100);
};

/// A frame is overtaken by the next one to three frames; alone on the wire it goes on after
/// `kPatience_ps`. One frame at a time steps aside.
class ReorderingWire final : public WireDecorator {
public:
    static constexpr Picoseconds kPatience_ps = milliseconds(1);

    ReorderingWire(const WireContext& context, WirePath& next);
    ~ReorderingWire() override;
    void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    std::uint64_t clear() override;
    /// A frame stands aside and waits for others to overtake it.
    [[nodiscard]] bool holds() const { return held_ != nullptr; }

private:
    void release();

    FramePtr held_;
    Picoseconds duration_ps_ = 0;
    Picoseconds earliest_ps_ = 0;
    std::uint32_t overtakers_left_ = 0;
    Task patience_;
};

}  // namespace doorbell::wire
