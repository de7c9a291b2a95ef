#include "hw/base/simulation_clock_module.hpp"

#include "hw/base/timeline_module.hpp"

namespace doorbell {

void SimulationClock::start() {
    sc_core::sc_start(sc_core::SC_ZERO_TIME);
}

Picoseconds SimulationClock::now_ps() const {
    return sc_core::sc_time_stamp().value();
}

Picoseconds SimulationClock::next_event_time() const {
    if (sc_core::sc_pending_activity_at_current_time()) return now_ps();
    if (!sc_core::sc_pending_activity_at_future_time()) return kNever;
    return now_ps() + sc_core::sc_time_to_pending_activity().value();
}

// SC_RUN_TO_TIME leaves time at the end of the slice even when nothing was due, and runs what is
// due at that very time only in the next slice; a second start of zero length runs that, too.
void SimulationClock::advance_until(Picoseconds until_ps) {
    if (until_ps < now_ps() || stopped()) return;
    if (run_ahead_) TimelineModule::let_run_ahead(until_ps);
    const sc_core::sc_time slice = sc_core::sc_time::from_value(until_ps - now_ps());
    if (slice != sc_core::SC_ZERO_TIME) sc_core::sc_start(slice, sc_core::SC_RUN_TO_TIME);
    while (!stopped() && next_event_time() == until_ps) sc_core::sc_start(sc_core::SC_ZERO_TIME);
    TimelineModule::let_run_ahead(0);
}

bool SimulationClock::stopped() const {
    return sc_core::sc_get_status() == sc_core::SC_STOPPED ||
           sc_core::sc_get_status() == sc_core::SC_END_OF_SIMULATION;
}

}  // namespace doorbell
