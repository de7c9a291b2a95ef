#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "hw/base/timeline.hpp"

namespace doorbell::pcie_bench {

/// Things under way that arrive at a time each: one task of the timeline, however many they are.
/// Equal times arrive in the order of sending. Nearly all are sent in the order of arrival; one
/// that overtakes passes those before it one by one.
///
///        first_ ............. first_ + size_          all positions modulo slots_.size(),
///     [ free )[ next  ... last )[ free ]              which is a power of two
template <typename T>
class DelayLine {
public:
    DelayLine(Timeline& timeline, std::function<void(const T&)> arrive)
        : timeline_(timeline),
          arrive_(std::move(arrive)),
          task_([this] { deliver(); }),
          slots_(kUsualDepth) {}
    ~DelayLine() { timeline_.cancel(task_); }
    DelayLine(const DelayLine&) = delete;
    DelayLine& operator=(const DelayLine&) = delete;

    void send(Picoseconds due_ps, const T& what) {
        if (size_ == slots_.size()) grow();
        std::size_t place = size_++;
        for (; place > 0 && at(place - 1).due_ps > due_ps; place--) at(place) = at(place - 1);
        at(place) = {due_ps, what};
        if (place == 0) timeline_.schedule(task_, due_ps);
    }

private:
    struct Item {
        Picoseconds due_ps;
        T what;
    };
    static constexpr std::size_t kUsualDepth = 256;

    Item& at(std::size_t age) { return slots_[(first_ + age) & (slots_.size() - 1)]; }

    void deliver() {
        const Picoseconds now_ps = timeline_.now_ps();
        while (size_ > 0 && at(0).due_ps <= now_ps) {
            const T what = at(0).what;
            first_ = (first_ + 1) & (slots_.size() - 1);
            size_--;
            arrive_(what);
        }
        if (size_ > 0) timeline_.schedule(task_, at(0).due_ps);
    }
    void grow() {
        std::vector<Item> larger(slots_.size() * 2);
        for (std::size_t i = 0; i < size_; i++) larger[i] = at(i);
        slots_ = std::move(larger);
        first_ = 0;
    }

    Timeline& timeline_;
    const std::function<void(const T&)> arrive_;
    Task task_;
    std::vector<Item> slots_;
    std::size_t first_ = 0;
    std::size_t size_ = 0;
};

}  // namespace doorbell::pcie_bench
