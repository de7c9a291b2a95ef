// The guest kernel alone: who has the CPU when, to the nanosecond.
#include "guest_stack/test/guest_pair.hpp"

namespace guest_test {
namespace {

using ::testing::HasSubstr;

// One host that runs a case of kernel_cases.c. Lines of its log: "<ns> <what>".
struct Machine {
    World world;
    TestHost host;

    explicit Machine(const std::string& name)
        : host(world, DOORBELL_KERNEL_CASES, 1, {name, {}, {}, {}, {}}) {}

    std::vector<std::string> run(uint64_t limit_ps = kSecond) {
        EXPECT_EQ(host.start(), 0);
        world.run_until([] { return false; }, limit_ps);
        std::vector<std::string> lines;
        std::string rest = host.log();
        for (size_t end = rest.find('\n'); end != std::string::npos; end = rest.find('\n')) {
            lines.push_back(rest.substr(2, end - 2)); /* behind the log level */
            rest.erase(0, end + 1);
        }
        return lines;
    }
};

using Lines = std::vector<std::string>;

TEST(Cpu, WhatHigherLevelsTakeIsWaitedForAgain) {
    Machine machine("stolen");
    machine.world.at(30 * kMicrosecond, [&machine] { machine.host.nic(0).set_link(false); });
    EXPECT_EQ(machine.run(), (Lines{"0 thread begins", "30000 irq begins", "40000 softirq begins",
                                    "60000 softirq ends", "130000 thread ends"}));
    auto metrics = machine.host.metrics();
    EXPECT_EQ(metrics["busy.thread"], 100000u);
    EXPECT_EQ(metrics["busy.softirq"], 20000u);
    EXPECT_EQ(metrics["busy.hardirq"], 10000u);
}

TEST(Cpu, AnInterruptPreemptsASoftirq) {
    Machine machine("stolen");
    machine.world.at(30 * kMicrosecond, [&machine] { machine.host.nic(0).set_link(false); });
    machine.world.at(45 * kMicrosecond, [&machine] { machine.host.nic(0).set_link(true); });
    EXPECT_EQ(machine.run(),
              (Lines{"0 thread begins", "30000 irq begins", "40000 softirq begins",
                     "45000 irq begins", "70000 softirq ends", "70000 softirq begins",
                     "90000 softirq ends", "160000 thread ends"}));
    EXPECT_EQ(machine.host.metrics()["busy.softirq"], 40000u);
}

TEST(Cpu, AContextDoesNotExecuteAtItsDeadlineWhileAnInterruptIsActive) {
    Machine machine("stolen");
    // The thread's 100 us are over in the middle of the interrupt.
    machine.world.at(95 * kMicrosecond, [&machine] { machine.host.nic(0).set_link(false); });
    EXPECT_EQ(machine.run().back(), "130000 thread ends");
}

TEST(Cpu, InterruptsDoNotNestAndNoneIsLost) {
    Machine machine("stolen");
    for (const uint64_t us : {30u, 31u, 39u}) { /* the last two come while the first is handled */
        machine.world.at(us * kMicrosecond, [&machine] { machine.host.nic(0).set_link(false); });
    }
    EXPECT_EQ(machine.run(),
              (Lines{"0 thread begins", "30000 irq begins", "40000 irq begins",
                     "50000 softirq begins", "70000 softirq ends", "140000 thread ends"}));
    EXPECT_EQ(machine.host.metrics()["irq.latency_max"], 9000u);
}

TEST(Cpu, NothingGetsInWhileALoadIsUnderWay) {
    Machine machine("stall");
    machine.world.at(10200 * 1000, [&machine] { machine.host.nic(0).set_link(false); });
    EXPECT_EQ(machine.run(), (Lines{"10800 loaded", "10800 irq begins", "13800 goes on"}));
    EXPECT_EQ(machine.host.metrics()["busy.thread"], 800u);
    EXPECT_EQ(machine.host.metrics()["irq.latency_max"], 600u);
}

TEST(Cpu, ATimerDueDuringALoadWaitsForItToo) {
    EXPECT_EQ(Machine("stall_timer").run(),
              (Lines{"10800 loaded", "10800 timer", "10800 goes on"}));
}

TEST(Cpu, SmallChargesAreCarriedLargeOnesPaid) {
    EXPECT_EQ(Machine("slack").run(), (Lines{"10000 small charge carried", "10200 and paid",
                                             "20200 large charge paid first"}));
}

TEST(Threads, RunInTheOrderTheyBecameRunnable) {
    EXPECT_EQ(Machine("fifo").run(), (Lines{"0 one", "10000 one", "10000 two", "20000 two",
                                            "20000 three", "30000 three"}));
}

TEST(Threads, ShareTheCpuBySlices) {
    EXPECT_EQ(Machine("slices").run(),
              (Lines{"0 hog a", "60000 hog a", "120000 hog b", "180000 hog b", "240000 hog a",
                     "300000 hog a", "360000 hog b", "420000 hog b"}));
}

TEST(Threads, AreWokenOrTimeOut) {
    EXPECT_EQ(Machine("block").run(),
              (Lines{"50000 timed out", "70000 wakes", "75000 woken", "90000 timed out at once"}));
}

TEST(Threads, ATimeoutWaitsForTheCpu) {
    EXPECT_EQ(Machine("late").run(), (Lines{"70000 busy ends", "70000 timed out",
                                            "100000 timed out", "100000 timed out at once"}));
}

TEST(Softirqs, RunInTheOrderOfTheirVectorsWhenTheThreadLetsGo) {
    Machine machine("priorities");
    EXPECT_EQ(machine.run(), (Lines{"0 raised", "0 hi", "0 net_tx", "0 net_rx", "1000 after"}));
    EXPECT_EQ(machine.host.metrics()["softirq.hi"], 1u); /* raised twice, pending once */
}

TEST(Softirqs, ThatGoOnTooLongMoveToKsoftirqd) {
    Machine machine("ksoftirqd");
    machine.host.listen();
    const Lines lines = machine.run();
    // Ten rounds first; then the thread and ksoftirqd take turns.
    EXPECT_EQ(lines, (Lines{"101000 thread runs", "202000 thread runs", "303000 thread runs",
                            "603000 softirqs end"}));
    EXPECT_EQ(machine.host.metrics()["softirq.tasklet"], 60u);
    EXPECT_EQ(machine.host.metrics()["ksoftirqd.runs"], 5u);
    const std::vector<Report> moves = machine.host.reports(EVENT_KSOFTIRQD);
    ASSERT_EQ(moves.size(), 2u);
    EXPECT_EQ(moves[0].report.args[0], 1u);
    EXPECT_EQ(moves[0].time, 100 * kMicrosecond);
    EXPECT_EQ(moves[1].report.args[0], 0u);
    EXPECT_EQ(moves[1].time, 603 * kMicrosecond);
}

TEST(Softirqs, ThatBlockArePanics) {
    Machine machine("blocking_softirq");
    (void)machine.run();
    EXPECT_THAT(machine.world.failure(), HasSubstr("softirq blocks while it may not"));
}

TEST(Timers, RunInOrderEvenWhenRearmedCancelledOrLate) {
    EXPECT_EQ(Machine("timers").run(), (Lines{"10000 a", "20000 b", "20000 d", "40000 c"}));
}

}  // namespace
}  // namespace guest_test
