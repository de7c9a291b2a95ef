#include "hw/core/leds.hpp"

#include <gtest/gtest.h>

#include "hw/core/core_bench_test.hpp"

namespace doorbell::core_test {
namespace {

class LedBench {
public:
    LedState shows(std::uint32_t ledctl, bool link_up, std::uint32_t speed_mbps,
                   std::uint32_t led = 0) {
        registers.poke(r::LEDCTL, ledctl);
        state.link_up = link_up;
        state.speed_mbps = speed_mbps;
        leds.update();
        return leds.shows(led);
    }
    ManualTimeline timeline;
    regs::RegisterFile registers{r::kMap};
    DeviceState state;
    Leds leds{timeline, registers, state, {}};
};

// The codes of LEDCTL (section 2.3), at 10, 100 and 1000 Mb/s.
TEST(Leds, modes_follow_link_and_speed) {
    struct Row {
        std::uint32_t mode;
        LedState at_10, at_100, at_1000;
    };
    constexpr LedState kOff = LedState::kOff;
    constexpr LedState kOn = LedState::kOn;
    constexpr LedState kAct = LedState::kActivity;
    const Row rows[] = {
        {0x0, kOn, kOff, kOn},   {0x1, kOff, kOn, kOn},   {0x2, kOn, kOn, kOn},
        {0x3, kAct, kAct, kAct}, {0x4, kAct, kAct, kAct}, {0x5, kOn, kOff, kOff},
        {0x6, kOff, kOn, kOff},  {0x7, kOff, kOff, kOn},  {0x9, kOff, kOff, kOff},
    };
    LedBench bench;
    for (const Row& row : rows) {
        SCOPED_TRACE(row.mode);
        EXPECT_EQ(bench.shows(row.mode, true, 10), row.at_10);
        EXPECT_EQ(bench.shows(row.mode, true, 100), row.at_100);
        EXPECT_EQ(bench.shows(row.mode, true, 1000), row.at_1000);
        EXPECT_EQ(bench.shows(row.mode, false, 1000), kOff);
    }
    EXPECT_EQ(bench.shows(0xE, false, 1000), kOn);
    EXPECT_EQ(bench.shows(0xF, true, 1000), kOff);
}

TEST(Leds, blink_and_invert) {
    LedBench bench;
    EXPECT_EQ(bench.shows(0x8E, false, 1000), LedState::kBlinking) << "as ethtool -p does it";
    EXPECT_EQ(bench.shows(0x82, false, 1000), LedState::kOff) << "nothing lit to blink";
    EXPECT_EQ(bench.shows(0x4E, false, 1000), LedState::kOff);
    EXPECT_EQ(bench.shows(0x4F, false, 1000), LedState::kOn);
}

TEST(Leds, each_has_its_byte) {
    LedBench bench;
    EXPECT_EQ(bench.shows(0x000F8E0F, true, 1000, 1), LedState::kBlinking);
    EXPECT_EQ(bench.shows(0x000E0F0F, true, 1000, 2), LedState::kOn);
    EXPECT_EQ(bench.shows(0x000E0F0F, true, 1000, 0), LedState::kOff);
}

TEST(Leds, follow_the_register_and_the_link_as_metrics) {
    class Reader final : public MetricVisitor {
    public:
        void metric(std::string_view name, std::uint64_t value) override {
            if (name == "led.0.state") led0 = value;
            if (name == "led.2.state") led2 = value;
        }
        void metric_real(std::string_view, double) override {}
        std::uint64_t led0 = 99, led2 = 99;
    };
    CoreBench nic;
    Reader reader;
    nic.core.visit_metrics(reader);
    EXPECT_EQ(reader.led0, 0u) << "link up is its source after reset, and there is none";
    nic.link({true, 1000, true, false});
    nic.core.visit_metrics(reader);
    EXPECT_EQ(reader.led0, 1u);
    nic.write(r::LEDCTL, 0x00070606);
    nic.core.visit_metrics(reader);
    EXPECT_EQ(reader.led0, 0u) << "100 Mb/s";
    EXPECT_EQ(reader.led2, 1u) << "1000 Mb/s";
    nic.write(r::CTRL, (nic.read(r::CTRL) & ~(3u << 8)) | 1u << 8 | 1u << 11);
    nic.core.visit_metrics(reader);
    EXPECT_EQ(reader.led0, 1u) << "CTRL forces 100 Mb/s while the link stays up";
    EXPECT_EQ(reader.led2, 0u);
    nic.write(r::LEDCTL, 0x000E0F8E);
    nic.core.visit_metrics(reader);
    EXPECT_EQ(reader.led0, 2u);
    EXPECT_EQ(reader.led2, 1u);
}

}  // namespace
}  // namespace doorbell::core_test
