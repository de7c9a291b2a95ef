#include "hw/nic/border.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "hw/nic/border_recording_test.hpp"
#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

/// Power-on, link, traffic both ways, an interrupt by pin and messages.
std::vector<Taped> record() {
    Tape tape;
    NicBench nic;
    nic.nic.listen_at_border(&tape);
    nic.nic.power_on_reset();
    nic.enable();
    nic.write(r::IMS, 4);
    nic.link_up();
    (void)nic.read(r::ICR);
    nic.open_rings();
    nic.use_msix();
    for (std::uint8_t i = 0; i < 5; i++) {
        nic.send(NicBench::broadcast(200 + i * 100u, i));
        nic.arrive(NicBench::broadcast(100 + i * 200u, i));
    }
    EXPECT_TRUE(nic.timeline.settle());
    nic.nic.listen_at_border(nullptr);
    return tape.crossings;
}

std::size_t count(const std::vector<Taped>& tape, CrossingKind kind) {
    return static_cast<std::size_t>(std::count_if(
        tape.begin(), tape.end(), [kind](const Taped& t) { return t.crossing.kind == kind; }));
}

TEST(Border, everything_that_crosses_is_reported) {
    const std::vector<Taped> tape = record();
    for (const CrossingKind kind :
         {CrossingKind::kConfigWrite, CrossingKind::kBarRead, CrossingKind::kBarWrite,
          CrossingKind::kDmaRead, CrossingKind::kDmaWrite, CrossingKind::kMessage,
          CrossingKind::kInterruptPin, CrossingKind::kFrameOut, CrossingKind::kFrameIn,
          CrossingKind::kAdvertise, CrossingKind::kPartner, CrossingKind::kPowerOnReset}) {
        EXPECT_GT(count(tape, kind), 0u) << static_cast<int>(kind);
    }
    EXPECT_EQ(count(tape, CrossingKind::kFrameOut), 5u);
    EXPECT_EQ(count(tape, CrossingKind::kFrameIn), 5u);
}

TEST(Border, a_nic_fed_from_the_recording_does_exactly_the_same_again) {
    const std::vector<Taped> tape = record();
    ManualTimeline timeline;
    FramePool frames;
    TapedWorld world(tape);
    Tape again;
    Nic nic(timeline, world, world, frames, {}, NicBench::quick());
    nic.listen_at_border(&again);
    play(tape, timeline, frames, nic);
    ASSERT_TRUE(timeline.settle());
    ASSERT_EQ(again.crossings.size(), tape.size());
    for (std::size_t i = 0; i < tape.size(); i++) {
        EXPECT_TRUE(again.crossings[i] == tape[i]) << "crossing " << i;
    }
}

TEST(Border, a_nic_with_another_parameter_does_not) {
    const std::vector<Taped> tape = record();
    ManualTimeline timeline;
    FramePool frames;
    TapedWorld world(tape);
    Tape again;
    NicParams params = NicBench::quick();
    params.pcie.propagation_ps += 1;
    Nic nic(timeline, world, world, frames, {}, params);
    nic.listen_at_border(&again);
    play(tape, timeline, frames, nic);
    ASSERT_TRUE(timeline.settle());
    EXPECT_FALSE(again.crossings == tape);
}

TEST(Border, what_the_host_refuses_is_reported_with_its_status) {
    Tape tape;
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.open_rings();
    ASSERT_TRUE(nic.timeline.settle());
    nic.nic.listen_at_border(&tape);
    nic.write(r::TDBAH, 0x1);
    nic.write(r::TDT, 1);
    ASSERT_TRUE(nic.timeline.settle());
    ASSERT_EQ(count(tape.crossings, CrossingKind::kDmaRead), 1u);
    const auto refused = std::find_if(
        tape.crossings.begin(), tape.crossings.end(),
        [](const Taped& taped) { return taped.crossing.kind == CrossingKind::kDmaRead; });
    EXPECT_EQ(refused->crossing.value, 1u) << "unsupported request";
    EXPECT_TRUE(refused->bytes.empty());
}

}  // namespace
}  // namespace doorbell::nic_test
