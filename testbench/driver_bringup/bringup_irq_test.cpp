/// The three ways to interrupt, moderation, and two drivers at the two ends of a cable.
#include "testbench/driver_bringup/bringup_fixture.hpp"

namespace doorbell::bringup {
namespace {

class BringupIrq : public Bringup, public ::testing::WithParamInterface<nic_irq_mode> {
protected:
    BringupIrq() { config.irq_mode = GetParam(); }
    std::uint32_t interrupts() const {
        std::uint32_t sum = 0;
        for (const std::uint32_t count : machine->interrupts) sum += count;
        return sum;
    }
};
std::string mode_name(const ::testing::TestParamInfo<nic_irq_mode>& mode) {
    return mode.param == NIC_IRQ_MSIX ? "Msix" : mode.param == NIC_IRQ_MSI ? "Msi" : "Intx";
}
INSTANTIATE_TEST_SUITE_P(Modes, BringupIrq,
                         ::testing::Values(NIC_IRQ_MSIX, NIC_IRQ_MSI, NIC_IRQ_INTX), mode_name);

TEST_P(BringupIrq, TrafficBothWaysRunsOnInterruptsAlone) {
    bring_up();
    EXPECT_EQ(machine->irq_mode, GetParam());
    std::vector<Bytes> expected;
    for (std::uint32_t i = 0; i < 400; i++) {
        const auto seed = static_cast<std::uint8_t>(i);
        expected.push_back(plain(64 + i, seed));
        peer->send(plain(64 + i, seed, false));
        while (machine->send(expected.back()) == -NIC_ENOSPC) world.advance_by(microseconds(5));
        machine->flush();
        if (i % 16 == 0) world.advance_by(microseconds(100));
    }
    run_until_peer_has(expected.size());
    run_until_received(expected.size());
    run_until_returned();
    EXPECT_EQ(peer->frames, expected);
    for (std::uint32_t i = 0; i < 400; i++) {
        ASSERT_EQ(machine->received[i].bytes, plain(64 + i, static_cast<std::uint8_t>(i), false));
    }
    EXPECT_EQ(machine->statistic("MPC"), 0u);
}

TEST_P(BringupIrq, AQuietMachineIsNotInterrupted) {
    bring_up();
    world.advance_by(milliseconds(5));
    const std::uint32_t before = interrupts();
    world.advance_by(milliseconds(100));
    EXPECT_EQ(interrupts(), before);
}

TEST_P(BringupIrq, ModerationSpacesInterrupts) {
    config.itr = 3906;  // 1 ms
    config.rx_ring = 512;
    bring_up();
    world.advance_by(milliseconds(5));
    const std::uint32_t before = interrupts();
    for (std::uint32_t i = 0; i < 400; i++) peer->send(plain(1514, 1, false));  // 4.9 ms
    run_until_received(400);
    EXPECT_GE(interrupts() - before, 4u);
    EXPECT_LE(interrupts() - before, 8u);
}

TEST_P(BringupIrq, WithoutModerationEveryFrameMayInterrupt) {
    config.itr = 0;
    bring_up();
    const std::uint32_t before = interrupts();
    for (std::uint32_t i = 0; i < 20; i++) {
        peer->send(plain(100, 1, false));
        run_until_received(i + 1);
        world.advance_by(microseconds(20));
    }
    EXPECT_EQ(interrupts() - before, 20u);
}

TEST_P(BringupIrq, AMaskedQueueIsSilentUntilItsPollIsDone) {
    bring_up();
    world.advance_by(milliseconds(1));
    const std::uint32_t before = interrupts();
    machine->polling = false;
    for (std::uint8_t i = 0; i < 10; i++) {
        peer->send(plain(100, i, false));
        world.advance_by(microseconds(200));
    }
    EXPECT_EQ(interrupts() - before, 1u);
    machine->polling = true;
    run_until_received(10);
}

TEST_P(BringupIrq, TheDataPathReadsNoRegisterBeyondTheCause) {
    bring_up();
    world.advance_by(milliseconds(1));
    const std::uint64_t reads = machine->mmio_reads();
    const std::uint32_t before = interrupts();
    for (std::uint8_t i = 0; i < 50; i++) {
        peer->send(plain(100, i, false));
        machine->send(plain(100, i));
        machine->flush();
        world.advance_by(microseconds(100));
    }
    EXPECT_EQ(machine->received.size(), 50u);
    const std::uint64_t expected = GetParam() == NIC_IRQ_MSIX ? 0 : interrupts() - before;
    EXPECT_EQ(machine->mmio_reads() - reads, expected);
}

TEST_P(BringupIrq, AResetKeepsTheInterruptsGoing) {
    bring_up();
    ASSERT_EQ(machine->reset(), 0);
    ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, milliseconds(10)));
    peer->send(plain(100, 1, false));
    machine->send(plain(100));
    machine->flush();
    run_until_received(1);
    run_until_returned();
}

TEST_P(BringupIrq, AThrottledFrameIsNotForgottenOverALinkInterrupt) {
    config.itr = 3906;  // 1 ms
    bring_up();
    world.advance_by(milliseconds(5));
    peer->send(plain(100, 1, false));
    run_until_received(1);
    peer->send(plain(100, 2, false));
    world.advance_by(microseconds(100));
    ASSERT_EQ(machine->received.size(), 1u) << "stored, its interrupt waits";
    cable.plug(false);  // the handler of this one reads and clears all causes
    world.advance_by(milliseconds(3));
    EXPECT_FALSE(machine->link.up);
    EXPECT_EQ(machine->received.size(), 2u);
}

TEST_F(Bringup, APlatformWithoutMsixGetsMsiAndOneWithoutBothGetsIntx) {
    platform.refuse_irq[NIC_IRQ_MSIX] = true;
    bring_up();
    EXPECT_EQ(machine->irq_mode, NIC_IRQ_MSI);
    machine->close();
    machine->platform.refuse_irq[NIC_IRQ_MSI] = true;
    machine->link = {};
    ASSERT_EQ(machine->open(), 0);
    EXPECT_EQ(machine->irq_mode, NIC_IRQ_INTX);
    ASSERT_TRUE(world.run_until([&] { return machine->link.up; }, seconds(5)));
    peer->send(plain(100, 1, false));
    run_until_received(1);
}

TEST(BringupPair, TwoDriversTalkToEachOther) {
    World world;
    wire::Link cable(world.timeline, world.frames, EventPort(), {}, 1, 0);
    NicParams params;
    params.phy.autonegotiation_ps = milliseconds(3);
    params.nvm.mac_address = {0x02, 0, 0, 0x82, 0x57, 0x40};
    Machine a(world, cable.port(0), params);
    params.nvm.mac_address = {0x02, 0, 0, 0, 0, 0x99};
    Machine b(world, cable.port(1), params);
    cable.attach(0, a.nic);
    cable.attach(1, b.nic);
    b.config.irq_mode = NIC_IRQ_MSI;
    b.config.extended_rx = false;
    ASSERT_EQ(a.probe(), 0);
    ASSERT_EQ(b.probe(), 0);
    ASSERT_EQ(a.open(), 0);
    ASSERT_EQ(b.open(), 0);
    ASSERT_TRUE(world.run_until([&] { return a.link.up && b.link.up; }, seconds(5)));

    for (std::uint32_t i = 0; i < 500; i++) {
        const auto seed = static_cast<std::uint8_t>(i);
        ASSERT_EQ(a.send(plain(100 + i, seed, true)), 0);
        ASSERT_EQ(b.send(plain(1514 - i, seed, false)), 0);
        if (i % 8 != 7) continue;
        a.flush();
        b.flush();
        world.advance_by(microseconds(120));
    }
    a.flush();
    b.flush();
    ASSERT_TRUE(world.run_until(
        [&] {
            return a.received.size() == 500 && b.received.size() == 500 &&
                   a.returned.size() == 500 && b.returned.size() == 500;
        },
        milliseconds(100)));
    for (std::uint32_t i = 0; i < 500; i++) {
        const auto seed = static_cast<std::uint8_t>(i);
        ASSERT_EQ(b.received[i].bytes, plain(100 + i, seed, true));
        ASSERT_EQ(a.received[i].bytes, plain(1514 - i, seed, false));
    }
    for (Machine* m : {&a, &b}) {
        m->close();
        EXPECT_EQ(m->mappings(), 0u);
        EXPECT_EQ(m->faults, std::vector<std::string>());
    }
}

}  // namespace
}  // namespace doorbell::bringup
