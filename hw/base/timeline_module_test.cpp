#include "hw/base/timeline_module.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "hw/base/simulation_clock_module.hpp"

namespace doorbell {
namespace {

TEST(TimelineModule, RunsEveryTaskAtItsTimeAndSharesActivations) {
    TimelineModule timeline("timeline");
    std::vector<std::pair<char, Picoseconds>> seen;
    Task a([&] { seen.emplace_back('a', timeline.now_ps()); });
    Task b([&] { seen.emplace_back('b', timeline.now_ps()); });
    Task* again = nullptr;
    Task c([&] {
        seen.emplace_back('c', timeline.now_ps());
        if (timeline.now_ps() < 300) timeline.schedule(*again, timeline.now_ps() + 100);
    });
    again = &c;
    timeline.schedule(a, 100);
    timeline.schedule(c, 100);
    timeline.schedule(b, 50);
    timeline.schedule(a, 70);
    Task moved([&] { seen.emplace_back('m', timeline.now_ps()); });
    timeline.schedule(moved, 40);
    timeline.cancel(moved);
    sc_core::sc_start(sc_core::sc_time::from_value(1000));
    const std::vector<std::pair<char, Picoseconds>> expected = {
        {'b', 50}, {'a', 70}, {'c', 100}, {'c', 200}, {'c', 300}};
    EXPECT_EQ(seen, expected);
    EXPECT_LE(timeline.activations(), 6u) << "five times, and one for the cancelled task";
}

TEST(TimelineModule, ATaskDueNowRunsInTheSameInstant) {
    TimelineModule timeline("timeline");
    std::vector<Picoseconds> seen;
    Task second([&] { seen.push_back(timeline.now_ps()); });
    Task first([&] {
        seen.push_back(timeline.now_ps());
        timeline.schedule(second, timeline.now_ps());
    });
    timeline.schedule(first, 0);
    sc_core::sc_start(sc_core::sc_time::from_value(10));
    EXPECT_EQ(seen, (std::vector<Picoseconds>{0, 0}));
}

/// Two devices and a platform on one agenda, each of them noting when it ran.
struct Platform {
    TimelineModule device{"device", TimelineModule::Pace::kAhead};
    TimelineModule other{"other", TimelineModule::Pace::kAhead};
    TimelineModule host{"host"};
    std::vector<std::pair<char, Picoseconds>> seen;
    std::vector<Picoseconds> kernel_times;

    void note(char name, const TimelineModule& timeline) {
        seen.emplace_back(name, timeline.now_ps());
        kernel_times.push_back(sc_core::sc_time_stamp().value());
        EXPECT_EQ(sc_core::sc_time_stamp().value() + timeline.ahead_ps(), timeline.now_ps());
    }
    void run(bool ahead, Picoseconds until_ps) {
        SimulationClock clock;
        if (ahead) clock.let_devices_run_ahead();
        clock.start();
        clock.advance_until(until_ps);
    }
};

TEST(TimelineModule, ModulesTakeTurnsInTheOrderInWhichTheyWereMade) {
    Platform p;
    Task first([&] { p.note('d', p.device); });
    Task second([&] { p.note('o', p.other); });
    Task third([&] { p.note('h', p.host); });
    p.host.schedule(third, 100);
    p.other.schedule(second, 100);
    p.device.schedule(first, 100);
    p.run(false, 1000);
    const std::vector<std::pair<char, Picoseconds>> expected = {{'d', 100}, {'o', 100}, {'h', 100}};
    EXPECT_EQ(p.seen, expected);
    EXPECT_EQ(p.host.agenda_activations(), 1u) << "all three share it";
    EXPECT_EQ(p.device.activations(), 1u);
    EXPECT_EQ(p.host.activations(), 1u);
}

TEST(TimelineModule, DevicesRunAheadInOneActivationUpToTheNextTaskOfTheHost) {
    Platform p;
    Task back([&] { p.note('b', p.other); });
    Task* self = nullptr;
    Task forth([&] {
        p.note('f', p.device);
        p.other.schedule(back, p.device.now_ps() + 5);
        p.device.schedule(*self, p.device.now_ps() + 10);
    });
    self = &forth;
    Task host([&] { p.note('h', p.host); });
    p.device.schedule(forth, 10);
    p.host.schedule(host, 27);
    p.run(true, 40);
    const std::vector<std::pair<char, Picoseconds>> expected = {
        {'f', 10}, {'b', 15}, {'f', 20}, {'b', 25}, {'h', 27}, {'f', 30}, {'b', 35}, {'f', 40}};
    EXPECT_EQ(p.seen, expected);
    EXPECT_EQ(p.kernel_times, (std::vector<Picoseconds>{10, 10, 10, 10, 27, 27, 27, 40}))
        << "a slice ends at its end: what is due there runs there";
    EXPECT_EQ(p.host.agenda_activations(), 3u);
    p.device.cancel(forth);
    p.other.cancel(back);
}

TEST(TimelineModule, DevicesDoNotOvertakeAnEventOfTheKernel) {
    struct Watcher final : sc_core::sc_module {
        explicit Watcher(const sc_core::sc_module_name& name) : sc_module(name) {
            SC_HAS_PROCESS(Watcher);
            SC_METHOD(look);
            sensitive << event;
            dont_initialize();
        }
        void look() { runs_before = runs; }
        sc_core::sc_event event;
        int runs = 0;
        int runs_before = -1;
    } watcher("watcher");
    Platform p;
    Task* self = nullptr;
    Task tick([&] {
        watcher.runs++;
        p.note('t', p.device);
        if (p.device.now_ps() < 100) p.device.schedule(*self, p.device.now_ps() + 10);
    });
    self = &tick;
    p.device.schedule(tick, 10);
    watcher.event.notify(sc_core::sc_time::from_value(45));
    p.run(true, 200);
    EXPECT_EQ(watcher.runs_before, 4) << "10, 20, 30 and 40, not 50";
    EXPECT_EQ(watcher.runs, 10);
    EXPECT_EQ(p.host.agenda_activations(), 2u);
}

/// Two islands, each with a device and a host, and a timeline that is on neither.
struct Islands {
    struct Island {
        explicit Island(char its_name)
            : name(its_name),
              device((std::string("device_") + its_name).c_str(), TimelineModule::Pace::kAhead),
              host((std::string("host_") + its_name).c_str()) {}
        ~Island() { device.cancel(tick); }

        char name;
        TimelineModule device;
        TimelineModule host;
        std::vector<std::pair<char, Picoseconds>>* seen = nullptr;
        Task tick{[this] {
            seen->emplace_back(name, device.now_ps());
            device.schedule(tick, device.now_ps() + 10);
        }};
    };
    std::vector<std::pair<char, Picoseconds>> seen;
    TimelineModule scenario{"scenario", TimelineModule::Pace::kAhead};
    Island a{'a'};
    Island b{'b'};

    Islands() {
        for (Island* island : {&a, &b}) {
            island->seen = &seen;
            island->device.schedule(island->tick, island == &a ? 10 : 15);
        }
        TimelineModule::separate({{&a.device, &a.host}, {&b.device, &b.host}});
    }
    void run(Picoseconds until_ps) {
        SimulationClock clock;
        clock.let_devices_run_ahead();
        clock.start();
        clock.advance_until(until_ps);
    }
};

TEST(TimelineModule, AnIslandRunsAheadPastWhatHappensOnOthersAndNotPastTheSlice) {
    Islands i;
    i.run(40);
    EXPECT_EQ(i.seen,
              (std::vector<std::pair<char, Picoseconds>>{
                  {'a', 10}, {'a', 20}, {'a', 30}, {'b', 15}, {'b', 25}, {'b', 35}, {'a', 40}}));
    EXPECT_EQ(i.scenario.agenda_activations(), 3u) << "10, 15 and, since the slice ends there, 40";
}

TEST(TimelineModule, ATaskOfAnIslandsHostHoldsUpItsDeviceOnly) {
    Islands i;
    Task host([&] {
        EXPECT_EQ(sc_core::sc_time_stamp().value(), 27u);
        i.seen.emplace_back('h', i.a.host.now_ps());
    });
    i.a.host.schedule(host, 27);
    i.run(39);
    EXPECT_EQ(i.seen,
              (std::vector<std::pair<char, Picoseconds>>{
                  {'a', 10}, {'a', 20}, {'b', 15}, {'b', 25}, {'b', 35}, {'h', 27}, {'a', 30}}));
}

TEST(TimelineModule, WhatIsOnNoIslandHoldsUpAllAndMayTouchThem) {
    Islands i;
    Task touched([&] { i.seen.emplace_back('t', i.b.device.now_ps()); });
    Task scenario([&] {
        i.seen.emplace_back('s', i.scenario.now_ps());
        i.b.device.schedule(touched, 28);
    });
    i.scenario.schedule(scenario, 27);
    i.run(39);
    EXPECT_EQ(i.seen, (std::vector<std::pair<char, Picoseconds>>{{'a', 10},
                                                                 {'a', 20},
                                                                 {'b', 15},
                                                                 {'b', 25},
                                                                 {'s', 27},
                                                                 {'t', 28},
                                                                 {'b', 35},
                                                                 {'a', 30}}));
}

TEST(TimelineModule, AThreadThatWaitsHoldsUpItsIslandOnly) {
    struct Waiter final : sc_core::sc_module {
        Waiter(const sc_core::sc_module_name& name, Islands& about) : sc_module(name), i(about) {
            SC_HAS_PROCESS(Waiter);
            SC_THREAD(wait_twice);
        }
        void wait_twice() {
            i.a.device.wait_until(27);
            i.seen.emplace_back('w', i.a.device.now_ps());
            i.a.device.wait_until(20);  // Has been: no wait.
            const TimelineModule::KernelWait near(i.a.device, 1000);
            sc_core::wait(early);
            i.seen.emplace_back('w', i.a.device.now_ps());
        }
        Islands& i;
        sc_core::sc_event early;
    };
    Islands i;
    Waiter waiter("waiter", i);
    Task wake([&] { waiter.early.notify(); });
    i.a.host.schedule(wake, 32);
    i.run(39);
    EXPECT_EQ(i.seen, (std::vector<std::pair<char, Picoseconds>>{{'a', 10},
                                                                 {'a', 20},
                                                                 {'b', 15},
                                                                 {'b', 25},
                                                                 {'b', 35},
                                                                 {'w', 27},
                                                                 {'a', 30},
                                                                 {'w', 32}}));
}

TEST(TimelineModule, AfterATaskThrewTheTimeIsTheKernelsAndOthersCanBeCancelled) {
    Islands i;
    Task breaks([] { throw std::runtime_error("broken"); });
    Task scenario([] {});
    i.a.device.schedule(breaks, 23);
    i.scenario.schedule(scenario, 90);
    EXPECT_ANY_THROW(i.run(100));
    for (const TimelineModule* timeline : {&i.scenario, &i.a.device, &i.b.device}) {
        EXPECT_EQ(timeline->now_ps(), sc_core::sc_time_stamp().value());
    }
    EXPECT_EQ(i.seen.back(), (std::pair<char, Picoseconds>{'a', 20}));
    i.scenario.cancel(scenario);
    i.a.device.schedule(i.a.tick, i.a.device.now_ps() + 1000);
}

TEST(TimelineModule, WithoutPermissionNobodyRunsAhead) {
    Platform p;
    Task* self = nullptr;
    Task tick([&] {
        p.note('t', p.device);
        if (p.device.now_ps() < 50) p.device.schedule(*self, p.device.now_ps() + 10);
    });
    self = &tick;
    p.device.schedule(tick, 10);
    p.run(false, 200);
    EXPECT_EQ(p.kernel_times, (std::vector<Picoseconds>{10, 20, 30, 40, 50}));
    EXPECT_EQ(p.host.agenda_activations(), 5u);
}

}  // namespace
}  // namespace doorbell
