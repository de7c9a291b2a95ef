#pragma once

#include <cstdint>

namespace doorbell {

/// Simulated time and durations are integer picoseconds: exact at every wire rate we model, and
/// 2^64 ps are 213 days.
using Picoseconds = std::uint64_t;

inline constexpr Picoseconds kNever = ~Picoseconds{0};

constexpr Picoseconds nanoseconds(std::uint64_t n) {
    return n * 1'000;
}
constexpr Picoseconds microseconds(std::uint64_t n) {
    return n * 1'000'000;
}
constexpr Picoseconds milliseconds(std::uint64_t n) {
    return n * 1'000'000'000;
}
constexpr Picoseconds seconds(std::uint64_t n) {
    return n * 1'000'000'000'000;
}

}  // namespace doorbell
