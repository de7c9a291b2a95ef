#include "hw/base/timeline_module.hpp"

namespace doorbell {

TimelineModule::TimelineModule(const sc_core::sc_module_name& name) : sc_module(name) {
    SC_HAS_PROCESS(TimelineModule);
    SC_METHOD(run);
    sensitive << wake_;
    dont_initialize();
}

void TimelineModule::schedule(Task& task, Picoseconds due_ps) {
    assert(due_ps >= now_ps() && "the past cannot be changed");
    queue_.push(task, due_ps);
    if (!running_) arm();
}

// A cancelled head leaves the kernel's event where it is: one activation that finds nothing due is
// cheaper than moving the event each time.
void TimelineModule::cancel(Task& task) {
    queue_.remove(task);
}

void TimelineModule::run() {
    activations_++;
    armed_for_ps_ = kNever;
    running_ = true;
    const Picoseconds now = now_ps();
    while (queue_.run_one(now)) {
    }
    running_ = false;
    arm();
}

void TimelineModule::arm() {
    const Picoseconds due = queue_.next_due_ps();
    if (due >= armed_for_ps_) return;
    armed_for_ps_ = due;
    wake_.notify(sc_core::sc_time::from_value(due - now_ps()));
}

}  // namespace doorbell
