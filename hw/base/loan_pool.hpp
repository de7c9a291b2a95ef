#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// Equal things that are lent and come back at times known beforehand: the tags of read requests,
/// the flow-control credits of a link. How many are free is all that matters, not which: a tag is
/// free again when its last completion has arrived, and that is known as soon as memory has
/// answered.
///
///     free_ | coming back at a time to come, the next one first | held: no answer yet
///
/// What comes back is a ring in the order of its times. Returns mostly come in that order
/// themselves, so that one costs the same however many are lent.
class LoanPool {
public:
    explicit LoanPool(std::uint32_t total)
        : total_(total), mask_(power_of_two_from(total) - 1), returning_(std::size_t{mask_} + 1) {
        assert(total >= 1);
        reset();
    }

    void reset() {
        free_ = total_;
        returns_ = 0;
    }

    [[nodiscard]] std::uint32_t total() const { return total_; }

    /// Takes `count` if as many are free; else none, and false.
    [[nodiscard]] bool take(std::uint32_t count, Picoseconds now_ps) {
        assert(count >= 1 && count <= total_);
        while (returns_ > 0 && at(0).free_ps <= now_ps) {
            free_ += at(0).count;
            first_++;
            returns_--;
        }
        if (free_ < count) return false;
        free_ -= count;
        return true;
    }

    /// What has been taken is free from `free_ps` on. There are never more returns than loans.
    void give_back(std::uint32_t count, Picoseconds free_ps) {
        assert(returns_ < returning_.size());
        std::uint32_t place = returns_++;
        for (; place > 0 && at(place - 1).free_ps > free_ps; place--) at(place) = at(place - 1);
        at(place) = {free_ps, count};
    }

    /// When `count` will be free; kNever when that takes some that nobody has given back.
    [[nodiscard]] Picoseconds free_at(std::uint32_t count) const {
        Picoseconds when_ps = 0;
        std::uint32_t found = free_;
        for (std::uint32_t i = 0; i < returns_ && found < count; i++) {
            when_ps = at(i).free_ps;
            found += at(i).count;
        }
        return found < count ? kNever : when_ps;
    }

private:
    struct Return {
        Picoseconds free_ps = 0;
        std::uint32_t count = 0;
    };

    // Positions run on and are cut here.
    [[nodiscard]] Return& at(std::uint32_t i) { return returning_[(first_ + i) & mask_]; }
    [[nodiscard]] const Return& at(std::uint32_t i) const {
        return returning_[(first_ + i) & mask_];
    }

    std::uint32_t total_;
    std::uint32_t mask_;  ///< The size of the ring, a power of two, less one.
    std::uint32_t free_ = 0;
    std::uint32_t first_ = 0;
    std::uint32_t returns_ = 0;
    std::vector<Return> returning_;
};

}  // namespace doorbell
