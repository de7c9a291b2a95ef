// The Nth request fails, for every N: nobody waits for ever, nothing is moved twice, and what was
// not failed happens as always.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "hw/dma/dma_engine.hpp"
#include "hw/dma/dma_test_host.hpp"

namespace doorbell {
namespace {

/// Four reads, four writes and two messages; says what came of them.
struct Outcome {
    std::vector<DmaCompletion> completions;
    std::vector<std::string> log;
    std::uint32_t outstanding = 0;
    std::uint32_t memory_reads = 0;
    Picoseconds end_ps = 0;
};

Outcome run(DmaFaultHook* hook) {
    ManualTimeline timeline;
    TestHost host;
    TestLink link;
    DeviceState state;
    state.bus_master = true;
    DmaParams params;
    params.read_tags = 2;
    params.completion_timeout_ps = microseconds(50);
    DmaEngine dma(params, timeline, host, link, state, EventPort());
    dma.set_fault_hook(hook);
    TestClient client;
    std::array<std::uint8_t, 64> buffer{};
    for (std::uint32_t i = 0; i < 4; i++) {
        DmaRequest request;
        request.address = TestHost::kBase + 64 * i;
        request.size_bytes = 32;
        request.tag = i;
        dma.read(request, buffer.data(), client);
        request.tag = 100 + i;
        dma.write(request, buffer.data(), client);
        if (i % 2 == 1) dma.message(0xFEE00000, i);
        timeline.advance_by(200);
    }
    EXPECT_TRUE(timeline.settle());
    return {client.completions, host.log, dma.outstanding(), host.reads, timeline.now_ps()};
}

class FailEveryDma : public testing::TestWithParam<DmaStatus> {};

TEST_P(FailEveryDma, ExactlyThatRequestFailsAndNothingIsStuck) {
    const Outcome whole = run(nullptr);
    ASSERT_EQ(whole.completions.size(), 8u);
    ASSERT_EQ(whole.log.size(), 6u);
    std::uint32_t messages_lost = 0;
    const std::uint64_t requests = fail_every_dma(
        [&](FailNthDma& hook) {
            const Outcome outcome = run(&hook);
            EXPECT_EQ(outcome.outstanding, 0u);
            EXPECT_EQ(outcome.completions.size(), 8u);
            std::uint32_t failed = 0;
            for (const DmaCompletion& completion : outcome.completions) {
                if (completion.status == DmaStatus::kOk) continue;
                failed++;
                EXPECT_EQ(completion.status, GetParam());
                EXPECT_EQ(completion.tag, hook.request().tag);
            }
            if (!hook.fired()) {
                EXPECT_EQ(outcome.log, whole.log);
                EXPECT_EQ(failed, 0u);
                return;
            }
            switch (hook.operation()) {
                case DmaOperation::kRead:
                    EXPECT_EQ(failed, 1u);
                    EXPECT_EQ(outcome.memory_reads, 3u);
                    EXPECT_EQ(outcome.log, whole.log);
                    if (GetParam() == DmaStatus::kTimeout) {
                        EXPECT_GE(outcome.end_ps, microseconds(50));
                    }
                    break;
                case DmaOperation::kWrite:
                    EXPECT_EQ(failed, 1u);
                    EXPECT_EQ(outcome.log.size(), 5u);
                    break;
                case DmaOperation::kMessage:
                    messages_lost++;
                    EXPECT_EQ(failed, 0u);
                    EXPECT_EQ(outcome.log.size(), 5u);
                    break;
            }
        },
        GetParam());
    EXPECT_EQ(requests, 10u);
    EXPECT_EQ(messages_lost, 2u);
}

INSTANTIATE_TEST_SUITE_P(Statuses, FailEveryDma,
                         testing::Values(DmaStatus::kUnsupportedRequest, DmaStatus::kTimeout));

}  // namespace
}  // namespace doorbell
