#include "hw/base/timeline.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>

#include "hw/base/prng.hpp"

namespace doorbell {
namespace {

TEST(Timeline, RunsTasksInTheOrderOfTheirTimes) {
    ManualTimeline time;
    std::string order;
    Task late([&] { order += 'l'; });
    Task early([&] { order += 'e'; });
    time.schedule(late, 20);
    time.schedule(early, 10);
    time.advance_until(19);
    EXPECT_EQ(order, "e");
    time.advance_until(20);
    EXPECT_EQ(order, "el");
}

TEST(Timeline, KeepsTheOrderOfSchedulingAmongEqualTimes) {
    ManualTimeline time;
    std::string order;
    Task a([&] { order += 'a'; });
    Task b([&] { order += 'b'; });
    Task c([&] { order += 'c'; });
    time.schedule(b, 5);
    time.schedule(a, 5);
    time.schedule(c, 5);
    time.schedule(b, 5);  // moved: now the last one
    time.advance_until(5);
    EXPECT_EQ(order, "acb");
}

TEST(Timeline, SchedulingAgainMovesATaskAndCancellingRemovesIt) {
    ManualTimeline time;
    int runs = 0;
    Task task([&] { runs++; });
    time.schedule(task, 10);
    time.schedule(task, 30);
    time.advance_until(29);
    EXPECT_EQ(runs, 0);
    time.cancel(task);
    EXPECT_FALSE(task.scheduled());
    time.advance_until(100);
    EXPECT_EQ(runs, 0);
}

TEST(Timeline, ScheduleByNeverMovesATaskToALaterTime) {
    ManualTimeline time;
    Task task([] {});
    time.schedule_by(task, 10);
    time.schedule_by(task, 30);
    EXPECT_EQ(task.due_ps(), 10u);
    time.schedule_by(task, 4);
    EXPECT_EQ(task.due_ps(), 4u);
    time.cancel(task);
}

TEST(Timeline, ATaskMayScheduleItselfAgainAndSeesItsOwnTime) {
    ManualTimeline time;
    std::vector<Picoseconds> seen;
    Task* self = nullptr;
    Task task([&] {
        seen.push_back(time.now_ps());
        if (seen.size() < 4) time.schedule(*self, time.now_ps() + 7);
    });
    self = &task;
    time.schedule(task, 1);
    EXPECT_TRUE(time.settle());
    EXPECT_EQ(seen, (std::vector<Picoseconds>{1, 8, 15, 22}));
}

TEST(Timeline, AgreesWithASortedListOverRandomOperations) {
    constexpr std::size_t kTasks = 64;
    Prng prng(1);
    ManualTimeline time;
    std::vector<std::size_t> ran;
    std::vector<std::unique_ptr<Task>> tasks;
    std::vector<std::pair<Picoseconds, std::uint64_t>> expected(kTasks, {kNever, 0});
    for (std::size_t i = 0; i < kTasks; i++) {
        tasks.push_back(std::make_unique<Task>([&ran, i] { ran.push_back(i); }));
    }
    for (std::uint64_t step = 0; step < 5000; step++) {
        const std::size_t i = prng.below(kTasks);
        if (prng.below(4) == 0) {
            time.cancel(*tasks[i]);
            expected[i] = {kNever, 0};
        } else {
            expected[i] = {time.now_ps() + prng.below(50), step};
            time.schedule(*tasks[i], expected[i].first);
        }
        if (prng.below(8) != 0) continue;
        const Picoseconds until = time.now_ps() + prng.below(20);
        std::vector<std::size_t> due;
        for (std::size_t k = 0; k < kTasks; k++) {
            if (expected[k].first <= until) due.push_back(k);
        }
        std::sort(due.begin(), due.end(),
                  [&](std::size_t a, std::size_t b) { return expected[a] < expected[b]; });
        ran.clear();
        time.advance_until(until);
        ASSERT_EQ(ran, due) << "at step " << step;
        for (std::size_t k : due) expected[k] = {kNever, 0};
    }
    for (auto& task : tasks) time.cancel(*task);
}

}  // namespace
}  // namespace doorbell
