#include "hw/base/timeline_module.hpp"

#include <algorithm>
#include <vector>

namespace doorbell {

/// The one process. It exists as long as a timeline does.
class TimelineModule::Agenda final : public sc_core::sc_module {
public:
    explicit Agenda(const sc_core::sc_module_name& name) : sc_module(name) {
        SC_HAS_PROCESS(Agenda);
        SC_METHOD(run);
        sensitive << wake_;
        dont_initialize();
    }

    [[nodiscard]] static std::shared_ptr<Agenda> of_the_simulation() {
        static std::weak_ptr<Agenda> shared;
        std::shared_ptr<Agenda> agenda = shared.lock();
        if (!agenda) {
            agenda = std::make_shared<Agenda>(sc_core::sc_gen_unique_name("agenda"));
            shared = agenda;
        }
        return agenda;
    }

    void join(TimelineModule& member) { members_.push_back(&member); }
    void leave(TimelineModule& member) {
        members_.erase(std::remove(members_.begin(), members_.end(), &member), members_.end());
    }

    /// Something of `member` is due at `due_ps` that was not before.
    void wants(const TimelineModule& member, Picoseconds due_ps) {
        if (!running_) return arm(due_ps);
        if (&member != ahead_ && due_ps < bound_ps_) bound_ps_ = due_ps;
    }
    void arm(Picoseconds due_ps) {
        if (due_ps >= armed_for_ps_) return;
        armed_for_ps_ = due_ps;
        wake_.notify(sc_core::sc_time::from_value(due_ps - kernel_time_.value()));
    }

    [[nodiscard]] std::uint64_t activations() const { return activations_; }
    [[nodiscard]] const Picoseconds& ahead_ps() const { return ahead_ps_; }

    static Picoseconds horizon_ps;

private:
    void run();
    void run_due(TimelineModule& member, Picoseconds now_ps);
    void run_ahead();
    [[nodiscard]] Picoseconds kernel_limit_ps() const;

    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    std::vector<TimelineModule*> members_;
    sc_core::sc_event wake_;
    Picoseconds armed_for_ps_ = kNever;
    Picoseconds ahead_ps_ = 0;
    const TimelineModule* ahead_ = nullptr;  ///< Who runs ahead, up to the time when
    Picoseconds bound_ps_ = 0;               ///< somebody else has something to do.
    bool running_ = false;
    std::uint64_t activations_ = 0;
};

Picoseconds TimelineModule::Agenda::horizon_ps = 0;

void TimelineModule::Agenda::run() {
    activations_++;
    armed_for_ps_ = kNever;
    running_ = true;
    const Picoseconds now_ps = kernel_time_.value();
    for (bool again = true; again;) {
        again = false;
        for (TimelineModule* member : members_) {
            if (member->queue_.next_due_ps() > now_ps) continue;
            run_due(*member, now_ps);
            again = true;  // It may have given the ones before it something to do.
        }
    }
    run_ahead();
    running_ = false;
    Picoseconds next_ps = kNever;
    for (const TimelineModule* member : members_) {
        next_ps = std::min(next_ps, member->queue_.next_due_ps());
    }
    arm(next_ps);
}

void TimelineModule::Agenda::run_due(TimelineModule& member, Picoseconds now_ps) {
    if (member.last_activation_ != activations_) {
        member.last_activation_ = activations_;
        member.activations_++;
    }
    while (member.queue_.run_one(now_ps)) {
    }
}

/// Tasks of devices, as long as they are the next thing to happen in the whole simulation.
void TimelineModule::Agenda::run_ahead() {
    const Picoseconds limit_ps = kernel_limit_ps();
    const Picoseconds start_ps = kernel_time_.value();
    for (;;) {
        Picoseconds due_ps = limit_ps;
        bound_ps_ = limit_ps;
        TimelineModule* next = nullptr;
        for (TimelineModule* member : members_) {
            const Picoseconds other_ps = member->queue_.next_due_ps();
            if (other_ps < due_ps) {
                bound_ps_ = due_ps;
                due_ps = other_ps;
                next = member;
            } else {
                bound_ps_ = std::min(bound_ps_, other_ps);
            }
        }
        if (next == nullptr || next->pace_ != Pace::kAhead) break;
        ahead_ = next;
        do {
            ahead_ps_ = due_ps - start_ps;
            run_due(*next, due_ps);
            due_ps = next->queue_.next_due_ps();
        } while (due_ps < bound_ps_);
    }
    ahead_ = nullptr;
    ahead_ps_ = 0;
}

/// Before what the kernel has to do next. Tasks that run ahead give it nothing more to do.
Picoseconds TimelineModule::Agenda::kernel_limit_ps() const {
    const Picoseconds now_ps = kernel_time_.value();
    if (horizon_ps <= now_ps || sc_core::sc_pending_activity_at_current_time()) return 0;
    if (!sc_core::sc_pending_activity_at_future_time()) return horizon_ps;
    const Picoseconds left_ps = sc_core::sc_time_to_pending_activity().value();
    return std::min(horizon_ps, now_ps + left_ps);
}

TimelineModule::TimelineModule(const sc_core::sc_module_name& name, Pace pace)
    : sc_module(name),
      agenda_(Agenda::of_the_simulation()),
      agenda_ahead_ps_(&agenda_->ahead_ps()),
      pace_(pace) {
    agenda_->join(*this);
}

TimelineModule::~TimelineModule() {
    agenda_->leave(*this);
}

void TimelineModule::schedule(Task& task, Picoseconds due_ps) {
    assert(due_ps >= now_ps() && "the past cannot be changed");
    queue_.push(task, due_ps);
    agenda_->wants(*this, due_ps);
}

// A cancelled head leaves the kernel's event where it is: one activation that finds nothing due is
// cheaper than moving the event each time.
void TimelineModule::cancel(Task& task) {
    queue_.remove(task);
}

std::uint64_t TimelineModule::agenda_activations() const {
    return agenda_->activations();
}

void TimelineModule::let_run_ahead(Picoseconds horizon_ps) {
    Agenda::horizon_ps = horizon_ps;
}

}  // namespace doorbell
