#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "hw/base/time.hpp"

/// Time as the engines see it. An engine is plain C++: it never waits, it asks its timeline to call
/// one of its tasks at a later time. `TimelineModule` puts a timeline on the SystemC kernel (one
/// process, one pending event for everything of a NIC); tests use `ManualTimeline`.
namespace doorbell {

/// Something to be done at a time. Made once, scheduled as often as needed: nothing is allocated
/// per event. A task has at most one due time; scheduling again moves it.
class Task {
public:
    explicit Task(std::function<void()> action) : action_(std::move(action)) {}
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    ~Task() { assert(!scheduled() && "cancel a task before it goes"); }

    [[nodiscard]] bool scheduled() const { return position_ != kIdle; }
    /// Meaningful only while scheduled.
    [[nodiscard]] Picoseconds due_ps() const { return due_ps_; }

private:
    friend class TaskQueue;
    static constexpr std::size_t kIdle = ~std::size_t{0};

    std::function<void()> action_;
    Picoseconds due_ps_ = 0;
    std::uint64_t order_ = 0;
    std::size_t position_ = kIdle;
};

class Timeline {
public:
    virtual ~Timeline() = default;
    [[nodiscard]] virtual Picoseconds now_ps() const = 0;
    /// Calls the task at `due_ps` (not before now), in the order of scheduling among equal times.
    virtual void schedule(Task& task, Picoseconds due_ps) = 0;
    virtual void cancel(Task& task) = 0;

    /// Makes sure that the task runs at `due_ps` or earlier.
    void schedule_by(Task& task, Picoseconds due_ps) {
        if (!task.scheduled() || task.due_ps() > due_ps) schedule(task, due_ps);
    }
};

/// Binary heap of tasks by (due time, order of scheduling).
class TaskQueue {
public:
    ~TaskQueue() {
        for (Task* task : heap_) task->position_ = Task::kIdle;
    }
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] Picoseconds next_due_ps() const {
        return heap_.empty() ? kNever : heap_.front()->due_ps_;
    }

    void push(Task& task, Picoseconds due_ps) {
        if (task.scheduled()) remove(task);
        task.due_ps_ = due_ps;
        task.order_ = next_order_++;
        task.position_ = heap_.size();
        heap_.push_back(&task);
        sift_up(task.position_);
    }

    void remove(Task& task) {
        if (!task.scheduled()) return;
        const std::size_t hole = task.position_;
        Task* last = heap_.back();
        heap_.pop_back();
        task.position_ = Task::kIdle;
        if (last == &task) return;
        heap_[hole] = last;
        last->position_ = hole;
        sift_up(hole);
        sift_down(last->position_);
    }

    /// Runs the first task if it is due. The task may schedule itself again.
    bool run_one(Picoseconds now_ps) {
        if (heap_.empty() || heap_.front()->due_ps_ > now_ps) return false;
        Task& task = *heap_.front();
        remove(task);
        task.action_();
        return true;
    }

private:
    static bool before(const Task& a, const Task& b) {
        return a.due_ps_ != b.due_ps_ ? a.due_ps_ < b.due_ps_ : a.order_ < b.order_;
    }
    void place(std::size_t position, Task* task) {
        heap_[position] = task;
        task->position_ = position;
    }
    void sift_up(std::size_t i) {
        Task* task = heap_[i];
        while (i > 0 && before(*task, *heap_[(i - 1) / 2])) {
            place(i, heap_[(i - 1) / 2]);
            i = (i - 1) / 2;
        }
        place(i, task);
    }
    void sift_down(std::size_t i) {
        Task* task = heap_[i];
        for (;;) {
            std::size_t child = 2 * i + 1;
            if (child >= heap_.size()) break;
            if (child + 1 < heap_.size() && before(*heap_[child + 1], *heap_[child])) child++;
            if (!before(*heap_[child], *task)) break;
            place(i, heap_[child]);
            i = child;
        }
        place(i, task);
    }

    std::vector<Task*> heap_;
    std::uint64_t next_order_ = 0;
};

/// A timeline that a test (or a foreign clock) moves by hand.
class ManualTimeline final : public Timeline {
public:
    [[nodiscard]] Picoseconds now_ps() const override { return now_ps_; }
    void schedule(Task& task, Picoseconds due_ps) override {
        assert(due_ps >= now_ps_ && "the past cannot be changed");
        queue_.push(task, due_ps);
    }
    void cancel(Task& task) override { queue_.remove(task); }

    [[nodiscard]] Picoseconds next_event_time() const { return queue_.next_due_ps(); }

    /// Runs everything due up to and at `until_ps`, then stands there.
    void advance_until(Picoseconds until_ps) {
        while (queue_.next_due_ps() <= until_ps) {
            now_ps_ = queue_.next_due_ps();
            while (queue_.run_one(now_ps_)) {
            }
        }
        if (until_ps > now_ps_) now_ps_ = until_ps;
    }
    void advance_by(Picoseconds duration_ps) { advance_until(now_ps_ + duration_ps); }

    /// Runs until nothing is due any more; false when that takes more than `limit` steps.
    bool settle(std::uint64_t limit = 10'000'000) {
        for (; limit > 0 && !queue_.empty(); limit--) {
            now_ps_ = queue_.next_due_ps();
            queue_.run_one(now_ps_);
        }
        return queue_.empty();
    }

private:
    TaskQueue queue_;
    Picoseconds now_ps_ = 0;
};

}  // namespace doorbell
