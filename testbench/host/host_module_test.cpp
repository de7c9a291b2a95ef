// The host with a small guest of its own (test_guest/test_guest.c) and a fake device: each test
// runs one application that checks the ABI from the inside.
#include "testbench/host/host_module.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "hw/base/bits.hpp"
#include "hw/base/generated/events.hpp"

namespace doorbell {
namespace {

using testing::Contains;
using testing::HasSubstr;

/// A device of eight registers that does what it is told at once; reads take 1 us.
class FakeDevice final : public sc_core::sc_module {
public:
    explicit FakeDevice(const sc_core::sc_module_name& name) : sc_module(name) {
        config.register_b_transport(this, &FakeDevice::config_access);
        bar0.register_b_transport(this, &FakeDevice::bar0_access);
        bar2.register_b_transport(this, &FakeDevice::no_access);
        bar3.register_b_transport(this, &FakeDevice::no_access);
        host.register_invalidate_direct_mem_ptr(this, &FakeDevice::take_back);
    }
    void plug_into(HostSlotModule& slot) {
        slot.config_socket.bind(config);
        slot.bar0_socket.bind(bar0);
        slot.bar2_socket.bind(bar2);
        slot.bar3_socket.bind(bar3);
        host.bind(slot.host_socket);
        inta.bind(slot.inta_export);
    }

    tlm_utils::simple_target_socket<FakeDevice> config{"config"};
    tlm_utils::simple_target_socket<FakeDevice> bar0{"bar0"};
    tlm_utils::simple_target_socket<FakeDevice> bar2{"bar2"};
    tlm_utils::simple_target_socket<FakeDevice> bar3{"bar3"};
    tlm_utils::simple_initiator_socket<FakeDevice> host{"host"};
    IntaPort inta{"inta"};

    /// Direct access as it was granted, and whether it was taken back since.
    struct Grant {
        std::uint64_t start;
        std::uint64_t end;
        bool read_write;
        std::array<std::uint8_t, 16> bytes;  ///< What lay there then.
        bool taken_back;
    };
    std::vector<Grant> grants;

private:
    enum { kScratch, kAddressLow = 2, kAddressHigh, kLength, kGo, kResult, kPacket, kCount };

    void config_access(tlm::tlm_generic_payload& access, sc_core::sc_time& delay) {
        const std::uint64_t at = access.get_address();
        for (unsigned i = 0; i < access.get_data_length(); i++) {
            std::uint8_t& byte = access.get_data_ptr()[i];
            if (access.is_read()) byte = space_[at + i];
            if (access.is_write()) space_[at + i] = byte;
        }
        delay += sc_core::sc_time(1, sc_core::SC_US);
        access.set_response_status(tlm::TLM_OK_RESPONSE);
    }
    void bar0_access(tlm::tlm_generic_payload& access, sc_core::sc_time& delay) {
        const std::uint64_t index = access.get_address() / 4;
        if (index >= kCount) return no_access(access, delay);
        access.set_response_status(tlm::TLM_OK_RESPONSE);
        if (access.is_write()) {
            delay += sc_core::sc_time(1, sc_core::SC_US);  // The link's time, not the CPU's.
            registers_[index] = load_le32(access.get_data_ptr());
            if (index == kGo) go(registers_[kGo]);
        } else {
            wait(1, sc_core::SC_US);
            store_le32(access.get_data_ptr(), registers_[index]);
        }
    }
    void no_access(tlm::tlm_generic_payload& access, sc_core::sc_time&) {
        access.set_response_status(tlm::TLM_ADDRESS_ERROR_RESPONSE);
    }
    void go(std::uint32_t what) {
        const std::uint64_t address =
            registers_[kAddressLow] | std::uint64_t{registers_[kAddressHigh]} << 32;
        switch (what) {
            case 1:
                registers_[kResult] = master(tlm::TLM_READ_COMMAND, address, registers_[kLength]);
                break;
            case 2:
            case 3: {
                const std::array<std::uint8_t, 256> saved = memory_;
                for (std::uint8_t& byte : memory_) byte++;
                if (what == 3) store_le32(memory_.data(), registers_[kLength]);
                registers_[kResult] =
                    master(tlm::TLM_WRITE_COMMAND, address, what == 3 ? 4 : registers_[kLength]);
                memory_ = saved;
                break;
            }
            default:
                inta->inta(what == 4);
        }
    }
    std::uint32_t master(tlm::tlm_command command, std::uint64_t address, std::uint32_t size) {
        tlm::tlm_generic_payload payload;
        PacketExtension extension;
        extension.packet = registers_[kPacket];
        payload.set_extension(&extension);
        payload.set_command(command);
        payload.set_address(address);
        payload.set_data_ptr(memory_.data());
        payload.set_data_length(size);
        payload.set_streaming_width(size);
        sc_core::sc_time delay;
        host->b_transport(payload, delay);
        registers_[kPacket] = static_cast<std::uint32_t>(extension.packet);
        payload.clear_extension(&extension);
        if (payload.is_dmi_allowed()) ask_for_dmi(payload);
        return payload.is_response_ok() ? 1 : 0;
    }
    void ask_for_dmi(tlm::tlm_generic_payload& payload) {
        tlm::tlm_dmi region;
        ASSERT_TRUE(host->get_direct_mem_ptr(payload, region));
        Grant grant{region.get_start_address(),
                    region.get_end_address(),
                    region.is_read_write_allowed(),
                    {},
                    false};
        std::copy_n(region.get_dmi_ptr(), grant.bytes.size(), grant.bytes.begin());
        grants.push_back(grant);
    }
    void take_back(sc_dt::uint64 first, sc_dt::uint64 last) {
        for (Grant& grant : grants) {
            grant.taken_back = grant.taken_back || (grant.start <= last && grant.end >= first);
        }
    }

    std::array<std::uint32_t, kCount> registers_{};
    std::array<std::uint8_t, 256> memory_{};
    std::array<std::uint8_t, 256> space_{0x86, 0x80, 0xD3, 0x10};
};

class HostModuleTest : public testing::Test {
protected:
    HostModuleTest() {
        params.image.path = TEST_GUEST;
        params.nic_count = 2;
        params.log = [this](int, const std::string& text) { lines.push_back(text); };
    }
    void app(std::vector<std::string> arguments, Picoseconds start_ps = 0) {
        params.config.apps.push_back({std::move(arguments), start_ps});
    }
    HostModule& build() {
        host = std::make_unique<HostModule>("a", params, EventPort(hub, hub.add_source("a")));
        for (std::uint32_t i = 0; i < 2; i++) {
            devices.push_back(std::make_unique<FakeDevice>(("nic" + std::to_string(i)).c_str()));
            devices.back()->plug_into(host->slot(i));
        }
        EXPECT_EQ(host->error(), "");
        host->on_ended([this] { ended++; });
        return *host;
    }
    /// Runs the guest to its end; the status of its first application.
    int run() {
        build().start();
        sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_SEC));
        return host->statuses().empty() ? -1 : host->statuses()[0].value_or(-2);
    }
    std::map<std::string, std::uint64_t> metrics() const {
        struct Collector final : MetricVisitor {
            void metric(std::string_view name, std::uint64_t value) override {
                values[std::string(name)] = value;
            }
            void metric_real(std::string_view, double) override {}
            std::map<std::string, std::uint64_t> values;
        } collector;
        host->visit_metrics(collector);
        return collector.values;
    }

    EventHub hub;
    HostParams params;
    std::vector<std::string> lines;
    int ended = 0;
    std::unique_ptr<HostModule> host;
    std::vector<std::unique_ptr<FakeDevice>> devices;
};

TEST_F(HostModuleTest, ThreadsAndEventsRunInTheOrderTheAbiPromises) {
    app({"threads"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(host->finished());
    EXPECT_FALSE(host->panicked());
    EXPECT_EQ(host->show("order"), "order: abcde");
    EXPECT_EQ(host->show("nothing"), std::nullopt);
    EXPECT_GT(host->kernel_events(), 4u);
}

TEST_F(HostModuleTest, EveryDeadlineIsKeptWhetherNearOrFarOrOvertaken) {
    app({"deadlines"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    // Boot, application (start and no sleep), 7 deadlines; twice a notifier with its start and 100
    // sleeps, and 100 wake-ups; 10 sleeps: nobody wakes for nothing.
    EXPECT_EQ(metrics()["threads.resumptions"], 2u + 7 + 2 * 201 + 10);
}

TEST_F(HostModuleTest, ADeviceReachesExactlyWhatIsMapped) {
    app({"dma"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    EXPECT_THAT(lines, Contains(HasSubstr("nic0: DMA write of 100 bytes at 0x")));
    EXPECT_THAT(lines, Contains("dma_unmap: the range was not mapped so"));
    EXPECT_THAT(lines, Contains("dma_map: there is no NIC 9"));
    auto values = metrics();
    EXPECT_EQ(values["nic0.iommu.maps"], 2u);
    EXPECT_EQ(values["nic1.iommu.maps"], 1u);
    EXPECT_EQ(values["nic0.iommu.faults.direction"], 2u);
    EXPECT_EQ(values["nic0.iommu.faults.bounds"], 2u);
}

TEST_F(HostModuleTest, ADeviceMayReachRingsDirectlyUntilTheyAreFreedAndNothingElse) {
    app({"dma"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    // The one DMA to coherent memory that was good; mapped buffers are for one packet.
    ASSERT_EQ(devices[0]->grants.size(), 1u);
    const FakeDevice::Grant& ring = devices[0]->grants[0];
    EXPECT_EQ(ring.end - ring.start + 1, 4096u);
    EXPECT_TRUE(ring.read_write);
    EXPECT_EQ(ring.bytes[15], 16) << "it is the memory that was written";
    EXPECT_TRUE(ring.taken_back);
}

TEST_F(HostModuleTest, RegistersAreWrittenPostedAndReadInARoundTrip) {
    app({"registers"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    // Three configuration reads and a write annotate their time; register reads wait by themselves.
    EXPECT_EQ(host->slot(0).waits(), 4u);
}

TEST_F(HostModuleTest, MessagesReachTheHandlerOfTheirLine) {
    app({"msi"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    auto values = metrics();
    EXPECT_EQ(values["irq.delivered"], 1u);
    EXPECT_EQ(values["irq.spurious"], 1u);
    EXPECT_EQ(values["test.interrupts"], 1u);
}

TEST_F(HostModuleTest, ALevelInterruptsAgainAfterItsEnd) {
    app({"intx"});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    EXPECT_EQ(metrics()["irq.delivered"], 3u);
}

TEST_F(HostModuleTest, FilesAreCopiedByteForByte) {
    const std::string path = testing::TempDir() + "doorbell_host_module_test";
    app({"copy", "generate:100001", path});
    EXPECT_EQ(run(), 0) << "line of test_guest.c";
    std::string error;
    auto generated = open_guest_file("generate:100001", false, params.seed, error);
    std::vector<char> want(100001);
    EXPECT_EQ(generated->read(want.data(), 100001), 100001);
    std::ifstream file(path, std::ios::binary);
    const std::vector<char> got((std::istreambuf_iterator<char>(file)),
                                std::istreambuf_iterator<char>());
    EXPECT_EQ(got, want);
    std::filesystem::remove(path);
}

TEST_F(HostModuleTest, AFileThatCannotBeOpenedIsExplainedToTheUser) {
    app({"copy", "/nowhere/at/all", "discard:"});
    EXPECT_EQ(run(), ENOENT);
    EXPECT_THAT(lines, Contains("/nowhere/at/all: No such file or directory"));
}

TEST_F(HostModuleTest, AFileThatCannotBeUsedIsTheUsersErrorAndNoPanic) {
    app({"copy", "generate:1000", "/dev/full"});  // less than a buffer: fails when it is closed
    EXPECT_EQ(run(), 0);
    EXPECT_FALSE(host->panicked());
    EXPECT_THAT(host->file_errors(), testing::ElementsAre("/dev/full: No space left on device"));
}

TEST_F(HostModuleTest, EachUseOfAFileThatFailsIsSaidOnce) {
    app({"copy", "generate:1000000", "/dev/full"});
    EXPECT_NE(run(), 0) << "the guest was told";
    EXPECT_THAT(host->file_errors(), testing::ElementsAre("/dev/full: No space left on device"));
}

TEST_F(HostModuleTest, AHostHasFinishedWhenItsLastApplicationHas) {
    app({"copy", "generate:1", "discard:"}, microseconds(5));
    app({"copy", "generate:1", "discard:"}, microseconds(10));
    Picoseconds end_ps = 0;
    build();
    host->on_ended([&] { end_ps = sc_core::sc_time_stamp().value(); });
    host->start();
    sc_core::sc_start(sc_core::sc_time(7, sc_core::SC_US));
    EXPECT_EQ(host->statuses()[0], 0);
    EXPECT_EQ(host->statuses()[1], std::nullopt);
    EXPECT_FALSE(host->finished());
    sc_core::sc_start(sc_core::sc_time(7, sc_core::SC_US));
    EXPECT_TRUE(host->finished());
    EXPECT_EQ(end_ps, microseconds(10));
}

TEST_F(HostModuleTest, AHostWithoutApplicationsHasFinishedWhenItIsUp) {
    EXPECT_EQ(run(), -1);
    EXPECT_EQ(ended, 1);
    EXPECT_TRUE(host->finished());
}

TEST_F(HostModuleTest, APanicEndsTheRunAndTheThread) {
    app({"panic"});
    EXPECT_EQ(run(), -2);
    EXPECT_TRUE(host->panicked());
    EXPECT_EQ(host->panic_text(), "this is the end");
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(host->show("order"), "order: ");
}

TEST_F(HostModuleTest, AGuestThatDoesNotStartIsAPanic) {
    params.config.settings.emplace_back("test.fail", "1");
    run();
    EXPECT_TRUE(host->panicked());
    EXPECT_THAT(host->panic_text(), HasSubstr("did not start"));
}

TEST_F(HostModuleTest, AHandlerThatBlocksIsCaughtAndNotBlocked) {
    app({"blocking_handler"});
    EXPECT_EQ(run(), 0);
    EXPECT_TRUE(host->panicked());
    EXPECT_THAT(host->panic_text(), HasSubstr("event_wait inside an interrupt handler"));
}

TEST_F(HostModuleTest, ASecondWaiterForAnEventIsCaught) {
    app({"two_waiters"});
    EXPECT_EQ(run(), 0);
    EXPECT_THAT(host->panic_text(), HasSubstr("two threads wait for event shared"));
}

TEST_F(HostModuleTest, ReportsOfTheGuestEnterTheStreamWithTimeAndSource) {
    class Listener final : public EventListener {
    public:
        void event(const Event& event) override { seen.push_back(event); }
        std::vector<Event> seen;
    } listener;
    hub.add_source("somebody else");
    hub.attach(listener);
    app({"report"}, nanoseconds(7));
    EXPECT_EQ(run(), 0);
    ASSERT_EQ(listener.seen.size(), 1u);
    const Event& event = listener.seen[0];
    EXPECT_EQ(event.type, static_cast<std::uint16_t>(EventType::kLayer));
    EXPECT_EQ(event.time_ps, nanoseconds(9)) << "at 7 ns, 2 ns ahead of the clock";
    EXPECT_EQ(hub.sources()[event.source], "a");
    EXPECT_EQ(event.packet, 5u);
    EXPECT_EQ(event.args[3], 4u);
    EXPECT_THAT(lines, Contains("report: no event has code 9999"));
    EXPECT_THAT(lines, Contains(HasSubstr("random ")));
}

TEST_F(HostModuleTest, AnImageThatIsMissingIsSaidSo) {
    params.image.path = "/nowhere/guest.so";
    const HostModule broken("b", params, EventPort());
    EXPECT_THAT(broken.error(), HasSubstr("there is no such file"));
}

TEST_F(HostModuleTest, TwoHostsRunBesideEachOtherAndDrawDifferentNumbers) {
    app({"report"});
    build();
    HostParams other = params;
    other.stream = 1;
    other.nic_count = 0;
    HostModule second("b", other, EventPort());
    ASSERT_EQ(second.error(), "");
    host->start();
    second.start();
    sc_core::sc_start(sc_core::sc_time(1, sc_core::SC_US));
    EXPECT_TRUE(host->finished() && second.finished());
    std::vector<std::string> drawn;
    for (const std::string& line : lines) {
        if (line.rfind("random ", 0) == 0) drawn.push_back(line);
    }
    ASSERT_EQ(drawn.size(), 2u);
    EXPECT_NE(drawn[0], drawn[1]);
}

}  // namespace
}  // namespace doorbell
