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

TEST_F(NvmTest, ee_rst_loads_leds_and_wake_up_as_well) {
    NvmParams params;
    params.wake_on_lan = true;
    start(params);
    timeline.advance_by(milliseconds(2));
    write(r::LEDCTL, 0);
    write(r::WUC, 0);
    write(r::CTRL_EXT, 1u << 13);
    timeline.advance_by(milliseconds(2));
    EXPECT_EQ(read(r::LEDCTL) & 0x00FF00FF, 0x00060002u);
    EXPECT_EQ(read(r::WUC) & 1, 1u);
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

TEST_F(NvmTest, bit_bang_access_is_granted_while_it_is_requested_and_the_load_is_done) {
    start();
    write(r::EECD, 0x40);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
    timeline.advance_by(milliseconds(2));
    EXPECT_NE(read(r::EECD) & 0x80, 0u);
    write(r::EECD, 0);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
    write(r::EECD, 0x40);
    EXPECT_NE(read(r::EECD) & 0x80, 0u);
    write(r::EECD, 0);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
}

TEST_F(NvmTest, the_pins_wait_for_a_word_access_and_a_word_access_for_the_pins) {
    start();
    timeline.advance_by(milliseconds(2));
    write(r::EERD, 5 << 2 | 1);
    write(r::EECD, 0x40);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
    timeline.advance_by(microseconds(30));
    EXPECT_EQ(read(r::EERD) >> 16, 0x1000u);
    EXPECT_NE(read(r::EECD) & 0x80, 0u);
    write(r::EERD, 0x12 << 2 | 1);
    write(r::EEWR, 0x77770000u | 6 << 2 | 1);
    timeline.advance_by(milliseconds(1));
    EXPECT_EQ(read(r::EERD) & 2, 0u);
    EXPECT_EQ(read(r::EEWR) & 2, 0u);
    write(r::EECD, 0);
    timeline.advance_by(microseconds(30));
    EXPECT_EQ(read(r::EERD), 0x40000000u | 0x12 << 2 | 2);
    timeline.advance_by(microseconds(70));
    EXPECT_EQ(nvm->image().word(6), 0x7777);
}

TEST_F(NvmTest, the_pins_wait_for_a_word_that_is_written_and_are_driven_as_soon_as_granted) {
    start();
    timeline.advance_by(milliseconds(2));
    write(r::EEWR, 0x77770000u | 6 << 2 | 1);
    write(r::EECD, 0x40);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
    timeline.advance_by(microseconds(100) - 1);
    EXPECT_EQ(read(r::EECD) & 0x80, 0u);
    timeline.advance_by(1);
    EXPECT_EQ(nvm->image().word(6), 0x7777);
    EXPECT_EQ(read(r::EECD) & 0x88, 0x88u) << "GNT, and DO is pulled up";
}

TEST_F(NvmTest, a_reset_takes_the_pins_back_and_forgets_what_waited) {
    start();
    const NvmImage delivered = nvm->image();
    timeline.advance_by(milliseconds(2));
    write(r::EECD, 0x40);
    write(r::EEWR, 0x77770000u | 6 << 2 | 1);
    write(r::EERD, 6 << 2 | 1);
    registers->reset(regs::ResetKind::kSoftware);
    nvm->auto_load(Nvm::Extent::kAddress);
    EXPECT_EQ(read(r::EECD) & 0xC0, 0u) << "REQ and GNT";
    EXPECT_EQ(read(r::EEWR) & 2, 2u);
    timeline.advance_by(milliseconds(5));
    write(r::EECD, 0x40);
    write(r::EECD, 0);
    EXPECT_EQ(read(r::EEWR) & 2, 2u) << "nor does it start when the pins come back";
    timeline.advance_by(milliseconds(5));
    for (std::uint32_t i = 0; i < 64; i++) EXPECT_EQ(nvm->image().word(i), delivered.word(i)) << i;
    EXPECT_EQ(read(r::EERD), 2u);
}

// Initialization Control 1, specification 3.2: the defaults of CTRL come back with CTRL.RST too.
TEST_F(NvmTest, the_image_says_how_ctrl_comes_up) {
    for (const std::uint32_t control : {0x026Bu, 0x027Bu, 0x0A6Bu, 0x0A7Bu, 0xFFFFu}) {
        SCOPED_TRACE(control);
        NvmParams params;
        params.image.assign(64, 0xFFFF);
        params.image[0x0A] = static_cast<std::uint16_t>(control);
        params.image[0x12] = 0x4000;
        start(params);
        timeline.advance_by(milliseconds(2));
        const bool erased = control == 0xFFFF;
        const std::uint32_t expected = (!erased && (control & 0x0010) != 0 ? 0x80u : 0u) |
                                       (!erased && (control & 0x0800) != 0 ? 0x800u : 0u);
        EXPECT_EQ(read(r::CTRL), 0x00140249u | expected);
        registers->reset(regs::ResetKind::kSoftware);
        nvm->auto_load(Nvm::Extent::kAddress);
        timeline.advance_by(milliseconds(2));
        EXPECT_EQ(read(r::CTRL), 0x00140249u | expected);
    }
}

// --- EECD as a driver uses it: the SPI code of the older family ---

class BitBang : public NvmTest {
protected:
    static constexpr std::uint32_t kSk = 1, kCs = 2, kDi = 4, kDo = 8, kReq = 0x40, kGnt = 0x80;

    [[nodiscard]] bool acquire() {
        write(r::EECD, read(r::EECD) | kReq);
        for (int poll = 0; poll < 1000; poll++) {
            if ((read(r::EECD) & kGnt) != 0) return true;
            timeline.advance_by(microseconds(5));
        }
        return false;
    }
    void release() { write(r::EECD, read(r::EECD) & ~kReq); }
    void set(std::uint32_t bits, bool on) {
        const std::uint32_t eecd = read(r::EECD);
        write(r::EECD, on ? eecd | bits : eecd & ~bits);
        timeline.advance_by(microseconds(1));
    }
    void begin() {
        set(kCs, true);
        set(kCs | kSk, false);
    }
    void end() {
        set(kCs, true);
        set(kSk, false);
    }
    void out(std::uint32_t value, int bits) {
        for (int i = bits - 1; i >= 0; i--) {
            set(kDi, (value >> i & 1) != 0);
            set(kSk, true);
            set(kSk, false);
        }
        set(kDi, false);
    }
    std::uint32_t in(int bits) {
        std::uint32_t value = 0;
        for (int i = 0; i < bits; i++) {
            set(kSk, true);
            value = value << 1 | ((read(r::EECD) & kDo) != 0 ? 1u : 0u);
            set(kSk, false);
        }
        return value;
    }
    std::uint16_t in_word() {
        const std::uint32_t low = in(8);
        return static_cast<std::uint16_t>(low | in(8) << 8);
    }
    std::uint32_t status() {
        begin();
        out(0x05, 8);
        const std::uint32_t value = in(8);
        end();
        return value;
    }
    void command(std::uint32_t opcode) {
        begin();
        out(opcode, 8);
        end();
    }
};

TEST_F(BitBang, reads_all_words_in_one_go) {
    start();
    ASSERT_TRUE(acquire());
    EXPECT_EQ(read(r::EECD) >> 10 & 1, 0u) << "addresses of 8 bits";
    begin();
    out(0x03, 8);
    out(0, 8);
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < 64; i++) {
        const std::uint16_t word = in_word();
        EXPECT_EQ(word, nvm->image().word(i)) << i;
        sum += word;
    }
    EXPECT_EQ(sum & 0xFFFF, 0xBABAu);
    EXPECT_EQ(in_word(), nvm->image().word(0)) << "round at the end";
    end();
    release();
    EXPECT_EQ(eerd(0x12), 0x4000u) << "and EERD has it back";
}

TEST_F(BitBang, reads_the_upper_half_by_a8_or_by_16_bits) {
    for (const std::uint32_t words : {256u, 1024u}) {
        NvmParams params;
        params.image.resize(words);
        for (std::uint32_t i = 0; i < words; i++) {
            params.image[i] = static_cast<std::uint16_t>(i * 0x0301);
        }
        start(params);
        ASSERT_TRUE(acquire());
        const bool large = (read(r::EECD) >> 10 & 1) != 0;
        EXPECT_EQ(large, words > 256);
        begin();
        out(large ? 0x03 : 0x0B, 8);
        out(large ? 200 * 2 : 200 * 2 - 256, large ? 16 : 8);
        EXPECT_EQ(in_word(), static_cast<std::uint16_t>(200 * 0x0301));
        end();
    }
}

TEST_F(BitBang, writes_a_page_and_says_when_it_is_done) {
    start();
    ASSERT_TRUE(acquire());
    EXPECT_EQ(status(), 0u);
    command(0x06);
    EXPECT_EQ(status(), 2u) << "WEL";
    begin();
    out(0x02, 8);
    out(6 * 2, 8);
    out(0x3412, 16);
    EXPECT_EQ(nvm->image().word(6), 0xFFFF) << "not before CS rises";
    end();
    EXPECT_EQ(status() & 1, 1u) << "busy";
    command(0x06);
    timeline.advance_by(microseconds(100));
    EXPECT_EQ(status(), 0u) << "the latch is off again, and busy it heard no WREN";
    EXPECT_EQ(nvm->image().word(6), 0x1234);
    EXPECT_EQ(nvm->image().word(5), 0x1000);
    EXPECT_EQ(nvm->image().word(7), 0xFFFF);
}

TEST_F(BitBang, what_the_hardware_does_next_waits_for_the_page_that_is_being_written) {
    const auto begin_page = [&] {
        ASSERT_TRUE(acquire());
        command(0x06);
        begin();
        out(0x02, 8);
        out(6 * 2, 8);
        out(0x3412, 16);
        release();  // Ends the command: the page is being written from now on.
    };
    start();
    begin_page();
    write(r::EERD, 6 << 2 | 1);
    timeline.advance_by(microseconds(100 + 30) - 1);
    EXPECT_EQ(read(r::EERD) & 2, 0u);
    timeline.advance_by(1);
    EXPECT_EQ(read(r::EERD) >> 16, 0x1234u);
    EXPECT_EQ(read(r::EERD) & 2, 2u);

    begin_page();
    write(r::EEWR, 0x5678u << 16 | 6 << 2 | 1);
    timeline.advance_by(microseconds(100 + 100) - 1);
    EXPECT_EQ(read(r::EEWR) & 2, 0u);
    timeline.advance_by(1);
    EXPECT_EQ(read(r::EEWR) & 2, 2u);
    EXPECT_EQ(nvm->image().word(6), 0x5678);

    begin_page();
    nvm->auto_load(Nvm::Extent::kAddress);
    timeline.advance_by(microseconds(100) + milliseconds(2) - 1);
    EXPECT_EQ(read(r::EECD) & 0x200, 0u) << "AUTO_RD";
    timeline.advance_by(1);
    EXPECT_EQ(read(r::EECD) & 0x200, 0x200u);
}

TEST_F(BitBang, a_write_goes_round_in_its_page) {
    start();
    ASSERT_TRUE(acquire());
    command(0x06);
    begin();
    out(0x02, 8);
    out(0x0E, 8);  // The last two bytes of the page of 8 at 0x08.
    for (std::uint32_t byte = 1; byte <= 4; byte++) out(byte, 8);
    end();
    EXPECT_EQ(nvm->image().word(7), 0x0201);
    EXPECT_EQ(nvm->image().word(4), 0x0403);
    EXPECT_EQ(nvm->image().word(8), 0xE825) << "not into the next";
}

TEST_F(BitBang, nothing_is_written_without_wren_or_at_half_a_byte_or_when_the_pins_are_lost) {
    start();
    const std::uint16_t before = nvm->image().word(6);
    ASSERT_TRUE(acquire());
    const auto write_word = [&](int bits) {
        begin();
        out(0x02, 8);
        out(6 * 2, 8);
        out(0xABCD, bits);
    };
    write_word(16);
    end();
    EXPECT_EQ(nvm->image().word(6), before) << "without WREN";
    command(0x06);
    command(0x04);
    write_word(16);
    end();
    EXPECT_EQ(nvm->image().word(6), before) << "after WRDI";
    command(0x06);
    write_word(12);
    end();
    EXPECT_EQ(nvm->image().word(6), before) << "at half a byte";
    write_word(16);
    registers->reset(regs::ResetKind::kSoftware);
    nvm->auto_load(Nvm::Extent::kAddress);
    timeline.advance_by(milliseconds(2));
    ASSERT_TRUE(acquire());
    set(kCs, true);
    EXPECT_EQ(nvm->image().word(6), before) << "over a reset";
    release();
    write(r::EECD, kCs);
    write(r::EECD, 0);
    EXPECT_EQ(read(r::EECD) & kDo, 0u);
    out(0x05, 8);
    EXPECT_EQ(in(8), 0u) << "without a grant the pins lead nowhere";
}

TEST_F(BitBang, an_address_beyond_the_end_goes_round) {
    start();
    ASSERT_TRUE(acquire());
    begin();
    out(0x03, 8);
    out(0x80 + 0x12 * 2, 8);
    EXPECT_EQ(in_word(), 0x4000);
    end();
    EXPECT_EQ(read(r::EECD) & kDo, kDo) << "pulled up while nothing is put out";
}

TEST_F(BitBang, a_page_of_a_large_part_has_32_bytes) {
    NvmParams params;
    params.image.assign(1024, 0x5555);
    start(params);
    ASSERT_TRUE(acquire());
    command(0x06);
    begin();
    out(0x02, 8);
    out(0x041E, 16);  // The last two bytes of the page at 0x0400.
    for (std::uint32_t byte = 1; byte <= 4; byte++) out(byte, 8);
    end();
    EXPECT_EQ(nvm->image().word(0x20F), 0x0201);
    EXPECT_EQ(nvm->image().word(0x200), 0x0403);
    EXPECT_EQ(nvm->image().word(0x20C), 0x5555);
    EXPECT_EQ(nvm->image().word(0x210), 0x5555) << "not into the next";
}

TEST_F(BitBang, writes_the_upper_half_by_a8) {
    NvmParams params;
    params.image.assign(256, 0x5555);
    start(params);
    ASSERT_TRUE(acquire());
    command(0x06);
    begin();
    out(0x0A, 8);
    out(200 * 2 - 256, 8);
    out(0x3412, 16);
    end();
    EXPECT_EQ(nvm->image().word(200), 0x1234);
    EXPECT_EQ(nvm->image().word(72), 0x5555) << "the same place of the lower half";
}

TEST_F(BitBang, reads_nothing_while_a_page_is_written) {
    start();
    ASSERT_TRUE(acquire());
    command(0x06);
    begin();
    out(0x02, 8);
    out(6 * 2, 8);
    out(0x3412, 16);
    end();
    begin();
    out(0x03, 8);
    out(0x12 * 2, 8);
    EXPECT_EQ(in_word(), 0xFFFF) << "nothing is put out";
    end();
    timeline.advance_by(microseconds(100));
    begin();
    out(0x03, 8);
    out(0x12 * 2, 8);
    EXPECT_EQ(in_word(), 0x4000);
    end();
}

TEST_F(BitBang, what_a_broken_write_brought_is_not_written_by_the_next) {
    start();
    ASSERT_TRUE(acquire());
    command(0x06);
    begin();
    out(0x02, 8);
    out(0x0C, 8);
    out(0xABC, 12);
    end();
    begin();
    out(0x02, 8);
    out(0x0E, 8);
    out(0x3412, 16);
    end();
    EXPECT_EQ(nvm->image().word(7), 0x1234);
    EXPECT_EQ(nvm->image().word(6), 0xFFFF);
}

TEST_F(BitBang, giving_the_pins_back_ends_a_command_as_cs_does) {
    start();
    ASSERT_TRUE(acquire());
    begin();
    out(0x03, 8);
    out(0, 8);
    EXPECT_EQ(in(8), 0x02u);
    release();
    ASSERT_TRUE(acquire());
    EXPECT_EQ(in(8), 0xFFu) << "the read does not go on: a new command is awaited";
    end();
    command(0x06);
    begin();
    out(0x02, 8);
    out(6 * 2, 8);
    out(0x3412, 16);
    release();
    EXPECT_EQ(nvm->image().word(6), 0x1234);
}

TEST_F(BitBang, a_power_cycle_ends_a_write_and_turns_the_latch_off) {
    NvmParams params;
    params.write_word_ps = milliseconds(10);
    start(params);
    ASSERT_TRUE(acquire());
    const auto power_cycle = [this] {
        nvm->power_on_reset();
        registers->reset(regs::ResetKind::kPowerOn);
        nvm->auto_load(Nvm::Extent::kFull);
        ASSERT_TRUE(acquire());
        begin();
        end();
    };
    command(0x06);
    begin();
    out(0x02, 8);
    out(6 * 2, 8);
    out(0x3412, 16);
    end();
    EXPECT_EQ(status(), 1u);
    power_cycle();
    EXPECT_EQ(status(), 0u) << "no longer busy";
    command(0x06);
    power_cycle();
    EXPECT_EQ(status(), 0u) << "and a command of no bits is none";
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
