/// The link: what is offered, what came of it, and how little it costs to watch it.
#include "firmware/test/driver_fixture.hpp"

namespace {

constexpr std::uint16_t kPause = 0x0400;
constexpr std::uint16_t kAsymmetric = 0x0800;
constexpr std::uint16_t kPartner = 0x41E1;  // ACK, 10/100 abilities

class NicPhy : public DriverTest {
protected:
    nic_link poll() {
        nic_link link{};
        EXPECT_EQ(nic_link_poll(dev.get(), &link), 0);
        return link;
    }
    void link_interrupt() { nic_interrupt(dev.get(), 2); }
};

TEST_F(NicPhy, EverythingButGigabitHalfDuplexIsOffered) {
    open();
    EXPECT_EQ(chip.phy[4], 0x0DE1) << "selector, 10/100, PAUSE both ways";
    EXPECT_EQ(chip.phy[9], 0x0E00);
    EXPECT_EQ(chip.phy[0] & 0x1200, 0x1200) << "negotiation enabled and restarted";
}

TEST_F(NicPhy, AnOfferCanBeLimited) {
    config.autoneg_advertise = 0x0100;
    config.flow_control = false;
    open();
    EXPECT_EQ(chip.phy[4], 0x0101) << "100FD only";
    EXPECT_EQ(chip.phy[9] & 0x0300, 0);
}

TEST_F(NicPhy, ALoopbackInThePhyIsAForcedLinkAndTheNextOfferEndsIt) {
    config.loopback = NIC_LOOPBACK_PHY;
    open();
    EXPECT_EQ(chip.phy[0], 0x4140) << "loopback, 1000 Mb/s, full duplex, no negotiation";
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(chip.phy[0], 0x4140) << "a reset of the MAC keeps it";
    nic_close(dev.get());
    config.loopback = NIC_LOOPBACK_NONE;
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    EXPECT_EQ(chip.phy[0] & 0x5A00, 0x1200) << "negotiation, no loopback, no power down";
}

TEST_F(NicPhy, ALoopbackInTheMacLeavesThePhyAlone) {
    for (const auto& [loopback, lbm] :
         {std::pair{NIC_LOOPBACK_NONE, 0u}, {NIC_LOOPBACK_MAC, 1u}, {NIC_LOOPBACK_PHY, 0u}}) {
        config.loopback = loopback;
        open();
        EXPECT_EQ(chip.regs[NIC_RCTL] >> NIC_RCTL_LBM_SHIFT & 3u, lbm);
        EXPECT_EQ((chip.phy[0] & 0x4000) != 0, loopback == NIC_LOOPBACK_PHY);
        nic_close(dev.get());
    }
}

TEST_F(NicPhy, AnUnchangedOfferDoesNotTakeTheLinkDown) {
    open();
    chip.phy[0] = 0x1140;  // the restart bit has cleared itself
    chip.link(true, kPartner);
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(chip.phy[0], 0x1140) << "a reset of the MAC is no reason to renegotiate";
    chip.link(false);
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(chip.phy[0] & 0x0200, 0x0200);
}

TEST_F(NicPhy, ANewOfferOrALostLinkRenegotiates) {
    open();
    chip.phy[0] = 0x1140;
    chip.link(true, kPartner);
    nic_close(dev.get());
    chip.phy[0] = 0x1140;  // as if nobody had put it to sleep
    config.autoneg_advertise = 0x8100;
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    EXPECT_EQ(chip.phy[4], 0x0D01) << "another ANAR, the same CTRL1000";
    EXPECT_EQ(chip.phy[0] & 0x0200, 0x0200);
    chip.phy[0] = 0x1140;
    chip.phy[1] = 0x7969;  // negotiated once, link lost since
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(chip.phy[0] & 0x0200, 0x0200);
}

TEST_F(NicPhy, TheMacFollowsThePhyWhateverTheNvmSays) {
    chip.ctrl_default |= NIC_CTRL_FRCSPD_MASK | NIC_CTRL_FRCDPX_MASK | NIC_CTRL_ILOS_MASK |
                         NIC_CTRL_RFCE_MASK | NIC_CTRL_TFCE_MASK;
    open();
    EXPECT_EQ(chip.regs[NIC_CTRL] & (NIC_CTRL_FRCSPD_MASK | NIC_CTRL_FRCDPX_MASK |
                                     NIC_CTRL_ILOS_MASK | NIC_CTRL_RFCE_MASK | NIC_CTRL_TFCE_MASK),
              0u);
}

TEST_F(NicPhy, TheAnswerToAnotherQuestionIsNoAnswer) {
    chip.mdic_other_register = true;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_EIO);
}

TEST_F(NicPhy, ALossOfThePastDoesNotHideThePresent) {
    open();
    chip.link(true, kPartner);
    poll();
    chip.link(false);
    chip.link(true, kPartner);
    link_interrupt();
    EXPECT_TRUE(poll().up) << "BMSR is latched low: it takes two reads";
}

TEST_F(NicPhy, LoopbackPowerDownAndIsolationAreLeft) {
    chip.phy[0] = 0x5D40;
    open();
    EXPECT_EQ(chip.phy[0] & 0x4C00, 0);
}

TEST_F(NicPhy, TheLinkIsWhatPhyAndMacAgreeOn) {
    open();
    EXPECT_FALSE(poll().up);
    chip.link(true, kPartner);
    nic_link link = poll();
    EXPECT_TRUE(link.up);
    EXPECT_EQ(link.speed_mbps, 1000u);
    EXPECT_TRUE(link.full_duplex);
    chip.regs[NIC_STATUS] &= ~NIC_STATUS_SPEED_MASK;
    link_interrupt();
    EXPECT_EQ(poll().speed_mbps, 10u);
    chip.link(false);
    link_interrupt();
    EXPECT_FALSE(poll().up);
}

TEST_F(NicPhy, WatchingAQuietLinkReadsOneRegister) {
    open();
    chip.link(true, kPartner);
    link_interrupt();
    poll();
    chip.log.clear();
    EXPECT_TRUE(poll().up);
    EXPECT_EQ(chip.log.size(), 1u);
    // A loss that was over before anybody looked still has its interrupt.
    chip.raise(NIC_ICR_LSC_MASK | NIC_ICR_OTHER_MASK);
    link_interrupt();
    chip.log.clear();
    EXPECT_TRUE(poll().up);
    EXPECT_GT(chip.log.size(), 5u) << "the PHY was asked";
}

TEST_F(NicPhy, PauseFollowsTable28B3) {
    open();
    const struct {
        std::uint16_t ours, theirs;
        bool rx, tx;
    } cases[] = {
        {0, kPause, false, false},
        {kPause, 0, false, false},
        {kPause, kPause, true, true},
        {kPause, kPause | kAsymmetric, true, true},
        {kPause, kAsymmetric, false, false},
        {kAsymmetric, kPause | kAsymmetric, false, true},
        {kAsymmetric, kPause, false, false},
        {kAsymmetric, kAsymmetric, false, false},
        {kPause | kAsymmetric, kAsymmetric, true, false},
        {kPause | kAsymmetric, 0, false, false},
        {kPause | kAsymmetric, kPause, true, true},
    };
    for (const auto& c : cases) {
        chip.phy[4] = static_cast<std::uint16_t>(0x01E1 | c.ours);
        chip.link(true, static_cast<std::uint16_t>(kPartner | c.theirs));
        link_interrupt();
        const nic_link link = poll();
        EXPECT_EQ(link.rx_pause, c.rx) << std::hex << c.ours << ' ' << c.theirs;
        EXPECT_EQ(link.tx_pause, c.tx) << std::hex << c.ours << ' ' << c.theirs;
        EXPECT_EQ(!!(chip.regs[NIC_CTRL] & NIC_CTRL_RFCE_MASK), c.rx);
        EXPECT_EQ(!!(chip.regs[NIC_CTRL] & NIC_CTRL_TFCE_MASK), c.tx);
    }
}

TEST_F(NicPhy, HalfDuplexNeverPauses) {
    open();
    chip.link(true, kPartner | kPause);
    chip.regs[NIC_STATUS] &= ~NIC_STATUS_FD_MASK;
    const nic_link link = poll();
    EXPECT_FALSE(link.full_duplex);
    EXPECT_FALSE(link.rx_pause || link.tx_pause);
    EXPECT_EQ(NIC_FIELD_GET(NIC_TCTL_COLD, chip.regs[NIC_TCTL]), 512u) << "at 1000 Mb/s";
}

TEST_F(NicPhy, WithoutFlowControlNothingPauses) {
    config.flow_control = false;
    open();
    chip.link(true, kPartner | kPause | kAsymmetric);
    chip.phy[4] |= kPause;
    const nic_link link = poll();
    EXPECT_FALSE(link.rx_pause || link.tx_pause);
    EXPECT_EQ(chip.regs[NIC_FCRTH], 0u);
}

TEST_F(NicPhy, WatermarksLeaveRoomForWhatThePartnerSendsStill) {
    open();
    const std::uint32_t high = chip.regs[NIC_FCRTH];
    const std::uint32_t low = chip.regs[NIC_FCRTL] & ~NIC_FCRTL_XONE_MASK;
    EXPECT_LE(high + 3 * 1538 + 84 + 128 + 250, 20u * 1024u)
        << "three frames with preamble and gap, the XOFF, the reaction, 100 m of cable both ways";
    EXPECT_GE(high, 12u * 1024u);
    EXPECT_LT(low, high);
    EXPECT_EQ(high % 8, 0u);
    EXPECT_TRUE(chip.regs[NIC_FCRTL] & NIC_FCRTL_XONE_MASK);
    EXPECT_EQ(chip.regs[NIC_FCTTV], 0x0680u);
    EXPECT_EQ(chip.regs[NIC_FCRTV] * 8u * 2u, 0x0680u * 64u) << "again after half the time";
}

TEST_F(NicPhy, LongFramesGetHalfOfTheBufferToStopIn) {
    config.mtu_bytes = 9000;
    open();
    EXPECT_EQ(chip.regs[NIC_FCRTH], 10u * 1024u);
}

TEST_F(NicPhy, AFailedLookIsRepeated) {
    open();
    chip.link(true, kPartner);
    chip.mdic_error = true;
    nic_link link{};
    EXPECT_EQ(nic_link_poll(dev.get(), &link), -NIC_EIO);
    EXPECT_FALSE(link.up);
    chip.mdic_error = false;
    EXPECT_TRUE(poll().up);
    chip.regs[NIC_STATUS] &= ~NIC_STATUS_SPEED_MASK;
    link_interrupt();
    chip.mdic_error = true;
    EXPECT_EQ(nic_link_poll(dev.get(), &link), -NIC_EIO);
    chip.mdic_error = false;
    EXPECT_EQ(poll().speed_mbps, 10u) << "although the MAC says no other thing than before";
}

TEST_F(NicPhy, AClosedDeviceHasNoLink) {
    probe();
    nic_link link{};
    EXPECT_EQ(nic_link_poll(dev.get(), &link), -NIC_EIO);
}

}  // namespace
