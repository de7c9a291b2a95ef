#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "fake_chip.hpp"
#include "nic_descriptors.h"
#include "nic_regs.h"

/// A fake chip and a driver on it; nothing may leak and no rule may have been broken at the end.
class DriverTest : public ::testing::Test {
protected:
    DriverTest() : dev(new nic_device()) {
        nic_config_default(&config);
        config.tx_ring = 16;
        config.rx_ring = 16;
    }
    ~DriverTest() override {
        nic_close(dev.get());
        drain();
        for (const auto& packet : held) chip.put_buffer(packet.buffer, packet.cookie);
        expect_nothing_held();
        EXPECT_EQ(chip.faults, std::vector<std::string>());
    }

    void probe() { ASSERT_EQ(nic_probe(dev.get(), chip.hal()), 0); }
    void open() {
        probe();
        ASSERT_EQ(nic_open(dev.get(), &config), 0);
    }
    void expect_nothing_held() const {
        EXPECT_EQ(chip.live_allocations(), 0u);
        EXPECT_EQ(chip.live_mappings(), 0u);
        EXPECT_EQ(chip.live_buffers(), 0u);
        EXPECT_EQ(chip.irq_mode, -1);
    }

    /// Sends one packet of `bytes` in `pieces`; its cookie is `cookie`.
    int send(std::uintptr_t cookie, std::uint32_t bytes = 60, std::uint32_t pieces = 1,
             nic_packet packet = {}) {
        data.push_back(pattern(bytes, static_cast<std::uint8_t>(cookie)));
        std::vector<nic_segment> segments;
        for (std::uint32_t i = 0, at = 0; i < pieces; i++) {
            const std::uint32_t size = i + 1 == pieces ? bytes - at : bytes / pieces;
            segments.push_back({data.back().data() + at, size});
            at += size;
        }
        packet.segments = segments.data();
        packet.segment_count = pieces;
        packet.cookie = reinterpret_cast<void*>(cookie);
        return nic_tx(dev.get(), &packet);
    }
    std::vector<std::uintptr_t> drain(std::uint32_t budget = 64) {
        std::vector<void*> cookies(budget);
        const std::uint32_t count = nic_tx_clean(dev.get(), cookies.data(), budget);
        std::vector<std::uintptr_t> back;
        for (std::uint32_t i = 0; i < count; i++) {
            back.push_back(reinterpret_cast<std::uintptr_t>(cookies[i]));
        }
        return back;
    }
    std::vector<nic_rx_packet> receive(std::uint32_t budget = 64) {
        std::vector<nic_rx_packet> packets(budget);
        packets.resize(nic_rx(dev.get(), packets.data(), budget));
        held.insert(held.end(), packets.begin(), packets.end());
        return packets;
    }
    static std::vector<std::uint8_t> pattern(std::uint32_t bytes, std::uint8_t seed = 1) {
        std::vector<std::uint8_t> frame(bytes);
        // Not periodic in powers of two, or bytes of another place might pass for these.
        for (std::uint32_t i = 0; i < bytes; i++) {
            frame[i] = static_cast<std::uint8_t>(seed + i + i / 256);
        }
        return frame;
    }
    static std::vector<std::uint8_t> bytes_of(const nic_rx_packet& packet) {
        const auto* at = static_cast<const std::uint8_t*>(packet.buffer);
        return std::vector<std::uint8_t>(at, at + packet.size);
    }

    FakeChip chip;
    std::unique_ptr<nic_device> dev;
    nic_config config{};
    std::list<std::vector<std::uint8_t>> data;
    std::vector<nic_rx_packet> held;
};
