#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>
#include <vector>

#include "hw/base/bits.hpp"

namespace doorbell {

/// First in, first out, in memory that is made once and grows only when more is under way than
/// ever before: nothing is allocated per request. Of that memory it goes round in no more than the
/// most that were ever under way need: few lines of a cache.
///
///        first_ ............. first_ + size_          all positions modulo used_,
///     [ free )[ waiting      )[ free ]                which is a power of two
template <typename T>
class RequestRing {
public:
    explicit RequestRing(std::uint32_t capacity = 64)
        : slots_(power_of_two_from(std::max(capacity, kFirstUsed))) {}

    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] std::uint32_t size() const { return size_; }

    [[nodiscard]] T& front() {
        assert(size_ > 0);
        return slots_[first_];
    }
    [[nodiscard]] const T& front() const { return at(0); }
    /// The entry `age` places behind the front.
    [[nodiscard]] const T& at(std::uint32_t age) const {
        assert(age < size_);
        return slots_[wrap(first_ + age)];
    }
    void push(T value) { push() = std::move(value); }
    /// A new last entry to be filled in: it holds what its place held before.
    T& push() {
        if (size_ == used_) grow();
        return slots_[wrap(first_ + size_++)];
    }
    T pop() {
        T value = std::move(front());
        drop();
        return value;
    }
    /// Forgets the front.
    void drop() {
        assert(size_ > 0);
        // Empty, it starts again in the memory that the caches have.
        first_ = --size_ == 0 ? 0 : wrap(first_ + 1);
    }
    /// What it held stays in its places until something else takes them.
    void clear() { size_ = first_ = 0; }

private:
    [[nodiscard]] std::uint32_t wrap(std::uint32_t position) const {
        return position & (used_ - 1);
    }
    void grow() {
        if (used_ == slots_.size()) slots_.resize(2 * slots_.size());
        // What went round to the beginning follows the end now.
        for (std::uint32_t i = 0; i < first_; i++) slots_[used_ + i] = std::move(slots_[i]);
        used_ *= 2;
    }

    static constexpr std::uint32_t kFirstUsed = 4;

    std::vector<T> slots_;
    std::uint32_t used_ = kFirstUsed;
    std::uint32_t first_ = 0;
    std::uint32_t size_ = 0;
};

}  // namespace doorbell
