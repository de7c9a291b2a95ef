#include "hw/nic/nic_module.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "hw/base/bits.hpp"
#include "hw/base/packet_extension_module.hpp"
#include "hw/nic/bus_access_module.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

namespace r = regs::i82574l;
using sc_core::sc_time;

/// A platform: a root port with a thread, memory with or without direct access, INTA.
class PlatformModule : public sc_core::sc_module, public IntaInterface {
public:
    static constexpr std::uint64_t kBase = 0x1'0000'0000;
    static constexpr std::uint32_t kSizeBytes = 1 << 18;

    tlm_utils::simple_initiator_socket<PlatformModule> config;
    tlm_utils::simple_initiator_socket<PlatformModule> bar0;
    tlm_utils::simple_initiator_socket<PlatformModule> bar3;
    tlm_utils::simple_target_socket<PlatformModule> memory;

    PlatformModule(const sc_core::sc_module_name& name, bool grants_dmi)
        : sc_module(name),
          config("config"),
          bar0("bar0"),
          bar3("bar3"),
          memory("memory"),
          bytes(kSizeBytes),
          grants_dmi_(grants_dmi) {
        SC_HAS_PROCESS(PlatformModule);
        memory.register_b_transport(this, &PlatformModule::serve);
        memory.register_get_direct_mem_ptr(this, &PlatformModule::grant);
        SC_THREAD(run);
        SC_METHOD(run_method);
        sensitive << method_event;
        dont_initialize();
    }

    std::function<void()> program;
    std::function<void()> method_program;
    sc_core::sc_event method_event;

    void inta(bool asserted) override { pins.push_back(asserted); }

    static tlm::tlm_response_status access(
        tlm_utils::simple_initiator_socket<PlatformModule>& socket, tlm::tlm_command command,
        std::uint64_t address, std::uint8_t* data, unsigned size_bytes,
        std::uint8_t* enables = nullptr, sc_time* annotated = nullptr) {
        tlm::tlm_generic_payload payload;
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(data);
        payload.set_data_length(size_bytes);
        payload.set_streaming_width(size_bytes);
        payload.set_byte_enable_ptr(enables);
        payload.set_byte_enable_length(enables != nullptr ? size_bytes : 0);
        payload.set_response_status(tlm::TLM_INCOMPLETE_RESPONSE);
        sc_time delay = sc_core::SC_ZERO_TIME;
        socket->b_transport(payload, delay);
        if (annotated != nullptr) *annotated = delay;
        return payload.get_response_status();
    }
    std::uint32_t read(tlm_utils::simple_initiator_socket<PlatformModule>& socket,
                       std::uint64_t address) {
        std::uint8_t data[4] = {};
        EXPECT_EQ(access(socket, tlm::TLM_READ_COMMAND, address, data, 4), tlm::TLM_OK_RESPONSE);
        return load_le32(data);
    }
    void write(tlm_utils::simple_initiator_socket<PlatformModule>& socket, std::uint64_t address,
               std::uint32_t value) {
        std::uint8_t data[4];
        store_le32(data, value);
        EXPECT_EQ(access(socket, tlm::TLM_WRITE_COMMAND, address, data, 4), tlm::TLM_OK_RESPONSE);
    }
    std::uint32_t reg(const regs::Register& reg) { return read(bar0, reg.offset); }
    void set_reg(const regs::Register& reg, std::uint32_t value) { write(bar0, reg.offset, value); }
    void enable() {
        std::uint8_t command[2] = {7, 0};
        EXPECT_EQ(access(config, tlm::TLM_WRITE_COMMAND, 4, command, 2), tlm::TLM_OK_RESPONSE);
    }
    std::uint8_t* at(std::uint64_t address) { return &bytes[address - kBase]; }

    std::vector<std::uint8_t> bytes;
    std::vector<bool> pins;
    std::vector<std::uint32_t> messages;
    std::map<std::uint64_t, std::uint64_t> packets;  ///< Identity of what lies at an address.
    int grants = 0;

private:
    void run() {
        if (program) program();
    }
    void run_method() { method_program(); }
    void serve(tlm::tlm_generic_payload& payload, sc_time&) {
        const std::uint64_t address = payload.get_address();
        if (address >> 20 == 0xFEE) {
            messages.push_back(load_le32(payload.get_data_ptr()));
            payload.set_response_status(tlm::TLM_OK_RESPONSE);
            return;
        }
        if (address < kBase || address - kBase + payload.get_data_length() > kSizeBytes) {
            payload.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
            return;
        }
        PacketExtension* extension = nullptr;
        payload.get_extension(extension);
        if (payload.is_read()) {
            std::copy_n(at(address), payload.get_data_length(), payload.get_data_ptr());
            extension->packet = packets[address];
        } else {
            std::copy_n(payload.get_data_ptr(), payload.get_data_length(), at(address));
            packets[address] = extension->packet;
        }
        payload.set_dmi_allowed(grants_dmi_);
        payload.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    bool grant(tlm::tlm_generic_payload&, tlm::tlm_dmi& region) {
        grants++;
        region.set_start_address(kBase);
        region.set_end_address(kBase + kSizeBytes - 1);
        region.set_dmi_ptr(bytes.data());
        region.allow_read_write();
        return true;
    }
    bool grants_dmi_;
};

class HeardFrames final : public EthernetPort {
public:
    void transmit(FramePtr frame, Picoseconds, Picoseconds) override {
        packets.push_back(frame->packet);
        frames.emplace_back(frame->data(), frame->data() + frame->size_bytes());
    }
    void advertise(const LinkAbilities& abilities) override { offer = abilities; }
    std::vector<std::vector<std::uint8_t>> frames;
    std::vector<std::uint64_t> packets;
    LinkAbilities offer;
};

class NicModuleTest : public ::testing::Test {
protected:
    static NicParams quick() {
        NicParams params;
        params.phy.autonegotiation_ps = microseconds(100);
        params.nvm.auto_load_ps = microseconds(10);
        return params;
    }
    void build(const NicParams& params = quick(), bool grants_dmi = false) {
        platform = std::make_unique<PlatformModule>("platform", grants_dmi);
        nic = std::make_unique<NicModule>("nic", frames, EventPort{}, params);
        platform->config.bind(nic->config_socket);
        platform->bar0.bind(nic->bar0_socket);
        platform->bar3.bind(nic->bar3_socket);
        nic->host_socket.bind(platform->memory);
        nic->inta.bind(*platform);
        nic->bind(wire);
    }
    static Picoseconds now_ps() { return sc_core::sc_time_stamp().value(); }
    static void pause(Picoseconds duration_ps) { sc_core::wait(sc_time::from_value(duration_ps)); }
    /// Runs the program in the platform's thread, to its end.
    void run(std::function<void()> program) {
        bool ended = false;
        platform->program = [&] {
            program();
            ended = true;
            sc_core::sc_stop();
        };
        sc_core::sc_start();
        EXPECT_TRUE(ended);
    }
    /// One frame out, one in, of `packet`; host memory afterwards.
    std::vector<std::uint8_t> traffic(std::uint64_t packet);

    FramePool frames;
    HeardFrames wire;
    std::unique_ptr<PlatformModule> platform;
    std::unique_ptr<NicModule> nic;
};

// --- time ---------------------------------------------------------------------------------------

TEST_F(NicModuleTest, a_write_returns_at_once_and_a_read_takes_the_round_trip) {
    build();
    run([&] {
        platform->enable();
        const Picoseconds start_ps = now_ps();
        platform->set_reg(r::VET, 0x1234);
        EXPECT_EQ(now_ps(), start_ps) << "posted";
        EXPECT_EQ(nic->nic().debug_read(0, r::VET.offset), 0x8100u) << "still on its way";
        EXPECT_EQ(platform->reg(r::VET), 0x1234u) << "the read pushed it";
        const Picoseconds round_trip_ps = now_ps() - start_ps;
        EXPECT_GT(round_trip_ps, nanoseconds(1'500));
        EXPECT_LT(round_trip_ps, nanoseconds(2'500));
    });
}

TEST_F(NicModuleTest, writes_keep_their_order_and_arrive_one_after_the_other) {
    build();
    run([&] {
        platform->enable();
        for (std::uint32_t i = 1; i <= 10; i++) platform->set_reg(r::VET, i);
        std::vector<std::uint32_t> seen;
        for (int i = 0; i < 400; i++) {
            pause(nanoseconds(5));
            const std::uint32_t value = nic->nic().debug_read(0, r::VET.offset);
            if (value != 0x8100 && (seen.empty() || seen.back() != value)) seen.push_back(value);
        }
        EXPECT_THAT(seen, ::testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9, 10));
    });
}

TEST_F(NicModuleTest, a_writer_too_far_ahead_waits_for_the_oldest_write) {
    NicParams params = quick();
    params.posted_writes = 4;
    build(params);
    run([&] {
        platform->enable();
        const Picoseconds start_ps = now_ps();
        for (std::uint32_t i = 1; i <= 4; i++) platform->set_reg(r::VET, i);
        EXPECT_EQ(now_ps(), start_ps);
        platform->set_reg(r::VET, 5);
        EXPECT_GT(now_ps(), start_ps);
        EXPECT_EQ(nic->nic().debug_read(0, r::VET.offset), 1u) << "exactly one has arrived";
        EXPECT_EQ(platform->reg(r::VET), 5u);
    });
}

TEST_F(NicModuleTest, without_timing_everything_is_at_once_and_in_order) {
    NicParams params = quick();
    params.pcie.enabled = false;
    build(params);
    run([&] {
        const Picoseconds start_ps = now_ps();
        platform->enable();
        platform->set_reg(r::VET, 0x1234);
        EXPECT_EQ(nic->nic().debug_read(0, r::VET.offset), 0x1234u);
        EXPECT_EQ(platform->reg(r::VET), 0x1234u);
        EXPECT_EQ(now_ps(), start_ps);
    });
}

TEST_F(NicModuleTest, a_thread_that_ran_ahead_is_brought_to_its_time) {
    build();
    run([&] {
        platform->enable();
        std::uint8_t data[4] = {};
        tlm::tlm_generic_payload payload;
        payload.set_command(tlm::TLM_READ_COMMAND);
        payload.set_address(r::STATUS.offset);
        payload.set_data_ptr(data);
        payload.set_data_length(4);
        payload.set_streaming_width(4);
        sc_time delay(5, sc_core::SC_US);
        const Picoseconds start_ps = now_ps();
        platform->bar0->b_transport(payload, delay);
        EXPECT_EQ(delay, sc_core::SC_ZERO_TIME);
        EXPECT_GT(now_ps(), start_ps + microseconds(6));
    });
}

TEST_F(NicModuleTest, a_caller_that_is_no_thread_gets_the_value_of_now_and_the_time_annotated) {
    build();
    std::uint32_t value = 0;
    sc_time annotated;
    platform->method_program = [&] {
        platform->set_reg(r::VET, 0x4321);
        std::uint8_t data[4] = {};
        EXPECT_EQ(PlatformModule::access(platform->bar0, tlm::TLM_READ_COMMAND, r::VET.offset, data,
                                         4, nullptr, &annotated),
                  tlm::TLM_OK_RESPONSE);
        value = load_le32(data);
    };
    run([&] {
        platform->enable();
        platform->method_event.notify();
        pause(nanoseconds(1));
        EXPECT_EQ(value, 0x4321u) << "its own write came first";
        EXPECT_GT(annotated.value(), nanoseconds(1'500));
        pause(microseconds(10));
        EXPECT_EQ(nic->nic().debug_read(0, r::VET.offset), 0x4321u);
    });
}

// --- what can be asked --------------------------------------------------------------------------

TEST_F(NicModuleTest, nothing_answers_before_memory_is_enabled) {
    build();
    run([&] {
        std::uint8_t data[4] = {};
        EXPECT_EQ(PlatformModule::access(platform->bar0, tlm::TLM_READ_COMMAND, 8, data, 4),
                  tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(load_le32(data), 0xFFFFFFFFu);
        platform->set_reg(r::VET, 0x1234);
        platform->enable();
        EXPECT_EQ(platform->reg(r::VET), 0x8100u) << "the write went nowhere";
    });
}

TEST_F(NicModuleTest, sizes_alignment_and_ranges_are_judged) {
    build();
    run([&] {
        platform->enable();
        std::uint8_t data[16] = {};
        const auto ask = [&](std::uint64_t address, unsigned size_bytes, bool write = false) {
            return PlatformModule::access(platform->bar0,
                                          write ? tlm::TLM_WRITE_COMMAND : tlm::TLM_READ_COMMAND,
                                          address, data, size_bytes);
        };
        EXPECT_EQ(ask(0x1FFFC, 4), tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(ask(0x20000, 4), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(ask(~0ull - 3, 4), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(ask(2, 4), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(ask(4, 8), tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(ask(0, 3), tlm::TLM_BURST_ERROR_RESPONSE);
        EXPECT_EQ(ask(0, 16), tlm::TLM_BURST_ERROR_RESPONSE);
        EXPECT_EQ(ask(0, 0), tlm::TLM_BURST_ERROR_RESPONSE);
        EXPECT_EQ(ask(0x1FFF8, 8, true), tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(PlatformModule::access(platform->config, tlm::TLM_READ_COMMAND, 0, data, 8),
                  tlm::TLM_BURST_ERROR_RESPONSE);
        EXPECT_EQ(PlatformModule::access(platform->config, tlm::TLM_READ_COMMAND, 4096, data, 4),
                  tlm::TLM_ADDRESS_ERROR_RESPONSE);
        EXPECT_EQ(PlatformModule::access(platform->bar0, tlm::TLM_IGNORE_COMMAND, 0, data, 4),
                  tlm::TLM_OK_RESPONSE);
    });
}

TEST_F(NicModuleTest, parts_of_a_register_are_read_but_not_written_and_quads_are_two_dwords) {
    build();
    run([&] {
        platform->enable();
        platform->set_reg(r::VET, 0x1234);
        std::uint8_t data[8] = {};
        EXPECT_EQ(PlatformModule::access(platform->bar0, tlm::TLM_READ_COMMAND, 0x39, data, 1),
                  tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(data[0], 0x12);
        data[0] = 0xFF;
        EXPECT_EQ(PlatformModule::access(platform->bar0, tlm::TLM_WRITE_COMMAND, 0x38, data, 1),
                  tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(platform->reg(r::VET), 0x1234u);
        store_le32(data, 0xFEE00004);
        store_le32(data + 4, 0x00000001);
        EXPECT_EQ(PlatformModule::access(platform->bar3, tlm::TLM_WRITE_COMMAND, 0x10, data, 8),
                  tlm::TLM_OK_RESPONSE);
        std::uint8_t back[8] = {};
        EXPECT_EQ(PlatformModule::access(platform->bar3, tlm::TLM_READ_COMMAND, 0x10, back, 8),
                  tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(load_le64(back), 0x1FEE00004ull);
    });
}

TEST_F(NicModuleTest, byte_enables_select) {
    build();
    run([&] {
        platform->enable();
        std::uint8_t data[8];
        std::uint8_t low_half[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0};
        store_le64(data, 0x11111111FEE00000ull);
        EXPECT_EQ(
            PlatformModule::access(platform->bar3, tlm::TLM_WRITE_COMMAND, 0x20, data, 8, low_half),
            tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(platform->read(platform->bar3, 0x20), 0xFEE00000u);
        EXPECT_EQ(platform->read(platform->bar3, 0x24), 0u);
        // Configuration space is bytes: latency timer and header stay, cache line size changes.
        std::uint8_t first[4] = {0xFF, 0, 0, 0};
        store_le32(data, 0xFFFFFF10);
        EXPECT_EQ(
            PlatformModule::access(platform->config, tlm::TLM_WRITE_COMMAND, 0x0C, data, 4, first),
            tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(platform->read(platform->config, 0x0C), 0x00000010u);
        std::uint8_t target[4] = {9, 9, 9, 9};
        EXPECT_EQ(
            PlatformModule::access(platform->config, tlm::TLM_READ_COMMAND, 0, target, 4, first),
            tlm::TLM_OK_RESPONSE);
        EXPECT_EQ(load_le32(target), 0x09090986u) << "only the enabled byte was written";
    });
}

TEST_F(NicModuleTest, debug_transport_reads_without_side_effects_and_takes_no_time) {
    build();
    run([&] {
        platform->enable();
        platform->set_reg(r::ICS, 0x4);
        (void)platform->reg(r::STATUS);
        const Picoseconds start_ps = now_ps();
        std::uint8_t data[8] = {};
        tlm::tlm_generic_payload payload;
        payload.set_command(tlm::TLM_READ_COMMAND);
        payload.set_address(r::ICR.offset);
        payload.set_data_ptr(data);
        payload.set_data_length(8);
        EXPECT_EQ(platform->bar0->transport_dbg(payload), 8u);
        EXPECT_EQ(load_le32(data), 0x4u);
        EXPECT_EQ(platform->bar0->transport_dbg(payload), 8u);
        EXPECT_EQ(load_le32(data), 0x4u);
        payload.set_address(0x1FFFE);
        EXPECT_EQ(platform->bar0->transport_dbg(payload), 2u) << "to the end of the window";
        payload.set_address(0x20000);
        EXPECT_EQ(platform->bar0->transport_dbg(payload), 0u);
        payload.set_command(tlm::TLM_WRITE_COMMAND);
        payload.set_address(r::VET.offset);
        EXPECT_EQ(platform->bar0->transport_dbg(payload), 0u);
        payload.set_command(tlm::TLM_READ_COMMAND);
        payload.set_address(1);
        payload.set_data_length(2);
        EXPECT_EQ(platform->config->transport_dbg(payload), 2u);
        EXPECT_EQ(load_le16(data), 0xD380) << "bytes 1 and 2 of the IDs";
        EXPECT_EQ(now_ps(), start_ps);
        EXPECT_EQ(platform->reg(r::ICR), 0x4u);
    });
}

// --- what the NIC masters -----------------------------------------------------------------------

std::vector<std::uint8_t> NicModuleTest::traffic(std::uint64_t packet) {
    constexpr std::uint64_t kTxRing = PlatformModule::kBase + 0x1000;
    constexpr std::uint64_t kRxRing = PlatformModule::kBase + 0x2000;
    constexpr std::uint64_t kTxBuffer = PlatformModule::kBase + 0x4000;
    constexpr std::uint64_t kRxBuffers = PlatformModule::kBase + 0x10000;
    run([&] {
        platform->enable();
        nic->endpoint().partner({true, true, 0x0DE1, 0x0E00, 0, true});
        pause(milliseconds(1));
        for (std::uint32_t i = 0; i < 8; i++) {
            store_le64(platform->at(kRxRing + 16 * i), kRxBuffers + 2048 * i);
        }
        for (std::uint32_t i = 0; i < 100; i++) {
            platform->at(kTxBuffer)[i] = static_cast<std::uint8_t>(i < 6 ? 0xFF : i);
        }
        store_le64(platform->at(kTxRing), kTxBuffer);
        store_le32(platform->at(kTxRing) + 8, 100 | 0x0Bu << 24);
        platform->packets[kTxBuffer] = packet;
        platform->set_reg(r::TDBAL, static_cast<std::uint32_t>(kTxRing));
        platform->set_reg(r::TDBAH, static_cast<std::uint32_t>(kTxRing >> 32));
        platform->set_reg(r::TDLEN, 128);
        platform->set_reg(r::TCTL, 0x0000000A);
        platform->set_reg(r::RDBAL, static_cast<std::uint32_t>(kRxRing));
        platform->set_reg(r::RDBAH, static_cast<std::uint32_t>(kRxRing >> 32));
        platform->set_reg(r::RDLEN, 128);
        platform->set_reg(r::RCTL, 0x0400801A);
        platform->set_reg(r::RDT, 7);
        platform->set_reg(r::IMS, 0x4);
        platform->set_reg(r::ICS, 0x4);
        platform->set_reg(r::TDT, 1);
        pause(microseconds(50));
        FramePtr frame = frames.take();
        frame->resize(100);
        std::copy_n(platform->at(kTxBuffer), 100, frame->data());
        frame->packet = packet + 1;
        nic->endpoint().receive(std::move(frame), now_ps() - 896'000, now_ps());
        pause(microseconds(50));
        EXPECT_EQ(platform->at(kTxRing)[12] & 1, 1) << "TX descriptor done";
        EXPECT_EQ(platform->at(kRxRing)[12] & 1, 1) << "RX descriptor done";
        EXPECT_EQ(load_le16(platform->at(kRxRing) + 8), 100) << "SECRC";
        EXPECT_TRUE(std::equal(platform->at(kTxBuffer), platform->at(kTxBuffer) + 100,
                               platform->at(kRxBuffers)));
    });
    EXPECT_EQ(wire.frames.size(), 1u);
    EXPECT_THAT(platform->pins, ::testing::ElementsAre(true));
    return platform->bytes;
}

TEST_F(NicModuleTest, dma_through_transport_carries_the_packets_identity) {
    build();
    const std::vector<std::uint8_t> memory = traffic(77);
    EXPECT_EQ(platform->grants, 0);
    EXPECT_THAT(wire.packets, ::testing::ElementsAre(77));
    EXPECT_EQ(platform->packets[PlatformModule::kBase + 0x10000], 78u);
    EXPECT_EQ(memory[0x100C] & 1, 1);
}

TEST_F(NicModuleTest, direct_memory_gives_the_same_bytes_as_transport) {
    // Two platforms with a NIC each, in one simulation: one grants direct access, one does not.
    build(quick(), true);
    PlatformModule plain("plain", false);
    NicModule plain_nic("plain_nic", frames, EventPort{}, quick());
    HeardFrames plain_wire;
    plain.config.bind(plain_nic.config_socket);
    plain.bar0.bind(plain_nic.bar0_socket);
    plain.bar3.bind(plain_nic.bar3_socket);
    plain_nic.host_socket.bind(plain.memory);
    plain_nic.bind(plain_wire);
    const auto drive = [](PlatformModule& host, NicModule& device) {
        constexpr std::uint64_t kRing = PlatformModule::kBase + 0x1000;
        constexpr std::uint64_t kBuffer = PlatformModule::kBase + 0x4000;
        host.enable();
        device.endpoint().partner({true, true, 0x0DE1, 0x0E00, 0, true});
        pause(milliseconds(1));
        for (std::uint32_t i = 0; i < 7; i++) {
            for (std::uint32_t at = 0; at < 200; at++) {
                host.at(kBuffer + 2048 * i)[at] = static_cast<std::uint8_t>(at + i);
            }
            store_le64(host.at(kRing + 16 * i), kBuffer + 2048 * i);
            store_le32(host.at(kRing + 16 * i) + 8, (60 + 20 * i) | 0x0Bu << 24);
        }
        host.set_reg(r::TDBAL, static_cast<std::uint32_t>(kRing));
        host.set_reg(r::TDBAH, static_cast<std::uint32_t>(kRing >> 32));
        host.set_reg(r::TDLEN, 128);
        host.set_reg(r::TCTL, 0x0000000A);
        for (std::uint32_t tail = 1; tail <= 7; tail++) {
            host.set_reg(r::TDT, tail);
            pause(microseconds(20));
        }
        pause(microseconds(100));
    };
    plain.program = [&] { drive(plain, plain_nic); };
    run([&] {
        drive(*platform, *nic);
        pause(microseconds(10));
    });
    ASSERT_EQ(wire.frames.size(), 7u);
    EXPECT_EQ(wire.frames, plain_wire.frames);
    EXPECT_EQ(platform->bytes, plain.bytes);
    EXPECT_EQ(platform->grants, 1) << "asked once, used ever since";
    EXPECT_EQ(plain.grants, 0);
}

TEST_F(NicModuleTest, direct_memory_that_the_platform_takes_back_is_not_used_any_more) {
    build(quick(), true);
    constexpr std::uint64_t kRing = PlatformModule::kBase + 0x1000;
    run([&] {
        platform->enable();
        nic->endpoint().partner({true, true, 0x0DE1, 0x0E00, 0, true});
        pause(milliseconds(1));
        platform->set_reg(r::TDBAL, static_cast<std::uint32_t>(kRing));
        platform->set_reg(r::TDBAH, static_cast<std::uint32_t>(kRing >> 32));
        platform->set_reg(r::TDLEN, 128);
        platform->set_reg(r::TCTL, 0x0000000A);
        for (std::uint32_t i = 0; i < 3; i++) {
            store_le64(platform->at(kRing + 16 * i), PlatformModule::kBase + 0x4000);
            store_le32(platform->at(kRing + 16 * i) + 8, 60 | 0x0Bu << 24);
        }
        platform->set_reg(r::TDT, 1);
        pause(microseconds(20));
        EXPECT_EQ(platform->grants, 1);
        platform->set_reg(r::TDT, 2);
        pause(microseconds(20));
        EXPECT_EQ(platform->grants, 1);
        platform->memory->invalidate_direct_mem_ptr(PlatformModule::kBase,
                                                    PlatformModule::kBase + 1);
        platform->set_reg(r::TDT, 3);
        pause(microseconds(20));
        EXPECT_EQ(platform->grants, 2) << "it went over transport, and asked again";
    });
    EXPECT_EQ(wire.frames.size(), 3u);
}

TEST_F(NicModuleTest, messages_are_dword_writes_of_the_host_socket) {
    build();
    run([&] {
        platform->enable();
        platform->write(platform->bar3, 0x20, 0xFEE00000);
        platform->write(platform->bar3, 0x28, 0x4022);
        platform->write(platform->bar3, 0x2C, 0);
        std::uint8_t control[2] = {0x00, 0x80};
        EXPECT_EQ(
            PlatformModule::access(platform->config, tlm::TLM_WRITE_COMMAND, 0xA2, control, 2),
            tlm::TLM_OK_RESPONSE);
        platform->set_reg(r::IVAR, 0x000A0000);
        platform->set_reg(r::IMS, 0x01000000);
        platform->set_reg(r::ICS, 0x4);
        pause(microseconds(10));
        EXPECT_THAT(platform->messages, ::testing::ElementsAre(0x4022));
    });
}

TEST_F(NicModuleTest, without_a_cable_the_nic_works_and_has_no_link) {
    platform = std::make_unique<PlatformModule>("platform", false);
    nic = std::make_unique<NicModule>("nic", frames, EventPort{}, quick());
    platform->config.bind(nic->config_socket);
    platform->bar0.bind(nic->bar0_socket);
    platform->bar3.bind(nic->bar3_socket);
    nic->host_socket.bind(platform->memory);
    run([&] {
        platform->enable();
        platform->set_reg(r::IMS, 0x4);
        platform->set_reg(r::ICS, 0x4);
        pause(milliseconds(1));
        EXPECT_EQ(platform->reg(r::STATUS) & 2, 0u);
        EXPECT_EQ(platform->reg(r::ICR) & 4, 4u) << "INTA is not bound, either";
    });
}

TEST_F(NicModuleTest, the_nic_is_on_when_the_simulation_starts) {
    build();
    run([&] {
        EXPECT_TRUE(wire.offer.present);
        EXPECT_EQ(platform->read(platform->config, 0), 0x10D38086u);
        platform->enable();
        pause(microseconds(20));
        EXPECT_EQ(platform->reg(r::RAL), 0x82000002u);
    });
}

}  // namespace
}  // namespace doorbell
