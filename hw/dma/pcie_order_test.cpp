// The ordering rules of the base specification (2.4.1) as they show at the two ends of the link:
// nothing passes a posted request, posted requests pass reads that have to wait, and completions
// wait for nobody's credits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "hw/dma/pcie_player_test.hpp"

namespace doorbell {
namespace {

using pcie_test::Device;
using pcie_test::gen3_x8;
using pcie_test::Transfer;
using testing::ElementsAre;

constexpr std::uint64_t kKnown = 0x10000, kUnknown = 0x20000, kInterrupt = 0xFEE00000;
constexpr Picoseconds kLong = microseconds(50);

/// A page that is known and one for which the IOMMU has to walk for very long.
class PcieOrder : public testing::Test {
protected:
    static PcieLinkParams slow_walks() {
        PcieLinkParams params = gen3_x8();
        params.iotlb_entries = 64;
        params.iotlb_miss_ps = kLong;
        return params;
    }
    void know_the_page(Device& device) { (void)device.latency_ps({0, true, kKnown, 4}); }
    std::vector<Picoseconds> play(Device& device, std::vector<Transfer> transfers) {
        for (Transfer& transfer : transfers) transfer.start_ps = device.timeline.now_ps();
        return device.play(transfers);
    }
};

TEST_F(PcieOrder, AWriteWhosePageIsKnownWaitsForTheWriteBeforeItThatIsWalkedFor) {
    Device device(slow_walks());
    know_the_page(device);
    const auto done = play(device, {{0, false, kUnknown, 64}, {0, false, kKnown, 64}});
    EXPECT_THAT(device.host.seen, ElementsAre(kUnknown, kKnown));
    EXPECT_GT(done[0], kLong);
    EXPECT_EQ(done[1], done[0]);
}

TEST_F(PcieOrder, AReadPassesNoWriteThatWaitsInTheRootComplex) {
    Device device(slow_walks());
    know_the_page(device);
    const auto done = play(device, {{0, false, kUnknown, 64}, {0, true, kKnown, 64}});
    EXPECT_GT(done[1], done[0]);
}

TEST_F(PcieOrder, AReadDoesPassAnotherReadThatIsWalkedFor) {
    Device device(slow_walks());
    know_the_page(device);
    const auto done = play(device, {{0, true, kUnknown, 64}, {0, true, kKnown, 64}});
    EXPECT_GT(done[0], done[1] + kLong / 2);
}

TEST_F(PcieOrder, AnInterruptMessagePushesTheDataBeforeItAlthoughItIsNotTranslated) {
    Device device(slow_walks());
    device.submit({0, false, kUnknown, 64});
    device.engine.message(kInterrupt, 1);
    device.timeline.advance_until(kLong);
    EXPECT_TRUE(device.host.seen.empty());
    device.timeline.settle();
    EXPECT_THAT(device.host.seen, ElementsAre(kUnknown, kInterrupt));
    EXPECT_EQ(device.metrics()["pcie.iotlb.misses"], 1u) << "the interrupt's page is nobody's";
}

TEST_F(PcieOrder, TheInterruptPinIsAMessageThatPushesTheDataToo) {
    Device device(slow_walks());
    const Picoseconds written = device.link.write_arrival(kUnknown, 64, 0);
    EXPECT_GT(written, kLong);
    EXPECT_GE(device.link.message_arrival(0), written);
}

TEST_F(PcieOrder, TheAnswerToARegisterReadPassesNoWrite) {
    Device device(slow_walks());
    const Picoseconds written = device.link.write_arrival(kUnknown, 64, 0);
    EXPECT_GE(device.link.register_completion_arrival(4, 0), written);
}

TEST_F(PcieOrder, AReadThatLacksCreditsLetsWritesPass) {
    PcieLinkParams params = gen3_x8();
    params.nonposted_header_credits = 1;
    params.credit_return_ps = kLong;
    Device device(params);
    const auto done =
        play(device, {{0, true, kKnown, 64}, {0, true, kKnown, 64}, {0, false, kKnown, 64}});
    EXPECT_LT(done[2], microseconds(1)) << "as if the second read were not there";
    EXPECT_GT(done[1], kLong);
    EXPECT_EQ(device.metrics()["pcie.credits.nonposted_waits"], 1u);
    EXPECT_NEAR(double(device.metrics()["pcie.credits.nonposted_wait_ns"]), 50e3, 1e3);
}

TEST_F(PcieOrder, AReadPassesNoWriteThatLacksCredits) {
    PcieLinkParams params = gen3_x8();
    params.posted_header_credits = 1;
    params.credit_return_ps = kLong;
    Device device(params);
    const auto done =
        play(device, {{0, false, kKnown, 64}, {0, false, kKnown, 64}, {0, true, kKnown, 64}});
    EXPECT_GT(done[1], kLong);
    EXPECT_GT(done[2], done[1]);
    EXPECT_EQ(device.metrics()["pcie.credits.posted_waits"], 1u);
}

TEST_F(PcieOrder, AMessageNeedsAHeaderCreditAndNoDataCredit) {
    PcieLinkParams params = gen3_x8();
    params.posted_data_credits = 16;
    params.credit_return_ps = kLong;
    PcieLink data(params);
    (void)data.write_arrival(kKnown, 256, 0);
    EXPECT_LT(data.message_arrival(0), microseconds(1));
    EXPECT_GT(data.interrupt_arrival(kInterrupt, 0), kLong);
    params.posted_header_credits = 1;
    PcieLink headers(params);
    (void)headers.write_arrival(kKnown, 4, 0);
    EXPECT_GT(headers.message_arrival(0), kLong);
}

// An endpoint has to announce infinite credits for completions, and so has a root complex (2.6.1).
TEST_F(PcieOrder, CompletionsComeAlthoughNoRequestMayLeave) {
    PcieLinkParams params = gen3_x8();
    params.posted_header_credits = 1;
    params.nonposted_header_credits = 1;
    params.credit_return_ps = kLong;
    for (const bool task_per_request : {true, false}) {
        Device device(params, 32, 1, task_per_request);
        const auto done = play(device, {{0, true, kKnown, 4096}, {0, false, kKnown, 64}});
        EXPECT_LT(done[1], microseconds(1)) << "a write passes requests that lack credits";
        // The first request of the read came back at once; the other seven each waited for its
        // credit.
        EXPECT_GT(done[0], 7 * kLong);
        EXPECT_LT(done[0], 8 * kLong);
    }
}

TEST_F(PcieOrder, ACompletionOfADmaReadPassesNoRegisterWrite) {
    PcieLink link(gen3_x8());
    Picoseconds written = 0;
    for (int i = 0; i < 10; i++) written = link.posted_write_down(8, 0);
    EXPECT_GT(link.completion_arrival(kKnown, 4, 0), written);
}

TEST_F(PcieOrder, TheSecondOfTwoWritesToOneNewPageWaitsForTheWalkOfTheFirst) {
    Device device(slow_walks());
    const auto done = play(device, {{0, true, kUnknown, 64}, {0, true, kUnknown + 64, 64}});
    EXPECT_GT(done[1], kLong);
    EXPECT_LT(done[1], kLong + microseconds(2)) << "not for a walk of its own";
    EXPECT_EQ(device.metrics()["pcie.iotlb.misses"], 1u);
    EXPECT_EQ(device.metrics()["pcie.iotlb.hits"], 1u);
}

}  // namespace
}  // namespace doorbell
