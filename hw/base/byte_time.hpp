#pragma once

#include <cassert>
#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// Bytes in a row at a rate in Mb/s. At 10, 40, 100 and 400 Gb/s a byte is a whole number of
/// picoseconds; at a rate where it is not, each time is rounded down and what was cut off is added
/// to the next one: the sum over any number of bytes in a row is exact to less than a picosecond.
class ByteTime {
public:
    explicit constexpr ByteTime(std::uint32_t rate_mbps) : rate_mbps_(rate_mbps) {
        assert(rate_mbps > 0);
    }
    [[nodiscard]] constexpr std::uint32_t rate_mbps() const { return rate_mbps_; }

    /// The time of the next `bytes`.
    constexpr Picoseconds take(std::uint64_t bytes) {
        const std::uint64_t scaled = bytes * kByteAtOneMbps_ps + fraction_;
        fraction_ = scaled % rate_mbps_;
        return scaled / rate_mbps_;
    }
    /// What follows does not follow at once.
    constexpr void forget_fraction() { fraction_ = 0; }

private:
    static constexpr std::uint64_t kByteAtOneMbps_ps = 8'000'000;

    std::uint32_t rate_mbps_;
    std::uint64_t fraction_ = 0;  ///< In 1/rate_mbps of a picosecond.
};

}  // namespace doorbell
