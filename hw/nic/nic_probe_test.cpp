// The NIC as drivers meet it: probe, reset, self-tests, boot agent (specification section 10).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/nic/nic_bench_test.hpp"

namespace doorbell::nic_test {
namespace {

using ::testing::ElementsAre;

constexpr std::uint32_t kLsc = 1u << 2;

// Section 10.1.1, step by step.
TEST(LinuxProbe, finds_what_it_looks_for) {
    NicBench nic;
    EXPECT_EQ(nic.nic.config_read(0x00, 4), 0x10D38086u);
    nic.enable();
    EXPECT_EQ(nic.read(r::STATUS) & 0x0000000C, 0u) << "function 0";
    (void)nic.read(r::SWSM);
    nic.write(r::SWSM, 0);
    EXPECT_NE(nic.read(r::EECD) >> 15 & 3, 3u) << "an EEPROM";
    EXPECT_EQ(r::EECD_NV_SIZE.get(nic.read(r::EECD)), 0u) << "of 64 words";
    EXPECT_EQ(nic.phy_read(2), 0x0141);
    EXPECT_EQ(nic.phy_read(3), 0x0CB1);
    EXPECT_EQ(nic.nic.config_read(0xF2, 2) >> 4 & 0x3F, 1u) << "PCIe width";
    EXPECT_EQ(nic.read(r::MANC) & (1u << 18 | 1u << 17), 0u);
    nic.reset_hw();
    std::uint32_t sum = 0;
    for (std::uint32_t word = 0; word < 64; word++) sum += nic.eerd(word);
    EXPECT_EQ(sum & 0xFFFF, 0xBABAu);
    EXPECT_EQ(nic.read(r::RAL), 0x82000002u);
    EXPECT_EQ(nic.read(r::RAH), 0x80004057u);
    EXPECT_EQ(nic.eerd(0x24) & 0x0400, 0);
    EXPECT_EQ(nic.eerd(0x0F) & 0x6000, 0);
    EXPECT_EQ(nic.eerd(5), 0x1000);
    EXPECT_EQ(nic.eerd(8), 0xE825);
}

// Section 10.1.2: what reset_hw leaves, and the link set-up that follows.
TEST(LinuxReset, brings_the_link_up_again_through_the_phy) {
    NicBench nic;
    nic.enable();
    nic.link_up();
    nic.write(r::PBA, 32);
    nic.reset_hw();
    EXPECT_EQ(nic.read(r::PBA) & 0xFFFF, 32u) << "kept over CTRL.RST";
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u) << "the PHY was not touched";
    nic.set(r::CTRL_EXT_DRV_LOAD, 1);
    nic.set(r::CTRL_SLU, 1);
    for (std::uint32_t i = 0; i < 128; i++) nic.write(r::VFTA, 0, i);
    const std::uint16_t downshift = nic.phy_read(16);
    nic.phy_write(16, static_cast<std::uint16_t>(downshift & ~0x0800));
    nic.phy_write(0, 0x9140);
    nic.phy_write(16, static_cast<std::uint16_t>(downshift | 0x0800));
    nic.phy_write(29, 0x0003);
    nic.phy_write(30, 0x0000);
    nic.phy_write(0, 0x9140);
    nic.phy_write(4, 0x0DE1);
    nic.phy_write(9, 0x0E00);
    nic.phy_write(0, 0x1340);
    EXPECT_EQ(nic.read(r::STATUS) & 2, 0u) << "negotiation takes it down";
    nic.timeline.advance_by(milliseconds(2));
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u);
    EXPECT_NE(nic.read(r::ICR) & kLsc, 0u);
    (void)nic.phy_read(1);
    EXPECT_EQ(nic.phy_read(1) & 0x24, 0x24);
    EXPECT_EQ(nic.phy_read(5) & 0x4000, 0x4000);
}

// Section 10.1.7: the register test of ethtool, its table typed from the specification.
TEST(LinuxRegisterTest, passes) {
    NicBench nic;
    nic.enable();
    nic.reset_hw();
    const std::uint32_t before = nic.read(r::STATUS);
    constexpr std::uint32_t kToggle = 0x7FFFF033;
    nic.write(r::STATUS, kToggle);
    EXPECT_EQ(nic.read(r::STATUS) & kToggle, before & kToggle);
    nic.write(r::STATUS, before);

    struct Row {
        std::uint32_t offset, mask, write;
    };
    const Row rows[] = {
        {0x00028, 0xFFFFFFFF, 0xFFFFFFFF}, {0x0002C, 0x0000FFFF, 0xFFFFFFFF},
        {0x00030, 0x0000FFFF, 0xFFFFFFFF}, {0x00038, 0x0000FFFF, 0xFFFFFFFF},
        {0x02820, 0x0000FFFF, 0xFFFFFFFF}, {0x02804, 0xFFFFFFFF, 0xFFFFFFFF},
        {0x02808, 0x000FFF80, 0x000FFFFF}, {0x02810, 0x0000FFFF, 0x0000FFFF},
        {0x02818, 0x0000FFFF, 0x0000FFFF}, {0x02168, 0x0000FFF8, 0x0000FFF8},
        {0x00170, 0x0000FFFF, 0x0000FFFF}, {0x00410, 0x3FFFFFFF, 0x3FFFFFFF},
        {0x03804, 0xFFFFFFFF, 0xFFFFFFFF}, {0x03808, 0x000FFF80, 0x000FFFFF},
    };
    const std::uint32_t patterns[] = {0x5A5A5A5A, 0xA5A5A5A5, 0x00000000, 0xFFFFFFFF};
    const auto pattern_test = [&](std::uint32_t offset, std::uint32_t mask, std::uint32_t write) {
        for (const std::uint32_t pattern : patterns) {
            nic.nic.bar_write(0, offset, pattern & write);
            EXPECT_EQ(nic.nic.bar_read(0, offset), pattern & write & mask) << std::hex << offset;
        }
    };
    const auto set_and_check = [&](std::uint32_t offset, std::uint32_t mask, std::uint32_t write) {
        nic.nic.bar_write(0, offset, write & mask);
        EXPECT_EQ(nic.nic.bar_read(0, offset) & mask, write & mask) << std::hex << offset;
    };
    for (const Row& row : rows) pattern_test(row.offset, row.mask, row.write);
    set_and_check(0x00100, 0xFFFFFFFF, 0);
    set_and_check(0x00100, 0x06DFB3FE, 0x003FFFFB);
    set_and_check(0x00400, 0xFFFFFFFF, 0);
    set_and_check(0x00100, 0x06DFB3FE, 0xFFFFFFFF);
    pattern_test(0x02800, 0xFFFFFFF0, 0xFFFFFFFF);
    pattern_test(0x00178, 0xC000FFFF, 0x0000FFFF);
    pattern_test(0x03800, 0xFFFFFFF0, 0xFFFFFFFF);
    pattern_test(0x03820, 0x0000FFFF, 0x0000FFFF);
    for (std::uint32_t i = 0; i < 15; i++) pattern_test(0x05404 + 8 * i, 0x8003FFFF, 0xFFFFFFFF);
    for (std::uint32_t i = 0; i < 128; i++) pattern_test(0x05200 + 4 * i, 0xFFFFFFFF, 0xFFFFFFFF);
    EXPECT_EQ(nic.host.count(Mastered::Kind::kRead), 0u) << "no DMA from nonsense";
}

// Section 10.1.7: the interrupt self-test through the NIC, in INTx and in MSI mode.
class LinuxInterruptSelfTest : public ::testing::TestWithParam<bool> {};

TEST_P(LinuxInterruptSelfTest, passes) {
    NicBench nic;
    nic.enable();
    nic.reset_hw();
    if (GetParam()) {
        nic.nic.config_write(0xD4, 4, 0xFEE00000);
        nic.nic.config_write(0xDC, 2, 0x4055);
        nic.nic.config_write(0xD2, 2, 0x0001);
    }
    const auto interrupts = [&] {
        std::size_t count = nic.host.messages().size();
        for (const Mastered& entry : nic.host.log) {
            count += entry.kind == Mastered::Kind::kPin ? entry.value : 0;
        }
        return count;
    };
    for (std::uint32_t bit = 0; bit < 10; bit++) {
        const std::uint32_t mask = 1u << bit;
        std::size_t before = interrupts();
        nic.write(r::IMC, mask);
        nic.write(r::ICS, mask);
        nic.timeline.advance_by(milliseconds(10));
        EXPECT_EQ(interrupts(), before) << "masked bit " << bit;
        nic.write(r::IMS, mask);
        nic.write(r::ICS, mask);
        nic.timeline.advance_by(milliseconds(10));
        EXPECT_EQ(interrupts(), before + 1) << "unmasked bit " << bit;
        EXPECT_EQ(nic.read(r::ICR), mask | 1u << 31);
        before = interrupts();
        nic.write(r::IMC, ~mask & 0x7FFF);
        nic.write(r::ICS, ~mask & 0x7FFF);
        nic.timeline.advance_by(milliseconds(10));
        EXPECT_EQ(interrupts(), before) << "others of bit " << bit;
        nic.write(r::IMC, 0xFFFFFFFF);
        (void)nic.read(r::ICR);
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, LinuxInterruptSelfTest, ::testing::Values(false, true));

// Section 10.3.
TEST(Ipxe, resets_opens_polls_and_closes_without_interrupts) {
    NicBench nic;
    nic.enable();
    nic.nic.partner(NicBench::gigabit());
    nic.timeline.advance_by(milliseconds(5));
    const std::uint32_t ctrl =
        (nic.read(r::CTRL) & ~(1u << 3 | 1u << 11 | 1u << 12)) | 1u << 5 | 1u << 6;
    nic.write(r::CTRL, ctrl | 1u << 26);
    nic.timeline.advance_by(milliseconds(20));
    nic.write(r::CTRL, ctrl);
    nic.timeline.advance_by(milliseconds(20));
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u);
    EXPECT_EQ(nic.read(r::RAL), 0x82000002u) << "low, then high";
    EXPECT_EQ(nic.read(r::RAH) & 0xFFFF, 0x4057u);

    nic.open_rings();
    nic.write(r::RXDCTL, nic.read(r::RXDCTL) | 1u << 25);
    nic.write(r::TXDCTL, nic.read(r::TXDCTL) | 1u << 25);
    (void)nic.read(r::ICR);
    nic.send(NicBench::broadcast(60));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::ICR) & ~2u, 1u) << "TXDW, and never bit 31";
    EXPECT_TRUE(nic.tx_done(0));
    nic.arrive(NicBench::broadcast(100));
    nic.timeline.advance_by(milliseconds(1));
    EXPECT_EQ(nic.read(r::ICR), 1u << 7) << "RXT0";
    EXPECT_TRUE(nic.rx_done(0));
    EXPECT_EQ(nic.read(r::ICR), 0u);
    nic.nic.partner({});
    EXPECT_EQ(nic.read(r::ICR), kLsc);
    EXPECT_EQ(nic.read(r::STATUS) & 2, 0u);

    nic.write(r::RCTL, 0);
    nic.write(r::TCTL, 0);
    nic.write(r::RXDCTL, 0);
    EXPECT_EQ(nic.read(r::RXDCTL) & 1u << 25, 0u) << "the disable is polled";
    EXPECT_EQ(nic.host.count(Mastered::Kind::kPin), 0u);
}

TEST(Ipxe, without_link_it_resets_the_phy_and_link_comes_later) {
    NicBench nic;
    nic.enable();
    const std::uint32_t ctrl = nic.read(r::CTRL);
    nic.write(r::CTRL, ctrl | 1u << 26 | 1u << 31);
    nic.timeline.advance_by(milliseconds(20));
    nic.write(r::CTRL, ctrl);
    nic.timeline.advance_by(milliseconds(20));
    EXPECT_EQ(nic.read(r::STATUS) & 2, 0u);
    nic.nic.partner(NicBench::gigabit());
    nic.timeline.advance_by(milliseconds(2));
    EXPECT_NE(nic.read(r::ICR) & kLsc, 0u);
    EXPECT_NE(nic.read(r::STATUS) & 2, 0u);
}

}  // namespace
}  // namespace doorbell::nic_test
