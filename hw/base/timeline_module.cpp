#include "hw/base/timeline_module.hpp"

#include <algorithm>
#include <vector>

#include "hw/base/tournament.hpp"

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

    void join(TimelineModule& member) {
        members_.push_back(&member);
        count();
    }
    void leave(TimelineModule& member) {
        members_.erase(std::remove(members_.begin(), members_.end(), &member), members_.end());
        count();
    }

    /// The first task of `member` is another, or at another time. Of who is running it is known
    /// when it has come back.
    void changed(const TimelineModule& member) {
        if (member.number_ == running_) return;
        due_.set(member.number_, member.queue_.next_due_ps());
        if (!active_) arm(due_.next_due_ps());
    }

    [[nodiscard]] std::uint64_t activations() const { return activations_; }
    [[nodiscard]] const Picoseconds& ahead_ps() const { return ahead_ps_; }

    static Picoseconds horizon_ps;

private:
    void run();
    void run_member(std::size_t number, Picoseconds due_ps, Picoseconds limit_ps);
    void run_ahead();
    void count();
    void arm(Picoseconds due_ps);
    [[nodiscard]] Picoseconds kernel_limit_ps() const;

    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    std::vector<TimelineModule*> members_;
    Tournament due_;  ///< Who is running takes no part.
    sc_core::sc_event wake_;
    Picoseconds armed_for_ps_ = kNever;
    Picoseconds ahead_ps_ = 0;
    std::size_t running_ = Tournament::kNobody;
    bool active_ = false;
    std::uint64_t activations_ = 0;
};

Picoseconds TimelineModule::Agenda::horizon_ps = 0;

void TimelineModule::Agenda::count() {
    due_.resize(members_.size());
    for (std::size_t i = 0; i < members_.size(); i++) {
        members_[i]->number_ = i;
        due_.set(i, members_[i]->queue_.next_due_ps());
    }
}

void TimelineModule::Agenda::arm(Picoseconds due_ps) {
    if (due_ps >= armed_for_ps_) return;
    armed_for_ps_ = due_ps;
    wake_.notify(sc_core::sc_time::from_value(due_ps - kernel_time_.value()));
}

void TimelineModule::Agenda::run() {
    activations_++;
    armed_for_ps_ = kNever;
    active_ = true;
    const Picoseconds now_ps = kernel_time_.value();
    // Round after round, since one may give those before it something to do.
    for (std::size_t next = 0; due_.next_due_ps() <= now_ps;) {
        const std::size_t number = due_.first_due(next, now_ps);
        next = number == Tournament::kNobody ? 0 : number + 1;
        if (next > 0) run_member(number, now_ps, 0);
    }
    run_ahead();
    active_ = false;
    arm(due_.next_due_ps());
}

/// Tasks of one member: all that are due at `due_ps`, and later ones, before `limit_ps`, for as
/// long as nobody else has anything to do before them.
void TimelineModule::Agenda::run_member(std::size_t number, Picoseconds due_ps,
                                        Picoseconds limit_ps) {
    TimelineModule& member = *members_[number];
    if (member.last_activation_ != activations_) {
        member.last_activation_ = activations_;
        member.activations_++;
    }
    const Picoseconds start_ps = kernel_time_.value();
    running_ = number;
    due_.set(number, kNever);
    do {
        ahead_ps_ = due_ps - start_ps;
        while (member.queue_.run_one(due_ps)) {
        }
        due_ps = member.queue_.next_due_ps();
    } while (due_ps < limit_ps && due_ps < due_.next_due_ps());
    running_ = Tournament::kNobody;
    ahead_ps_ = 0;
    due_.set(number, due_ps);
}

/// Tasks of devices, as long as they are the next thing to happen in the whole simulation.
void TimelineModule::Agenda::run_ahead() {
    const Picoseconds limit_ps = kernel_limit_ps();
    while (due_.next_due_ps() < limit_ps) {
        const Picoseconds due_ps = due_.next_due_ps();
        const std::size_t number = due_.first_due(0, due_ps);
        if (members_[number]->pace_ != Pace::kAhead) return;
        run_member(number, due_ps, limit_ps);
    }
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
    agenda_->changed(*this);
}

// A cancelled head leaves the kernel's event where it is: one activation that finds nothing due is
// cheaper than moving the event each time.
void TimelineModule::cancel(Task& task) {
    queue_.remove(task);
    agenda_->changed(*this);
}

std::uint64_t TimelineModule::agenda_activations() const {
    return agenda_->activations();
}

void TimelineModule::let_run_ahead(Picoseconds horizon_ps) {
    Agenda::horizon_ps = horizon_ps;
}

}  // namespace doorbell
