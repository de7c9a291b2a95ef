#include "hw/nvm/nvm.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

namespace r = regs::i82574l;

class NvmTest : public ::testing::Test, public NvmListener {
protected:
    void nvm_loaded() override { loads++; }
    void start(const NvmParams& params = {}) {
        // Hooks have no way back: with each NVM its registers are made anew.
        nvm.reset();
        registers = std::make_unique<regs::RegisterFile>(r::kMap);
        nvm = std::make_unique<Nvm>(params, timeline, *registers, *this);
        nvm->auto_load(Nvm::Extent::kFull);
    }
    std::uint32_t read(const regs::Register& reg) { return registers->bus_read(reg.offset); }
    void write(const regs::Register& reg, std::uint32_t value) {
        registers->bus_write(reg.offset, value);
    }
    /// As every driver does it: START with the address, poll DONE, take the data.
    std::uint32_t eerd(std::uint32_t address) {
        write(r::EERD, address << 2 | 1);
        for (int poll = 0; poll < 1000; poll++) {
            const std::uint32_t value = read(r::EERD);
            if ((value & 2) != 0) return value >> 16;
            timeline.advance_by(microseconds(5));
        }
        return ~0u;
    }
    void eewr(std::uint32_t address, std::uint32_t data) {
        ASSERT_NE(read(r::EEWR) & 2, 0u);
        write(r::EEWR, data << 16 | address << 2 | 1);
        for (int poll = 0; poll < 1000 && (read(r::EEWR) & 2) == 0; poll++) {
            timeline.advance_by(microseconds(5));
        }
        ASSERT_NE(read(r::EEWR) & 2, 0u);
    }

    ManualTimeline timeline;
    std::unique_ptr<regs::RegisterFile> registers;
    std::unique_ptr<Nvm> nvm;
    int loads = 0;
};

TEST_F(NvmTest, auto_load_takes_its_time_and_brings_the_address) {
    start();
    EXPECT_EQ(read(r::EECD) & 0x200, 0u) << "AUTO_RD";
    EXPECT_EQ(read(r::RAH), 0u);
    timeline.advance_by(milliseconds(2) - 1);
    EXPECT_EQ(read(r::EECD) & 0x200, 0u);
    EXPECT_EQ(loads, 0);
    timeline.advance_by(1);
    EXPECT_EQ(read(r::EECD) & 0x300, 0x300u) << "AUTO_RD and PRES";
    EXPECT_EQ(read(r::RAL), 0x82000002u);
    EXPECT_EQ(read(r::RAH), 0x80004057u);
    EXPECT_EQ(loads, 1);
}

TEST_F(NvmTest, a_read_is_done_after_its_time_and_gives_the_word) {
    start();
    write(r::EERD, 0x12 << 2 | 1);
    EXPECT_EQ(read(r::EERD) & 3, 0u) << "neither START nor DONE";
    timeline.advance_by(microseconds(30) - 1);
    EXPECT_EQ(read(r::EERD) & 2, 0u);
    timeline.advance_by(1);
    EXPECT_EQ(read(r::EERD), 0x40000000u | 0x12 << 2 | 2);
}

TEST_F(NvmTest, all_64_words_sum_up_as_the_drivers_check) {
    start();
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < 64; i++) sum += eerd(i);
    EXPECT_EQ(sum & 0xFFFF, 0xBABAu);
}

TEST_F(NvmTest, a_read_beyond_the_end_is_done_with_ones) {
    start();
    EXPECT_EQ(eerd(64), 0xFFFFu);
    EXPECT_EQ(eerd(0x3FFF), 0xFFFFu);
}

TEST_F(NvmTest, ipxe_sees_bit_1_before_bit_4) {
    start();
    write(r::EERD, 1);
    for (int poll = 0; poll < 100; poll++) {
        EXPECT_EQ(read(r::EERD) & 0x10, 0u);
        timeline.advance_by(milliseconds(1));
    }
    EXPECT_EQ(read(r::EERD) & 2, 2u);
}

TEST_F(NvmTest, a_written_word_reads_back_and_takes_effect_at_the_next_auto_load) {
    start();
    timeline.advance_by(milliseconds(2));
    eewr(2, 0x1234);
    EXPECT_EQ(eerd(2), 0x1234u);
    EXPECT_EQ(read(r::RAH), 0x80004057u);
    write(r::CTRL_EXT, 1u << 13);
    EXPECT_EQ(read(r::CTRL_EXT) & 1u << 13, 0u) << "EE_RST clears itself";
    EXPECT_EQ(read(r::EECD) & 0x200, 0u);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::RAH), 0x80001234u);
}

TEST_F(NvmTest, a_write_beyond_the_end_is_done_and_changes_nothing) {
    start();
    eewr(64, 0x1234);
    EXPECT_EQ(nvm->image().word(0), 0x0002);
    EXPECT_EQ(eerd(64), 0xFFFFu);
}

TEST_F(NvmTest, a_power_cycle_brings_the_delivered_image_back_unless_writes_survive) {
    for (const bool survive : {false, true}) {
        NvmParams params;
        params.writes_survive_power_cycle = survive;
        start(params);
        eewr(5, 0x9999);
        nvm->power_on_reset();
        EXPECT_EQ(nvm->image().word(5), survive ? 0x9999 : 0x1000);
    }
}

TEST_F(NvmTest, without_a_signature_the_load_ends_with_no_address) {
    NvmParams params;
    params.image.assign(64, 0x0000);
    start(params);
    registers->poke(r::RAL, 0x11111111);
    registers->poke(r::RAH, 0x80001111);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::EECD) & 0x300, 0x200u) << "AUTO_RD without PRES";
    EXPECT_EQ(read(r::RAL), 0u);
    EXPECT_EQ(read(r::RAH), 0u);
}

TEST_F(NvmTest, a_full_load_sets_leds_and_wake_up_and_a_software_reset_does_not) {
    NvmParams params;
    params.wake_on_lan = true;
    start(params);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::WUC) & 1, 1u);
    EXPECT_EQ(read(r::LEDCTL), 0x00068302u);
    registers->poke(r::LEDCTL, 0);
    registers->poke(r::WUC, 0);
    registers->poke(r::RAL, 0);
    nvm->auto_load(Nvm::Extent::kAddress);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::LEDCTL), 0u);
    EXPECT_EQ(read(r::WUC), 0u);
    EXPECT_EQ(read(r::RAL), 0x82000002u);
}

TEST_F(NvmTest, a_software_reset_in_the_middle_of_a_full_load_does_not_make_it_less) {
    NvmParams params;
    params.wake_on_lan = true;
    start(params);
    timeline.advance_by(milliseconds(1));
    nvm->auto_load(Nvm::Extent::kAddress);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::WUC) & 1, 1u);
}

TEST_F(NvmTest, a_reset_drops_the_access_that_is_under_way) {
    start();
    write(r::EEWR, 0xDEAD0000u | 5 << 2 | 1);
    write(r::EERD, 5 << 2 | 1);
    registers->reset(regs::ResetKind::kSoftware);
    nvm->auto_load(Nvm::Extent::kAddress);
    timeline.advance_by(milliseconds(5));
    EXPECT_EQ(nvm->image().word(5), 0x1000);
    EXPECT_EQ(nvm->image().word(0), 0x0002) << "nor where the reset register points";
    EXPECT_EQ(read(r::EERD), 0x00000002u);
}

TEST_F(NvmTest, bit_bang_access_is_granted_while_it_is_requested) {
    start();
    write(r::EECD, 0x40);
    EXPECT_NE(read(r::EECD) & 0x80, 0u);
    write(r::EECD, 0);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
}

TEST_F(NvmTest, a_start_during_a_read_takes_the_new_address) {
    start();
    write(r::EERD, 4 << 2 | 1);
    timeline.advance_by(microseconds(10));
    write(r::EERD, 5 << 2 | 1);
    timeline.advance_by(microseconds(25));
    EXPECT_EQ(read(r::EERD) & 2, 0u);
    timeline.advance_by(microseconds(5));
    EXPECT_EQ(read(r::EERD) >> 16, 0x1000u);
}

}  // namespace
}  // namespace doorbell
