// The kernel's headers leave sc_spawn out unless asked.
#define SC_INCLUDE_DYNAMIC_PROCESSES
#include "testbench/host/guest_threads_module.hpp"

#include <algorithm>
#include <cassert>
#include <optional>

namespace doorbell {

GuestThreadsModule::GuestThreadsModule(const sc_core::sc_module_name& name,
                                       const GuestThreadsParams& params, TimelineModule& timeline)
    : sc_module(name),
      params_(params),
      timeline_(timeline),
      host_(get_parent_object() == nullptr ? basename() : get_parent_object()->basename()) {}

GuestThreadsModule::~GuestThreadsModule() {
    for (const std::unique_ptr<guest_thread>& thread : threads_) {
        timeline_.cancel(thread->far_deadline);
    }
}

guest_thread* GuestThreadsModule::create(const std::string& name, void (*entry)(void*), void* arg,
                                         std::uint32_t stack_bytes) {
    // Those that have ended are gone for good: nothing can name them any more.
    threads_.erase(std::remove_if(threads_.begin(), threads_.end(),
                                  [](const auto& thread) { return thread->ended; }),
                   threads_.end());
    threads_.push_back(std::make_unique<guest_thread>(host_, name, entry, arg));
    guest_thread* thread = threads_.back().get();
    sc_core::sc_spawn_options options;
    options.set_stack_size(static_cast<int>(
        std::max(stack_bytes == 0 ? params_.stack_bytes : stack_bytes, params_.stack_bytes)));
    const std::string unique = sc_core::sc_gen_unique_name("guest_thread");
    sc_core::sc_spawn([this, thread] { run(*thread); }, unique.c_str(), &options);
    return thread;
}

void GuestThreadsModule::run(guest_thread& thread) {
    takes_over(thread);
    resumptions_++;
    thread.entry(thread.arg);
    gives_back();
    thread.ended = true;
}

guest_event* GuestThreadsModule::event_create(const char* name) {
    if (free_events_.empty()) {
        events_.push_back(std::make_unique<guest_event>());
        free_events_.push_back(events_.back().get());
    }
    guest_event* event = free_events_.back();
    free_events_.pop_back();
    *event = {name == nullptr ? "" : name, false, nullptr};
    return event;
}

bool GuestThreadsModule::event_free(guest_event* event) {
    const bool ours = std::any_of(events_.begin(), events_.end(),
                                  [event](const auto& own) { return own.get() == event; });
    const bool free_already =
        std::find(free_events_.begin(), free_events_.end(), event) != free_events_.end();
    if (!ours || free_already || event->waiter != nullptr) return false;
    free_events_.push_back(event);
    return true;
}

void GuestThreadsModule::notify(guest_event& event) {
    if (event.notified) return;
    event.notified = true;
    // Immediate: the waiter runs in this instant, when we wait.
    if (event.waiter != nullptr) event.waiter->wake.notify();
}

bool GuestThreadsModule::wait_for(guest_event& event, Picoseconds deadline_ps) {
    assert(event.waiter == nullptr);
    guest_thread* self = current_;
    if (!event.notified && now_ps() < deadline_ps) {
        std::optional<TimelineModule::KernelWait> near_deadline;
        if (deadline_ps != kNever) {
            const Picoseconds left_ps = deadline_ps - now_ps();
            if (left_ps > kFarPs) {
                timeline_.schedule(self->far_deadline, deadline_ps);
            } else {
                near_deadline.emplace(timeline_, deadline_ps);
                self->wake.notify(sc_core::sc_time::from_value(left_ps));
            }
        }
        event.waiter = self;
        gives_back();
        sc_core::wait(self->wake);
        event.waiter = nullptr;
        takes_over(*self);
        resumptions_++;
    }
    if (self->far_deadline.scheduled()) timeline_.cancel(self->far_deadline);
    const bool notified = event.notified;
    event.notified = false;
    return notified;
}

void GuestThreadsModule::halt() {
    guest_thread* self = current_;
    gives_back();
    for (;;) sc_core::wait(self->wake);
}

std::size_t GuestThreadsModule::live_threads() const {
    return static_cast<std::size_t>(std::count_if(
        threads_.begin(), threads_.end(), [](const auto& thread) { return !thread->ended; }));
}

}  // namespace doorbell
