/// Receive: frames out of a ring that never runs dry and never loses a buffer.
#include "firmware/test/driver_fixture.hpp"

namespace {

class NicRx : public DriverTest, public ::testing::WithParamInterface<bool> {
protected:
    NicRx() { config.extended_rx = GetParam(); }
};
INSTANTIATE_TEST_SUITE_P(DescriptorFormats, NicRx, ::testing::Bool(),
                         [](const auto& point) { return point.param ? "Extended" : "Legacy"; });

TEST_P(NicRx, AFrameArrivesWithItsBytesAndIdentity) {
    open();
    chip.rx_tag = 42;
    ASSERT_TRUE(chip.receive({pattern(60), 0, 0, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(bytes_of(packets[0]), pattern(60));
    EXPECT_EQ(packets[0].flags, 0u);
    EXPECT_EQ(packets[0].tag, 42u);
    EXPECT_TRUE(receive().empty());
}

TEST_P(NicRx, ManyTurnsOfTheRingLoseNothing) {
    open();
    std::uint8_t next = 0;
    for (int turn = 0; turn < 40; turn++) {
        for (int i = 0; i < 7; i++) {
            ASSERT_TRUE(
                chip.receive({pattern(64, static_cast<std::uint8_t>(turn * 7 + i)), 0, 0, 0}));
        }
        for (const auto& packet : receive()) {
            EXPECT_EQ(bytes_of(packet), pattern(64, next++));
            chip.put_buffer(packet.buffer, packet.cookie);
        }
        held.clear();
    }
    EXPECT_EQ(next, static_cast<std::uint8_t>(40 * 7));
    EXPECT_EQ(chip.live_buffers(), 16u);
}

TEST_P(NicRx, TheTailIsWrittenOncePerBatch) {
    open();
    const std::uint32_t before = chip.writes_to(NIC_RDT(0));
    for (int i = 0; i < 3; i++) ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    receive();
    EXPECT_EQ(chip.writes_to(NIC_RDT(0)), before) << "a few missing do not matter";
    for (int i = 0; i < 9; i++) ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    chip.log.clear();
    receive();
    ASSERT_GE(chip.log.size(), 2u);
    EXPECT_EQ(chip.log.back().offset, NIC_RDT(0));
    EXPECT_EQ(chip.log[chip.log.size() - 2].kind, FakeChip::Access::kBarrier);
    EXPECT_EQ(chip.regs[NIC_RDT(0)], 11u) << "the descriptor before the next one";
    EXPECT_EQ(chip.reads(), 0u) << "the data path reads no register";
}

TEST_P(NicRx, ABudgetIsKept) {
    open();
    for (int i = 0; i < 5; i++) ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    EXPECT_EQ(receive(2).size(), 2u);
    EXPECT_EQ(receive(2).size(), 2u);
    EXPECT_EQ(receive(2).size(), 1u);
}

TEST_P(NicRx, ChecksumResultsAreReported) {
    open();
    const struct {
        std::uint32_t status;
        std::uint32_t flags;
    } cases[] = {
        {0x00000040, NIC_RX_IP_CHECKED},
        {0x00000060, NIC_RX_IP_CHECKED | NIC_RX_L4_CHECKED},
        {0x00000050, NIC_RX_IP_CHECKED | NIC_RX_L4_CHECKED},
        {0x40000040, NIC_RX_IP_CHECKED | NIC_RX_IP_BAD},
        {0x20000060, NIC_RX_IP_CHECKED | NIC_RX_L4_CHECKED | NIC_RX_L4_BAD},
        {0x60000000, 0},  // errors of what was not computed mean nothing
        {0x60000064, 0},  // IXSM: ignore it all
    };
    for (const auto& c : cases) {
        ASSERT_TRUE(chip.receive({pattern(64), c.status, 0, 0}));
        const auto packets = receive();
        ASSERT_EQ(packets.size(), 1u);
        EXPECT_EQ(packets[0].flags, c.flags) << std::hex << c.status;
    }
}

TEST_P(NicRx, AStrippedTagIsReported) {
    open();
    ASSERT_TRUE(chip.receive({pattern(64), 0x08, 0xE123, 0}));
    ASSERT_TRUE(chip.receive({pattern(64), 0x00, 0xFFFF, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 2u);
    EXPECT_EQ(packets[0].flags, std::uint32_t{NIC_RX_VLAN});
    EXPECT_EQ(packets[0].vlan_tag, 0xE123);
    EXPECT_EQ(packets[1].vlan_tag, 0) << "without VP the field is meaningless";
}

TEST_P(NicRx, ALongFrameComesInSeveralBuffers) {
    config.mtu_bytes = 9000;
    open();
    ASSERT_TRUE(chip.receive({pattern(5000), 0x48, 0x0123, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 3u);
    std::vector<std::uint8_t> whole;
    for (const auto& packet : packets) {
        const auto part = bytes_of(packet);
        whole.insert(whole.end(), part.begin(), part.end());
    }
    EXPECT_EQ(whole, pattern(5000));
    EXPECT_EQ(packets[0].flags, std::uint32_t{NIC_RX_MORE});
    EXPECT_EQ(packets[1].flags, std::uint32_t{NIC_RX_MORE});
    EXPECT_EQ(packets[2].flags, std::uint32_t{NIC_RX_VLAN | NIC_RX_IP_CHECKED});
    EXPECT_EQ(nic_counters(dev.get())->rx_packets, 1u);
    EXPECT_EQ(nic_counters(dev.get())->rx_bytes, 5000u);
}

TEST_P(NicRx, AFrameIsHandedOverWholeOrNotAtAll) {
    config.mtu_bytes = 9000;
    open();
    ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    ASSERT_TRUE(chip.receive({pattern(5000), 0, 0, 0}));
    EXPECT_EQ(receive(3).size(), 1u) << "no room for all three parts";
    EXPECT_EQ(receive(3).size(), 3u);
}

TEST_P(NicRx, AFrameThatNoBudgetCouldTakeDoesNotBlockTheRing) {
    config.mtu_bytes = 9000;
    open();
    ASSERT_TRUE(chip.receive({pattern(5000), 0, 0, 0}));
    ASSERT_TRUE(chip.receive({pattern(64, 9), 0, 0, 0}));
    const auto packets = receive(2);
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(bytes_of(packets[0]), pattern(64, 9));
    EXPECT_EQ(nic_counters(dev.get())->rx_errors, 1u);
}

TEST_P(NicRx, AFrameLongerThanThePartsLongestIsSkippedToItsEnd) {
    config.mtu_bytes = 9000;
    open();
    ASSERT_TRUE(chip.receive({pattern(2048 * 6 + 1), 0, 0, 0}));
    ASSERT_TRUE(chip.receive({pattern(64, 9), 0, 0, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(bytes_of(packets[0]), pattern(64, 9));
    EXPECT_EQ(nic_counters(dev.get())->rx_errors, 1u);
    EXPECT_EQ(chip.live_buffers(), 17u);
}

TEST_P(NicRx, WithoutAFreshBufferTheOldOneStaysAndTheFrameIsDropped) {
    config.mtu_bytes = 9000;
    open();
    for (int n = 0; n < 6; n++) {  // buffer and mapping of each of three parts
        ASSERT_TRUE(chip.receive({pattern(5000), 0, 0, 0}));
        const std::size_t mappings = chip.live_mappings();
        chip.fail_after = n;
        EXPECT_TRUE(receive().empty()) << n;
        chip.fail_after = -1;
        EXPECT_EQ(chip.live_buffers(), 16u) << n;
        EXPECT_EQ(chip.live_mappings(), mappings) << n;
    }
    EXPECT_EQ(nic_counters(dev.get())->rx_no_buffer, 6u);
    ASSERT_TRUE(chip.receive({pattern(64, 3), 0, 0, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u) << "the ring lives on";
    EXPECT_EQ(bytes_of(packets[0]), pattern(64, 3));
}

TEST_P(NicRx, AnEmptyPoolDropsWhatIsInTheRingAndThenTheRingHasRoomAgain) {
    open();
    std::uint64_t stored = 0;
    while (chip.receive({pattern(64), 0, 0, 0})) stored++;
    EXPECT_EQ(stored, 15u);
    chip.exhausted = true;
    EXPECT_TRUE(receive().empty());
    EXPECT_EQ(nic_counters(dev.get())->rx_no_buffer, stored);
    EXPECT_EQ(chip.live_buffers(), 16u);
    chip.exhausted = false;
    ASSERT_TRUE(chip.receive({pattern(64, 5), 0, 0, 0}));
    EXPECT_EQ(receive().size(), 1u);
}

TEST_P(NicRx, ErrorFramesAreDroppedUnlessWanted) {
    open();
    for (const std::uint32_t error : {0x01u, 0x02u, 0x04u, 0x10u, 0x80u}) {  // CE SE SEQ CXE RXE
        ASSERT_TRUE(chip.receive({pattern(64), error << 24, 0, 0}));
        EXPECT_TRUE(receive().empty()) << error;
    }
    EXPECT_EQ(nic_counters(dev.get())->rx_errors, 5u);
    nic_close(dev.get());
    config.store_bad_frames = true;
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    EXPECT_TRUE(chip.regs[NIC_RCTL] & NIC_RCTL_SBP_MASK);
    ASSERT_TRUE(chip.receive({pattern(64), 0x01000000, 0, 0}));
    const auto packets = receive();
    ASSERT_EQ(packets.size(), 1u);
    EXPECT_EQ(packets[0].flags, std::uint32_t{NIC_RX_ERROR});
}

TEST_P(NicRx, ALengthBeyondTheBufferIsNotBelieved) {
    open();
    ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 2049}));
    EXPECT_TRUE(receive().empty());
    EXPECT_EQ(nic_counters(dev.get())->rx_errors, 1u);
}

TEST_P(NicRx, ADeviceThatIsAlwaysDoneDoesNotKeepTheDriverForever) {
    open();
    chip.dd_everywhere = true;
    ASSERT_TRUE(chip.receive({pattern(64), 0, 0, 0}));
    EXPECT_LE(receive(1000).size(), 16u);
}

TEST_P(NicRx, MulticastBeyondTheExactFiltersIsHashed) {
    open();
    std::uint8_t addresses[15][6];
    for (std::uint8_t i = 0; i < 15; i++) {
        const std::uint8_t address[6] = {0x01, 0x00, 0x5E, 0, 0, i};
        std::copy(address, address + 6, addresses[i]);
    }
    const std::uint8_t checked[6] = {0x01, 0xAA, 0x00, 0x12, 0x34, 0x56};
    std::copy(checked, checked + 6, addresses[14]);
    ASSERT_EQ(nic_set_multicast(dev.get(), addresses, 15), 0);
    EXPECT_EQ(chip.regs[NIC_RAL(1)], 0x005E0001u);
    EXPECT_EQ(chip.regs[NIC_RAH(14)], 0x80000D00u);
    // Appendix B: 01:AA:00:12:34:56 hashes to 0x563 with MO 0.
    for (std::uint32_t word = 0; word < 128; word++) {
        EXPECT_EQ(chip.regs[NIC_MTA(word)], word == 0x563 >> 5 ? 1u << (0x563 & 31) : 0u);
    }
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_EQ(chip.regs[NIC_MTA(0x563 >> 5)], 1u << (0x563 & 31)) << "a reset restores the filter";
    ASSERT_EQ(nic_set_multicast(dev.get(), nullptr, 0), 0);
    EXPECT_EQ(chip.regs[NIC_RAH(1)], 0u);
    EXPECT_EQ(chip.regs[NIC_MTA(0x563 >> 5)], 0u);
    addresses[0][0] = 0x02;
    EXPECT_EQ(nic_set_multicast(dev.get(), addresses, 1), -NIC_EINVAL) << "no group address";
}

TEST_P(NicRx, TheVlanFilterIsOnWhileAVlanIsWanted) {
    open();
    EXPECT_FALSE(chip.regs[NIC_RCTL] & NIC_RCTL_VFE_MASK);
    ASSERT_EQ(nic_set_vlan_filter(dev.get(), 100, true), 0);
    ASSERT_EQ(nic_set_vlan_filter(dev.get(), 100, true), 0);
    EXPECT_TRUE(chip.regs[NIC_RCTL] & NIC_RCTL_VFE_MASK);
    EXPECT_EQ(chip.regs[NIC_VFTA(3)], 1u << 4);
    ASSERT_EQ(nic_reset(dev.get()), 0);
    EXPECT_TRUE(chip.regs[NIC_RCTL] & NIC_RCTL_VFE_MASK);
    EXPECT_EQ(chip.regs[NIC_VFTA(3)], 1u << 4);
    ASSERT_EQ(nic_set_vlan_filter(dev.get(), 100, false), 0);
    EXPECT_FALSE(chip.regs[NIC_RCTL] & NIC_RCTL_VFE_MASK);
    EXPECT_EQ(nic_set_vlan_filter(dev.get(), 4096, true), -NIC_EINVAL);
}

}  // namespace
