#include "hw/nic/host_bridge_module.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

namespace doorbell {
namespace {

/// A target of 256 bytes at 0x1000 that grants what the test says.
class HostBridgeTest : public ::testing::Test {
protected:
    static constexpr std::uint64_t kBase = 0x1000;

    void serve(tlm::tlm_generic_payload& payload) {
        transports++;
        if (during) during();
        const std::uint64_t address = payload.get_address();
        if (address < kBase || address + payload.get_data_length() > kBase + memory.size()) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        PacketExtension* extension = nullptr;
        payload.get_extension(extension);
        if (payload.is_read()) {
            std::copy_n(&memory[address - kBase], payload.get_data_length(),
                        payload.get_data_ptr());
            extension->packet = 55;
        } else {
            std::copy_n(payload.get_data_ptr(), payload.get_data_length(),
                        &memory[address - kBase]);
            stored_packet = extension->packet;
        }
        payload.set_dmi_allowed(granted.get_dmi_ptr() != nullptr);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    void grant(std::uint64_t first, std::uint64_t last,
               tlm::tlm_dmi::dmi_access_e access = tlm::tlm_dmi::DMI_ACCESS_READ_WRITE) {
        granted.set_start_address(first);
        granted.set_end_address(last);
        granted.set_dmi_ptr(&memory[first - kBase]);
        granted.set_granted_access(access);
    }
    std::uint8_t read(std::uint64_t address, std::uint32_t size_bytes = 1) {
        std::vector<std::uint8_t> bytes(size_bytes);
        EXPECT_EQ(bridge.read(address, bytes.data(), size_bytes, packet), DmaStatus::kOk);
        return bytes[0];
    }
    void write(std::uint64_t address, std::uint8_t value, std::uint64_t of_packet = 0) {
        EXPECT_EQ(bridge.write(address, &value, 1, of_packet), DmaStatus::kOk);
    }

    std::array<std::uint8_t, 256> memory{};
    tlm::tlm_dmi granted;
    std::function<void()> during;
    int transports = 0;
    std::uint64_t packet = 0;
    std::uint64_t stored_packet = 0;
    std::vector<bool> pins;
    HostBridgeModule bridge{[this](tlm::tlm_generic_payload& payload) { serve(payload); },
                            [this](tlm::tlm_generic_payload&, tlm::tlm_dmi& region) {
                                region = granted;
                                return granted.get_dmi_ptr() != nullptr;
                            },
                            [this](bool asserted) { pins.push_back(asserted); }};
};

TEST_F(HostBridgeTest, transport_carries_bytes_and_the_packets_identity) {
    memory[3] = 0x42;
    EXPECT_EQ(read(kBase + 3), 0x42);
    EXPECT_EQ(packet, 55u);
    write(kBase + 4, 0x43, 66);
    EXPECT_EQ(memory[4], 0x43);
    EXPECT_EQ(stored_packet, 66u);
    EXPECT_EQ(transports, 2);
}

TEST_F(HostBridgeTest, what_nobody_answers_is_an_unsupported_request) {
    std::uint8_t byte = 0;
    EXPECT_EQ(bridge.read(0x500, &byte, 1, packet), DmaStatus::kUnsupportedRequest);
    EXPECT_EQ(bridge.write(kBase + 256, &byte, 1, 0), DmaStatus::kUnsupportedRequest);
    bridge.message(0x500, 1);
}

TEST_F(HostBridgeTest, direct_memory_is_used_once_it_was_granted) {
    grant(kBase, kBase + 255);
    (void)read(kBase);
    EXPECT_EQ(transports, 1);
    write(kBase + 255, 9);
    EXPECT_EQ(memory[255], 9);
    EXPECT_EQ(read(kBase + 255), 9);
    EXPECT_EQ(transports, 1);
}

TEST_F(HostBridgeTest, an_access_that_leaves_the_region_goes_over_transport) {
    grant(kBase + 16, kBase + 31);
    (void)read(kBase + 16);
    (void)read(kBase + 16, 16);
    EXPECT_EQ(transports, 1);
    (void)read(kBase + 17, 16);
    EXPECT_EQ(transports, 2) << "its last byte is outside";
    (void)read(kBase + 15);
    EXPECT_EQ(transports, 3);
}

TEST_F(HostBridgeTest, a_region_for_reading_is_not_written) {
    grant(kBase, kBase + 255, tlm::tlm_dmi::DMI_ACCESS_READ);
    (void)read(kBase);
    write(kBase, 7);
    EXPECT_EQ(transports, 2);
    EXPECT_EQ(read(kBase), 7);
    EXPECT_EQ(transports, 2);
}

TEST_F(HostBridgeTest, only_regions_that_overlap_are_taken_back) {
    grant(kBase, kBase + 15);
    (void)read(kBase);
    grant(kBase + 16, kBase + 31);
    (void)read(kBase + 16);
    granted.init();
    bridge.invalidate(kBase + 15, kBase + 15);
    transports = 0;
    (void)read(kBase + 20);
    EXPECT_EQ(transports, 0);
    (void)read(kBase + 1);
    EXPECT_EQ(transports, 1);
}

TEST_F(HostBridgeTest, many_regions_never_give_a_wrong_byte) {
    for (std::uint32_t i = 0; i < memory.size(); i++) memory[i] = static_cast<std::uint8_t>(i);
    for (int round = 0; round < 3; round++) {
        for (std::uint32_t first = 0; first < 256; first += 16) {
            grant(kBase + first, kBase + first + 15);
            for (std::uint32_t i = 0; i < 16; i++) {
                EXPECT_EQ(read(kBase + first + i), first + i);
            }
        }
    }
    EXPECT_LT(transports, 16 * 3 + 1);
}

TEST_F(HostBridgeTest, a_host_that_routes_an_access_back_is_refused) {
    DmaStatus inner = DmaStatus::kOk;
    during = [&] {
        during = nullptr;
        std::uint8_t byte = 0;
        std::uint64_t ignored = 0;
        inner = bridge.read(kBase, &byte, 1, ignored);
    };
    memory[9] = 0x77;
    EXPECT_EQ(read(kBase + 9), 0x77);
    EXPECT_EQ(inner, DmaStatus::kUnsupportedRequest);
}

TEST_F(HostBridgeTest, the_pin_goes_its_own_way) {
    bridge.interrupt_pin(true);
    bridge.interrupt_pin(false);
    EXPECT_EQ(pins, (std::vector<bool>{true, false}));
    EXPECT_EQ(transports, 0);
}

}  // namespace
}  // namespace doorbell
