/// From power-on to a link, through flaps and resets, and down again.
#include <algorithm>

#include "testbench/driver_bringup/bringup_fixture.hpp"

namespace doorbell::bringup {
namespace {

TEST_F(Bringup, TheDriverAcceptsTheChip) {
    build();
    ASSERT_EQ(machine->probe(), 0);
    std::uint8_t mac[6];
    nic_mac_address(machine->driver.get(), mac);
    EXPECT_TRUE(std::equal(mac, mac + 6, kDriverMac));
}

TEST_F(Bringup, AStationAddressOfTheNvmIsTheDrivers) {
    params.nvm.mac_address = {0x02, 0x11, 0x22, 0x33, 0x44, 0x55};
    build();
    ASSERT_EQ(machine->probe(), 0);
    std::uint8_t mac[6];
    nic_mac_address(machine->driver.get(), mac);
    EXPECT_TRUE(std::equal(mac, mac + 6, params.nvm.mac_address.begin()));
}

TEST_F(Bringup, TheLinkComesUpByInterruptAtOneGigabit) {
    bring_up();
    EXPECT_EQ(machine->link.speed_mbps, 1000u);
    EXPECT_TRUE(machine->link.full_duplex);
    EXPECT_TRUE(machine->link.rx_pause);
    EXPECT_TRUE(machine->link.tx_pause);
    EXPECT_TRUE(machine->events & NIC_EVENT_LINK);
    EXPECT_EQ(peer->partner_.anar & 0x0DE0, 0x0DE0) << "what the driver offered";
    EXPECT_EQ(peer->partner_.ctrl1000 & 0x0300, 0x0200);
}

TEST_F(Bringup, BothEndsSettleOnTheBestCommonMode) {
    const struct {
        std::uint16_t anar, ctrl1000;
        std::uint32_t mbps;
        bool full_duplex, pause;
    } cases[] = {
        {0x05E1, 0x0000, 100, true, true},
        {0x00A1, 0x0000, 100, false, false},
        {0x0041, 0x0000, 10, true, false},
    };
    build();
    ASSERT_EQ(machine->probe(), 0);
    for (const auto& c : cases) {
        peer->offer(c.anar, c.ctrl1000);
        ASSERT_EQ(machine->open(), 0);
        ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, seconds(5))) << c.mbps;
        EXPECT_EQ(machine->link.speed_mbps, c.mbps);
        EXPECT_EQ(machine->link.full_duplex, c.full_duplex);
        EXPECT_EQ(machine->link.rx_pause, c.pause);
        machine->send(plain(100));
        machine->flush();
        run_until_returned();
        machine->close();
        machine->link = {};
    }
    EXPECT_EQ(peer->frames.size(), 3u);
}

TEST_F(Bringup, NoCommonModeIsNoLink) {
    config.autoneg_advertise = 0x8000;  // 1000FD only
    build();
    peer->offer(0x01E1, 0);
    ASSERT_EQ(machine->probe(), 0);
    ASSERT_EQ(machine->open(), 0);
    EXPECT_FALSE(world.run_until([&] { return machine->link.up; }, seconds(1)));
}

TEST_F(Bringup, AFlapIsSeenBothWaysAndTrafficGoesOn) {
    bring_up();
    cable.plug(false);
    ASSERT_TRUE(world.run_until([&] { return !machine->link.up; }, milliseconds(100)));
    machine->send(plain(100, 7));
    machine->flush();
    world.advance_by(milliseconds(1));
    EXPECT_TRUE(peer->frames.empty());
    cable.plug(true);
    ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, seconds(5)));
    run_until_peer_has(1);
    EXPECT_EQ(peer->frames[0], plain(100, 7)) << "what waited is sent when the link is back";
}

TEST_F(Bringup, AResetInTheMiddleOfTrafficLosesNoCookieAndNoLink) {
    bring_up();
    for (std::uint8_t i = 0; i < 40; i++) ASSERT_EQ(machine->send(plain(1000, i)), 0);
    machine->flush();
    for (std::uint8_t i = 0; i < 40; i++) peer->send(plain(1000, i, false));
    run_until_peer_has(10);
    ASSERT_LT(peer->frames.size(), 40u);
    ASSERT_EQ(machine->reset(), 0);
    machine->poll();
    EXPECT_EQ(machine->returned.size(), 40u);
    EXPECT_EQ(peer->partner_.present, true);
    ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, milliseconds(2)))
        << "a reset of the MAC does not renegotiate";

    peer->frames.clear();
    machine->received.clear();
    for (std::uint8_t i = 0; i < 100; i++) {
        ASSERT_EQ(machine->send(plain(200, i)), 0);
        machine->flush();
        peer->send(plain(300, i, false));
        run_until_peer_has(i + 1u);
        run_until_received(i + 1u);
    }
    EXPECT_EQ(peer->frames.back(), plain(200, 99));
    EXPECT_EQ(machine->received.back().bytes, plain(300, 99, false));
}

TEST_F(Bringup, CloseAndOpenAgainAsOftenAsOneLikes) {
    build();
    ASSERT_EQ(machine->probe(), 0);
    for (std::uint8_t i = 0; i < 3; i++) {
        machine->link = {};
        ASSERT_EQ(machine->open(), 0);
        ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, seconds(5)));
        machine->send(plain(64, i));
        machine->flush();
        peer->send(plain(64, i, false));
        run_until_peer_has(i + 1u);
        run_until_received(i + 1u);
        machine->close();
        EXPECT_FALSE(peer->partner_.present) << "a sleeping PHY offers nothing";
    }
}

TEST_F(Bringup, TheChipsStatisticsCountWhatWasSentAndReceived) {
    bring_up();
    for (std::uint8_t i = 0; i < 10; i++) {
        machine->send(plain(60 + i));
        peer->send(plain(500, i, false));
    }
    machine->flush();
    run_until_peer_has(10);
    run_until_received(10);
    EXPECT_EQ(machine->statistic("GPTC"), 10u);
    EXPECT_EQ(machine->statistic("GPRC"), 10u);
    EXPECT_EQ(machine->statistic("GORC"), 5040u) << "octets with FCS";
    EXPECT_EQ(machine->statistic("PTC64"), 1u);
    EXPECT_EQ(machine->statistic("PTC127"), 9u);
    EXPECT_EQ(machine->statistic("GPTC"), 10u) << "read-clear, added up";
    machine->send(plain(100));
    machine->flush();
    run_until_returned();
    machine->close();
    EXPECT_EQ(machine->statistic("GPTC"), 11u) << "the last ones are not lost with the device";
}

}  // namespace
}  // namespace doorbell::bringup
