// Bus mastering taken away and given back under load, at any instant (specification 9.3, 9.5).
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>

#include "hw/base/prng.hpp"
#include "hw/nic/nic_bench_test.hpp"
#include "hw/pcie/pcie_link.hpp"

namespace doorbell::nic_test {
namespace {

constexpr std::uint32_t kSequenceOffset = 14;
constexpr std::uint32_t kMostUnderWay = 30;  ///< Below the number of the bench's buffers.

std::vector<std::uint8_t> numbered(std::uint32_t sequence, std::uint32_t size_bytes) {
    std::vector<std::uint8_t> bytes = NicBench::broadcast(size_bytes);
    store_le32(&bytes[kSequenceOffset], sequence);
    return bytes;
}

std::uint32_t sequence_of(const std::vector<std::uint8_t>& bytes) {
    return load_le32(&bytes[kSequenceOffset]);
}

class Counted final : public MetricVisitor {
public:
    void metric(std::string_view name, std::uint64_t value) override {
        values[std::string(name)] = value;
    }
    void metric_real(std::string_view, double) override {}
    std::map<std::string, std::uint64_t> values;
};

/// How the driver says "no more requests".
enum class Means { kBusMasterEnable, kGioMasterDisable };

/// A driver that keeps both rings busy, and somebody who switches mastering off and on: between
/// two instants, among the tasks of one, within an access to memory, and within the hand-over of a
/// frame.
class Switched {
public:
    Switched(const NicParams& params, std::uint64_t seed, std::uint32_t write_back_threshold)
        : bench(params), pcie_(params.pcie), prng_(seed), switch_task_([this] { turn_off(); }) {
        bench.enable();
        bench.link_up();
        bench.open_rings();
        bench.set(r::TXDCTL_GRAN, 1);
        bench.set(r::TXDCTL_WTHRESH, write_back_threshold);
        bench.use_msix();
        EXPECT_TRUE(bench.timeline.settle());
        bench.host.touched = [this](Mastered::Kind kind) { touched(kind); };
        bench.wire.hears = [this] {
            if (armed_within_wire_) turn_off();
        };
    }
    ~Switched() { bench.timeline.cancel(switch_task_); }

    void cycle() {
        means_ = prng_.below(2) == 0 ? Means::kBusMasterEnable : Means::kGioMasterDisable;
        load(prng_.below(6));
        bench.timeline.advance_by(prng_.below(12'000'000));
        switch (prng_.below(4)) {
            case 0:
                turn_off();
                break;
            case 1: {
                const Picoseconds next_ps = bench.timeline.next_event_time();
                if (next_ps != kNever) bench.timeline.schedule(switch_task_, next_ps);
                break;
            }
            case 2:
                armed_within_access_ = 1 + prng_.below(4);
                break;
            default:
                armed_within_wire_ = true;
                break;
        }
        load(prng_.below(4));
        bench.timeline.advance_by(prng_.below(4'000'000));
        bench.timeline.cancel(switch_task_);
        armed_within_access_ = 0;
        armed_within_wire_ = false;
        if (!off_) turn_off();
        poll_disabled();
        load(prng_.below(6));
        bench.timeline.advance_by(prng_.below(60'000'000));
        poll_disabled();
        turn_on();
    }

    /// Some frames each way, as wire and rings have room.
    void load(std::uint64_t frames) {
        reap();
        for (std::uint64_t i = 0; i < frames; i++) {
            const auto sent_bytes = static_cast<std::uint32_t>(60 + prng_.below(1400));
            const auto seen_bytes = static_cast<std::uint32_t>(60 + prng_.below(700));
            if (sent_ - head_ < kMostUnderWay) bench.send(numbered(sent_++, sent_bytes));
            bench.arrive(numbered(arrived_++, seen_bytes));
        }
        reap();
    }

    void finish() {
        ASSERT_TRUE(bench.timeline.settle());
        reap();
        ASSERT_TRUE(bench.timeline.settle());
        reap();
        Counted counted;
        bench.nic.visit_metrics(counted);
        EXPECT_EQ(taken_ + counted.values["drops.overrun_frames"], arrived_);
        for (const char* name : {"tx.ring_faults", "rx.ring_faults", "tx.abandoned_frames",
                                 "rx.failed_frames", "dma.failed.master_disabled",
                                 "dma.failed.unsupported_request", "dma.failed.timeout"}) {
            ASSERT_EQ(counted.values.count(name), 1u) << name;
            EXPECT_EQ(counted.values[name], 0u) << name;
        }
        ASSERT_EQ(bench.wire.heard.size(), sent_) << "each frame once";
        for (std::uint32_t i = 0; i < sent_; i++) {
            ASSERT_EQ(sequence_of(bench.wire.heard[i].bytes), i);
            ASSERT_TRUE(bench.wire.heard[i].fcs_good);
        }
    }

    NicBench bench;
    std::uint32_t taken_ = 0;
    std::uint64_t within_ = 0;  ///< Times it was switched off from within the NIC.

private:
    void turn_off() {
        if (off_) return;
        off_ = true;
        if (armed_within_access_ != 0 || armed_within_wire_) within_++;
        if (means_ == Means::kGioMasterDisable) {
            bench.set(r::CTRL_GIO_MASTER_DISABLE, 1);
            return;  // Posted: only polling tells.
        }
        bench.nic.config_write(0x04, 2, 0x0003);
        // The completion of the configuration write pushes what is on the link; a read request
        // before it is at its memory by then.
        const Picoseconds now_ps = bench.timeline.now_ps();
        const Picoseconds done_ps =
            pcie_.enabled ? bench.nic.link().register_completion_arrival(0, now_ps) : now_ps;
        quiet_from_ps_ = done_ps + (pcie_.enabled ? pcie_.memory_latency_ps : 0) + 1;
    }
    void turn_on() {
        quiet_from_ps_ = kNever;
        if (means_ == Means::kGioMasterDisable) {
            bench.set(r::CTRL_GIO_MASTER_DISABLE, 0);
        } else {
            bench.nic.config_write(0x04, 2, 0x0007);
        }
        off_ = false;
    }
    void poll_disabled() {
        if (means_ != Means::kGioMasterDisable) return;
        EXPECT_TRUE(bench.poll(r::STATUS_GIO_MASTER_EN, 0, nanoseconds(100), 8000));
        quiet_from_ps_ = bench.timeline.now_ps();
    }
    void touched(Mastered::Kind kind) {
        EXPECT_LE(bench.timeline.now_ps(), quiet_from_ps_)
            << "an access while mastering is off, kind " << static_cast<int>(kind);
        if (armed_within_access_ != 0 && --armed_within_access_ == 0) {
            armed_within_access_ = 1;
            turn_off();
            armed_within_access_ = 0;
        }
    }
    void reap() {
        // TDH is an index; fewer than a ring are under way.
        const std::uint32_t index = bench.read(r::TDH);
        while (head_ % NicBench::kRingSize != index) head_++;
        const std::uint32_t before = taken_;
        while (bench.rx_done(taken_ % NicBench::kRingSize)) {
            const std::uint32_t sequence =
                sequence_of(bench.received(taken_ % NicBench::kRingSize));
            EXPECT_GE(sequence, next_sequence_) << "twice, or out of order";
            next_sequence_ = sequence + 1;
            bench.give_rx(taken_++ % NicBench::kRingSize);
        }
        if (taken_ == before) return;
        bench.write(r::RDT, (taken_ + NicBench::kRingSize - 1) % NicBench::kRingSize);
    }

    const PcieLinkParams pcie_;
    Prng prng_;
    Task switch_task_;
    Means means_ = Means::kBusMasterEnable;
    bool off_ = false;
    std::uint64_t armed_within_access_ = 0;
    bool armed_within_wire_ = false;
    Picoseconds quiet_from_ps_ = kNever;
    std::uint32_t sent_ = 0;
    std::uint32_t head_ = 0;
    std::uint32_t arrived_ = 0;
    std::uint32_t next_sequence_ = 0;
};

void switch_many_times(const NicParams& params, std::uint32_t write_back_threshold) {
    std::uint64_t within = 0;
    for (std::uint64_t seed = 1; seed <= 8; seed++) {
        SCOPED_TRACE(seed);
        Switched nic(params, seed, write_back_threshold);
        for (int i = 0; i < 150; i++) {
            nic.cycle();
            if (::testing::Test::HasFailure()) return;
        }
        nic.finish();
        EXPECT_GT(nic.taken_, 300u) << "there was load";
        within += nic.within_;
        // And it works as if nothing had been.
        const std::size_t before = nic.bench.wire.heard.size();
        nic.load(5);
        nic.finish();
        EXPECT_EQ(nic.bench.wire.heard.size(), before + 5);
    }
    EXPECT_GT(within, 100u);
}

TEST(MasterSwitched, loses_nothing_touches_nothing_and_latches_no_fault) {
    switch_many_times(NicBench::quick(), 0);
}

TEST(MasterSwitched, also_where_the_prefetch_forces_a_write_back) {
    NicParams params = NicBench::quick();
    params.rings.descriptor_cache = 8;
    switch_many_times(params, 16);
}

TEST(MasterSwitched, also_on_a_link_without_time) {
    NicParams params = NicBench::quick();
    params.pcie.enabled = false;
    params.rings.descriptor_cache = 8;
    switch_many_times(params, 16);
}

// What was held belongs to the rings before the reset: it must not come out afterwards.
TEST(MasterSwitched, a_reset_in_between_forgets_what_was_held) {
    for (Picoseconds at_ps = 0; at_ps < 40'000'000; at_ps += 333'333) {
        NicBench nic;
        nic.enable();
        nic.link_up();
        nic.open_rings();
        ASSERT_TRUE(nic.timeline.settle());
        for (std::uint32_t i = 0; i < 8; i++) nic.send(numbered(i, 1000));
        nic.arrive(numbered(0, 300));
        nic.timeline.advance_by(at_ps);
        nic.nic.config_write(0x04, 2, 0x0003);
        nic.timeline.advance_by(microseconds(20));
        const std::size_t accesses = nic.host.log.size();
        nic.reset_hw();
        EXPECT_EQ(nic.host.log.size(), accesses);
        nic.wire.heard.clear();
        std::fill(nic.host.memory.begin(), nic.host.memory.end(), std::uint8_t{0xEE});
        nic.nic.config_write(0x04, 2, 0x0007);
        ASSERT_TRUE(nic.timeline.settle());
        EXPECT_EQ(nic.host.log.size(), accesses) << "the rings are closed";
        EXPECT_TRUE(nic.wire.heard.empty());
        nic.open_rings();
        nic.send(numbered(100, 700));
        nic.arrive(numbered(200, 300));
        ASSERT_TRUE(nic.timeline.settle());
        ASSERT_EQ(nic.wire.heard.size(), 1u);
        EXPECT_EQ(sequence_of(nic.wire.heard[0].bytes), 100u);
        ASSERT_TRUE(nic.rx_done(0));
        EXPECT_EQ(sequence_of(nic.received(0)), 200u);
    }
}

// What became of a read stands in configuration space (section 1.2, 1.4).
TEST(DmaErrors, a_read_that_fails_is_noted_where_the_host_looks) {
    for (const DmaStatus status : {DmaStatus::kUnsupportedRequest, DmaStatus::kTimeout}) {
        NicBench nic;
        nic.enable();
        nic.link_up();
        nic.open_rings();
        EXPECT_TRUE(nic.timeline.settle());
        EXPECT_EQ(nic.nic.config_read(0x06, 2), 0x0010u);
        FailNthDma hook(1, status);
        nic.nic.set_dma_fault_hook(&hook);
        nic.send(NicBench::broadcast(100));
        nic.timeline.advance_by(milliseconds(20));
        ASSERT_TRUE(hook.fired());
        const bool unsupported = status == DmaStatus::kUnsupportedRequest;
        EXPECT_EQ(nic.nic.config_read(0x06, 2), unsupported ? 0x2010u : 0x0010u);
        EXPECT_EQ(nic.nic.config_read(0x104, 4), unsupported ? 0u : 1u << 14);
        EXPECT_EQ(nic.nic.config_read(0xEA, 2) & 0xF, unsupported ? 0u : 2u);
    }
}

}  // namespace
}  // namespace doorbell::nic_test
