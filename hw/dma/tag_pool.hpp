#pragma once

#include <array>
#include <cassert>
#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// The tags of read requests. How many are free is all that matters, not which: a tag is taken when
/// its request leaves, and is free again when its last completion has arrived, a time that is known
/// as soon as memory has answered.
///
///     free_ | returning_: given back for a time to come, the next one last | held: no answer yet
class TagPool {
public:
    static constexpr std::uint32_t kMaximum = 32;

    explicit TagPool(std::uint32_t tags) : tags_(tags) {
        assert(tags >= 1 && tags <= kMaximum);
        reset();
    }

    void reset() {
        free_ = tags_;
        returns_ = 0;
    }

    /// Takes `count` tags if as many are free; else none, and false.
    [[nodiscard]] bool take(std::uint32_t count, Picoseconds now_ps) {
        assert(count >= 1 && count <= tags_);
        while (returns_ > 0 && returning_[returns_ - 1].free_ps <= now_ps) {
            free_ += returning_[--returns_].tags;
        }
        if (free_ < count) return false;
        free_ -= count;
        return true;
    }

    /// Tags that have been taken are free from `free_ps` on.
    void give_back(std::uint32_t count, Picoseconds free_ps) {
        assert(returns_ < kMaximum);
        std::uint32_t place = returns_++;
        for (; place > 0 && returning_[place - 1].free_ps < free_ps; place--) {
            returning_[place] = returning_[place - 1];
        }
        returning_[place] = {free_ps, count};
    }

    /// When `count` tags will be free; kNever when that takes tags of a read without an answer.
    [[nodiscard]] Picoseconds free_at(std::uint32_t count) const {
        Picoseconds when_ps = 0;
        std::uint32_t found = free_;
        for (std::uint32_t i = returns_; i > 0 && found < count; i--) {
            when_ps = returning_[i - 1].free_ps;
            found += returning_[i - 1].tags;
        }
        return found < count ? kNever : when_ps;
    }

private:
    struct Return {
        Picoseconds free_ps;
        std::uint32_t tags;
    };

    const std::uint32_t tags_;
    std::uint32_t free_ = 0;
    std::uint32_t returns_ = 0;
    std::array<Return, kMaximum> returning_{};
};

}  // namespace doorbell
