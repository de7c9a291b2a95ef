#pragma once

#include <cstdint>
#include <cstring>

#include "hw/rings/test_support/ring_bench.hpp"

/// Frames that come in from the wire.
namespace doorbell::test {

/// A good unicast frame of `wire_bytes` (FCS included) comes in.
inline Bytes arrive(RingBench& bench, std::uint32_t wire_bytes, std::uint32_t seed = 0,
                    std::uint64_t packet = 0) {
    FramePtr frame = bench.frames.take();
    Bytes bytes = pattern(wire_bytes - 4, seed);
    bytes[0] = 0x02;   // unicast
    bytes[12] = 0x88;  // a type nobody looks into
    bytes[13] = 0xb5;
    frame->resize(wire_bytes - 4);
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    frame->packet = packet;
    frame->number = 1000 + seed;
    bench.engine.receive(std::move(frame), bench.timeline.now_ps(), bench.timeline.now_ps());
    return bytes;
}

inline void arrive_bytes(RingBench& bench, const Bytes& bytes) {
    FramePtr frame = bench.frames.take();
    frame->resize(static_cast<std::uint32_t>(bytes.size()));
    std::memcpy(frame->data(), bytes.data(), bytes.size());
    bench.engine.receive(std::move(frame), bench.timeline.now_ps(), bench.timeline.now_ps());
}

}  // namespace doorbell::test
