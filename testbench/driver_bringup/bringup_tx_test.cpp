/// What the driver's descriptors become on the wire, byte for byte.
#include "testbench/driver_bringup/bringup_fixture.hpp"

namespace doorbell::bringup {
namespace {

nic_packet offload(const Datagram& d) {
    nic_packet packet{};
    packet.flags = NIC_TX_L4_CHECKSUM;
    if (d.tcp) packet.flags |= NIC_TX_TCP;
    if (!d.ipv6) packet.flags |= NIC_TX_IPV4 | NIC_TX_IP_CHECKSUM;
    packet.l3_offset = static_cast<std::uint16_t>(d.l3);
    packet.l4_offset = static_cast<std::uint16_t>(d.l4);
    packet.l4_checksum_offset = static_cast<std::uint16_t>(d.checksum);
    return packet;
}

/// The datagram as the stack hands it over: pseudo-header sum in the checksum field.
Bytes seeded(const Datagram& d) {
    Bytes frame = d.frame;
    put16(frame, d.checksum, d.pseudo_sum(static_cast<std::uint32_t>(d.frame.size() - d.l4)));
    return frame;
}

class BringupTx : public Bringup {
protected:
    const Bytes& only_frame() {
        machine->flush();
        run_until_peer_has(1);
        run_until_returned();
        EXPECT_EQ(peer->frames.size(), 1u);
        return peer->frames.front();
    }
};

TEST_F(BringupTx, APlainFrameArrivesUnchanged) {
    bring_up();
    nic_packet packet{};
    packet.tag = 4711;
    ASSERT_EQ(machine->send(plain(1514), packet), 0);
    EXPECT_EQ(only_frame(), plain(1514));
    EXPECT_EQ(peer->packets[0], 4711u) << "with the identity of its mapping";
}

TEST_F(BringupTx, AShortFrameIsPaddedWithZeros) {
    bring_up();
    ASSERT_EQ(machine->send(plain(17)), 0);
    EXPECT_EQ(only_frame(), padded(plain(17)));
}

TEST_F(BringupTx, ScatteredSegmentsAreGathered) {
    bring_up();
    ASSERT_EQ(machine->send(plain(1514), {}, {1, 2, 13, 14, 54, 1000}), 0);
    EXPECT_EQ(only_frame(), plain(1514));
}

TEST_F(BringupTx, ChecksumsAreInsertedForEveryProtocol) {
    bring_up();
    std::size_t count = 0;
    for (const bool tcp : {true, false}) {
        for (const bool ipv6 : {false, true}) {
            for (const std::size_t size : {0u, 1u, 5u, 777u, 1400u}) {
                Datagram d = datagram(tcp, ipv6, payload(size));
                const auto cut = static_cast<std::uint32_t>(d.l4 + 3);  // within the header
                ASSERT_EQ(machine->send(seeded(d), offload(d), {14, cut}), 0);
                machine->flush();
                run_until_peer_has(++count);
                d.fill_checksums();
                EXPECT_EQ(peer->frames.back(), padded(d.frame)) << tcp << ipv6 << size;
            }
        }
    }
}

TEST_F(BringupTx, ContextsMixedWithPlainFramesStayInOrder) {
    bring_up();
    std::vector<Bytes> expected;
    for (std::uint8_t i = 0; i < 200; i++) {
        Datagram d = datagram(i % 3 == 1, false, payload(100u + i, i));
        const Bytes frame = i % 3 == 0 ? plain(100u + i, i) : seeded(d);
        d.fill_checksums();
        expected.push_back(i % 3 == 0 ? frame : d.frame);
        const nic_packet packet = i % 3 == 0 ? nic_packet{} : offload(d);
        while (machine->send(frame, packet) == -NIC_ENOSPC) {
            machine->flush();
            world.advance_by(microseconds(10));
        }
        if (i % 7 == 0) machine->flush();
    }
    machine->flush();
    run_until_peer_has(expected.size());
    run_until_returned();
    EXPECT_EQ(peer->frames, expected);
    for (std::size_t i = 0; i < machine->returned.size(); i++) {
        ASSERT_EQ(machine->returned[i], i + 1) << "cookies come back in order";
    }
}

TEST_F(BringupTx, AContextDoesNotOutliveAReset) {
    bring_up();
    for (std::size_t i = 1; i <= 2; i++) {
        Datagram d = datagram(true, false, payload(100));
        ASSERT_EQ(machine->send(seeded(d), offload(d)), 0);
        machine->flush();
        run_until_peer_has(i);
        run_until_returned();
        d.fill_checksums();
        EXPECT_EQ(peer->frames.back(), d.frame);
        ASSERT_EQ(machine->reset(), 0);
    }
}

TEST_F(BringupTx, ATagIsInsertedBehindTheAddresses) {
    bring_up();
    nic_packet packet{};
    packet.flags = NIC_TX_VLAN;
    packet.vlan_tag = 0x6123;
    ASSERT_EQ(machine->send(plain(100), packet), 0);
    Datagram d = datagram(true, false, payload(300));
    nic_packet both = offload(d);
    both.flags |= NIC_TX_VLAN;
    both.vlan_tag = 0x0FFE;
    ASSERT_EQ(machine->send(seeded(d), both), 0);
    machine->flush();
    run_until_peer_has(2);
    EXPECT_EQ(peer->frames[0], tagged(plain(100), 0x6123));
    d.fill_checksums();
    EXPECT_EQ(peer->frames[1], tagged(d.frame, 0x0FFE));
}

TEST_F(BringupTx, DataWithItsOwnFcsIsSentAsItIs) {
    bring_up();
    Bytes frame = plain(200);
    const std::uint32_t fcs = ethernet_fcs(frame.data(), static_cast<std::uint32_t>(frame.size()));
    Bytes with_fcs = frame;
    for (int i = 0; i < 4; i++) with_fcs.push_back(static_cast<std::uint8_t>(fcs >> 8 * i));
    nic_packet packet{};
    packet.flags = NIC_TX_NO_FCS;
    ASSERT_EQ(machine->send(with_fcs, packet), 0);
    EXPECT_EQ(only_frame(), frame) << "and the peer found its FCS right";
}

class BringupTso : public BringupTx, public ::testing::WithParamInterface<bool> {
protected:
    /// Sends `size` bytes in segments of `mss` and checks every one of them.
    void check(std::size_t size, std::uint16_t mss, bool vlan) {
        const bool ipv6 = GetParam();
        const Bytes data = payload(size, 3);
        Datagram whole = datagram(true, ipv6, data);
        Bytes frame = whole.frame;
        // As a stack does for TSO: no lengths, the pseudo-header without length (section 6.3).
        put16(frame, whole.l3 + (ipv6 ? 4 : 2), 0);
        put16(frame, whole.checksum, whole.pseudo_sum(0));
        nic_packet packet = offload(whole);
        packet.flags |= NIC_TX_TSO;
        packet.mss = mss;
        packet.header_bytes = static_cast<std::uint16_t>(whole.header);
        if (vlan) {
            packet.flags |= NIC_TX_VLAN;
            packet.vlan_tag = 0x0123;
        }
        const auto middle = static_cast<std::uint32_t>(frame.size() - (size + 1) / 2);
        ASSERT_EQ(machine->send(frame, packet, {40, middle}), 0);
        machine->flush();

        peer->frames.clear();
        const std::size_t segments = (size + mss - 1) / mss;
        run_until_peer_has(segments);
        run_until_returned();
        ASSERT_EQ(peer->frames.size(), segments);
        for (std::size_t i = 0; i < segments; i++) {
            const std::size_t from = i * mss;
            const std::size_t to = std::min(size, from + mss);
            const Bytes part(data.begin() + static_cast<std::ptrdiff_t>(from),
                             data.begin() + static_cast<std::ptrdiff_t>(to));
            Datagram segment = datagram(true, ipv6, part);
            if (!ipv6) put16(segment.frame, 18, 0x1234 + static_cast<std::uint32_t>(i));
            put32(segment.frame, segment.l4 + 4, 0x11223344 + static_cast<std::uint32_t>(from));
            if (i + 1 < segments) segment.frame[segment.l4 + 13] = 0x10;  // no FIN, no PSH
            segment.fill_checksums();
            const Bytes expected = vlan ? tagged(segment.frame, 0x0123) : segment.frame;
            EXPECT_EQ(peer->frames[i], padded(expected)) << "segment " << i;
        }
    }
};
INSTANTIATE_TEST_SUITE_P(Ip, BringupTso, ::testing::Bool(),
                         [](const auto& point) { return point.param ? "v6" : "v4"; });

TEST_P(BringupTso, SegmentsCarryTheirPartAndTheirHeaders) {
    bring_up();
    const std::uint16_t mss = GetParam() ? 1440 : 1460;
    check(1, mss, false);
    check(mss, mss, false);
    check(mss + 1u, mss, false);
    check(10u * mss, mss, false);
    check(30000, 536, false);
    EXPECT_EQ(machine->statistic("TSCTC"), 5u);
}

TEST_P(BringupTso, EverySegmentIsTagged) {
    bring_up();
    check(5000, 1400, true);
}

TEST_F(BringupTx, AFullRingPushesBackAndNothingIsLost) {
    config.tx_ring = 8;
    bring_up();
    std::vector<Bytes> expected;
    std::uint32_t refusals = 0;
    for (std::uint32_t i = 0; i < 300; i++) {
        expected.push_back(plain(60 + i, static_cast<std::uint8_t>(i)));
        while (machine->send(expected.back(), {}, {20, 40}) == -NIC_ENOSPC) {
            refusals++;
            machine->flush();
            world.advance_by(microseconds(3));
        }
    }
    machine->flush();
    run_until_peer_has(expected.size());
    run_until_returned();
    EXPECT_GT(refusals, 100u);
    EXPECT_EQ(peer->frames, expected);
}

TEST_F(BringupTx, DelayedReportsComeBackByTheTimer) {
    config.tx_wthresh = 4;
    config.tidv = 20;
    config.tadv = 40;
    bring_up();
    for (std::uint8_t i = 0; i < 3; i++) ASSERT_EQ(machine->send(plain(100, i)), 0);
    machine->flush();
    run_until_peer_has(3);
    run_until_returned();
}

TEST_F(BringupTx, AJumboFrameLeavesWhole) {
    config.mtu_bytes = 9000;
    bring_up();
    ASSERT_EQ(machine->send(plain(9014), {}, {9000}), 0);
    EXPECT_EQ(only_frame(), plain(9014));
}

}  // namespace
}  // namespace doorbell::bringup
