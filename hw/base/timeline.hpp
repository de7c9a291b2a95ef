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

    [[nodiscard]] bool scheduled() const { return scheduled_; }
    /// Meaningful only while scheduled.
    [[nodiscard]] Picoseconds due_ps() const { return due_ps_; }

private:
    friend class TaskQueue;

    std::function<void()> action_;
    Picoseconds due_ps_ = 0;
    bool scheduled_ = false;
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

/// The scheduled tasks in one row, the next one last; of equal times the one scheduled last comes
/// first, so that it runs last. A device has a few dozen tasks, few of them scheduled, most soon:
/// they move less far than up and down a heap, in one or two cache lines, times included. Later
/// tasks, however many, cost an earlier one nothing; a task passes one by one those before it.
class TaskQueue {
public:
    TaskQueue() { row_.reserve(kUsualTasks); }
    TaskQueue(const TaskQueue&) = delete;
    TaskQueue& operator=(const TaskQueue&) = delete;
    ~TaskQueue() {
        for (const Entry& entry : row_) entry.task->scheduled_ = false;
    }
    [[nodiscard]] bool empty() const { return row_.empty(); }
    [[nodiscard]] Picoseconds next_due_ps() const {
        return row_.empty() ? kNever : row_.back().due_ps;
    }

    void push(Task& task, Picoseconds due_ps) {
        if (task.scheduled_) remove(task);
        task.due_ps_ = due_ps;
        task.scheduled_ = true;
        row_.push_back({due_ps, &task});
        std::size_t place = row_.size() - 1;
        for (; place > 0 && row_[place - 1].due_ps <= due_ps; place--) {
            row_[place] = row_[place - 1];
        }
        row_[place] = {due_ps, &task};
    }

    void remove(Task& task) {
        if (!task.scheduled_) return;
        task.scheduled_ = false;
        std::size_t place = row_.size() - 1;
        for (; row_[place].task != &task; place--) {
            assert(place > 0 && "scheduled by another timeline");
        }
        for (; place + 1 < row_.size(); place++) row_[place] = row_[place + 1];
        row_.pop_back();
    }

    /// Runs the first task if it is due. The task may schedule itself again.
    bool run_one(Picoseconds now_ps) {
        if (row_.empty() || row_.back().due_ps > now_ps) return false;
        Task& task = *row_.back().task;
        row_.pop_back();
        task.scheduled_ = false;
        task.action_();
        return true;
    }

private:
    struct Entry {
        Picoseconds due_ps;
        Task* task;
    };
    static constexpr std::size_t kUsualTasks = 64;

    std::vector<Entry> row_;
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
