#include "testbench/scenario/load_decoder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "testbench/scenario/decoder_test_support.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::scenario {
namespace {

using testing::HasSubstr;

constexpr const char* kDma = R"([scenario]
name = "dma"
description = "Bytes move."

[workload]
kind = "both"
size = 64
window = 4096

[nic]
pcie.lanes = 8

[dma]
kind = "${workload.kind}"
size_bytes = "${workload.size}"
window_bytes = "${workload.window}"
in_flight = 7

[[expect]]
metric = "dma.goodput_gbps"
op = ">="
other = "dma.link_gbps"
times = "${workload.size}"
)";

constexpr const char* kDiscipline = R"([scenario]
name = "discipline"
description = "Frames cross."

[workload]
driver = "kernel"

[discipline]
driver = "${workload.driver}"
frame_bytes = 256
wire_mbps = 40000
ring_descriptors = 320

[[expect]]
metric = "discipline.gbps"
op = ">"
value = 30
)";

TEST(LoadDecoderTest, TransfersAreDecodedWithTheirVariablesAndDefaults) {
    const Decoded decoded(kDma, {"workload.window=8000"});
    ASSERT_EQ(decoded.messages, "");
    EXPECT_TRUE(decoded.scenario.hosts.empty());
    ASSERT_TRUE(decoded.scenario.load);
    const auto& load = std::get<pcie_bench::DmaLoad>(*decoded.scenario.load);
    EXPECT_EQ(load.kind, pcie_bench::DmaKind::kBoth);
    EXPECT_EQ(load.order, pcie_bench::DmaOrder::kRandom);
    EXPECT_EQ(load.size_bytes, 64u);
    EXPECT_EQ(load.window_bytes, 8000u);
    EXPECT_EQ(load.align_bytes, 64u);
    EXPECT_EQ(load.in_flight, 7u);
    EXPECT_EQ(load.warm_up, 2'000u);
    EXPECT_EQ(load.transfers, 100'000u);
    ASSERT_EQ(decoded.scenario.load_params.size(), 1u);
    EXPECT_EQ(decoded.scenario.load_params[0].name, "pcie.lanes");
    EXPECT_EQ(decoded.scenario.expectations[0].times, 64);
}

TEST(LoadDecoderTest, ADisciplineIsDecodedWithItsVariablesAndDefaults) {
    const Decoded decoded(kDiscipline);
    ASSERT_EQ(decoded.messages, "");
    ASSERT_TRUE(decoded.scenario.load);
    const auto& load = std::get<pcie_bench::DisciplineLoad>(*decoded.scenario.load);
    EXPECT_EQ(load.discipline, pcie_bench::Discipline::kKernel);
    EXPECT_EQ(load.frame_bytes, 256u);
    EXPECT_EQ(load.wire_mbps, 40'000u);
    EXPECT_EQ(load.ring_descriptors, 320u);
    EXPECT_EQ(load.buffer_frames, 256u);
    EXPECT_EQ(load.warm_up, 5'000u);
    EXPECT_EQ(load.frames, 100'000u);
}

struct Mistake {
    const char* name;
    const char* text;
    const char* from;
    const char* to;
    std::vector<std::string> sets;
    const char* message;
};

class LoadMistakes : public testing::TestWithParam<Mistake> {};

TEST_P(LoadMistakes, AreShownWhereTheyWereWritten) {
    const Mistake& mistake = GetParam();
    EXPECT_EQ(Decoded(replaced(mistake.text, mistake.from, mistake.to), mistake.sets).messages,
              mistake.message);
}

const Mistake kMistakes[] = {
    {"SizeZero",
     kDma,
     "size = 64",
     "size = 0",
     {},
     "s.toml:7:8: error: 'size_bytes' cannot be 0\n"
     "    7 | size = 0\n"
     "      |        ^\n"
     "      = it must be 1..16384\n"},
    {"SizeZeroTyped",
     kDma,
     "",
     "",
     {"workload.size=0"},
     "--set workload.size=0:15: error: 'size_bytes' cannot be 0\n"
     "      | workload.size=0\n"
     "      |               ^\n"
     "      = it must be 1..16384\n"},
    {"SizeNegative",
     kDma,
     "\"${workload.size}\"\nwindow",
     "-5\nwindow",
     {},
     "s.toml:15:14: error: 'size_bytes' cannot be -5\n"
     "   15 | size_bytes = -5\n"
     "      |              ^~\n"
     "      = it must be 1..16384\n"},
    {"SizeIsAWord",
     kDma,
     "size = 64",
     "size = \"64 bytes\"",
     {},
     "s.toml:7:8: error: 'size_bytes' must be an integer, not \"64 bytes\"\n"
     "    7 | size = \"64 bytes\"\n"
     "      |        ^~~~~~~~~~\n"
     "      = Bytes of a transfer.\n"
     "s.toml:23:9: error: \"64 bytes\" is no number\n"
     "   23 | times = \"${workload.size}\"\n"
     "      |         ^~~~~~~~~~~~~~~~~~\n"},
    {"WindowSmallerThanSize",
     kDma,
     "window = 4096",
     "window = 63",
     {},
     "s.toml:8:10: error: 'window_bytes' cannot be 63\n"
     "    8 | window = 63\n"
     "      |          ^~\n"
     "      = a transfer of 64 bytes does not fit\n"},
    {"UnknownKind",
     kDma,
     "kind = \"both\"",
     "kind = \"raed\"",
     {},
     "s.toml:6:8: error: 'kind' cannot be \"raed\"\n"
     "    6 | kind = \"raed\"\n"
     "      |        ^~~~~~\n"
     "      = help: did you mean 'read'?\n"},
    {"AlignmentNoPowerOfTwo",
     kDma,
     "in_flight = 7",
     "align_bytes = 48",
     {},
     "s.toml:17:15: error: 'align_bytes' cannot be 48\n"
     "   17 | align_bytes = 48\n"
     "      |               ^~\n"
     "      = it must be a power of two\n"},
    {"UnknownKey",
     kDma,
     "in_flight",
     "inflight",
     {},
     "s.toml:17:1: error: unknown key 'inflight' in [dma]\n"
     "   17 | inflight = 7\n"
     "      | ^~~~~~~~\n"
     "      = help: did you mean 'in_flight'?\n"},
    {"NoKind",
     kDma,
     "kind = \"${workload.kind}\"\n",
     "align_bytes = \"${workload.size}\"\n",
     {"workload.kind=read"},
     "s.toml:13:1: error: [dma] needs 'kind'\n"
     "   13 | [dma]\n"
     "      | ^~~~~\n"
     "      = both: a read and a write at once, to places of their own; write_read: a read behind "
     "a "
     "write of the same bytes.\n"
     "--set workload.kind=read:10: error: nothing uses the variable 'workload.kind'\n"
     "      | workload.kind=read\n"
     "      |          ^~~~\n"
     "      = a variable stands as ${workload.kind} in an application's arguments, in [[verify]] "
     "or "
     "in [[expect]]\n"
     "      = help: one of: workload.size, workload.window\n"},
    {"AParameterOfThePhy",
     kDma,
     "pcie.lanes = 8",
     "phy.autonegotiation_ms = 1",
     {},
     "s.toml:11:5: error: the device of a [dma] has no 'phy.autonegotiation_ms'\n"
     "   11 | phy.autonegotiation_ms = 1\n"
     "      |     ^~~~~~~~~~~~~~~~~~\n"
     "      = it has a NIC's link and DMA engine: what begins with pcie. or dma.\n"},
    {"AValueNoNicTakes",
     kDma,
     "pcie.lanes = 8",
     "pcie.lanes = 5000",
     {},
     "s.toml:11:14: error: 'pcie.lanes' must be 0..4000\n"
     "   11 | pcie.lanes = 5000\n"
     "      |              ^~~~\n"},
    {"AHostBesides",
     kDma,
     "[dma]",
     "[[host]]\nname = \"a\"\n[dma]",
     {},
     "s.toml:13:1: error: a scenario with a [dma] has no 'host'\n"
     "   13 | [[host]]\n"
     "      | ^~~~~~~~\n"
     "      = its device is alone on its link: there is no host, no guest and no wire\n"},
    {"UnknownDiscipline",
     kDiscipline,
     "driver = \"kernel\"",
     "driver = \"windows\"",
     {},
     "s.toml:6:10: error: 'driver' cannot be \"windows\"\n"
     "    6 | driver = \"windows\"\n"
     "      |          ^~~~~~~~~\n"
     "      = help: one of: simple, kernel, dpdk\n"},
    {"AFrameTooShort",
     kDiscipline,
     "frame_bytes = 256",
     "frame_bytes = 60",
     {},
     "s.toml:10:15: error: 'frame_bytes' cannot be 60\n"
     "   10 | frame_bytes = 60\n"
     "      |               ^~\n"
     "      = it must be 64..2048\n"},
    {"ARingThatCutsABatch",
     kDiscipline,
     "= 320",
     "= 100",
     {},
     "s.toml:12:20: error: 'ring_descriptors' cannot be 100\n"
     "   12 | ring_descriptors = 100\n"
     "      |                    ^~~\n"
     "      = it must be a multiple of 8, which are written back at once\n"},
};

INSTANTIATE_TEST_SUITE_P(All, LoadMistakes, testing::ValuesIn(kMistakes),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(LoadDecoderTest, OneDeviceIsOneRun) {
    const std::string both = replaced(kDiscipline, "[discipline]",
                                      "[dma]\nkind = \"read\"\nsize_bytes = 4\n[discipline]");
    EXPECT_THAT(Decoded(both).messages,
                HasSubstr("s.toml:11:1: error: a scenario has a [dma] or a [discipline], not both\n"
                          "   11 | [discipline]\n"
                          "      | ^~~~~~~~~~~~\n"
                          "      = each has a link and a memory of its own: they are two runs\n"));
}

TEST(LoadDecoderTest, ALinkWithoutTimeIsRefused) {
    EXPECT_THAT(Decoded(replaced(kDma, "pcie.lanes = 8", "pcie.timing = \"off\"")).messages,
                HasSubstr("a link without time has no bandwidth to measure"));
}

TEST(LoadDecoderTest, ALoadThatExpectsNothingProvesNothing) {
    const std::string text = kDiscipline;
    EXPECT_THAT(Decoded(text.substr(0, text.find("[[expect]]"))).messages,
                HasSubstr("the scenario expects nothing"));
}

TEST(LoadDecoderTest, WithoutHostsAndLoadsNothingCouldRun) {
    EXPECT_THAT(Decoded("[scenario]\nname = \"n\"\ndescription = \"d\"\n").messages,
                HasSubstr("s.toml:1:1: error: the scenario has no host\n"));
}

TEST(LoadDecoderTest, OnlyTheMetricsOfItsKindCanBeExpected) {
    EXPECT_THAT(Decoded(replaced(kDma, "dma.goodput_gbps", "discipline.gbps")).messages,
                HasSubstr("no run of this scenario has a metric 'discipline.gbps'"));
}

}  // namespace
}  // namespace doorbell::scenario
