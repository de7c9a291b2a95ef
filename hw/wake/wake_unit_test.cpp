#include "hw/wake/wake_unit.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

namespace r = regs::i82574l;

class FakePower final : public PowerManagement {
public:
    [[nodiscard]] bool pme_enabled() const override { return enabled; }
    [[nodiscard]] bool pme_status() const override { return status; }
    void set_pme_enabled(bool to) override { enabled = to; }
    void set_pme_status(bool to) override { status = to; }
    void send_pme() override { sent++; }
    bool enabled = false;
    bool status = false;
    int sent = 0;
};

class WakeUnitTest : public ::testing::Test {
protected:
    WakeUnitTest() {
        unit.reset(true);
        unit.link_is(true);
        file.poke(r::RAL, 0x82000002);
        file.poke(r::RAH, 0x80004057);
    }
    std::uint32_t read(const regs::Register& reg, std::uint32_t i = 0) {
        return file.bus_read(reg.offset_of(i));
    }
    void write(const regs::Register& reg, std::uint32_t value) {
        file.bus_write(reg.offset, value);
    }
    void sleep(std::uint32_t wuc, std::uint32_t wufc) {
        write(r::WUC, wuc);
        write(r::WUFC, wufc);
        unit.set_asleep(true);
    }
    /// To the station; `magic` or not.
    void hear(bool magic, bool good = true, std::uint32_t size = 200) {
        FramePtr frame = frames.take();
        frame->resize(size);
        std::memset(frame->data(), 0x33, size);
        const std::uint8_t own[] = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
        std::memcpy(frame->data(), own, 6);
        if (magic) {
            std::memset(frame->data() + 20, 0xFF, 6);
            for (std::uint32_t i = 0; i < 16; i++) {
                std::memcpy(frame->data() + 26 + 6 * i, own, 6);
            }
        }
        if (!good) frame->pin_fcs(frame->fcs() ^ 1);
        unit.frame(*frame);
    }

    ManualTimeline timeline;
    FramePool frames;
    regs::RegisterFile file{r::kMap};
    FakePower power;
    WakeUnit unit{timeline, file, {}, power};
};

// Section 9.4: as Linux goes to sleep: WUFC, then WUC.PME_EN.
TEST_F(WakeUnitTest, a_frame_that_an_enabled_filter_matches_asserts_pme) {
    sleep(2, 1u << 1);
    EXPECT_TRUE(power.enabled) << "WUC.PME_EN is PMCSR's";
    hear(false);
    EXPECT_EQ(read(r::WUS), 0u);
    EXPECT_EQ(power.sent, 0);
    hear(true);
    EXPECT_EQ(read(r::WUS), 1u << 1);
    EXPECT_TRUE(power.status);
    EXPECT_EQ(read(r::WUC), 2u | 1u << 2) << "PME_STATUS";
    EXPECT_EQ(power.sent, 1);
    hear(true);
    EXPECT_EQ(power.sent, 1) << "told once";
}

TEST_F(WakeUnitTest, keeps_the_first_packet_that_woke) {
    sleep(2, 1u << 2);
    hear(false, true, 300);
    hear(true, true, 400);
    EXPECT_EQ(read(r::WUPL), 304u) << "with FCS";
    EXPECT_EQ(read(r::WUPM, 0), 0x82000002u);
    EXPECT_EQ(read(r::WUPM, 1), 0x33334057u);
    EXPECT_EQ(read(r::WUPM, 31), 0x33333333u);
}

TEST_F(WakeUnitTest, hears_nothing_while_awake_damaged_or_without_link) {
    write(r::WUFC, 0xFF);
    unit.link_is(false);
    sleep(2, 0xFE);
    hear(true);
    unit.link_is(true);
    hear(true, false);
    EXPECT_EQ(read(r::WUS), 0u);
    hear(true);
    EXPECT_NE(read(r::WUS), 0u);
}

TEST_F(WakeUnitTest, a_link_change_in_either_direction_wakes_a_sleeping_function) {
    write(r::WUFC, 1);
    unit.link_is(false);
    EXPECT_EQ(read(r::WUS), 0u) << "awake";
    sleep(2, 1);
    unit.link_is(false);
    EXPECT_EQ(read(r::WUS), 0u) << "no change";
    unit.link_is(true);
    EXPECT_EQ(read(r::WUS), 1u);
    EXPECT_EQ(power.sent, 1);
    write(r::WUS, 1);
    EXPECT_EQ(read(r::WUS), 0u) << "write 1 to clear";
}

TEST_F(WakeUnitTest, without_the_enable_there_is_a_status_and_no_message_until_it_is_enabled) {
    sleep(0, 1u << 1);
    hear(true);
    EXPECT_TRUE(power.status);
    EXPECT_EQ(power.sent, 0);
    power.enabled = true;
    unit.power_management_changed();
    EXPECT_EQ(power.sent, 1);
    EXPECT_EQ(read(r::WUC) & 6, 6u);
}

TEST_F(WakeUnitTest, writing_wuc_clears_the_status_and_arms_it_again) {
    sleep(2, 1u << 1);
    hear(true);
    write(r::WUC, 2 | 1u << 2);
    EXPECT_FALSE(power.status);
    EXPECT_EQ(read(r::WUC), 2u);
    hear(true);
    EXPECT_EQ(power.sent, 2);
}

TEST_F(WakeUnitTest, apm_needs_no_filter_and_asserts_pme_when_apmpme_says_so) {
    sleep(1, 0);  // APME
    hear(true);
    EXPECT_EQ(read(r::WUS), 1u << 1);
    EXPECT_FALSE(power.status);
    write(r::WUC, 1 | 1u << 3 | 2);
    hear(true);
    EXPECT_TRUE(power.status);
    EXPECT_EQ(power.sent, 1);
    hear(false);
    EXPECT_EQ(read(r::WUS), 1u << 1);
}

TEST_F(WakeUnitTest, without_apme_a_magic_packet_needs_its_filter) {
    sleep(2, 1u << 4);
    hear(true);
    EXPECT_EQ(read(r::WUS), 0u);
}

TEST_F(WakeUnitTest, only_frames_of_legal_length_wake) {
    sleep(2, 1u << 2);
    hear(false, true, 59);
    hear(false, true, 1519);
    EXPECT_EQ(read(r::WUS), 0u) << "63 and 1523 bytes with FCS";
    hear(false, true, 1518);
    EXPECT_EQ(read(r::WUS), 1u << 2);
    write(r::WUS, 1u << 2);
    hear(false, true, 60);
    EXPECT_EQ(read(r::WUS), 1u << 2);
}

TEST_F(WakeUnitTest, what_woke_survives_every_reset_but_power_on) {
    sleep(2, 1u << 1);
    hear(true);
    const std::uint32_t first = read(r::WUPM, 0);
    file.reset(regs::ResetKind::kPowerOn);
    unit.reset(false);
    EXPECT_EQ(read(r::WUS), 1u << 1);
    EXPECT_EQ(read(r::WUPL), 204u);
    EXPECT_EQ(read(r::WUPM, 0), first);
    EXPECT_EQ(read(r::WUC), 6u) << "as PMCSR";
    EXPECT_EQ(read(r::WUFC), 0u);
    file.reset(regs::ResetKind::kPowerOn);
    power.enabled = power.status = false;
    unit.reset(true);
    EXPECT_EQ(read(r::WUS), 0u);
    EXPECT_EQ(read(r::WUPL), 0u);
    EXPECT_EQ(read(r::WUC), 0u);
}

}  // namespace
}  // namespace doorbell
