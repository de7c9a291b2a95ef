#include "testbench/wire/wire_decorators.hpp"

#include <algorithm>

#include "hw/base/generated/events.hpp"

namespace doorbell::wire {

WireDecorator::WireDecorator(const WireContext& context, WirePath& next)
    : timeline_(context.timeline),
      frames_(context.frames),
      events_(context.events),
      prng_(context.seed, context.stream),
      next_(next) {}

void WireDecorator::touch(WireFault fault, const Frame& frame, std::uint64_t detail) {
    touched_++;
    events::wire_fault(events_, timeline_, {frame.packet, frame.number},
                       static_cast<std::uint64_t>(fault), detail);
}

void LossyWire::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (fires()) {
        touch(WireFault::kLost, *frame, static_cast<std::uint64_t>(LossReason::kChance));
        return;
    }
    next_.carry(std::move(frame), start_ps, end_ps);
}

void DuplicatingWire::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (!fires()) {
        next_.carry(std::move(frame), start_ps, end_ps);
        return;
    }
    touch(WireFault::kDuplicated, *frame, 0);
    FramePtr twin = frames_.copy(*frame);
    next_.carry(std::move(frame), start_ps, end_ps);
    next_.carry(std::move(twin), end_ps, end_ps + (end_ps - start_ps));
}

void CorruptingWire::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (fires()) {
        const std::uint32_t frame_bits = frame->wire_bytes() * 8;
        const std::uint64_t flips = 1 + prng_.below(3);
        // The FCS that was sent is the one of the whole bytes: pin it before they change.
        frame->materialise_fcs();
        std::uint32_t flipped[3];
        for (std::uint64_t i = 0; i < flips;) {
            const auto bit_index = static_cast<std::uint32_t>(prng_.below(frame_bits));
            // Flipping a bit twice would mend it.
            if (std::find(flipped, flipped + i, bit_index) != flipped + i) continue;
            flipped[i++] = bit_index;
            flip(*frame, bit_index);
            events::wire_fault(events_, timeline_, {frame->packet, frame->number},
                               static_cast<std::uint64_t>(WireFault::kCorrupted), bit_index);
        }
        count_touched();
    }
    next_.carry(std::move(frame), start_ps, end_ps);
}

void CorruptingWire::flip(Frame& frame, std::uint32_t bit_index) {
    const std::uint32_t data_bits = frame.size_bytes() * 8;
    if (bit_index < data_bits) {
        std::uint8_t& byte = frame.data()[bit_index / 8];
        byte = static_cast<std::uint8_t>(byte ^ 1u << bit_index % 8);
    } else {
        frame.pin_fcs(frame.fcs() ^ std::uint32_t{1} << (bit_index - data_bits));
    }
}

void DelayingWire::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    Picoseconds delay_ps = 0;
    if (fires()) {
        delay_ps = 1 + prng_.below(limit_ps_);
        touch(WireFault::kDelayed, *frame, delay_ps);
    }
    next_.carry(std::move(frame), start_ps + delay_ps, end_ps + delay_ps);
}

ReorderingWire::ReorderingWire(const WireContext& context, WirePath& next)
    : WireDecorator(context, next), patience_([this] { release(); }) {}

ReorderingWire::~ReorderingWire() {
    timeline_.cancel(patience_);
}

void ReorderingWire::carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (held_ == nullptr && fires()) {
        overtakers_left_ = 1 + static_cast<std::uint32_t>(prng_.below(3));
        touch(WireFault::kReordered, *frame, overtakers_left_);
        held_ = std::move(frame);
        duration_ps_ = end_ps - start_ps;
        earliest_ps_ = end_ps;
        timeline_.schedule(patience_, end_ps + kPatience_ps);
        return;
    }
    next_.carry(std::move(frame), start_ps, end_ps);
    if (held_ == nullptr) return;
    earliest_ps_ = end_ps;
    if (--overtakers_left_ == 0) release();
}

void ReorderingWire::release() {
    timeline_.cancel(patience_);
    const Picoseconds start_ps = std::max(earliest_ps_, timeline_.now_ps());
    next_.carry(std::move(held_), start_ps, start_ps + duration_ps_);
}

std::uint64_t ReorderingWire::clear() {
    timeline_.cancel(patience_);
    const std::uint64_t own = held_ == nullptr ? 0 : 1;
    held_.reset();
    return own + next_.clear();
}

}  // namespace doorbell::wire
