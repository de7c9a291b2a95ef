/// Finding, resetting, opening, closing: in order, and without a trace when something fails.
#include <algorithm>

#include "firmware/test/driver_fixture.hpp"

namespace {

class NicInit : public DriverTest {};

TEST_F(NicInit, ProbeReadsTheStationAddress) {
    probe();
    std::uint8_t mac[6];
    nic_mac_address(dev.get(), mac);
    const std::uint8_t expected[6] = {0x02, 0x00, 0x00, 0x82, 0x57, 0x40};
    EXPECT_TRUE(std::equal(mac, mac + 6, expected));
    EXPECT_EQ(chip.ims, 0u) << "interrupts stay off";
}

TEST_F(NicInit, ProbeRefusesAnotherDevice) {
    chip.config[2] = 0xD4;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ENODEV);
    EXPECT_EQ(nic_open(dev.get(), &config), -NIC_ENODEV);
    EXPECT_TRUE(chip.log.empty()) << "its registers mean something else";
}

TEST_F(NicInit, ProbeAcceptsTheSecondDeviceId) {
    chip.config[2] = 0xF6;
    probe();
}

TEST_F(NicInit, ProbeEnablesMemoryAndBusMaster) {
    probe();
    EXPECT_EQ(chip.config[4] & 0x06, 0x06);
}

TEST_F(NicInit, ProbeEndsWhenTheCapabilityChainIsALoop) {
    chip.config[0x71] = 0x90;
    probe();
}

TEST_F(NicInit, ProbeRaisesTheDeviceFromD3) {
    chip.config[0x64] = 0x03;
    probe();
    EXPECT_EQ(chip.config[0x64] & 3, 0);
}

TEST_F(NicInit, ProbeGivesUpOnADeviceThatIsGone) {
    chip.gone = true;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ENODEV);
}

TEST_F(NicInit, AWrongChecksumIsReadThreeTimesAndRefused) {
    chip.nvm[5] ^= 1;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_EIO);
    EXPECT_EQ(chip.writes_to(NIC_EERD), 3u * 64u);
    EXPECT_EQ(chip.regs[NIC_EXTCNF_CTRL] & NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK, 0u);
    EXPECT_FALSE(chip.messages.empty());
}

TEST_F(NicInit, AnNvmThatNeverAnswersIsATimeoutNotAHang) {
    chip.eerd_done = false;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ETIMEDOUT);
    EXPECT_LT(chip.elapsed_us, 500'000u);
}

TEST_F(NicInit, AutoReadThatNeverComesIsATimeoutNotAHang) {
    chip.auto_rd = false;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ETIMEDOUT);
    EXPECT_LT(chip.elapsed_us, 200'000u);
}

TEST_F(NicInit, AWrongPhyIsRefused) {
    chip.phy[3] = 0x0CB0;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ENODEV);
}

TEST_F(NicInit, APhyThatNeverAnswersIsATimeoutNotAHang) {
    chip.mdic_ready = false;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_ETIMEDOUT);
    EXPECT_LT(chip.elapsed_us, 500'000u);
    EXPECT_EQ(chip.regs[NIC_EXTCNF_CTRL] & NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK, 0u)
        << "ownership is given back on the way out";
}

TEST_F(NicInit, APhyErrorIsReported) {
    chip.mdic_error = true;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_EIO);
}

TEST_F(NicInit, MdioThatSomebodyElseKeepsIsReported) {
    chip.mdio_granted = false;
    EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_EBUSY);
}

TEST_F(NicInit, AnInvalidStationAddressIsRefused) {
    for (const std::uint16_t first : {std::uint16_t{0x0003}, std::uint16_t{0x0000}}) {
        chip.nvm[0] = first;  // a group address; then zero
        chip.nvm[1] = chip.nvm[2] = 0;
        chip.checksum_nvm();
        EXPECT_EQ(nic_probe(dev.get(), chip.hal()), -NIC_EIO) << first;
    }
}

TEST_F(NicInit, TheResetFollowsTheDatasheet) {
    probe();
    // Master disable, interrupts masked, receiver and transmitter off, and only then RST.
    std::vector<std::uint32_t> order;
    for (const auto& a : chip.log) {
        if (a.kind != FakeChip::Access::kWrite) continue;
        if (a.offset == NIC_CTRL || a.offset == NIC_IMC || a.offset == NIC_RCTL ||
            a.offset == NIC_TCTL) {
            order.push_back(a.offset);
        }
    }
    ASSERT_GE(order.size(), 5u);
    order.resize(5);
    EXPECT_EQ(order, (std::vector<std::uint32_t>{NIC_CTRL, NIC_IMC, NIC_RCTL, NIC_TCTL, NIC_CTRL}));
    EXPECT_EQ(chip.resets, 1u);
}

TEST_F(NicInit, AMasterThatDoesNotStopDelaysTheResetAndIsReported) {
    chip.master_stuck = true;
    probe();
    EXPECT_GE(chip.elapsed_us, 80'000u);
    EXPECT_EQ(chip.messages.front(), "nic: the device does not finish its PCIe requests");
}

TEST_F(NicInit, OpenRefusesAnImpossibleConfiguration) {
    probe();
    const nic_config good = config;
    const auto refused = [&](auto change) {
        config = good;
        change(config);
        const int result = nic_open(dev.get(), &config);
        expect_nothing_held();
        return result == -NIC_EINVAL;
    };
    EXPECT_TRUE(refused([](nic_config& c) { c.tx_ring = 12; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.tx_ring = 0; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.rx_ring = 4104; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.rx_buffer_bytes = 1024; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.mtu_bytes = 9707; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.itr = 0x10000; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.tx_report_every = 0; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.rx_pthresh = 64; }));
    EXPECT_TRUE(refused([](nic_config& c) { c.tx_wthresh = 4; })) << "without TIDV";
    EXPECT_NE(chip.messages.back().find("driver.tidv"), std::string::npos);
    config = good;
}

TEST(NicConfig, WhatCannotBeIsNamedWithItsReason) {
    nic_config good;
    nic_config_default(&good);
    nic_config_demand unmet{};
    EXPECT_EQ(nic_config_check(&good, &unmet), 0);
    const auto named = [&](auto change) {
        nic_config config = good;
        change(config);
        unmet = {};
        EXPECT_EQ(nic_config_check(&config, &unmet), -NIC_EINVAL);
        EXPECT_TRUE(unmet.why);
        return std::string(unmet.field) + (unmet.other ? std::string(" ") + unmet.other : "");
    };
    EXPECT_EQ(named([](nic_config& c) { c.tx_ring = 12; }), "tx_ring");
    EXPECT_EQ(named([](nic_config& c) { c.rx_buffer_bytes = 6144; }), "rx_buffer_bytes");
    EXPECT_EQ(named([](nic_config& c) { c.radv = 0x10000; }), "radv");
    EXPECT_EQ(named([](nic_config& c) { c.tx_hthresh = 64; }), "tx_hthresh");
    EXPECT_EQ(named([](nic_config& c) { c.tx_wthresh = 2; }), "tx_wthresh tidv");
    good.tidv = 1;
    good.tx_wthresh = 63;
    EXPECT_EQ(nic_config_check(&good, &unmet), 0);
}

TEST_F(NicInit, OpenIsRefusedTwice) {
    open();
    EXPECT_EQ(nic_open(dev.get(), &config), -NIC_EBUSY);
}

TEST_F(NicInit, OpenProgramsTheRings) {
    open();
    for (const std::uint32_t base : {NIC_RDBAL(0), NIC_TDBAL(0)}) {
        EXPECT_EQ(chip.regs[base] % 128, 0u);
        EXPECT_EQ(chip.regs[base + 4], 1u) << "the upper half of the address";
        EXPECT_EQ(chip.regs[base + 8], 16u * 16u);
    }
    EXPECT_EQ(chip.regs[NIC_RDT(0)], 15u) << "one descriptor stays with software";
    EXPECT_EQ(chip.regs[NIC_TDT(0)], 0u);
    EXPECT_EQ(chip.regs[NIC_TXDCTL(0)], chip.regs[NIC_TXDCTL(1)]) << "erratum";
    EXPECT_TRUE(chip.regs[NIC_RCTL] & NIC_RCTL_EN_MASK);
    EXPECT_FALSE(chip.regs[NIC_RCTL] & NIC_RCTL_SBP_MASK);
    EXPECT_TRUE(chip.regs[NIC_RCTL] & NIC_RCTL_SECRC_MASK);
    EXPECT_TRUE(chip.regs[NIC_TCTL] & NIC_TCTL_EN_MASK);
    EXPECT_TRUE(chip.regs[NIC_CTRL] & NIC_CTRL_SLU_MASK);
    EXPECT_EQ(chip.regs[NIC_RAH(0)], 0x80004057u);
}

TEST_F(NicInit, BuffersAreThereBeforeTheReceiverRuns) {
    open();
    std::size_t tail = 0, enable = 0, barrier = 0;
    for (std::size_t i = 0; i < chip.log.size(); i++) {
        const auto& a = chip.log[i];
        if (a.kind == FakeChip::Access::kBarrier) barrier = i;
        if (a.kind != FakeChip::Access::kWrite) continue;
        if (a.offset == NIC_RDT(0)) tail = i;
        if (a.offset == NIC_RCTL && (a.value & NIC_RCTL_EN_MASK)) enable = i;
    }
    EXPECT_LT(barrier, tail);
    EXPECT_LT(tail, enable);
}

TEST_F(NicInit, ABufferSizeIsSpelledAsTheRegisterWantsIt) {
    probe();
    for (const auto& [bytes, rctl] : std::map<std::uint32_t, std::uint32_t>{
             {2048, 0}, {4096, 0x02030000}, {8192, 0x02020000}, {16384, 0x02010000}}) {
        config.rx_buffer_bytes = bytes;
        ASSERT_EQ(nic_open(dev.get(), &config), 0);
        EXPECT_EQ(chip.regs[NIC_RCTL] & (NIC_RCTL_BSEX_MASK | NIC_RCTL_BSIZE_MASK), rctl) << bytes;
        nic_close(dev.get());
    }
}

TEST_F(NicInit, WhateverIsRefusedFirstNothingIsKept) {
    probe();
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    const auto per_open = static_cast<int>(chip.acquired);
    nic_close(dev.get());
    expect_nothing_held();
    EXPECT_GT(per_open, 2 + 2 * 16);
    for (int n = 0; n < per_open; n++) {
        chip.fail_after = n;
        const int result = nic_open(dev.get(), &config);
        if (result == 0) {
            // A refused MSI-X falls back; everything before it is fatal.
            EXPECT_EQ(n, per_open - 1);
            nic_close(dev.get());
        } else {
            EXPECT_EQ(result, -NIC_ENOMEM) << n;
        }
        expect_nothing_held();
    }
    chip.fail_after = -1;
    EXPECT_EQ(nic_open(dev.get(), &config), 0) << "and afterwards it works";
}

TEST_F(NicInit, AResetThatFailsInOpenReturnsEverything) {
    probe();
    chip.auto_rd = false;
    EXPECT_EQ(nic_open(dev.get(), &config), -NIC_ETIMEDOUT);
    expect_nothing_held();
    chip.auto_rd = true;
    EXPECT_EQ(nic_open(dev.get(), &config), 0);
}

TEST_F(NicInit, CloseStopsTheDeviceBeforeItFreesMemory) {
    open();
    nic_close(dev.get());
    expect_nothing_held();
    EXPECT_EQ(chip.regs[NIC_RCTL] & NIC_RCTL_EN_MASK, 0u);
    EXPECT_EQ(chip.ims, 0u);
    EXPECT_TRUE(chip.phy[0] & 0x0800) << "the PHY sleeps";
    nic_close(dev.get());  // twice is harmless
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    EXPECT_FALSE(chip.phy[0] & 0x0800);
}

TEST_F(NicInit, CloseHandsPendingPacketsBackBeforeTheNextOpen) {
    open();
    ASSERT_EQ(send(7), 0);
    ASSERT_EQ(send(8), 0);
    nic_close(dev.get());
    EXPECT_EQ(chip.live_mappings(), 0u) << "nothing stays mapped after close";
    EXPECT_EQ(nic_open(dev.get(), &config), -NIC_EBUSY);
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{7, 8}));
    EXPECT_EQ(nic_open(dev.get(), &config), 0);
}

TEST_F(NicInit, ResetHandsPendingPacketsBackAndGoesOn) {
    open();
    ASSERT_EQ(send(1), 0);
    nic_tx_flush(dev.get());
    chip.transmit();
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{1}));
    ASSERT_EQ(send(2), 0);
    nic_tx_flush(dev.get());
    ASSERT_EQ(send(3), 0);  // never published

    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(nic_tx_free(dev.get()), 0u);
    EXPECT_EQ(send(4), -NIC_ENOSPC) << "first take back what was pending";
    EXPECT_EQ(drain(1), (std::vector<std::uintptr_t>{2}));
    EXPECT_EQ(send(4), -NIC_ENOSPC);
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{3}));
    EXPECT_EQ(nic_counters(dev.get())->tx_packets, 1u) << "unsent packets do not count";

    ASSERT_EQ(send(5), 0);
    nic_tx_flush(dev.get());
    chip.transmit();
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{5}));
    EXPECT_EQ(chip.sent.size(), 2u);
    ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    EXPECT_EQ(receive().size(), 1u);
    EXPECT_EQ(nic_counters(dev.get())->resets, 1u);
}

TEST_F(NicInit, AFailedResetLeavesADeviceThatCanBeClosedOrResetAgain) {
    open();
    ASSERT_EQ(send(1), 0);
    chip.auto_rd = false;
    EXPECT_EQ(nic_reset(dev.get()), -NIC_ETIMEDOUT);
    EXPECT_EQ(send(2), -NIC_EIO);
    EXPECT_TRUE(receive().empty());
    EXPECT_EQ(nic_interrupt(dev.get(), 0), 0u);
    chip.auto_rd = true;
    EXPECT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{1}));
    EXPECT_EQ(send(3), 0);
}

TEST_F(NicInit, StatisticsAreAddedUpAndSurviveAReset) {
    open();
    chip.regs[NIC_GPRC] = 5;
    chip.regs[NIC_GORCL] = 0xFFFFFFFF;
    chip.regs[NIC_GORCH] = 1;
    nic_stats_update(dev.get());
    chip.regs[NIC_GPRC] = 2;
    ASSERT_EQ(nic_reset(dev.get()), 0);
    std::map<std::string, std::uint64_t> seen;
    nic_stats_visit(
        dev.get(),
        [](void* ctx, const char* name, std::uint64_t value) {
            (*static_cast<std::map<std::string, std::uint64_t>*>(ctx))[name] = value;
        },
        &seen);
    EXPECT_EQ(seen.size(), std::size_t{NIC_STAT_COUNT});
    EXPECT_EQ(seen["GPRC"], 7u);
    EXPECT_EQ(seen["GORC"], 0x1FFFFFFFFu);
}

TEST_F(NicInit, OnesFromALostDeviceAreNoStatistics) {
    open();
    chip.gone = true;
    nic_stats_update(dev.get());
    EXPECT_EQ(dev->stats.total[0], 0u);
}

}  // namespace
