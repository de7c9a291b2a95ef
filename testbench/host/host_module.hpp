#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <systemc>
#include <utility>
#include <vector>

#include "guest_stack/kernel/guest_abi.h"
#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/timeline_module.hpp"
#include "testbench/host/guest_config.hpp"
#include "testbench/host/guest_files.hpp"
#include "testbench/host/guest_image.hpp"
#include "testbench/host/guest_threads_module.hpp"
#include "testbench/host/host_slot_module.hpp"

namespace doorbell {
class HostModule;
}

/// What a guest hands back with every call.
struct guest_host {
    doorbell::HostModule* module;
};

namespace doorbell {

struct HostParams {
    GuestImageParams image;
    std::uint64_t seed = 1;    ///< Of the run.
    std::uint64_t stream = 0;  ///< Which host of the run: its own random numbers.
    std::uint32_t nic_count = 1;
    GuestConfig config;
    IommuParams iommu;
    InterruptControllerParams interrupts;
    GuestThreadsParams threads;
    /// Lines of the guest and of the host itself: level of the ABI, and text.
    std::function<void(int level, const std::string& text)> log;
};

/// The CPU side of one simulated host: memory as devices see it, interrupt controller, and a guest
/// image that runs on coroutines. It is the guest's `struct guest_host`; the table of functions
/// stands in host_ops_module.cpp.
class HostModule final : public sc_core::sc_module {
public:
    /// `events` is the host's own source in the stream ("a").
    HostModule(const sc_core::sc_module_name& name, const HostParams& params, EventPort events);
    ~HostModule() override;

    // --- for the testbench
    // --------------------------------------------------------------------------
    /// Empty, or why the guest image could not be loaded.
    [[nodiscard]] const std::string& error() const { return image_.error(); }
    /// An address in the image's code, nullptr when it could not be loaded.
    [[nodiscard]] const void* code() const { return reinterpret_cast<const void*>(image_.start); }
    /// Where NIC `index` is plugged in: bind its sockets to the slot's.
    [[nodiscard]] HostSlotModule& slot(std::uint32_t index) { return *slots_.at(index); }
    [[nodiscard]] std::uint32_t nic_count() const {
        return static_cast<std::uint32_t>(slots_.size());
    }
    [[nodiscard]] TimelineModule& timeline() { return timeline_; }

    /// The guest boots at the current simulated time, in a thread of its own. Once.
    void start();
    /// Every application has ended, whatever its status.
    [[nodiscard]] bool finished() const { return apps_left_ == 0; }
    /// Per application: its status, or nothing while it runs.
    [[nodiscard]] const std::vector<std::optional<int>>& statuses() const { return statuses_; }
    [[nodiscard]] bool panicked() const { return panicked_; }
    [[nodiscard]] const std::string& panic_text() const { return panic_text_; }
    /// Files of the user's that could not be opened, read or written, each with the reason: what
    /// the guest makes of it is its own affair.
    [[nodiscard]] const std::vector<std::string>& file_errors() const { return file_errors_; }
    /// Called once, when the host has finished or panicked.
    void on_ended(std::function<void()> action) { on_ended_ = std::move(action); }

    /// The guest's counters and the host's own; the caller puts "host.<name>." in front.
    void visit_metrics(MetricVisitor& visitor) const;
    /// A table of the guest as text ("route", "arp", "softirqs", ...); nothing when unknown.
    [[nodiscard]] std::optional<std::string> show(const std::string& table) const;
    [[nodiscard]] const guest_description* apps() const;
    [[nodiscard]] const guest_description* settings() const;
    /// Thread resumptions of the host. Waits inside a NIC are the NIC's
    /// (NicModule::thread_resumptions), activations of its timeline are the agenda's.
    [[nodiscard]] std::uint64_t kernel_events() const;

    // --- for the guest: one function per entry of guest_host_ops
    // -----------------------------------
    [[nodiscard]] Picoseconds now_ps() const { return timeline_.now_ps(); }
    [[nodiscard]] GuestThreadsModule& threads() { return threads_; }
    [[nodiscard]] InterruptController& interrupts() { return interrupts_; }
    [[nodiscard]] const EventPort& events() const { return events_; }
    /// nullptr, and a line in the log, when the guest names a NIC that is not there.
    [[nodiscard]] HostSlotModule* slot_of_guest(std::uint32_t nic, const char* what) {
        return nic < slots_.size() ? slots_[nic].get() : no_slot(nic, what);
    }
    /// True, and a panic, when the caller is an interrupt handler.
    [[nodiscard]] bool must_not_block(const char* what);
    void log(int level, const std::string& text);
    void report(const guest_report& report);
    /// The time of an event that a call of the guest causes: its code runs in no simulated time,
    /// and its last report said how far ahead of the clock it was.
    [[nodiscard]] Picoseconds guest_time_ps() const;
    [[nodiscard]] std::uint32_t random();
    [[nodiscard]] guest_file* file_open(const char* name, bool for_writing);
    [[nodiscard]] std::int64_t file_read(guest_file* file, void* to, std::uint32_t size_bytes);
    [[nodiscard]] std::int64_t file_write(guest_file* file, const void* from,
                                          std::uint32_t size_bytes);
    [[nodiscard]] std::int64_t file_size(guest_file* file);
    void file_close(guest_file* file);
    void app_done(std::uint32_t app, int status);
    void panic(const std::string& why);

private:
    struct OpenFile {
        std::string name;
        std::unique_ptr<guest_file> file;
    };
    HostSlotModule* no_slot(std::uint32_t nic, const char* what);
    static void boot(void* self);
    /// nullptr: not an open file of this host's.
    [[nodiscard]] OpenFile* find(const guest_file* file);
    void file_failed(const std::string& why);
    /// The result, noted when it is an error of the file's and not the guest's misuse.
    std::int64_t noted(const OpenFile& open, std::int64_t result);
    void tell_ended();

    HostParams params_;
    EventPort events_;
    guest_host handle_{this};
    Prng prng_;
    TimelineModule timeline_;
    InterruptController interrupts_;
    GuestThreadsModule threads_;
    std::vector<std::unique_ptr<HostSlotModule>> slots_;
    GuestImage image_;
    std::vector<OpenFile> files_;
    std::vector<std::string> file_errors_;

    std::string host_name_;
    const GuestConfigTable config_;

    Picoseconds report_now_ps_ = 0;
    Picoseconds report_time_ps_ = 0;

    bool started_ = false;
    std::uint32_t apps_left_ = 0;
    std::vector<std::optional<int>> statuses_;
    bool panicked_ = false;
    std::string panic_text_;
    bool ended_told_ = false;
    std::function<void()> on_ended_;
};

}  // namespace doorbell
