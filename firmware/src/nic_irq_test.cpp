/// Interrupts in the three modes: choosing, acknowledging, masking, losing nothing.
#include "firmware/test/driver_fixture.hpp"

namespace {

constexpr std::uint32_t kQueues = NIC_EVENT_RX | NIC_EVENT_TX;

class NicIrq : public DriverTest {
protected:
    void open_with(nic_irq_mode mode) {
        config.irq_mode = mode;
        open();
        chip.icr = 0;  // the link interrupt that nic_open raises
        chip.log.clear();
    }
    std::uint32_t command() const {
        return static_cast<std::uint32_t>(chip.config[4] | chip.config[5] << 8);
    }
};

TEST_F(NicIrq, MsixIsProgrammedThroughItsTable) {
    open();
    EXPECT_EQ(chip.irq_mode, NIC_IRQ_MSIX);
    for (std::uint32_t v = 0; v < 3; v++) {
        EXPECT_EQ(chip.msix[0x400 + v * 16], 0xFEE00000u + 0x10 * v);
        EXPECT_EQ(chip.msix[0x404 + v * 16], 7u);
        EXPECT_EQ(chip.msix[0x408 + v * 16], 0x4040u + v);
        EXPECT_EQ(chip.msix[0x40C + v * 16], 0u) << "unmasked";
    }
    EXPECT_EQ(chip.config[0x93] & 0xC0, 0x80) << "enabled, function not masked";
    EXPECT_TRUE(command() & 0x400) << "INTx disabled";
    EXPECT_EQ(chip.regs[NIC_IVAR], 0x000A0908u) << "RX 0, TX 1, other 2";
    EXPECT_EQ(chip.regs[NIC_EIAC], NIC_ICR_RXQ0_MASK | NIC_ICR_TXQ0_MASK);
    EXPECT_TRUE(chip.ims & NIC_ICR_OTHER_MASK);
    EXPECT_TRUE(chip.ims & NIC_ICR_LSC_MASK) << "erratum 12";
    nic_close(dev.get());
    EXPECT_EQ(chip.config[0x93] & 0x80, 0);
}

TEST_F(NicIrq, MsiIsTheSecondChoice) {
    chip.refuse_irq[NIC_IRQ_MSIX] = true;
    chip.config[0x93] = 0x80;  // left enabled by whoever was here before
    open();
    EXPECT_EQ(chip.irq_mode, NIC_IRQ_MSI);
    EXPECT_EQ(chip.config[0x93] & 0x80, 0) << "MSI-X stays off";
    EXPECT_EQ(chip.config[0x72] & 1, 1);
    EXPECT_EQ(chip.config[0x76] << 16 | chip.config[0x77] << 24, static_cast<int>(0xFEE00000));
    EXPECT_EQ(chip.config[0x78], 7);
    EXPECT_EQ(chip.config[0x7C], 0x40);
    EXPECT_TRUE(command() & 0x400);
    EXPECT_EQ(chip.ims, 0xD5u) << "RXT0, RXO, RXDMT0, LSC, TXDW";
}

TEST_F(NicIrq, IntxIsTheLastChoice) {
    chip.refuse_irq[NIC_IRQ_MSIX] = true;
    chip.refuse_irq[NIC_IRQ_MSI] = true;
    chip.config[5] = 0x04;
    open();
    EXPECT_EQ(chip.irq_mode, NIC_IRQ_INTX);
    EXPECT_FALSE(command() & 0x400) << "INTx enabled";
    EXPECT_EQ(chip.config[0x72] & 1, 0);
}

TEST_F(NicIrq, WithoutAnyInterruptOpenFails) {
    for (bool& refused : chip.refuse_irq) refused = true;
    probe();
    EXPECT_EQ(nic_open(dev.get(), &config), -NIC_ENOSPC) << "the platform's own reason";
    expect_nothing_held();
}

TEST_F(NicIrq, AChipWithoutTheCapabilityOrWithTooFewVectorsFallsBack) {
    chip.config[0x92] = 1;
    open();
    EXPECT_EQ(chip.irq_mode, NIC_IRQ_MSI);
    nic_close(dev.get());
    chip.config[0x41] = 0x60;  // unlinks MSI-X
    chip.config[0x61] = 0;     // unlinks MSI
    probe();
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    EXPECT_EQ(chip.irq_mode, NIC_IRQ_INTX);
}

TEST_F(NicIrq, OpenRaisesALinkInterrupt) {
    open();
    EXPECT_EQ(chip.icr, NIC_ICR_LSC_MASK | NIC_ICR_OTHER_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 2), std::uint32_t{NIC_EVENT_LINK});
}

TEST_F(NicIrq, QueueVectorsTouchNoRegister) {
    open_with(NIC_IRQ_MSIX);
    EXPECT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_RX});
    EXPECT_EQ(nic_interrupt(dev.get(), 1), std::uint32_t{NIC_EVENT_TX});
    EXPECT_TRUE(chip.log.empty());
    nic_interrupt_enable(dev.get(), NIC_EVENT_RX);
    ASSERT_EQ(chip.log.size(), 1u);
    EXPECT_EQ(chip.log[0].offset, NIC_IMS);
    EXPECT_EQ(chip.log[0].value, NIC_ICR_RXQ0_MASK);
    nic_interrupt_enable(dev.get(), NIC_EVENT_LINK);
    EXPECT_EQ(chip.log.size(), 1u) << "never masked, nothing to unmask";
    EXPECT_EQ(nic_interrupt(dev.get(), 4), 0u) << "not a vector of ours";
}

TEST_F(NicIrq, TheOtherVectorPutsQueueCausesBack) {
    open_with(NIC_IRQ_MSIX);
    chip.raise(NIC_ICR_OTHER_MASK | NIC_ICR_LSC_MASK | NIC_ICR_RXO_MASK | NIC_ICR_RXQ0_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 2), std::uint32_t{NIC_EVENT_LINK | NIC_EVENT_OVERRUN});
    EXPECT_EQ(chip.icr, NIC_ICR_RXQ0_MASK);
    chip.raise(NIC_ICR_OTHER_MASK | NIC_ICR_SRPD_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 2), std::uint32_t{NIC_EVENT_OTHER});
}

class NicIrqSingle : public NicIrq, public ::testing::WithParamInterface<nic_irq_mode> {};
INSTANTIATE_TEST_SUITE_P(Modes, NicIrqSingle, ::testing::Values(NIC_IRQ_MSI, NIC_IRQ_INTX),
                         [](const auto& point) {
                             return point.param == NIC_IRQ_MSI ? "Msi" : "Intx";
                         });

TEST_P(NicIrqSingle, WhatIsReportedIsAcknowledgedAndMasked) {
    open_with(GetParam());
    chip.raise(NIC_ICR_RXT0_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_RX});
    EXPECT_EQ(chip.icr, 0u);
    EXPECT_FALSE(chip.ims & (NIC_ICR_RXT0_MASK | NIC_ICR_RXDMT0_MASK));
    EXPECT_TRUE(chip.ims & NIC_ICR_TXDW_MASK) << "the other queue may go on";
    nic_interrupt_enable(dev.get(), NIC_EVENT_RX);
    EXPECT_TRUE(chip.ims & NIC_ICR_RXT0_MASK);
    chip.raise(NIC_ICR_RXT0_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_RX});
    EXPECT_EQ(chip.icr, 0u) << "nothing to put back: nobody was polling";
    EXPECT_EQ(nic_counters(dev.get())->interrupts, 2u);
}

TEST_P(NicIrqSingle, AnInterruptOfSomebodyElseIsNotOurs) {
    open_with(GetParam());
    EXPECT_EQ(nic_interrupt(dev.get(), 0), 0u);
    EXPECT_EQ(nic_counters(dev.get())->interrupts, 0u);
}

TEST_P(NicIrqSingle, ACauseThatWasMaskedSurvivesTheReadForSomebodyElse) {
    open_with(GetParam());
    chip.raise(NIC_ICR_RXT0_MASK);
    ASSERT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_RX});
    chip.raise(NIC_ICR_RXT0_MASK);  // while the poll runs
    EXPECT_EQ(nic_interrupt(dev.get(), 0), 0u) << "masked: a neighbour on the line";
    nic_interrupt_enable(dev.get(), NIC_EVENT_RX);
    EXPECT_TRUE(chip.icr & chip.ims) << "it interrupts when the poll is done";
}

TEST_P(NicIrqSingle, ACauseTakenDuringThePollInterruptsAfterIt) {
    open_with(GetParam());
    chip.raise(NIC_ICR_RXT0_MASK);
    ASSERT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_RX});
    chip.raise(NIC_ICR_RXT0_MASK | NIC_ICR_TXDW_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 0), kQueues);
    EXPECT_FALSE(chip.icr & chip.ims) << "no storm";
    nic_interrupt_enable(dev.get(), NIC_EVENT_RX);
    EXPECT_TRUE(chip.icr & chip.ims & NIC_ICR_RXT0_MASK);
}

TEST_P(NicIrqSingle, AnOverrunAsksForReceiveWork) {
    open_with(GetParam());
    chip.raise(NIC_ICR_RXO_MASK);
    EXPECT_EQ(nic_interrupt(dev.get(), 0), std::uint32_t{NIC_EVENT_OVERRUN | NIC_EVENT_RX});
    EXPECT_FALSE(chip.ims & NIC_ICR_RXO_MASK);
}

TEST_P(NicIrqSingle, AVanishedDeviceInterruptsNobody) {
    open_with(GetParam());
    chip.gone = true;
    EXPECT_EQ(nic_interrupt(dev.get(), 0), 0u);
    chip.gone = false;
}

}  // namespace
