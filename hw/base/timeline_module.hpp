#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <systemc>
#include <vector>

#include "hw/base/timeline.hpp"

namespace doorbell {

/// A timeline on the SystemC kernel. All timelines of a simulation share one process and one
/// pending event of the kernel, the agenda: whatever is due at the same time, in whichever module,
/// shares an activation, and among equal times the module that was made first goes first.
///
/// A device may also run ahead of the kernel (temporal decoupling, IEEE 1666 clause 9 in spirit):
/// when nothing else of the simulation happens before its next task, that task runs in the same
/// activation, at its own time. Nobody can tell the difference, since whoever could look runs
/// later. It needs the permission of the owner of `sc_start` (`SimulationClock`), who knows how far
/// time may go; without it the kernel's time is always that of the timeline.
///
/// Timelines that nothing connects with others can be made an island. Its devices run ahead past
/// what happens elsewhere, as far as the next thing of their own island that is the kernel's: many
/// hosts beside each other then use the processor's caches one by one. What happens on an island is
/// the same; in which order those of different islands come is not the order of time any more.
class TimelineModule final : public sc_core::sc_module, public Timeline {
public:
    enum class Pace : std::uint8_t {
        kWithKernel,  ///< Tasks may notify events, and ask the kernel for the time.
        kAhead,       ///< Tasks touch the kernel only through `Timeline`s and annotated delays.
    };

    explicit TimelineModule(const sc_core::sc_module_name& name, Pace pace = Pace::kWithKernel);
    ~TimelineModule() override;

    [[nodiscard]] Picoseconds now_ps() const override { return kernel_time_.value() + ahead(); }
    void schedule(Task& task, Picoseconds due_ps) override;
    void cancel(Task& task) override;

    /// How far the running task is ahead of the kernel: the delay of what it sends over TLM.
    [[nodiscard]] Picoseconds ahead_ps() const { return ahead(); }

    /// Process activations that had something to do here.
    [[nodiscard]] std::uint64_t activations() const { return activations_; }
    /// Those of all timelines together, each counted once: part of a run's `kernel_events`.
    [[nodiscard]] std::uint64_t agenda_activations() const;

    /// Devices may run ahead of the kernel to times before `horizon_ps`; 0: they may not.
    static void let_run_ahead(Picoseconds horizon_ps);

    /// Makes an island of each of the sets: no member of one ever schedules a task of another, or
    /// of a timeline in no set; those may schedule for all. Nobody may be listening to the order of
    /// their events. Threads of the kernel that touch an island wait by `wait` or `KernelWait`
    /// only.
    static void separate(const std::vector<std::vector<TimelineModule*>>& islands);

    /// While it exists, a thread waits that may touch this timeline at `until_ps`, and not before:
    /// unless an event at the kernel's own time wakes it.
    class KernelWait {
    public:
        KernelWait(TimelineModule& timeline, Picoseconds until_ps);
        ~KernelWait();
        KernelWait(const KernelWait&) = delete;
        KernelWait& operator=(const KernelWait&) = delete;

    private:
        TimelineModule& timeline_;
        Picoseconds until_ps_;
    };
    /// The calling thread waits; nothing when the time has come already.
    void wait_until(Picoseconds until_ps);

private:
    class Agenda;
    struct Island;

    [[nodiscard]] Picoseconds ahead() const { return *agenda_ahead_ps_; }

    const std::shared_ptr<Agenda> agenda_;
    const Picoseconds* const agenda_ahead_ps_;
    /// The kernel's own clock, read in place: this is asked many times per frame.
    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    const Pace pace_;
    TaskQueue queue_;
    Island* island_ = nullptr;
    std::size_t number_ = 0;  ///< On its island.
    std::uint64_t activations_ = 0;
    std::uint64_t last_activation_ = 0;  ///< The agenda's number of the last one counted.
};

}  // namespace doorbell
