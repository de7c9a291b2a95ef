#pragma once

#include <cstdint>

#include "hw/base/frame.hpp"
#include "hw/base/time.hpp"

namespace doorbell::wire {

/// A piece of one direction of a wire. A decorator is a path around the next path.
class WirePath {
public:
    virtual ~WirePath() = default;
    /// A frame enters: first preamble bit and end of the FCS, as its sender timed it. Calls come in
    /// the order of the times.
    virtual void carry(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) = 0;
    /// The cable was pulled: what is inside is lost. Returns how many frames that were.
    virtual std::uint64_t clear() = 0;
};

/// Event `wire_fault`, first argument.
enum class WireFault : std::uint64_t {
    kLost = 1,
    kDuplicated = 2,
    kReordered = 3,
    kCorrupted = 4,
    kDelayed = 5,
};

/// Event `wire_fault` with kLost, second argument: why.
enum class LossReason : std::uint64_t {
    kChance = 0,
    kCableOut = 1,
    kBacklog = 2,  ///< Faults that add frames or time filled the wire.
    kRate = 3,     ///< Sent faster than the wire can carry, or over the frame before.
};

}  // namespace doorbell::wire
