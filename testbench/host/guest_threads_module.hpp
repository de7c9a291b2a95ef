#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <systemc>
#include <vector>

#include "hw/base/time.hpp"
#include "hw/base/timeline.hpp"
#include "hw/base/timeline_module.hpp"
#include "testbench/host/running_guest.hpp"

#if defined(__SANITIZE_ADDRESS__)
#define DOORBELL_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define DOORBELL_ADDRESS_SANITIZER 1
#endif
#endif

/// One coroutine of a guest.
struct guest_thread {
    guest_thread(const char* host, std::string thread_name, void (*thread_entry)(void*),
                 void* thread_arg)
        : name(std::move(thread_name)),
          owner{host, name.c_str()},
          entry(thread_entry),
          arg(thread_arg),
          far_deadline([this] { wake.notify(); }) {}

    const std::string name;
    const doorbell::running_guest::Owner owner;
    void (*const entry)(void*);
    void* const arg;
    bool ended = false;
    sc_core::sc_event wake;
    doorbell::Task far_deadline;
};

/// What guest threads wait for: remembers one notification, has at most one waiter.
struct guest_event {
    std::string name;
    bool notified = false;
    guest_thread* waiter = nullptr;
};

namespace doorbell {

struct GuestThreadsParams {
    /// Stack of a thread that does not ask for a size. lwIP and an application need some 16 KiB;
    /// AddressSanitizer's red zones several times that.
#ifdef DOORBELL_ADDRESS_SANITIZER
    std::uint32_t stack_bytes = 512 * 1024;
#else
    std::uint32_t stack_bytes = 128 * 1024;
#endif
};

/// Threads and events of one guest on the coroutines of the simulator: whoever runs, runs until it
/// waits. A thread has one event of the kernel for everything it may wait for, so a wait is always
/// for that one.
///
/// Deadlines come in two kinds. The kernel cannot take a timed notification out of its queue (it
/// only forgets whom it was for), so one that is usually overtaken by an event, such as a protocol
/// timer a quarter of a second away, would leave thousands of dead entries behind. Far deadlines
/// therefore wait in the host's own timeline, where cancelling is real; near ones, such as CPU
/// time being charged, use the kernel directly: one activation, and nearly always they expire.
class GuestThreadsModule final : public sc_core::sc_module {
public:
    static constexpr Picoseconds kFarPs = microseconds(100);

    GuestThreadsModule(const sc_core::sc_module_name& name, const GuestThreadsParams& params,
                       TimelineModule& timeline);
    ~GuestThreadsModule() override;

    /// Starts at the same simulated time, when the caller waits. Stack 0: the default.
    guest_thread* create(const std::string& name, void (*entry)(void*), void* arg,
                         std::uint32_t stack_bytes);

    guest_event* event_create(const char* name);
    /// False: not an event, or somebody waits for it.
    [[nodiscard]] bool event_free(guest_event* event);
    void notify(guest_event& event);
    /// Waits in the calling thread; true when notified, false at the deadline. A deadline that is
    /// not in the future asks only. Nobody else may be waiting for the event.
    [[nodiscard]] bool wait_for(guest_event& event, Picoseconds deadline_ps);

    /// Anything else in the calling thread that may wait: others may run meanwhile. Who waits
    /// counts (a slot, a NIC).
    template <typename Blocking>
    void block(Blocking&& blocking) {
        guest_thread* self = current_;
        gives_back();
        blocking();
        takes_over(*self);
    }
    /// What rarely waits, such as a posted write without credit: it is still the guest that runs.
    template <typename Call>
    void may_block(Call&& call) {
        guest_thread* self = current_;
        const running_guest::Owner* owner = running_guest::owner;
        call();
        current_ = self;
        running_guest::owner = owner;
    }
    /// Never returns: the calling thread has no future.
    void halt();

    [[nodiscard]] std::uint64_t resumptions() const { return resumptions_; }
    [[nodiscard]] std::size_t live_threads() const;

private:
    void run(guest_thread& thread);
    void takes_over(guest_thread& thread) {
        current_ = &thread;
        running_guest::owner = &thread.owner;
    }
    static void gives_back() { running_guest::owner = nullptr; }
    [[nodiscard]] Picoseconds now_ps() const { return kernel_time_.value(); }

    GuestThreadsParams params_;
    TimelineModule& timeline_;
    const char* host_;  ///< The module this is part of.
    /// The kernel's own clock, read in place.
    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    std::vector<std::unique_ptr<guest_thread>> threads_;
    std::vector<std::unique_ptr<guest_event>> events_;
    std::vector<guest_event*> free_events_;
    guest_thread* current_ = nullptr;
    std::uint64_t resumptions_ = 0;
};

}  // namespace doorbell
