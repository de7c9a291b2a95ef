#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "testbench/driver_bringup/machine.hpp"
#include "testbench/driver_bringup/packets.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::bringup {

/// One machine with NIC and driver, a cable, and the test at its other end.
class Bringup : public ::testing::Test {
protected:
    Bringup() : cable(world.timeline, world.frames, EventPort(), {}, 1, 0) {
        params.phy.autonegotiation_ps = milliseconds(3);  // not what is tested here
    }
    ~Bringup() override {
        if (!machine) return;
        machine->close();
        machine->poll();
        EXPECT_EQ(machine->mappings(), 0u) << "close gives everything back";
        EXPECT_EQ(machine->buffers_out(), 0u);
        EXPECT_EQ(machine->irq_mode, -1);
        world.advance_by(milliseconds(5));  // nothing may come from the device any more
        EXPECT_EQ(machine->faults, std::vector<std::string>());
        EXPECT_EQ(machine->returned.size(), machine->sent) << "every cookie comes back once";
        EXPECT_EQ(peer->bad_fcs, 0u);
    }

    void build() {
        peer = std::make_unique<Peer>(world, cable.port(1));
        machine = std::make_unique<Machine>(world, cable.port(0), params, platform);
        machine->config = config;
        cable.attach(0, machine->nic);
        cable.attach(1, *peer);
        peer->offer();
    }
    /// Builds and waits for the link, with `config` as it is.
    void bring_up() {
        build();
        ASSERT_TRUE(machine->bring_up());
    }
    void run_until_peer_has(std::size_t frames) {
        EXPECT_TRUE(
            world.run_until([&] { return peer->frames.size() >= frames; }, milliseconds(200)))
            << peer->frames.size() << " of " << frames;
    }
    void run_until_received(std::size_t frames) {
        EXPECT_TRUE(
            world.run_until([&] { return machine->received.size() >= frames; }, milliseconds(200)))
            << machine->received.size() << " of " << frames;
    }
    void run_until_returned() {
        EXPECT_TRUE(world.run_until([&] { return machine->returned.size() == machine->sent; },
                                    milliseconds(200)))
            << machine->returned.size() << " of " << machine->sent;
    }
    /// What a receiver sees of a frame that was padded.
    static Bytes padded(Bytes frame) {
        if (frame.size() < 60) frame.resize(60);
        return frame;
    }

    World world;
    wire::Link cable;
    NicParams params;
    Platform platform;
    nic_config config = [] {
        nic_config c;
        nic_config_default(&c);
        c.tx_ring = 64;
        c.rx_ring = 64;
        return c;
    }();
    std::unique_ptr<Peer> peer;
    std::unique_ptr<Machine> machine;
};

}  // namespace doorbell::bringup
