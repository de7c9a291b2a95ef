#include "hw/dma/dma_engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <map>

#include "hw/base/generated/events.hpp"
#include "hw/dma/allocation_counter.hpp"
#include "hw/dma/dma_test_host.hpp"

namespace doorbell {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class DmaEngineTest : public testing::Test {
protected:
    DmaEngineTest() { state.bus_master = true; }

    DmaEngine& engine() {
        if (!engine_) {
            engine_ = std::make_unique<DmaEngine>(params, timeline, host, link, state, events);
        }
        return *engine_;
    }
    static DmaRequest at(std::uint64_t offset, std::uint32_t size_bytes, std::uint32_t tag = 0) {
        DmaRequest request;
        request.address = TestHost::kBase + offset;
        request.size_bytes = size_bytes;
        request.tag = tag;
        return request;
    }
    std::uint64_t metric(const std::string& name) {
        struct Collector final : MetricVisitor {
            void metric(std::string_view n, std::uint64_t value) override {
                values[std::string(n)] = value;
            }
            void metric_real(std::string_view, double) override {}
            std::map<std::string, std::uint64_t> values;
        } collector;
        engine().visit_metrics(collector);
        return collector.values.at(name);
    }

    ManualTimeline timeline;
    TestHost host;
    TestLink link;
    DeviceState state;
    EventPort events;
    DmaParams params;
    TestClient client;
    std::array<std::uint8_t, 8192> buffer{};

private:
    std::unique_ptr<DmaEngine> engine_;
};

TEST_F(DmaEngineTest, AReadSamplesMemoryWhenItsDataIsReadyNotWhenItIsAsked) {
    host.memory[8] = 1;
    host.packet_there = 77;
    engine().read(at(8, 16, 5), buffer.data(), client);
    timeline.advance_until(20 + 100 + 1000 - 1);
    EXPECT_THAT(client.completions, IsEmpty());
    host.memory[8] = 2;  // Still in time.
    timeline.advance_by(1);
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(buffer[0], 2);
    const DmaCompletion& done = client.completions[0];
    EXPECT_EQ(done.tag, 5u);
    EXPECT_EQ(done.status, DmaStatus::kOk);
    EXPECT_EQ(done.packet, 77u);
    EXPECT_EQ(done.done_ps, 1120u + 36 + 100);
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, ReadsOverlapAsFarAsThereAreTags) {
    params.read_tags = 2;
    for (std::uint32_t i = 0; i < 4; i++) engine().read(at(0, 16, i), buffer.data(), client);
    EXPECT_EQ(engine().outstanding(), 4u);
    EXPECT_EQ(link.up_busy_ps, 40u);  // Two requests are on the link, two wait for a tag.
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 4u);
    // A tag is free when its last completion is here; then the next request leaves, in order.
    EXPECT_EQ(client.completions[0].done_ps, 1120u + 36 + 100);
    EXPECT_EQ(client.completions[1].done_ps, 1120u + 72 + 100);
    EXPECT_EQ(client.completions[2].done_ps, 1256u + 1120 + 136);
    EXPECT_EQ(client.completions[3].done_ps, 1292u + 1120 + 136);
    for (std::uint32_t i = 0; i < 4; i++) EXPECT_EQ(client.completions[i].tag, i);
    EXPECT_EQ(metric("dma.tag_waits"), 2u);
    EXPECT_EQ(metric("dma.peak_outstanding"), 4u);
}

TEST_F(DmaEngineTest, EveryPieceOfASplitReadTakesATag) {
    params.read_tags = 4;
    engine().read(at(0, 1514), buffer.data(), client);     // Three pieces.
    engine().read(at(0, 1514, 1), buffer.data(), client);  // Does not fit beside it.
    EXPECT_EQ(link.up_busy_ps, 60u);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(client.completions.size(), 2u);
    EXPECT_GT(client.completions[1].done_ps, 2 * 1000u);
}

// 16 requests and 4 tags: whatever a task may do, no fifth request leaves before a tag is back.
TEST_F(DmaEngineTest, AReadOfMoreRequestsThanTagsHasNoMoreUnderWayThanTags) {
    params.read_tags = 4;
    engine().read(at(0, 8192, 2), buffer.data(), client);
    engine().read(at(0, 16, 3), buffer.data(), client);
    timeline.advance_until(1120 + 532 + 100 - 1);
    EXPECT_EQ(link.up_busy_ps, 80u);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    EXPECT_EQ(client.completions[0].tag, 2u) << "nobody overtakes it";
    // Four round trips of a request: the first is back, then the fifth leaves, and so on.
    EXPECT_GE(client.completions[0].done_ps, 4 * (20 + 100 + 1000 + 532 + 100u));
}

TEST_F(DmaEngineTest, AReadOfWhichAPartHasLeftGoesOnWhenSoftwareAllowsLargerRequests) {
    params.read_tags = 2;
    engine().read(at(0, 2048, 0), buffer.data(), client);
    link.max_request_bytes = 4096;
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 1u);
    // Two requests of 512 bytes, and when the first of their tags is back the rest in one.
    EXPECT_EQ(client.completions[0].done_ps, 1752u + 20 + 100 + 1000 + 20 + 1024 + 100);
    EXPECT_EQ(engine().outstanding(), 0u);
}

// --- a task for a read

TEST_F(DmaEngineTest, ALongReadIsSampledOnceAndItsCompletionsComeWhenTheyWouldOneByOne) {
    host.memory[0] = 1;
    engine().read(at(0, 1100, 5), buffer.data(), client);
    EXPECT_EQ(timeline.next_event_time(), 60u + 100 + 1000);
    timeline.advance_until(1159);
    host.memory[0] = 2;  // Still in time, although memory could have answered the first request.
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(buffer[0], 2);
    ASSERT_EQ(client.completions.size(), 1u);
    // From 1120 on, when memory has the data of the first request; this link answers in one TLP.
    EXPECT_EQ(client.completions[0].done_ps, 1120u + 1100 + 20 + 100);
}

// --- whose read is next

/// Two blocks of a chip that read, and the order in which they are served.
class DmaArbitrationTest : public DmaEngineTest {
protected:
    struct Block final : DmaClient {
        explicit Block(std::vector<std::uint32_t>& order) : order_(order) {}
        void dma_complete(const DmaCompletion& completion) override {
            order_.push_back(completion.tag);
        }
        std::vector<std::uint32_t>& order_;
    };
    void read(Block& block, std::uint32_t tag, std::uint32_t size_bytes = 16) {
        engine().read(at(0, size_bytes, tag), buffer.data(), block);
    }

    std::vector<std::uint32_t> order;
    Block tx{order}, rx{order};
};

TEST_F(DmaArbitrationTest, InOrderABlockWaitsForAllThatTheOtherHasAskedForBefore) {
    params.read_tags = 1;
    for (std::uint32_t tag = 0; tag < 4; tag++) read(tx, tag);
    read(rx, 10);
    read(rx, 11);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 10, 11));
}

TEST_F(DmaArbitrationTest, RoundRobinServesBlocksInTurnAndEachOfThemInOrder) {
    params.read_tags = 1;
    params.arbitration = DmaArbitration::kRoundRobin;
    for (int round = 0; round < 2; round++) {
        order.clear();
        for (std::uint32_t tag = 0; tag < 4; tag++) read(tx, tag);
        read(rx, 10);
        read(rx, 11);
        EXPECT_TRUE(timeline.settle());
        EXPECT_THAT(order, ElementsAre(0, 1, 10, 2, 11, 3));
        timeline.advance_by(1'000);  // The last tag is back.
    }
}

TEST_F(DmaArbitrationTest, RoundRobinLetsNoShortReadsKeepTheTagsFromALongOne) {
    params.read_tags = 3;
    params.arbitration = DmaArbitration::kRoundRobin;
    for (std::uint32_t tag = 0; tag < 4; tag++) read(tx, tag);
    read(rx, 10, 1536);
    for (std::uint32_t tag = 4; tag < 8; tag++) read(tx, tag);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(order, ElementsAre(0, 1, 2, 3, 10, 4, 5, 6, 7));
}

TEST_F(DmaArbitrationTest, AReadOfWhichAPartHasLeftKeepsItsTurn) {
    params.read_tags = 2;
    params.task_per_request = true;
    params.arbitration = DmaArbitration::kRoundRobin;
    read(rx, 10);
    read(rx, 11);
    read(rx, 12);  // Waits: the next turn would be another's.
    EXPECT_TRUE(timeline.settle());
    timeline.advance_by(1'000);
    read(tx, 0, 2048);
    read(rx, 13);
    read(tx, 1);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(order, ElementsAre(10, 11, 12, 0, 13, 1));
}

TEST_F(DmaArbitrationTest, AResetForgetsWhatWaitedInEveryQueue) {
    params.read_tags = 1;
    params.arbitration = DmaArbitration::kRoundRobin;
    for (std::uint32_t tag = 0; tag < 3; tag++) {
        read(tx, tag);
        read(rx, 10 + tag);
    }
    state.bus_master = false;
    EXPECT_EQ(engine().outstanding(), 1u) << "what waits has not left";
    engine().reset();
    EXPECT_EQ(engine().outstanding(), 0u);
    state.bus_master = true;
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(order, IsEmpty());
    read(rx, 13);
    read(rx, 14);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(order, ElementsAre(13, 14));
}

// --- a task for each request of a read

TEST_F(DmaEngineTest, EachRequestOfALongReadMeetsMemoryAtItsOwnTime) {
    params.task_per_request = true;
    host.memory[0] = host.memory[600] = host.memory[1030] = 1;
    host.packet_there = 77;
    engine().read(at(0, 1100, 5), buffer.data(), client);
    EXPECT_EQ(link.up_busy_ps, 60u);
    EXPECT_EQ(timeline.next_event_time(), 20u + 100 + 1000);
    timeline.advance_until(1120);
    host.memory[0] = host.memory[600] = host.memory[1030] = 2;  // Too late for the first only.
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(buffer[0], 1);
    EXPECT_EQ(buffer[600], 2);
    EXPECT_EQ(buffer[1030], 2);
    ASSERT_EQ(client.completions.size(), 1u) << "the read is one";
    EXPECT_EQ(client.completions[0].tag, 5u);
    EXPECT_EQ(client.completions[0].packet, 77u);
    // 532, 532 and 96 bytes from 1120 on; the requests came 20 apart.
    EXPECT_EQ(client.completions[0].done_ps, 1120u + 532 + 532 + 96 + 100);
    EXPECT_EQ(engine().outstanding(), 0u);
    EXPECT_EQ(metric("dma.reads"), 1u);
}

TEST_F(DmaEngineTest, RequestsLeaveOneByOneAsTagsAreFreeAndNobodyOvertakes) {
    params.task_per_request = true;
    params.read_tags = 2;
    engine().read(at(0, 1536, 0), buffer.data(), client);
    engine().read(at(0, 16, 1), buffer.data(), client);
    EXPECT_EQ(link.up_busy_ps, 40u);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    // The first tag is back at 1120 + 532 + 100, the second 532 later: then the short read leaves.
    EXPECT_EQ(client.completions[0].tag, 0u);
    EXPECT_EQ(client.completions[0].done_ps, 1752u + 20 + 100 + 1000 + 532 + 100);
    EXPECT_EQ(client.completions[1].done_ps, 2284u + 20 + 100 + 1000 + 532 - 532 + 36 + 100);
}

TEST_F(DmaEngineTest, ALongReadOfWhichARequestFailsFailsOnce) {
    params.task_per_request = true;
    engine().read(at(TestHost::kSize - 1000, 1024, 3), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].status, DmaStatus::kUnsupportedRequest);
    EXPECT_EQ(metric("dma.failed.unsupported_request"), 1u);
}

TEST_F(DmaEngineTest, AResetForgetsALongReadOfWhichAPartHasLeft) {
    params.task_per_request = true;
    params.read_tags = 2;
    for (int round = 0; round < 5; round++) {
        engine().read(at(0, 4096, 0), buffer.data(), client);
        engine().read(at(0, 4096, 1), buffer.data(), client);
        timeline.advance_by(1500);
        engine().reset();
        EXPECT_EQ(timeline.next_event_time(), kNever);
    }
    EXPECT_THAT(client.completions, IsEmpty());
    engine().read(at(0, 4096, 2), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].tag, 2u);
}

TEST_F(DmaEngineTest, ALongReadOfWhichAPartHasLeftIsOutstandingWithoutMasteringUntilThatIsBack) {
    params.task_per_request = true;
    params.read_tags = 2;
    engine().read(at(0, 2048, 0), buffer.data(), client);
    engine().read(at(0, 16, 1), buffer.data(), client);
    state.bus_master = false;
    EXPECT_EQ(engine().outstanding(), 1u);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(engine().outstanding(), 0u);
    EXPECT_EQ(link.up_busy_ps, 40u);
    EXPECT_THAT(client.completions, IsEmpty());
    state.bus_master = true;
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(client.completions.size(), 2u);
}

TEST_F(DmaEngineTest, LongReadsWithATaskPerRequestAllocateNothing) {
    params.task_per_request = true;
    params.read_tags = DmaParams::kMaxReadTags;
    std::uint64_t before = 0;
    for (int round = 0; round < 3; round++) {
        if (round == 1) before = allocations();
        for (std::uint32_t i = 0; i < 40; i++) {
            engine().read(at(0, 8192, i), buffer.data(), client);
        }
        EXPECT_TRUE(timeline.settle());
        client.completions.clear();
    }
    EXPECT_EQ(allocations(), before);
}

TEST_F(DmaEngineTest, AReadThatLacksCreditsWaitsForThemAndKeepsItsPlace) {
    for (const bool each : {false, true}) {
        ManualTimeline clock;
        TestLink wire;
        TestClient waiting;
        wire.credits_ps = 5'000;
        params.task_per_request = each;
        DmaEngine dma(params, clock, host, wire, state, events);
        dma.read(at(0, 1024, 0), buffer.data(), waiting);
        dma.read(at(0, 16, 1), buffer.data(), waiting);
        EXPECT_EQ(wire.up_busy_ps, 0u);
        EXPECT_TRUE(clock.settle());
        EXPECT_EQ(wire.up_busy_ps, 5'060u);
        ASSERT_EQ(waiting.completions.size(), 2u);
        EXPECT_EQ(waiting.completions[0].tag, 0u);
    }
}

TEST_F(DmaEngineTest, TheDeliveryIntoTheDevicesMemoryComesBehindTheLastCompletion) {
    link.delivery_ps = 3;
    for (const bool each : {false, true}) {
        ManualTimeline clock;
        TestLink wire;
        TestClient served;
        wire.delivery_ps = 3;
        params.task_per_request = each;
        DmaEngine dma(params, clock, host, wire, state, events);
        dma.read(at(0, 16, 0), buffer.data(), served);
        EXPECT_TRUE(clock.settle());
        ASSERT_EQ(served.completions.size(), 1u);
        EXPECT_EQ(served.completions[0].done_ps, 1120u + 36 + 100 + 3 * 16);
    }
}

// The tag is what the completions need; where their data goes then is the device's own affair.
TEST_F(DmaEngineTest, ATagIsFreeWithTheLastCompletionAndDoesNotWaitForTheDelivery) {
    link.delivery_ps = 100;
    params.read_tags = 1;
    engine().read(at(0, 16, 0), buffer.data(), client);
    engine().read(at(0, 16, 1), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    EXPECT_EQ(client.completions[1].done_ps, 2 * (1120u + 36 + 100) + 100 * 16);
}

// Tags for all its requests are not enough: so many credits are needed, too.
TEST_F(DmaEngineTest, AReadWithOneTaskAsksForCreditsForAllItsRequests) {
    engine().read(at(0, 1514), buffer.data(), client);
    EXPECT_EQ(link.credits_asked, 3u);
    engine().read(at(0, 16), buffer.data(), client);
    EXPECT_EQ(link.credits_asked, 1u);
}

TEST_F(DmaEngineTest, AReadOfMoreRequestsThanCreditsAsksForOneAtATime) {
    link.most_requests = 2;
    engine().read(at(0, 1514), buffer.data(), client);
    EXPECT_EQ(link.credits_asked, 1u);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(client.completions.size(), 1u);
}

// Memory answers the second request of two first; the first decides when the read is over.
TEST_F(DmaEngineTest, ALongReadEndsWithTheLastCompletionWhicheverRequestWasAnsweredLast) {
    params.task_per_request = true;
    link.delay_of_next_completion_ps = 10'000;
    engine().read(at(0, 1024), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].done_ps, 1120u + 532 + 100 + 10'000);
}

TEST_F(DmaEngineTest, WhoKeepsTheErrorsHearsOfEachReadThatFailedOnceAndOfNoWrite) {
    struct Errors final : DmaErrorListener {
        void read_failed(DmaStatus status) override { heard.push_back(status); }
        std::vector<DmaStatus> heard;
    };
    for (const bool each : {false, true}) {
        ManualTimeline clock;
        TestLink wire;
        Errors errors;
        params.task_per_request = each;
        DmaEngine dma(params, clock, host, wire, state, events);
        dma.set_error_listener(&errors);
        dma.read(at(TestHost::kSize, 2048), buffer.data(), client);
        dma.write(at(TestHost::kSize, 2048), buffer.data(), client);
        dma.read(at(0, 2048), buffer.data(), client);
        EXPECT_TRUE(clock.settle());
        EXPECT_THAT(errors.heard, ElementsAre(DmaStatus::kUnsupportedRequest));
    }
}

TEST_F(DmaEngineTest, AShortReadDoesNotOvertakeALongOneThatWaits) {
    params.read_tags = 3;
    engine().read(at(0, 16, 0), buffer.data(), client);
    engine().read(at(0, 1536, 1), buffer.data(), client);
    engine().read(at(0, 16, 2), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 3u);
    for (std::uint32_t i = 0; i < 3; i++) EXPECT_EQ(client.completions[i].tag, i);
}

TEST_F(DmaEngineTest, TheCompletionDirectionIsNotReservedBeforeTheDataIsReady) {
    engine().read(at(0, 1000), buffer.data(), client);
    timeline.advance_until(500);
    EXPECT_EQ(link.down_busy_ps, 0u);
    EXPECT_TRUE(timeline.settle());
    EXPECT_GT(link.down_busy_ps, 0u);
}

TEST_F(DmaEngineTest, AWriteIsVisibleWhenItArrivesAndTheClientHearsOfItThen) {
    buffer[0] = 9;
    DmaRequest request = at(4, 32, 3);
    request.packet = 12;
    engine().write(request, buffer.data(), client);
    timeline.advance_until(151);
    EXPECT_EQ(host.memory[4], 0);
    EXPECT_EQ(engine().outstanding(), 1u);
    timeline.advance_by(1);
    EXPECT_EQ(host.memory[4], 9);
    EXPECT_EQ(host.packet_there, 12u);
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].tag, 3u);
    EXPECT_EQ(client.completions[0].done_ps, 152u);
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, WritesMessagesAndThePinArriveInTheOrderOfSubmission) {
    for (const bool coalesce : {false, true}) {
        ManualTimeline clock;
        TestHost memory;
        TestLink wire;
        params.coalesce_posted_writes = coalesce;
        DmaEngine dma(params, clock, memory, wire, state, events);
        dma.write(at(1, 1500), buffer.data(), client);
        dma.write(at(2, 16), buffer.data(), client);
        dma.message(0xFEE00000, 3);
        dma.interrupt_pin(true);
        clock.advance_by(5);
        dma.write(at(4, 1), buffer.data(), client);
        dma.interrupt_pin(false);
        dma.message(0xFEE00000, 5);
        EXPECT_TRUE(clock.settle());
        EXPECT_THAT(memory.log, ElementsAre("w1", "w2", "m3", "p1", "w4", "p0", "m5"));
    }
}

TEST_F(DmaEngineTest, ABurstBecomesVisibleTogetherWithItsLastMember) {
    engine().write(at(1, 1500), buffer.data(), client);
    engine().write(at(2, 16), buffer.data(), client);
    timeline.advance_until(1520 + 36 + 100 - 1);
    EXPECT_THAT(host.log, IsEmpty());
    EXPECT_EQ(timeline.next_event_time(), 1656u);  // One task for both.
    timeline.advance_by(1);
    EXPECT_THAT(host.log, ElementsAre("w1", "w2"));
}

TEST_F(DmaEngineTest, ABurstBehindAnotherBecomesVisibleWithItsOwnLastMember) {
    engine().write(at(1, 16), buffer.data(), client);
    timeline.advance_by(5);
    engine().write(at(2, 16), buffer.data(), client);
    engine().write(at(3, 4000), buffer.data(), client);  // On the link until 36 + 36 + 4020.
    timeline.advance_until(136);
    EXPECT_THAT(host.log, ElementsAre("w1"));
    timeline.advance_until(4192 - 1);
    EXPECT_THAT(host.log, ElementsAre("w1"));
    timeline.advance_by(1);
    EXPECT_THAT(host.log, ElementsAre("w1", "w2", "w3"));
}

// Entries of the posted queue are filled in where they stay: nothing of a write may be left in the
// message that comes to stand where it stood.
TEST_F(DmaEngineTest, NobodyIsToldThatAMessageHasArrived) {
    for (std::uint32_t i = 0; i < 256; i++) {
        engine().write(at(1, 16), buffer.data(), client);
        EXPECT_TRUE(timeline.settle());
    }
    ASSERT_EQ(client.completions.size(), 256u);
    for (std::uint32_t i = 0; i < 256; i++) {
        engine().message(0xFEE00000, i);
        EXPECT_TRUE(timeline.settle());
    }
    EXPECT_EQ(host.log.back(), "m255");
    EXPECT_EQ(client.completions.size(), 256u);
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, WithoutCoalescingEachWriteHasItsOwnArrival) {
    params.coalesce_posted_writes = false;
    engine().write(at(1, 1500), buffer.data(), client);
    engine().write(at(2, 16), buffer.data(), client);
    timeline.advance_until(1620);
    EXPECT_THAT(host.log, ElementsAre("w1"));
    timeline.advance_until(1655);
    EXPECT_THAT(host.log, ElementsAre("w1"));
    timeline.advance_by(1);
    EXPECT_THAT(host.log, ElementsAre("w1", "w2"));
}

TEST_F(DmaEngineTest, ARegisterReadPushesTheWritesThatHaveArrived) {
    link.timed = false;
    engine().write(at(1, 4), buffer.data(), client);
    engine().push_posted_writes();
    EXPECT_THAT(host.log, ElementsAre("w1"));
    link.timed = true;
    engine().write(at(2, 4), buffer.data(), client);
    engine().push_posted_writes();  // Not there yet: time decides, not the push.
    EXPECT_THAT(host.log, ElementsAre("w1"));
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("w1", "w2"));
    EXPECT_EQ(client.completions.size(), 2u);
}

// PCIe transaction ordering: neither a read request nor a completion passes a posted write.
TEST_F(DmaEngineTest, WhatPushesWritesPushesThemOutOfTheMiddleOfABurst) {
    engine().write(at(1, 16), buffer.data(), client);    // Arrives at 136.
    engine().write(at(2, 4000), buffer.data(), client);  // Same burst: visible at 4156.
    timeline.advance_until(135);
    engine().push_posted_writes();
    EXPECT_THAT(host.log, IsEmpty());
    timeline.advance_until(136);
    engine().push_posted_writes();
    EXPECT_THAT(host.log, ElementsAre("w1"));
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("w1", "w2"));
    EXPECT_EQ(timeline.now_ps(), 4156u);
}

TEST_F(DmaEngineTest, AReadSeesTheWriteBeforeItAlthoughTheBurstGoesOn) {
    buffer[0] = 7;
    engine().write(at(8, 16), buffer.data(), client);
    engine().read(at(8, 16, 1), buffer.data() + 4096, client);
    engine().write(at(64, 4000), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(buffer[4096], 7);
}

TEST_F(DmaEngineTest, AResetFromWithinTheWritesThatAReadPushesForgetsTheReadToo) {
    struct Resetting final : DmaClient {
        void dma_complete(const DmaCompletion&) override { engine->reset(); }
        DmaEngine* engine = nullptr;
    } resetting;
    resetting.engine = &engine();
    engine().write(at(8, 16), buffer.data(), resetting);
    engine().read(at(8, 16, 1), buffer.data() + 4096, client);
    engine().write(at(64, 4000), buffer.data(), client);  // The burst goes on.
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("w8"));
    EXPECT_EQ(host.reads, 0u);
    EXPECT_THAT(client.completions, IsEmpty());
    EXPECT_EQ(engine().outstanding(), 0u);
    for (std::uint32_t i = 0; i < 2 * params.read_tags; i++) {
        engine().read(at(8, 16, i), buffer.data(), client);
    }
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(client.completions.size(), 2 * params.read_tags);
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, AResetFromWithinACallOfTheHostsForgetsWhatTheCallWasFor) {
    const std::function<void()> submissions[] = {
        [&] { engine().read(at(8, 16), buffer.data(), client); },
        [&] { engine().write(at(8, 16), buffer.data(), client); },
        [&] { engine().message(TestHost::kBase, 5); },
        [&] { engine().interrupt_pin(true); },
    };
    for (const auto& submit : submissions) {
        host.on_call = [&] {
            host.on_call = nullptr;
            engine().reset();
        };
        submit();
        engine().write(at(64, 16), buffer.data(), client);
        engine().read(at(64, 16), buffer.data(), client);
        EXPECT_TRUE(timeline.settle());
        EXPECT_FALSE(host.on_call);
        EXPECT_EQ(engine().outstanding(), 0u);
        EXPECT_THAT(client.completions, IsEmpty());
    }
    for (std::uint32_t i = 0; i < 2 * params.read_tags; i++) {
        engine().read(at(8, 16, i), buffer.data(), client);
    }
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(client.completions.size(), 2 * params.read_tags);
}

TEST_F(DmaEngineTest, WithoutBusMasteringRequestsWaitAndAMessageVanishes) {
    state.bus_master = false;
    host.memory[0] = 1;
    buffer[0] = 5;
    engine().write(at(0, 16, 2), buffer.data(), client);
    engine().read(at(0, 16, 1), buffer.data() + 16, client);
    engine().message(0xFEE00000, 1);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(client.completions, IsEmpty());
    EXPECT_EQ(host.memory[0], 1);
    EXPECT_EQ(host.reads, 0u);
    EXPECT_EQ(link.up_busy_ps, 0u);
    EXPECT_THAT(host.log, IsEmpty());
    EXPECT_EQ(engine().outstanding(), 0u);
    EXPECT_EQ(metric("dma.failed.master_disabled"), 1u);
    engine().interrupt_pin(true);  // Not a memory request.
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("p1"));

    state.bus_master = true;
    EXPECT_EQ(engine().outstanding(), 2u);
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    for (const DmaCompletion& completion : client.completions) {
        EXPECT_EQ(completion.status, DmaStatus::kOk);
    }
    EXPECT_EQ(buffer[16], 5) << "the read sees the write before it";
    EXPECT_THAT(host.log, ElementsAre("p1", "w0"));
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, WhatIsSubmittedWhenMasteringIsBackGoesBehindWhatWasHeld) {
    state.bus_master = false;
    engine().write(at(0, 16), buffer.data(), client);
    engine().write(at(16, 16), buffer.data(), client);
    state.bus_master = true;  // Nobody has told the engine yet.
    engine().message(0xFEE00000, 9);
    engine().write(at(32, 16), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("w0", "w16", "m9", "w32"));
    state.bus_master = false;
    engine().write(at(48, 16), buffer.data(), client);
    state.bus_master = true;
    engine().write(at(64, 16), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("w0", "w16", "m9", "w32", "w48", "w64"));
}

TEST_F(DmaEngineTest, AResetForgetsWhatWasHeld) {
    state.bus_master = false;
    engine().write(at(0, 16), buffer.data(), client);
    engine().read(at(0, 16), buffer.data(), client);
    engine().reset();
    EXPECT_EQ(engine().outstanding(), 0u);
    EXPECT_EQ(metric("dma.dropped_by_reset"), 2u);
    state.bus_master = true;
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(client.completions, IsEmpty());
    EXPECT_THAT(host.log, IsEmpty());
}

TEST_F(DmaEngineTest, MasterDisableLetsOutstandingRequestsFinishAndHoldsTheOthers) {
    params.read_tags = 1;
    engine().read(at(0, 16, 1), buffer.data(), client);
    engine().read(at(0, 16, 2), buffer.data(), client);
    engine().write(at(0, 16, 3), buffer.data(), client);
    timeline.advance_by(10);
    state.bus_master = false;
    EXPECT_EQ(engine().outstanding(), 2u) << "what has left";
    EXPECT_TRUE(timeline.settle());
    const auto tags = [&] {
        std::vector<std::uint32_t> all;
        for (const DmaCompletion& c : client.completions) {
            EXPECT_EQ(c.status, DmaStatus::kOk);
            all.push_back(c.tag);
        }
        return all;
    };
    EXPECT_THAT(tags(), UnorderedElementsAre(1, 3)) << "the second read has not left";
    EXPECT_EQ(engine().outstanding(), 0u) << "nothing is under way";
    state.bus_master = true;
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(tags(), UnorderedElementsAre(1, 3, 2)) << "and goes on where it stood";
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, AHeldWriteDoesNotHinderWhatIsOnTheLink) {
    engine().write(at(0, 1000, 1), buffer.data(), client);
    state.bus_master = false;
    engine().write(at(0, 16, 2), buffer.data(), client);
    timeline.advance_until(1000 + 20 + 100 - 1);
    EXPECT_THAT(client.completions, IsEmpty());
    timeline.advance_by(1);
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].tag, 1u);
    timeline.advance_by(1000);
    state.bus_master = true;
    engine().device_state_changed();
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    EXPECT_EQ(client.completions[1].tag, 2u);
    EXPECT_EQ(client.completions[1].done_ps, 2120u + 16 + 20 + 100);
}

TEST_F(DmaEngineTest, UnmappedMemoryAnswersUnsupportedRequest) {
    DmaRequest request;
    request.address = 0x10;
    request.size_bytes = 16;
    engine().read(request, buffer.data(), client);
    request.tag = 1;
    engine().write(request, buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    for (const DmaCompletion& completion : client.completions) {
        EXPECT_EQ(completion.status, DmaStatus::kUnsupportedRequest);
    }
    EXPECT_EQ(metric("dma.failed.unsupported_request"), 2u);
}

TEST_F(DmaEngineTest, ARequestOfNoBytesCompletesAndTouchesNothing) {
    DmaRequest request;
    request.address = 0xDEAD;  // Nothing is there, and nothing is asked of it.
    engine().read(request, nullptr, client);
    engine().write(request, nullptr, client);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 2u);
    EXPECT_EQ(client.completions[0].status, DmaStatus::kOk);
    EXPECT_EQ(client.completions[1].status, DmaStatus::kOk);
    EXPECT_EQ(host.reads, 0u);
    EXPECT_THAT(host.log, IsEmpty());
}

TEST_F(DmaEngineTest, AResetForgetsEveryRequestOfTheOlderEpoch) {
    params.read_tags = 1;
    for (std::uint32_t i = 0; i < 3; i++) engine().read(at(0, 16, i), buffer.data(), client);
    engine().write(at(0, 16), buffer.data(), client);
    engine().message(0xFEE00000, 1);
    timeline.advance_by(50);
    engine().reset();
    EXPECT_EQ(engine().outstanding(), 0u);
    EXPECT_EQ(timeline.next_event_time(), kNever);
    engine().read(at(0, 16, 9), buffer.data(), client);  // Tags are free again.
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(client.completions.size(), 1u);
    EXPECT_EQ(client.completions[0].tag, 9u);
    EXPECT_THAT(host.log, IsEmpty());
    EXPECT_EQ(metric("dma.dropped_by_reset"), 5u);
}

TEST_F(DmaEngineTest, AResetDoesNotLoseTheReleaseOfInta) {
    engine().interrupt_pin(true);
    EXPECT_TRUE(timeline.settle());
    engine().interrupt_pin(false);
    engine().reset();
    EXPECT_TRUE(timeline.settle());
    EXPECT_THAT(host.log, ElementsAre("p1", "p0"));
    engine().interrupt_pin(false);  // No change, no message.
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(host.log.size(), 2u);
}

class Chain final : public DmaClient {
public:
    explicit Chain(std::function<void(const DmaCompletion&)> step) : step_(std::move(step)) {}
    void dma_complete(const DmaCompletion& completion) override { step_(completion); }

private:
    std::function<void(const DmaCompletion&)> step_;
};

TEST_F(DmaEngineTest, AClientMayAskAgainOrResetFromInsideItsCompletion) {
    std::uint32_t left = 1000;
    Chain* self = nullptr;
    Chain chain([&](const DmaCompletion&) {
        if (--left == 0) return engine().reset();
        engine().write(at(0, 16), buffer.data(), *self);
        engine().read(at(0, 16), buffer.data(), client);
    });
    self = &chain;
    for (int i = 0; i < 3; i++) engine().write(at(0, 16), buffer.data(), chain);
    EXPECT_TRUE(timeline.settle());
    EXPECT_EQ(left, 0u);
    EXPECT_EQ(engine().outstanding(), 0u);
}

TEST_F(DmaEngineTest, InFunctionalModeEverythingHappensInOneInstantAndInOrder) {
    link.timed = false;
    engine().write(at(1, 100), buffer.data(), client);
    engine().message(0xFEE00000, 2);
    EXPECT_THAT(client.completions, IsEmpty());
    timeline.advance_until(0);
    EXPECT_THAT(host.log, ElementsAre("w1", "m2"));
}

TEST_F(DmaEngineTest, MoreRequestsThanEverAreKeptInOrder) {
    for (std::uint32_t i = 0; i < 1000; i++) engine().read(at(0, 1, i), buffer.data(), client);
    for (std::uint32_t i = 0; i < 1000; i++) engine().write(at(i, 1, i), buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    std::uint32_t reads = 0;
    for (const DmaCompletion& completion : client.completions) {
        if (completion.packet == 0 && completion.done_ps > 0) reads++;
    }
    EXPECT_EQ(client.completions.size(), 2000u);
    EXPECT_EQ(reads, 2000u);
    for (std::uint32_t i = 0; i < 1000; i++) EXPECT_EQ(host.log[i], "w" + std::to_string(i));
}

TEST_F(DmaEngineTest, NothingIsAllocatedPerRequest) {
    class Counting final : public DmaClient {
    public:
        void dma_complete(const DmaCompletion&) override { count++; }
        std::uint32_t count = 0;
    } counting;
    class Memory final : public HostPort {
    public:
        DmaStatus read(std::uint64_t, std::uint8_t*, std::uint32_t, std::uint64_t&) override {
            return DmaStatus::kOk;
        }
        DmaStatus write(std::uint64_t, const std::uint8_t*, std::uint32_t, std::uint64_t) override {
            return DmaStatus::kOk;
        }
        void message(std::uint64_t, std::uint32_t) override {}
        void interrupt_pin(bool) override {}
    } memory;
    DmaEngine dma(params, timeline, memory, link, state, events);
    std::uint64_t before = 0;
    for (int round = 0; round < 10; round++) {
        if (round == 1) before = allocations();
        for (std::uint32_t i = 0; i < 40; i++) {
            dma.read(at(0, 1514), buffer.data(), counting);
            dma.write(at(0, 1514), buffer.data(), counting);
            dma.message(0xFEE00000, i);
        }
        EXPECT_TRUE(timeline.settle());
    }
    EXPECT_EQ(allocations(), before);
    EXPECT_EQ(counting.count, 800u);
}

TEST_F(DmaEngineTest, TheStreamOfEventsTellsRequestsCompletionsAndWrites) {
    class Listener final : public EventListener {
    public:
        void event(const Event& event) override { seen.push_back(event); }
        std::vector<Event> seen;
    } listener;
    EventHub hub;
    hub.attach(listener);
    events = EventPort(hub, hub.add_source("nic"));
    DmaRequest request = at(0, 16, 7);
    request.kind = DmaKind::kTxData;
    request.frame = 99;
    host.packet_there = 4;
    engine().read(request, buffer.data(), client);
    EXPECT_TRUE(timeline.settle());
    request.kind = DmaKind::kWriteBack;
    request.packet = 6;
    engine().write(request, buffer.data(), client);
    engine().message(0xFEE00000, 3);
    EXPECT_TRUE(timeline.settle());
    ASSERT_EQ(listener.seen.size(), 4u);
    const auto type = [&](std::size_t i) { return static_cast<EventType>(listener.seen[i].type); };
    EXPECT_EQ(type(0), EventType::kDmaRead);
    EXPECT_EQ(listener.seen[0].time_ps, 0u);
    EXPECT_EQ(listener.seen[0].frame, 99u);
    EXPECT_EQ(listener.seen[0].args[2], 1u);
    EXPECT_EQ(listener.seen[0].args[3], 7u);
    EXPECT_EQ(type(1), EventType::kDmaCompletion);
    EXPECT_EQ(listener.seen[1].time_ps, 1256u);
    EXPECT_EQ(listener.seen[1].packet, 4u);
    EXPECT_EQ(type(2), EventType::kDmaWrite);
    EXPECT_EQ(listener.seen[2].packet, 6u);
    EXPECT_EQ(listener.seen[2].args[2], 3u);
    EXPECT_EQ(type(3), EventType::kDmaWrite);
    EXPECT_EQ(listener.seen[3].args[2], 4u);
}

}  // namespace
}  // namespace doorbell
