// What drivers do with the interrupt registers, step by step (specification section 10).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hw/irq/interrupt_bench_test.hpp"

namespace doorbell::irq_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::uint32_t kTxdw = 1u << 0;
constexpr std::uint32_t kLsc = 1u << 2;
constexpr std::uint32_t kRxseq = 1u << 3;
constexpr std::uint32_t kRxt0 = 1u << 7;
constexpr std::uint32_t kRxq0 = 1u << 20;
constexpr std::uint32_t kTxq0 = 1u << 22;
constexpr std::uint32_t kOther = 1u << 24;
constexpr std::uint32_t kIntAsserted = 1u << 31;
constexpr std::uint32_t kMsiTestMask = 0x9D;  // RXT0 TXDW RXDMT0 RXSEQ LSC

// Section 10.1.7, ethtool's interrupt test, in both modes it runs in.
class LinuxInterruptTest : public ::testing::TestWithParam<bool> {
protected:
    LinuxInterruptTest() {
        if (GetParam()) nic.use_msi();
    }
    /// What the interrupt handler of the test saw since the last call: 0 when it was not called.
    std::uint32_t handler() {
        nic.timeline.advance_by(milliseconds(10));
        const bool called = GetParam() ? !nic.messages().empty() : nic.assertions() > seen_;
        seen_ = nic.assertions();
        return called ? nic.read(r::ICR) : 0;
    }
    InterruptBench nic;

private:
    std::size_t seen_ = 0;
};

TEST_P(LinuxInterruptTest, each_of_bits_0_to_9_interrupts_exactly_when_it_is_unmasked) {
    nic.write(r::IMC, 0xFFFFFFFF);
    for (std::uint32_t bit = 0; bit < 10; bit++) {
        const std::uint32_t mask = 1u << bit;
        // Masked, it must not interrupt.
        nic.write(r::IMC, mask);
        nic.write(r::ICS, mask);
        EXPECT_EQ(handler() & mask, 0u) << "bit " << bit;
        // Unmasked, the handler must see it in ICR.
        nic.write(r::IMS, mask);
        nic.write(r::ICS, mask);
        EXPECT_NE(handler() & mask, 0u) << "bit " << bit;
        // All others, masked, must not interrupt.
        nic.write(r::IMC, ~mask & 0x7FFF);
        nic.write(r::ICS, ~mask & 0x7FFF);
        EXPECT_EQ(handler(), 0u) << "bit " << bit;
        nic.write(r::IMC, 0xFFFFFFFF);
        (void)nic.read(r::ICR);
    }
}

INSTANTIATE_TEST_SUITE_P(Modes, LinuxInterruptTest, ::testing::Values(false, true),
                         [](const ::testing::TestParamInfo<bool>& mode) {
                             return std::string(mode.param ? "msi" : "intx");
                         });

TEST(LinuxMsiTest, rxseq_through_ics_delivers_the_message) {
    InterruptBench nic;
    nic.use_msi();
    nic.write(r::IMS, kMsiTestMask);
    nic.write(r::ICS, kRxseq);
    EXPECT_EQ(nic.messages().size(), 1u);
    EXPECT_EQ(nic.read(r::ICR), kRxseq | kIntAsserted);
}

// Section 10.1.3: IAME with IAM all ones, the handler reads ICR, NAPI enables again.
TEST(LinuxLegacyMode, an_icr_read_masks_everything_and_napi_enables_again) {
    InterruptBench nic;
    nic.write_field(r::CTRL_EXT_IAME, 1);
    nic.write(r::IAM, 0xFFFFFFFF);
    nic.write(r::IMS, kMsiTestMask);
    nic.block.rx_written_back(0, 1);
    EXPECT_TRUE(nic.pin());
    EXPECT_EQ(nic.read(r::ICR), kRxt0 | kIntAsserted) << "bit 31 claims the shared line";
    EXPECT_FALSE(nic.pin());
    EXPECT_EQ(nic.read(r::IMS), 0u);
    nic.block.rx_written_back(0, 1);
    EXPECT_FALSE(nic.pin()) << "NAPI polls";
    nic.write(r::IMS, kMsiTestMask);
    EXPECT_TRUE(nic.pin()) << "what came meanwhile is not lost";
}

class LinuxMsix : public ::testing::Test {
protected:
    LinuxMsix() {
        nic.use_msix();
        nic.write(r::EIAC, kRxq0 | kTxq0);
        nic.write_field(r::CTRL_EXT_PBA_SUPPORT, 1);
        nic.write_field(r::CTRL_EXT_EIAME, 1);
        nic.write(r::IAM, 0xFFFFFFFF);
        nic.write(r::IMS, kNewMask);
    }
    // RXQ0 TXQ0 OTHER and, as newer kernels do, every cause behind OTHER.
    static constexpr std::uint32_t kNewMask = 0x01500000 | kLsc | 1u << 6 | 1u << 9 | 7u << 16;
    InterruptBench nic;
};

TEST_F(LinuxMsix, ics_other_delivers_vector_2_and_starts_the_watchdog) {
    nic.write(r::ICS, kOther);
    EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(2)));
}

TEST_F(LinuxMsix, a_link_change_reaches_the_other_handler_again_and_again) {
    for (int i = 0; i < 3; i++) {
        nic.block.raise(kLsc);
        EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(2)));
        const std::uint32_t icr = nic.read(r::ICR);
        EXPECT_EQ(icr, kLsc | kOther | kIntAsserted);
        nic.write(r::IMS, kOther | kLsc);
    }
}

TEST_F(LinuxMsix, napi_runs_on_eiac_and_an_ims_write) {
    for (int i = 0; i < 3; i++) {
        nic.block.rx_written_back(0, 4);
        EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(0)));
        nic.block.rx_written_back(0, 4);
        EXPECT_THAT(nic.messages(), IsEmpty());
        nic.write(r::IMS, kRxq0);
        EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(0)));
        nic.write(r::IMS, kRxq0);
        EXPECT_THAT(nic.messages(), IsEmpty());
    }
}

TEST_F(LinuxMsix, queue_bits_stolen_by_the_other_handler_come_back_through_ics) {
    nic.write(r::IMC, kRxq0);
    nic.block.rx_written_back(0, 1);
    nic.block.raise(kLsc);
    (void)nic.messages();
    const std::uint32_t icr = nic.read(r::ICR);
    ASSERT_NE(icr & kRxq0, 0u);
    nic.write(r::ICS, icr & kRxq0);
    nic.write(r::IMS, kOther | kRxq0);
    EXPECT_THAT(nic.messages(), ElementsAre(InterruptBench::vector_data(0)));
}

// Erratum 12 as the documents have it: with the causes behind OTHER masked an ICR read is case 3.
TEST_F(LinuxMsix, an_icr_read_with_int_asserted_0_keeps_the_causes) {
    nic.write(r::IMC, 0xFFFFFFFF);
    nic.write(r::IMS, kRxq0);
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.read(r::ICR), kLsc | kOther);
    EXPECT_EQ(nic.read(r::ICR), kLsc | kOther);
}

// Section 10.3: iPXE polls ICR with IMS = 0.
TEST(Ipxe, polling_with_ims_0_sees_each_cause_once_and_never_bit_31) {
    InterruptBench nic;
    nic.block.tx_written_back(0, false);
    EXPECT_EQ(nic.read(r::ICR), kTxdw);
    nic.block.rx_written_back(0, 1);
    nic.block.raise(kLsc);
    EXPECT_EQ(nic.read(r::ICR), kRxt0 | kLsc);
    EXPECT_EQ(nic.read(r::ICR), 0u);
    EXPECT_EQ(nic.assertions(), 0u);
}

TEST(Ipxe, polling_with_interrupts_enabled_clears_as_well) {
    InterruptBench nic;
    nic.write(r::IMS, kTxdw | kLsc | kRxt0);
    nic.block.rx_written_back(0, 1);
    EXPECT_TRUE(nic.pin());
    EXPECT_EQ(nic.read(r::ICR) & kRxt0, kRxt0);
    EXPECT_FALSE(nic.pin());
    EXPECT_EQ(nic.read(r::ICR), 0u);
}

}  // namespace
}  // namespace doorbell::irq_test
