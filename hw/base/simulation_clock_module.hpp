#pragma once

#include <cstdint>
#include <systemc>

#include "hw/base/time.hpp"

namespace doorbell {

/// The one owner of `sc_start`: nobody else lets simulated time pass. A run advances in slices, a
/// foreign clock (QEMU, the wall) leads by asking when something happens next and by saying how far
/// time may go.
class SimulationClock {
public:
    /// Elaborates the model: afterwards modules can no longer be made. Time stands at 0, and what
    /// happens at 0 has happened.
    void start();

    [[nodiscard]] Picoseconds now_ps() const;
    /// When something happens next; now when it is due already; kNever when nothing ever will.
    [[nodiscard]] Picoseconds next_event_time() const;
    /// Runs everything up to and at `until_ps`, then stands there. An `sc_stop` ends it early.
    void advance_until(Picoseconds until_ps);
    /// Lets devices run ahead of the kernel within a slice (see `TimelineModule`): the platform
    /// takes the time of what they master from timelines or from the annotated delay.
    void let_devices_run_ahead() { run_ahead_ = true; }
    /// Someone called `sc_stop`: nothing runs any more.
    [[nodiscard]] bool stopped() const;

private:
    bool run_ahead_ = false;
};

}  // namespace doorbell
