#include "hw/core/reset_sequence.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/core/core_bench_test.hpp"

namespace doorbell::core_test {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> calls_of(ResetCause cause) {
    RecordingTargets targets;
    run_reset(cause, targets);
    return targets.calls;
}

// Specification 9.1, row by row.
TEST(ResetSequence, power_on_reaches_everything) {
    EXPECT_THAT(
        calls_of(ResetCause::kPowerOn),
        ElementsAre("dma", "registers", "restore nvm", "configuration", "wake-up (power-on)", "phy",
                    "msix", "interrupts", "queues", "stamps", "load all"));
}

TEST(ResetSequence, a_pcie_reset_leaves_what_is_written_in_the_nvm) {
    EXPECT_THAT(calls_of(ResetCause::kPcie),
                ElementsAre("dma", "registers", "configuration", "wake-up", "phy", "msix",
                            "interrupts", "queues", "stamps", "load all"));
}

TEST(ResetSequence, from_d3_configuration_space_resets_itself) {
    EXPECT_THAT(calls_of(ResetCause::kD3ToD0),
                ElementsAre("dma", "registers", "wake-up", "phy", "msix", "interrupts", "queues",
                            "stamps", "load all"));
}

TEST(ResetSequence, ctrl_rst_leaves_configuration_phy_and_msix_table) {
    EXPECT_THAT(calls_of(ResetCause::kSoftware),
                ElementsAre("dma", "registers (software)", "wake-up", "interrupts", "queues",
                            "stamps", "load address"));
}

}  // namespace
}  // namespace doorbell::core_test
