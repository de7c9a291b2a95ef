#pragma once

#include <cassert>
#include <cstdint>

namespace doorbell {

/// Where a ring lies in host memory, and all arithmetic on its indices.
///
///      0        head                    tail             count
///      |  free  | owned by hardware ... |  free (driver) |          head <= tail
///      |  owned | free (driver) ....... |  owned ....... |          tail <  head
///              tail                    head
///
/// Hardware owns head to tail, tail excluded; head == tail is empty. `count` is a multiple of 8
/// (128 bytes), not a power of two; 0 is a disabled ring.
class RingGeometry {
public:
    static constexpr std::uint32_t kDescriptorBytes = 16;

    RingGeometry() = default;
    RingGeometry(std::uint64_t base, std::uint32_t length_bytes)
        : base_(base), count_(length_bytes / kDescriptorBytes) {}

    [[nodiscard]] std::uint32_t count() const { return count_; }
    [[nodiscard]] bool contains(std::uint32_t index) const { return index < count_; }
    [[nodiscard]] std::uint64_t address(std::uint32_t index) const {
        return base_ + std::uint64_t{index} * kDescriptorBytes;
    }
    /// Descriptors owned by hardware; none when head or tail is beyond the ring, which is a mistake
    /// of the driver.
    [[nodiscard]] std::uint32_t owned(std::uint32_t head, std::uint32_t tail) const {
        if (!contains(head) || !contains(tail)) return 0;
        return tail >= head ? tail - head : count_ - head + tail;
    }
    [[nodiscard]] std::uint32_t advance(std::uint32_t index, std::uint32_t by) const {
        assert(contains(index) && by <= count_);
        return by < count_ - index ? index + by : index + by - count_;
    }
    /// How many of `wanted` descriptors from `index` are neighbours in memory.
    [[nodiscard]] std::uint32_t contiguous(std::uint32_t index, std::uint32_t wanted) const {
        assert(contains(index));
        return wanted < count_ - index ? wanted : count_ - index;
    }

private:
    std::uint64_t base_ = 0;
    std::uint32_t count_ = 0;
};

}  // namespace doorbell
