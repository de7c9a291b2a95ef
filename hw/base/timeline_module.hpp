#pragma once

#include <cstdint>
#include <systemc>

#include "hw/base/timeline.hpp"

namespace doorbell {

/// A timeline on the SystemC kernel: one SC_METHOD and one pending event however many tasks wait.
/// Tasks that are due at the same time share an activation.
class TimelineModule final : public sc_core::sc_module, public Timeline {
public:
    explicit TimelineModule(const sc_core::sc_module_name& name);
    ~TimelineModule() override = default;

    [[nodiscard]] Picoseconds now_ps() const override { return kernel_time_.value(); }
    void schedule(Task& task, Picoseconds due_ps) override;
    void cancel(Task& task) override;

    /// Process activations since the start; part of a run's `kernel_events`.
    [[nodiscard]] std::uint64_t activations() const { return activations_; }

private:
    void run();
    void arm();

    /// The kernel's own clock, read in place: this is asked many times per frame.
    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    TaskQueue queue_;
    sc_core::sc_event wake_;
    Picoseconds armed_for_ps_ = kNever;
    bool running_ = false;
    std::uint64_t activations_ = 0;
};

}  // namespace doorbell
