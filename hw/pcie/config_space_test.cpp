// Configuration space of the 82574L, typed from section 1 of the specification (datasheet chapter
// 9) and from the PCI, PCI PM and PCIe standards, never from the rows in the code.
#include "hw/pcie/config_space.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace doorbell {
namespace {

class Listener final : public ConfigListener {
public:
    void command_changed() override { calls.push_back("command"); }
    void power_state_changed() override { calls.push_back("power"); }
    void d3_to_d0_reset() override { calls.push_back("reset"); }
    void messages_changed() override { calls.push_back("messages"); }
    void link_limits_changed() override { calls.push_back("limits"); }
    std::vector<std::string> take() { return std::exchange(calls, {}); }

private:
    std::vector<std::string> calls;
};
using Calls = std::vector<std::string>;

ConfigSpaceParams example() {
    ConfigSpaceParams params;
    params.subsystem_id = 0xA01F;
    params.mac = {0x00, 0x1B, 0x21, 0xAA, 0xBB, 0xCC};
    return params;
}

/// What a dword reads at reset, and which bits software can change or clear.
struct Expected {
    std::uint32_t offset, reset, writable, write_one_clears;
};
constexpr Expected kMap[] = {
    {0x00, 0x10D38086, 0, 0},
    // IO, memory, master, parity, SERR, INTx disable; CAP_LIST; errors in Status bits 8, 15:11.
    {0x04, 0x00100000, 0x00000547, 0xF9000000},
    {0x08, 0x02000000, 0, 0},
    {0x0C, 0x00000000, 0x000000FF, 0},
    {0x10, 0x00000000, 0xFFFE0000, 0},  // 128 KiB
    {0x14, 0x00000000, 0, 0},           // no flash
    {0x18, 0x00000001, 0xFFFFFFE0, 0},  // 32 bytes of I/O
    {0x1C, 0x00000000, 0xFFFFC000, 0},  // 16 KiB
    {0x20, 0, 0, 0},
    {0x24, 0, 0, 0},
    {0x28, 0, 0, 0},
    {0x2C, 0xA01F8086, 0, 0},
    {0x30, 0, 0, 0},  // no expansion ROM
    {0x34, 0x000000C8, 0, 0},
    {0x38, 0, 0, 0},
    {0x3C, 0x00000100, 0x000000FF, 0},
    {0xA0, 0x00040011, 0xC0000000, 0},
    {0xA4, 0x00000003, 0, 0},
    {0xA8, 0x00002003, 0, 0},
    {0xC8, 0xC822D001, 0, 0},
    {0xCC, 0x00000000, 0x00001F03, 0x00008000},
    {0xD0, 0x0080E005, 0x00710000, 0},
    {0xD4, 0, 0xFFFFFFFC, 0},
    {0xD8, 0, 0xFFFFFFFF, 0},
    {0xDC, 0, 0x0000FFFF, 0},
    {0xE0, 0x0001A010, 0, 0},
    {0xE4, 0x00008CC1, 0, 0},
    {0xE8, 0x00002810, 0x00007CFF, 0x000F0000},
    {0xEC, 0x00031C11, 0, 0},
    {0xF0, 0x00110000, 0x000000CB, 0},
    {0x100, 0x14010001, 0, 0},
    {0x104, 0, 0, 0x001FF010},
    {0x108, 0, 0x001FF010, 0},
    {0x10C, 0x00062010, 0x001FF010, 0},
    {0x110, 0, 0, 0x000031C1},
    {0x114, 0x00002000, 0x000031C1, 0},
    {0x140, 0x00010003, 0, 0},
    {0x144, 0xFFAABBCC, 0, 0},
    {0x148, 0x001B21FF, 0, 0},
};

const Expected* expected_at(std::uint32_t offset) {
    for (const Expected& row : kMap) {
        if (row.offset == offset) return &row;
    }
    return nullptr;
}

TEST(ConfigSpace, EveryDwordReadsItsResetValueAndAllOthersReadZero) {
    const ConfigSpace space(example());
    for (std::uint32_t offset = 0; offset < 4096; offset += 4) {
        const Expected* row = expected_at(offset);
        EXPECT_EQ(space.read(offset, 4), row != nullptr ? row->reset : 0) << std::hex << offset;
    }
}

TEST(ConfigSpace, EveryDwordKeepsExactlyItsWritableBits) {
    for (const std::uint32_t pattern : {0xFFFFFFFFu, 0xA5A5A5A5u, 0x5A5A5A5Au, 0x00000000u}) {
        for (std::uint32_t offset = 0; offset < 4096; offset += 4) {
            ConfigSpace space(example());
            const Expected* row = expected_at(offset);
            space.write(offset, 4, pattern);
            std::uint32_t want = 0;
            if (row != nullptr) {
                want = (row->reset & ~row->writable) | (pattern & row->writable);
                // D1 and D2 do not exist: those writes leave the power state alone.
                if (offset == 0xCC && (pattern & 3) != 3) want &= ~3u;
            }
            EXPECT_EQ(space.read(offset, 4), want) << std::hex << offset << " " << pattern;
        }
    }
}

TEST(ConfigSpace, BytesAndWordsReachOnlyTheirOwnLanes) {
    for (const Expected& row : kMap) {
        for (const std::uint32_t size : {1u, 2u}) {
            for (std::uint32_t lane = 0; lane < 4; lane += size) {
                ConfigSpace space(example());
                const std::uint32_t mask = (size == 1 ? 0xFFu : 0xFFFFu) << 8 * lane;
                EXPECT_EQ(space.read(row.offset + lane, size), (row.reset & mask) >> 8 * lane);
                space.write(row.offset + lane, size, 0xFFFFFFFF);
                EXPECT_EQ(space.read(row.offset, 4), row.reset | (row.writable & mask))
                    << std::hex << row.offset << "+" << lane;
            }
        }
    }
}

TEST(ConfigSpace, MisplacedAccessesReadAllOnesAndChangeNothing) {
    ConfigSpace space(example());
    EXPECT_EQ(space.read(0x05, 2), 0xFFFFu);
    EXPECT_EQ(space.read(0x06, 4), 0xFFFFFFFFu);
    EXPECT_EQ(space.read(0x00, 3), 0xFFFFFFu);
    EXPECT_EQ(space.read(0x00, 0), 0u);
    EXPECT_EQ(space.read(0x00, 8), 0xFFFFFFFFu);
    EXPECT_EQ(space.read(4096, 4), 0xFFFFFFFFu);
    EXPECT_EQ(space.read(0xFFFFFFFC, 4), 0xFFFFFFFFu);
    space.write(0x05, 2, 0xFFFF);
    space.write(0x06, 4, 0xFFFFFFFF);
    space.write(0x04, 3, 0xFFFFFF);
    space.write(4096 + 4, 4, 0xFFFFFFFF);
    for (const Expected& row : kMap) EXPECT_EQ(space.read(row.offset, 4), row.reset);
}

TEST(ConfigSpace, TheCapabilityChainIsWalkedAsLspciPrintsIt) {
    const ConfigSpace space(example());
    ASSERT_NE(space.read(0x06, 2) & 0x10, 0u);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> chain;  // offset, id
    for (std::uint32_t at = space.read(0x34, 1); at != 0 && chain.size() < 10;
         at = space.read(at + 1, 1)) {
        chain.emplace_back(at, space.read(at, 1));
    }
    EXPECT_EQ(chain, (decltype(chain){{0xC8, 0x01}, {0xD0, 0x05}, {0xE0, 0x10}, {0xA0, 0x11}}));
    chain.clear();
    for (std::uint32_t at = 0x100; at != 0 && chain.size() < 10; at = space.read(at + 2, 2) >> 4) {
        chain.emplace_back(at, space.read(at, 2));
    }
    EXPECT_EQ(chain, (decltype(chain){{0x100, 0x0001}, {0x140, 0x0003}}));
    EXPECT_EQ(space.read(0x102, 2) & 0xF, 1u);
    EXPECT_EQ(space.read(0xF2, 2) >> 4 & 0x3F, 1u);  // The width that drivers log.
    EXPECT_EQ(space.read(0xE2, 2) & 0xF, 1u);        // Version 1 ...
    EXPECT_EQ(space.read(0xE2, 2) >> 4 & 0xF, 0u);   // ... endpoint.
}

TEST(ConfigSpace, BarsAreSizedTheWayFirmwareDoesIt) {
    ConfigSpaceParams params = example();
    params.flash_bar_bytes = 128 * 1024;
    ConfigSpace space(params);
    const std::uint32_t sizes[] = {128 * 1024, 128 * 1024, 32, 16 * 1024, 0, 0};
    for (std::uint32_t bar = 0; bar < 6; bar++) {
        space.write(0x10 + 4 * bar, 4, 0xFFFFFFFF);
        const std::uint32_t read = space.read(0x10 + 4 * bar, 4);
        const std::uint32_t type_bits = (read & 1) != 0 ? 3 : 15;
        EXPECT_EQ(read == 0 ? 0 : ~(read & ~type_bits) + 1, sizes[bar]) << bar;
        EXPECT_EQ(space.bar_size_bytes(bar), sizes[bar]);
        space.write(0x10 + 4 * bar, 4, 0xFEB12345);
        EXPECT_EQ(space.bar_address(bar), sizes[bar] == 0 ? 0 : 0xFEB12345 & ~(sizes[bar] - 1));
    }
    EXPECT_EQ(space.read(0x18, 4) & 3, 1u);
}

TEST(ConfigSpace, CommandBitsEnableDecodingMasteringAndGateIntx) {
    Listener listener;
    ConfigSpace space(example());
    space.set_listener(listener);
    EXPECT_FALSE(space.io_enabled() || space.memory_enabled() || space.bus_master_enabled());
    space.write(0x04, 2, 0x0001);
    EXPECT_TRUE(space.io_enabled() && !space.memory_enabled());
    space.write(0x04, 2, 0x0002);
    EXPECT_TRUE(space.memory_enabled() && !space.bus_master_enabled());
    space.write(0x04, 2, 0x0004);
    EXPECT_TRUE(space.bus_master_enabled() && !space.intx_disabled());
    space.write(0x05, 1, 0x04);
    EXPECT_TRUE(space.intx_disabled() && space.bus_master_enabled());
    EXPECT_EQ(listener.take(), (Calls{"command", "command", "command", "command"}));
    space.write(0x04, 2, 0x0404);  // The same again is no change.
    space.write(0x06, 2, 0x0000);
    EXPECT_EQ(listener.take(), Calls{});
}

TEST(ConfigSpace, InterruptStatusFollowsTheLineWhateverTheGateSays) {
    ConfigSpace space(example());
    space.write(0x04, 2, 0x0400);
    space.set_interrupt_status(true);
    EXPECT_EQ(space.read(0x06, 2), 0x0018u);
    space.write(0x06, 2, 0xFFFF);
    EXPECT_EQ(space.read(0x06, 2), 0x0018u);
    space.set_interrupt_status(false);
    EXPECT_EQ(space.read(0x06, 2), 0x0010u);
}

TEST(ConfigSpace, ACompletionThatNeverCameIsANonFatalErrorUnlessSeveritySaysOtherwise) {
    ConfigSpace space(example());
    space.completion_timed_out();
    EXPECT_EQ(space.read(0x104, 4), 1u << 14);
    EXPECT_EQ(space.read(0x118, 4) & 0x1F, 14u) << "the first error";
    EXPECT_EQ(space.read(0xEA, 2) & 0xF, 2u) << "non-fatal error detected";
    space.write(0x104, 4, 1u << 14);
    space.write(0xEA, 2, 0xF);
    EXPECT_EQ(space.read(0x104, 4), 0u);
    space.write(0x10C, 4, 1u << 14);
    space.completion_timed_out();
    EXPECT_EQ(space.read(0xEA, 2) & 0xF, 4u) << "fatal";
}

TEST(ConfigSpace, AnUnsupportedRequestIsLatchedUntilSoftwareWritesOne) {
    ConfigSpace space(example());
    space.received_master_abort();
    EXPECT_EQ(space.read(0x06, 2), 0x2010u);
    space.write(0x06, 2, 0xD900);
    EXPECT_EQ(space.read(0x06, 2), 0x2010u);
    space.write(0x06, 2, 0x2000);
    EXPECT_EQ(space.read(0x06, 2), 0x0010u);
}

TEST(ConfigSpace, MsiHasEnableAddressAndData) {
    Listener listener;
    ConfigSpace space(example());
    space.set_listener(listener);
    EXPECT_FALSE(space.msi_enabled());
    space.write(0xD4, 4, 0xFEE00003);
    space.write(0xD8, 4, 0x00000001);
    space.write(0xDC, 2, 0x4021);
    space.write(0xD2, 2, 0x0081);
    EXPECT_TRUE(space.msi_enabled());
    EXPECT_EQ(space.msi_address(), 0x1FEE00000u);
    EXPECT_EQ(space.msi_data(), 0x4021u);
    EXPECT_EQ(listener.take(), Calls(4, "messages"));
}

TEST(ConfigSpace, MsixHasEnableAndFunctionMaskAndASizeFromTheNvm) {
    Listener listener;
    ConfigSpaceParams params = example();
    params.msix_vectors = 3;
    ConfigSpace space(params);
    space.set_listener(listener);
    EXPECT_EQ(space.read(0xA2, 2), 2u);
    EXPECT_EQ(space.msix_vectors(), 3u);
    space.write(0xA2, 2, 0xC000);
    EXPECT_TRUE(space.msix_enabled() && space.msix_function_masked());
    space.write(0xA3, 1, 0x80);
    EXPECT_TRUE(space.msix_enabled() && !space.msix_function_masked());
    EXPECT_EQ(listener.take(), Calls(2, "messages"));
}

TEST(ConfigSpace, DeviceControlSetsPayloadAndReadRequestSize) {
    Listener listener;
    ConfigSpace space(example());
    space.set_listener(listener);
    EXPECT_EQ(space.max_payload_bytes(), 128u);
    EXPECT_EQ(space.max_read_request_bytes(), 512u);
    space.write(0xE8, 2, 0x0020 | 0x5000);
    EXPECT_EQ(space.max_payload_bytes(), 256u);
    EXPECT_EQ(space.max_read_request_bytes(), 4096u);
    EXPECT_EQ(listener.take(), Calls{"limits"});
    // More than DevCap offers, and a reserved encoding: the largest legal sizes.
    space.write(0xE8, 2, 0x00E0 | 0x7000);
    EXPECT_EQ(space.max_payload_bytes(), 256u);
    EXPECT_EQ(space.max_read_request_bytes(), 4096u);
}

TEST(ConfigSpace, LeavingD3hotResetsEverythingButPme) {
    Listener listener;
    ConfigSpace space(example());
    space.set_listener(listener);
    space.write(0x04, 2, 0x0547);
    space.write(0x10, 4, 0xFEB00000);
    space.write(0x3C, 1, 11);
    space.write(0xA2, 2, 0x8000);
    space.write(0xCC, 2, 0x0103);
    space.set_pme_status();
    EXPECT_EQ(space.power_state(), 3u);
    EXPECT_TRUE(space.pme_enabled());
    EXPECT_EQ(space.bar_address(0), 0xFEB00000u);  // D3hot itself keeps the configuration.
    EXPECT_EQ(listener.take(), (Calls{"command", "command", "messages", "power"}));

    space.write(0xCC, 2, 0x0100);
    EXPECT_EQ(listener.take(), (Calls{"power", "reset"}));
    EXPECT_EQ(space.read(0xCC, 4), 0x00008100u);
    for (const Expected& row : kMap) {
        if (row.offset == 0xCC) continue;
        EXPECT_EQ(space.read(row.offset, 4), row.reset) << row.offset;
    }
    space.write(0xCC, 2, 0x8100);
    EXPECT_EQ(space.read(0xCC, 4), 0x00000100u);
}

TEST(ConfigSpace, ErrorReportingSurvivesD3AndNotPowerOn) {
    ConfigSpace space(example());
    space.write(0x108, 4, 0x00100000);
    space.write(0xE8, 2, 0x2C1F);
    space.write(0xCC, 2, 3);
    space.write(0xCC, 2, 0);
    EXPECT_EQ(space.read(0x108, 4), 0x00100000u);
    EXPECT_EQ(space.read(0xE8, 2), 0x2C10u);  // Auxiliary power enable is sticky, the rest is not.
    space.power_on_reset();
    for (const Expected& row : kMap) EXPECT_EQ(space.read(row.offset, 4), row.reset) << row.offset;
}

TEST(ConfigSpace, PowerStatesD1AndD2AreRefused) {
    Listener listener;
    ConfigSpace space(example());
    space.set_listener(listener);
    for (const std::uint32_t state : {1u, 2u}) {
        space.write(0xCC, 2, state);
        EXPECT_EQ(space.power_state(), 0u);
    }
    space.write(0xCC, 2, 3);
    space.write(0xCC, 2, 2);
    EXPECT_EQ(space.power_state(), 3u);
    EXPECT_EQ(listener.take(), Calls{"power"});
}

TEST(ConfigSpace, PmcLosesD3coldWithoutAuxiliaryPower) {
    ConfigSpaceParams params = example();
    params.pme_from_d3cold = false;
    ConfigSpace space(params);
    EXPECT_EQ(space.read(0xCA, 2), 0x4822u);
    space.advertise_d3cold_wake_up(true);
    EXPECT_EQ(space.read(0xCA, 2), 0x4822u);
}

TEST(ConfigSpace, PmcAdvertisesD3coldWhenToldTo) {
    ConfigSpace space(example());
    EXPECT_EQ(space.read(0xCA, 2), 0xC822u);
    space.advertise_d3cold_wake_up(false);
    EXPECT_EQ(space.read(0xCA, 2), 0x4822u);
    space.advertise_d3cold_wake_up(true);
    EXPECT_EQ(space.read(0xC8, 4), 0xC822D001u);
}

TEST(ConfigSpace, LoadingTheNvmChangesIdentityAndKeepsWhatSoftwareWrote) {
    ConfigSpace space(example());
    space.write(0x04, 2, 0x0006);
    space.write(0x10, 4, 0xFEB00000);
    space.set_interrupt_status(true);
    ConfigSpaceParams params = example();
    params.subsystem_vendor_id = 0x1028;
    params.subsystem_id = 0x1234;
    params.mac = {2, 3, 4, 5, 6, 7};
    space.load(params);
    EXPECT_EQ(space.read(0x2C, 4), 0x12341028u);
    EXPECT_EQ(space.read(0x144, 4), 0xFF050607u);
    EXPECT_EQ(space.read(0x148, 4), 0x020304FFu);
    EXPECT_EQ(space.read(0x04, 4), 0x00180006u);
    EXPECT_EQ(space.bar_address(0), 0xFEB00000u);
    space.power_on_reset();
    EXPECT_EQ(space.read(0x2C, 4), 0x12341028u);
    EXPECT_EQ(space.read(0x04, 4), 0x00100000u);
}

TEST(ConfigSpace, RowsAreDisjointAndNamed) {
    const ConfigSpace space(example());
    std::set<std::uint32_t> offsets;
    for (std::uint32_t i = 0; i < space.row_count(); i++) {
        const ConfigSpace::Row& row = space.rows()[i];
        EXPECT_TRUE(offsets.insert(row.offset).second) << row.name;
        EXPECT_EQ(row.access.rw_bits & (row.access.ro_bits | row.access.rw1c_bits), 0u) << row.name;
    }
    EXPECT_GE(offsets.size(), 30u);
}

}  // namespace
}  // namespace doorbell
