/// What arrives, what the chip says about it, and what the driver makes of that.
#include "testbench/driver_bringup/bringup_fixture.hpp"

namespace doorbell::bringup {
namespace {

class BringupRx : public Bringup, public ::testing::WithParamInterface<bool> {
protected:
    BringupRx() { config.extended_rx = GetParam(); }

    Received only_received() {
        run_until_received(1);
        Received frame;
        if (!machine->received.empty()) frame = machine->received.front();
        EXPECT_EQ(machine->received.size(), 1u);
        machine->received.clear();
        return frame;
    }
    void expect_nothing_received() {
        world.advance_by(milliseconds(1));
        EXPECT_EQ(machine->received.size(), 0u);
    }
};
INSTANTIATE_TEST_SUITE_P(Descriptors, BringupRx, ::testing::Bool(),
                         [](const auto& point) { return point.param ? "Extended" : "Legacy"; });

TEST_P(BringupRx, FramesOfEveryLengthArriveUnchanged) {
    bring_up();
    for (const std::size_t size : {60u, 61u, 64u, 127u, 1000u, 1514u}) {
        peer->send(plain(size, static_cast<std::uint8_t>(size), false), true, size);
        const Received frame = only_received();
        EXPECT_EQ(frame.bytes, plain(size, static_cast<std::uint8_t>(size), false));
        EXPECT_EQ(frame.flags, 0u);
        EXPECT_EQ(frame.tag, size) << "with the identity the sender gave it";
    }
}

TEST_P(BringupRx, ManyTurnsOfTheRingKeepTheOrder) {
    bring_up();
    std::vector<Bytes> expected;
    for (std::uint32_t i = 0; i < 500; i++) {
        expected.push_back(plain(60 + i % 700, static_cast<std::uint8_t>(i), false));
        peer->send(expected.back());
    }
    run_until_received(expected.size());
    ASSERT_EQ(machine->received.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); i++) {
        ASSERT_EQ(machine->received[i].bytes, expected[i]) << i;
    }
    EXPECT_EQ(machine->statistic("MPC"), 0u);
}

TEST_P(BringupRx, ChecksumsAreJudged) {
    bring_up();
    for (const bool tcp : {true, false}) {
        for (const bool ipv6 : {false, true}) {
            Datagram d = datagram(tcp, ipv6, payload(301), false);
            d.fill_checksums();
            const std::uint32_t ip = ipv6 ? 0u : unsigned{NIC_RX_IP_CHECKED};
            peer->send(d.frame);
            EXPECT_EQ(only_received().flags, ip | NIC_RX_L4_CHECKED) << tcp << ipv6;
            d.frame.back() ^= 1;
            peer->send(d.frame);
            EXPECT_EQ(only_received().flags, ip | NIC_RX_L4_CHECKED | NIC_RX_L4_BAD);
            if (ipv6) continue;
            d.frame.back() ^= 1;
            d.frame[22]++;  // TTL: outside the pseudo-header
            peer->send(d.frame);
            EXPECT_EQ(only_received().flags, NIC_RX_IP_CHECKED | NIC_RX_IP_BAD | NIC_RX_L4_CHECKED);
        }
    }
    Datagram unchecked = datagram(false, false, payload(50), false);
    unchecked.fill_checksums();
    put16(unchecked.frame, unchecked.checksum, 0);
    peer->send(unchecked.frame);
    EXPECT_EQ(only_received().flags, unsigned{NIC_RX_IP_CHECKED}) << "UDP without checksum";
}

TEST_P(BringupRx, WithoutChecksumOffloadNothingIsJudged) {
    config.rx_checksum = false;
    bring_up();
    Datagram d = datagram(true, false, payload(100), false);
    d.fill_checksums();
    peer->send(d.frame);
    EXPECT_EQ(only_received().flags, 0u);
}

TEST_P(BringupRx, ATagIsStrippedAndReported) {
    bring_up();
    peer->send(tagged(plain(200, 1, false), 0x6123));
    const Received frame = only_received();
    EXPECT_EQ(frame.bytes, plain(200, 1, false));
    EXPECT_EQ(frame.flags, unsigned{NIC_RX_VLAN});
    EXPECT_EQ(frame.vlan_tag, 0x6123);
}

TEST_P(BringupRx, WithoutStrippingATagIsData) {
    config.vlan_strip = false;
    bring_up();
    peer->send(tagged(plain(200, 1, false), 0x6123));
    EXPECT_EQ(only_received().bytes, tagged(plain(200, 1, false), 0x6123));
}

TEST_P(BringupRx, TheVlanFilterAcceptsWhatWasAskedFor) {
    bring_up();
    ASSERT_EQ(nic_set_vlan_filter(machine->driver.get(), 100, true), 0);
    peer->send(tagged(plain(100, 1, false), 101));
    expect_nothing_received();
    peer->send(tagged(plain(100, 2, false), 100));
    EXPECT_EQ(only_received().vlan_tag, 100);
    peer->send(plain(100, 3, false));
    EXPECT_EQ(only_received().bytes, plain(100, 3, false)) << "untagged frames pass";
    ASSERT_EQ(nic_set_vlan_filter(machine->driver.get(), 100, false), 0);
    peer->send(tagged(plain(100, 4, false), 101));
    EXPECT_EQ(only_received().vlan_tag, 101) << "without any filter all pass";
}

TEST_P(BringupRx, AddressesAreFiltered) {
    bring_up();
    Bytes stranger = plain(100, 1, false);
    stranger[5] ^= 1;
    peer->send(stranger);
    expect_nothing_received();
    Bytes broadcast = plain(100, 1, false);
    std::fill(broadcast.begin(), broadcast.begin() + 6, std::uint8_t{0xFF});
    peer->send(broadcast);
    EXPECT_EQ(only_received().bytes, broadcast);

    Bytes group = plain(100, 1, false);
    const std::uint8_t address[6] = {0x01, 0x00, 0x5E, 0x01, 0x02, 0x03};
    std::copy(address, address + 6, group.begin());
    peer->send(group);
    expect_nothing_received();
    ASSERT_EQ(nic_set_multicast(machine->driver.get(), &address, 1), 0);
    peer->send(group);
    EXPECT_EQ(only_received().bytes, group);
    ASSERT_EQ(nic_set_multicast(machine->driver.get(), nullptr, 0), 0);
    peer->send(group);
    expect_nothing_received();
}

TEST_P(BringupRx, ManyGroupsGoThroughTheHash) {
    bring_up();
    std::uint8_t addresses[20][6];
    for (std::uint8_t i = 0; i < 20; i++) {
        const std::uint8_t address[6] = {0x01, 0x00, 0x5E, 0x10, static_cast<std::uint8_t>(i * 7),
                                         i};
        std::copy(address, address + 6, addresses[i]);
    }
    ASSERT_EQ(nic_set_multicast(machine->driver.get(), addresses, 20), 0);
    for (const auto& address : addresses) {
        Bytes group = plain(100, 1, false);
        std::copy(address, address + 6, group.begin());
        peer->send(group);
        EXPECT_EQ(only_received().bytes, group);
    }
}

TEST_P(BringupRx, PromiscuousTakesEverything) {
    config.promiscuous = true;
    bring_up();
    Bytes stranger = plain(100, 1, false);
    stranger[5] ^= 1;
    peer->send(stranger);
    EXPECT_EQ(only_received().bytes, stranger);
}

TEST_P(BringupRx, ALongFrameComesInSeveralBuffers) {
    config.mtu_bytes = 9000;
    bring_up();
    peer->send(plain(9014, 5, false));
    const Received frame = only_received();
    EXPECT_EQ(frame.bytes, plain(9014, 5, false));
    EXPECT_EQ(frame.buffers, 5u);
}

TEST_P(BringupRx, ALargeBufferTakesALongFrameWhole) {
    config.mtu_bytes = 9000;
    config.rx_buffer_bytes = 16384;
    bring_up();
    peer->send(plain(9014, 5, false));
    const Received frame = only_received();
    EXPECT_EQ(frame.bytes, plain(9014, 5, false));
    EXPECT_EQ(frame.buffers, 1u);
}

TEST_P(BringupRx, AFrameLongerThanTheMtuAllowsIsDropped) {
    bring_up();
    peer->send(plain(1519, 5, false));
    expect_nothing_received();
    EXPECT_EQ(machine->statistic("ROC"), 1u);
}

TEST_P(BringupRx, ADamagedFrameIsDroppedAndCounted) {
    bring_up();
    peer->send(plain(100, 1, false), false);
    expect_nothing_received();
    EXPECT_EQ(machine->statistic("CRCERRS"), 1u);
}

TEST_P(BringupRx, ADamagedFrameIsHandedOverToWhoeverWantsIt) {
    config.store_bad_frames = true;
    bring_up();
    peer->send(plain(100, 1, false), false);
    const Received frame = only_received();
    EXPECT_EQ(frame.flags, unsigned{NIC_RX_ERROR});
    EXPECT_EQ(frame.bytes, plain(100, 1, false));
}

TEST_P(BringupRx, APoolThatRunsDryDropsFramesAndRecovers) {
    config.rx_ring = 8;
    platform.buffers = 8;  // the ring has them all
    bring_up();
    for (std::uint8_t i = 0; i < 30; i++) peer->send(plain(100, i, false));
    world.advance_by(milliseconds(1));
    EXPECT_TRUE(machine->received.empty());
    EXPECT_EQ(nic_counters(machine->driver.get())->rx_no_buffer, 30u);
    machine->platform.buffers = 64;
    peer->send(plain(100, 99, false));
    EXPECT_EQ(only_received().bytes, plain(100, 99, false));
}

TEST_P(BringupRx, AnOverrunIsCountedAndTheRingRecovers) {
    config.rx_ring = 8;
    config.flow_control = false;
    bring_up();
    machine->polling = false;
    for (std::uint32_t i = 0; i < 100; i++) {
        peer->send(plain(1514, static_cast<std::uint8_t>(i), false));
    }
    world.advance_by(milliseconds(3));
    EXPECT_TRUE(machine->events & NIC_EVENT_OVERRUN);
    machine->polling = true;
    world.advance_by(milliseconds(1));
    const std::uint64_t missed = machine->statistic("MPC");
    EXPECT_EQ(machine->statistic("ICRXOC"), missed) << "each loss is one cause";
    EXPECT_GT(missed, 50u);
    EXPECT_EQ(machine->received.size() + missed, 100u) << "stored or counted";
    const std::size_t before = machine->received.size();
    peer->send(plain(100, 1, false));
    run_until_received(before + 1);
}

TEST_P(BringupRx, DelayedWriteBacksComeByTheTimer) {
    config.rx_wthresh = 8;
    config.rdtr = 20;
    config.radv = 40;
    for (const nic_irq_mode mode : {NIC_IRQ_MSIX, NIC_IRQ_MSI}) {
        config.irq_mode = mode;
        if (!machine) {
            bring_up();
        } else {
            machine->close();
            machine->config = config;
            machine->link = {};
            ASSERT_EQ(machine->open(), 0);
            ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, seconds(5)));
        }
        for (std::uint8_t i = 0; i < 3; i++) peer->send(plain(100, i, false));
        run_until_received(3);
        machine->received.clear();
    }
}

}  // namespace
}  // namespace doorbell::bringup
