/// Transmit: what reaches the chip, when, and when the caller gets it back.
#include <cstring>

#include "firmware/test/driver_fixture.hpp"

namespace {

/// A TCP/IPv4 packet as an IP stack would describe it: 14 + 20 + 20 bytes of header.
nic_packet tcp() {
    nic_packet packet{};
    packet.flags = NIC_TX_IPV4 | NIC_TX_TCP | NIC_TX_IP_CHECKSUM | NIC_TX_L4_CHECKSUM;
    packet.l3_offset = 14;
    packet.l4_offset = 34;
    packet.l4_checksum_offset = 50;
    return packet;
}

class NicTx : public DriverTest {
protected:
    const std::vector<FakeChip::Sent>& flush() {
        nic_tx_flush(dev.get());
        chip.transmit();
        return chip.sent;
    }
};

TEST_F(NicTx, APlainPacketIsOneLegacyDescriptor) {
    open();
    ASSERT_EQ(send(5, 60), 0);
    const auto& sent = flush();
    ASSERT_EQ(sent.size(), 1u);
    EXPECT_EQ(sent[0].bytes, pattern(60, 5));
    EXPECT_EQ(sent[0].command, 0x0B00003Cu) << "EOP, IFCS, RS; DEXT is 0; 60 bytes";
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{5}));
}

TEST_F(NicTx, ManyPacketsTakeOneDoorbell) {
    open();
    const std::uint32_t before = chip.writes_to(NIC_TDT(0));
    for (std::uintptr_t i = 1; i <= 5; i++) ASSERT_EQ(send(i), 0);
    EXPECT_EQ(chip.writes_to(NIC_TDT(0)), before) << "nothing before the flush";
    flush();
    nic_tx_flush(dev.get());  // nothing new: no doorbell
    EXPECT_EQ(chip.writes_to(NIC_TDT(0)), before + 1);
    EXPECT_EQ(chip.sent.size(), 5u);
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{1, 2, 3, 4, 5}));
}

TEST_F(NicTx, ABarrierStandsRightBeforeTheDoorbell) {
    open();
    ASSERT_EQ(send(1), 0);
    chip.log.clear();
    nic_tx_flush(dev.get());
    ASSERT_EQ(chip.log.size(), 2u);
    EXPECT_EQ(chip.log[0].kind, FakeChip::Access::kBarrier);
    EXPECT_EQ(chip.log[1].offset, NIC_TDT(0));
}

TEST_F(NicTx, TheDataPathReadsNoRegister) {
    open();
    const std::uint32_t before = chip.reads();
    for (std::uintptr_t i = 1; i < 100; i++) {
        ASSERT_EQ(send(i, 1000, 2, tcp()), 0);
        flush();
        ASSERT_EQ(drain().size(), 1u);
    }
    EXPECT_EQ(chip.reads(), before);
}

TEST_F(NicTx, ThePacketsPastTheEndOfTheRingWrap) {
    open();
    std::vector<std::uintptr_t> expected;
    for (std::uintptr_t i = 1; i <= 50; i++) {
        ASSERT_EQ(send(i, 100, 3), 0);
        flush();
        EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{i}));
        EXPECT_EQ(chip.sent.back().bytes, pattern(100, static_cast<std::uint8_t>(i)));
        EXPECT_EQ(chip.sent.back().descriptors, 3u);
    }
}

TEST_F(NicTx, AFullRingPushesBackAndRecovers) {
    open();
    std::uintptr_t accepted = 0;
    while (send(accepted + 1) == 0) accepted++;
    EXPECT_EQ(accepted, 15u) << "one descriptor stays free, or full would look like empty";
    EXPECT_EQ(nic_tx_free(dev.get()), 0u);
    EXPECT_EQ(send(99), -NIC_ENOSPC);
    EXPECT_EQ(nic_counters(dev.get())->tx_ring_full, 2u);
    EXPECT_TRUE(drain().empty());
    flush();
    EXPECT_EQ(drain().size(), 15u);
    EXPECT_EQ(nic_tx_free(dev.get()), 15u);
    EXPECT_EQ(send(99), 0);
}

TEST_F(NicTx, APacketThatCannotFitIsAllOrNothing) {
    open();
    for (std::uintptr_t i = 1; i <= 13; i++) ASSERT_EQ(send(i), 0);
    const std::size_t mappings = chip.live_mappings();
    EXPECT_EQ(send(14, 60, 3), -NIC_ENOSPC);
    EXPECT_EQ(send(14, 60, 2, tcp()), -NIC_ENOSPC) << "a context needs a descriptor, too";
    EXPECT_EQ(chip.live_mappings(), mappings);
    EXPECT_EQ(send(14, 60, 2), 0);
    EXPECT_EQ(flush().size(), 14u);
}

TEST_F(NicTx, NothingIsKeptWhenASegmentCannotBeMapped) {
    open();
    const std::size_t mappings = chip.live_mappings();
    for (int n = 0; n < 4; n++) {
        chip.fail_after = n;
        EXPECT_EQ(send(1, 100, 4, tcp()), -NIC_ENOMEM);
        EXPECT_EQ(chip.live_mappings(), mappings) << n;
        EXPECT_EQ(nic_tx_free(dev.get()), 15u);
    }
    chip.fail_after = -1;
    ASSERT_EQ(send(1, 100, 4, tcp()), 0);
    ASSERT_EQ(flush().size(), 1u);
    EXPECT_NE(chip.sent[0].context[1], 0u) << "the context was not lost with the failure";
}

TEST_F(NicTx, MappingsCarryThePacketsIdentity) {
    open();
    nic_packet packet{};
    packet.tag = 77;
    ASSERT_EQ(send(1, 100, 2, packet), 0);
    EXPECT_EQ(chip.mapped_tags, (std::vector<std::uint64_t>{77, 77}));
}

TEST_F(NicTx, AMalformedPacketIsRefusedAndLeavesNoTrace) {
    open();
    const auto refused = [&](std::uint32_t bytes, std::uint32_t pieces, nic_packet packet) {
        const std::size_t mappings = chip.live_mappings();
        const bool result = send(1, bytes, pieces, packet) == -NIC_EINVAL;
        return result && chip.live_mappings() == mappings && nic_tx_free(dev.get()) == 15u;
    };
    EXPECT_TRUE(refused(60, 0, {})) << "no segment";
    EXPECT_TRUE(refused(330, 33, {})) << "too many segments";
    EXPECT_TRUE(refused(16, 1, {})) << "too short to be padded";
    EXPECT_TRUE(refused(1519, 1, {})) << "longer than MTU, header and tag";
    EXPECT_TRUE(refused(28, 28, {})) << "more descriptors than the ring has";
    const auto bad = [&](auto change) {
        nic_packet packet = tcp();
        change(packet);
        return refused(100, 1, packet);
    };
    EXPECT_TRUE(bad([](nic_packet& p) { p.l4_offset = 14; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.l4_checksum_offset = 99; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.l4_checksum_offset = 33; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.flags &= ~unsigned{NIC_TX_IPV4}; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.flags |= NIC_TX_NO_FCS; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.l4_offset = 256; }));
    EXPECT_TRUE(bad([](nic_packet& p) { p.flags |= NIC_TX_TSO; })) << "no MSS";
    EXPECT_TRUE(bad([](nic_packet& p) {
        p.flags |= NIC_TX_TSO;
        p.mss = 1460;
        p.header_bytes = 100;
    })) << "no payload";
    EXPECT_TRUE(bad([](nic_packet& p) {
        p.flags = (p.flags | NIC_TX_TSO) & ~unsigned{NIC_TX_TCP};
        p.mss = 1460;
        p.header_bytes = 54;
    })) << "UDP is not segmented";
}

TEST_F(NicTx, AnOffloadThatIsOffIsRefused) {
    config.tx_checksum = false;
    config.vlan_strip = false;
    open();
    EXPECT_EQ(send(1, 100, 1, tcp()), -NIC_EINVAL);
    nic_packet tagged{};
    tagged.flags = NIC_TX_VLAN;
    EXPECT_EQ(send(1, 100, 1, tagged), -NIC_EINVAL);
    EXPECT_EQ(send(1, 100), 0);
}

TEST_F(NicTx, AChecksumOffloadIsAContextAndDataDescriptors) {
    open();
    ASSERT_EQ(send(1, 100, 2, tcp()), 0);
    ASSERT_EQ(flush().size(), 1u);
    const FakeChip::Sent& sent = chip.sent[0];
    EXPECT_EQ(sent.descriptors, 2u);
    // IPCSS 14, IPCSO 24, IPCSE 33; TUCSS 34, TUCSO 50, TUCSE 0.
    EXPECT_EQ(sent.context[0], 0x000032220021180Eu);
    // DEXT, IP, TCP; no TSE, no PAYLEN.
    EXPECT_EQ(sent.context[1], 0x23000000u);
    // DEXT, IFCS, DTYP 1, IXSM and TXSM, 50 bytes; EOP and RS only at the end.
    EXPECT_EQ(sent.command, 0x0000030022100032u);
    EXPECT_EQ(sent.last_command, 0x000003002B100032u);
}

TEST_F(NicTx, AContextIsSentOnlyWhenItChanges) {
    open();
    nic_packet udp = tcp();
    udp.flags &= ~unsigned{NIC_TX_TCP};
    udp.l4_checksum_offset = 40;
    const auto descriptors = [&] { return nic_counters(dev.get())->tx_descriptors; };
    ASSERT_EQ(send(1, 100, 1, tcp()), 0);
    EXPECT_EQ(descriptors(), 2u);
    ASSERT_EQ(send(2, 1000, 1, tcp()), 0);
    EXPECT_EQ(descriptors(), 3u) << "the same context";
    ASSERT_EQ(send(3, 100), 0);
    ASSERT_EQ(send(4, 200, 1, tcp()), 0);
    EXPECT_EQ(descriptors(), 5u) << "legacy packets in between do not disturb it";
    ASSERT_EQ(send(5, 200, 1, udp), 0);
    EXPECT_EQ(descriptors(), 7u) << "another one";
    ASSERT_EQ(send(6, 200, 1, tcp()), 0);
    EXPECT_EQ(descriptors(), 9u) << "the device holds one, not two";
    flush();
    ASSERT_EQ(chip.sent.size(), 6u);
    EXPECT_EQ(chip.sent[1].context[0], chip.sent[0].context[0]);
    EXPECT_NE(chip.sent[4].context[0], chip.sent[0].context[0]);
    EXPECT_EQ(chip.sent[5].context[0], chip.sent[0].context[0]);
}

TEST_F(NicTx, AResetForgetsTheContext) {
    open();
    ASSERT_EQ(send(1, 100, 1, tcp()), 0);
    flush();
    drain();
    ASSERT_EQ(nic_reset(dev.get()), 0);
    ASSERT_EQ(send(2, 100, 1, tcp()), 0);
    flush();
    EXPECT_EQ(chip.sent.back().context[1], chip.sent.front().context[1]);
}

TEST_F(NicTx, TsoTellsTheChipHeaderPayloadAndSegmentSize) {
    open();
    nic_packet packet = tcp();
    packet.flags |= NIC_TX_TSO;
    packet.header_bytes = 54;
    packet.mss = 1460;
    ASSERT_EQ(send(1, 54 + 20000, 1, packet), 0);
    ASSERT_EQ(flush().size(), 1u);
    const FakeChip::Sent& sent = chip.sent[0];
    EXPECT_EQ(sent.bytes, pattern(20054, 1));
    EXPECT_EQ(sent.descriptors, 3u) << "a descriptor takes 8192 bytes at most";
    EXPECT_EQ(sent.context[1], 0x05B4360027004E20u) << "MSS 1460, HDRLEN 54, TSE, PAYLEN 20000";
    EXPECT_TRUE(sent.command & 0x04000000u) << "TSE on the first descriptor";
    EXPECT_TRUE(sent.last_command & 0x04000000u) << "and on the last";
}

TEST_F(NicTx, ATagGoesIntoLegacyAndDataDescriptors) {
    open();
    nic_packet plain{};
    plain.flags = NIC_TX_VLAN;
    plain.vlan_tag = 0xA123;
    nic_packet offload = tcp();
    offload.flags |= NIC_TX_VLAN;
    offload.vlan_tag = 0x0FFE;
    ASSERT_EQ(send(1, 100, 1, plain), 0);
    ASSERT_EQ(send(2, 100, 1, offload), 0);
    ASSERT_EQ(flush().size(), 2u);
    EXPECT_EQ(chip.sent[0].command >> 48, 0xA123u);
    EXPECT_EQ(chip.sent[1].command >> 48, 0x0FFEu);
    for (const auto& sent : chip.sent) EXPECT_TRUE(sent.command & 0x40000000u);
}

TEST_F(NicTx, DataThatCarriesItsFcsIsSentAsItIs) {
    open();
    nic_packet packet{};
    packet.flags = NIC_TX_NO_FCS;
    ASSERT_EQ(send(1, 1522, 1, packet), 0);
    ASSERT_EQ(flush().size(), 1u);
    EXPECT_FALSE(chip.sent[0].command & 0x02000000u);
}

TEST_F(NicTx, StatusIsAskedForOncePerGroupAndAtTheEndOfABatch) {
    config.tx_ring = 32;
    config.tx_report_every = 4;
    open();
    for (std::uintptr_t i = 1; i <= 10; i++) ASSERT_EQ(send(i), 0);
    flush();
    std::vector<std::size_t> reported;
    for (std::size_t i = 0; i < chip.sent.size(); i++) {
        if (chip.sent[i].last_command & 0x08000000u) reported.push_back(i + 1);
    }
    EXPECT_EQ(reported, (std::vector<std::size_t>{4, 8, 10}));
    EXPECT_EQ(drain(3).size(), 3u) << "the budget may end in the middle of a group";
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{4, 5, 6, 7, 8, 9, 10}));
}

TEST_F(NicTx, NothingComesBackBeforeTheChipSaysSo) {
    open();
    ASSERT_EQ(send(1), 0);
    EXPECT_TRUE(drain().empty()) << "not even published";
    nic_tx_flush(dev.get());
    chip.transmit(false);
    EXPECT_TRUE(drain().empty()) << "taken, but not reported";
    chip.report_all();
    EXPECT_EQ(drain(), (std::vector<std::uintptr_t>{1}));
}

TEST_F(NicTx, AReportOfThePreviousTurnAnswersForNothing) {
    open();
    for (const std::uint32_t packets : {3u, 13u}) {  // one turn of the ring in two groups
        for (std::uint32_t i = 1; i <= packets; i++) ASSERT_EQ(send(i), 0);
        flush();
        ASSERT_EQ(drain().size(), packets);
    }
    ASSERT_EQ(send(1), 0);
    EXPECT_TRUE(drain().empty()) << "descriptor 2 still says done";
}

TEST_F(NicTx, BuffersAreGivenBackBehindABarrier) {
    open();
    ASSERT_EQ(send(1), 0);
    flush();
    chip.log.clear();
    drain();
    ASSERT_EQ(chip.log.size(), 1u);
    EXPECT_EQ(chip.log[0].kind, FakeChip::Access::kBarrier);
}

TEST_F(NicTx, InterruptsAreDelayedOnlyWithADelay) {
    open();
    ASSERT_EQ(send(1), 0);
    flush();
    EXPECT_FALSE(chip.sent[0].last_command & 0x80000000u) << "IDE needs TIDV";
    drain();
    nic_close(dev.get());
    config.tidv = 8;
    ASSERT_EQ(nic_open(dev.get(), &config), 0);
    ASSERT_EQ(send(2), 0);
    flush();
    EXPECT_TRUE(chip.sent[1].last_command & 0x80000000u);
}

TEST_F(NicTx, AHangIsAPacketThatStaysWithoutAReason) {
    open();
    chip.link(true);
    EXPECT_FALSE(nic_tx_hung(dev.get())) << "nothing to send";
    ASSERT_EQ(send(1), 0);
    nic_tx_flush(dev.get());
    EXPECT_FALSE(nic_tx_hung(dev.get())) << "first seen";
    EXPECT_TRUE(nic_tx_hung(dev.get()));
    chip.regs[NIC_STATUS] |= NIC_STATUS_TXOFF_MASK;
    EXPECT_FALSE(nic_tx_hung(dev.get())) << "a PAUSE holds it";
    chip.regs[NIC_STATUS] &= ~NIC_STATUS_TXOFF_MASK;
    chip.transmit();
    EXPECT_FALSE(nic_tx_hung(dev.get())) << "sent, only not taken back";
    EXPECT_EQ(drain().size(), 1u);
    EXPECT_FALSE(nic_tx_hung(dev.get()));
}

}  // namespace
