#include "hw/base/timeline_module.hpp"

#include <algorithm>
#include <cassert>
#include <memory>
#include <vector>

#include "hw/base/tournament.hpp"

namespace doorbell {

/// Timelines that may touch each other. Number 0 is that of all others, which may touch everybody.
struct TimelineModule::Island {
    std::size_t number = 0;
    std::vector<TimelineModule*> members;
    Tournament due;  ///< Who is running takes no part.
    std::size_t running = Tournament::kNobody;
    std::vector<Picoseconds> kernel_waits;

    [[nodiscard]] Picoseconds next_kernel_wait_ps() const {
        Picoseconds next_ps = kNever;
        for (const Picoseconds until_ps : kernel_waits) next_ps = std::min(next_ps, until_ps);
        return next_ps;
    }
    void count() {
        due.resize(members.size());
        for (std::size_t i = 0; i < members.size(); i++) {
            members[i]->number_ = i;
            members[i]->island_ = this;
            due.set(i, members[i]->queue_.next_due_ps());
        }
    }
};

/// The one process. It exists as long as a timeline does.
class TimelineModule::Agenda final : public sc_core::sc_module {
public:
    explicit Agenda(const sc_core::sc_module_name& name) : sc_module(name) {
        SC_HAS_PROCESS(Agenda);
        SC_METHOD(run);
        sensitive << wake_;
        dont_initialize();
        add_island();
    }

    [[nodiscard]] static std::shared_ptr<Agenda> of_the_simulation() {
        std::shared_ptr<Agenda> agenda = shared().lock();
        if (!agenda) {
            agenda = std::make_shared<Agenda>(sc_core::sc_gen_unique_name("agenda"));
            shared() = agenda;
        }
        return agenda;
    }

    void join(TimelineModule& member) {
        islands_.front()->members.push_back(&member);
        count(*islands_.front());
    }
    void leave(TimelineModule& member) {
        Island& island = *member.island_;
        auto& members = island.members;
        members.erase(std::remove(members.begin(), members.end(), &member), members.end());
        count(island);
    }
    void separate(const std::vector<TimelineModule*>& members) {
        assert(!active_);
        for (TimelineModule* member : members) leave(*member);
        Island& island = add_island();
        island.members = members;
        count(island);
    }

    /// The first task of `member` is another, or at another time. Of who is running it is known
    /// when it has come back.
    void changed(const TimelineModule& member) {
        Island& island = *member.island_;
        if (member.number_ == island.running) return;
        island.due.set(member.number_, member.queue_.next_due_ps());
        if (&island == running_) return;
        assert((running_ == nullptr || running_->number == 0) && "islands cannot touch each other");
        due_.set(island.number, island.due.next_due_ps());
        if (!active_) arm(due_.next_due_ps());
    }

    [[nodiscard]] std::uint64_t activations() const { return activations_; }
    [[nodiscard]] const Picoseconds& ahead_ps() const { return ahead_ps_; }

    static Picoseconds horizon_ps;

private:
    [[nodiscard]] static std::weak_ptr<Agenda>& shared() {
        static std::weak_ptr<Agenda> agenda;
        return agenda;
    }

    void run();
    void run_tasks();
    void abandon();
    void run_due(Island& island, Picoseconds now_ps);
    void run_ahead(Island& island, Picoseconds limit_ps);
    void run_member(Island& island, std::size_t number, Picoseconds due_ps, Picoseconds limit_ps);
    void enter(Island& island);
    void leave_island();
    Island& add_island();
    void count(Island& island);
    void arm(Picoseconds due_ps);
    [[nodiscard]] Picoseconds kernel_limit_ps() const;

    const sc_core::sc_time& kernel_time_ = sc_core::sc_get_curr_simcontext()->time_stamp();
    std::vector<std::unique_ptr<Island>> islands_;
    Tournament due_;  ///< Of islands; the one that is running takes no part.
    Island* running_ = nullptr;
    std::vector<Island*> ran_;  ///< In this activation.
    sc_core::sc_event wake_;
    Picoseconds armed_for_ps_ = kNever;
    Picoseconds ahead_ps_ = 0;
    bool active_ = false;
    std::uint64_t activations_ = 0;
};

Picoseconds TimelineModule::Agenda::horizon_ps = 0;

TimelineModule::Island& TimelineModule::Agenda::add_island() {
    islands_.push_back(std::make_unique<Island>());
    islands_.back()->number = islands_.size() - 1;
    ran_.reserve(islands_.size());
    due_.resize(islands_.size());
    for (const auto& island : islands_) due_.set(island->number, island->due.next_due_ps());
    return *islands_.back();
}

void TimelineModule::Agenda::count(Island& island) {
    island.count();
    due_.set(island.number, island.due.next_due_ps());
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
    try {
        run_tasks();
    } catch (...) {
        abandon();
        throw;
    }
    active_ = false;
    arm(due_.next_due_ps());
}

/// A task threw: nobody is running any more, the time is the kernel's. Who asks later why the model
/// broke can still ask for the time and cancel tasks.
void TimelineModule::Agenda::abandon() {
    active_ = false;
    running_ = nullptr;
    ahead_ps_ = 0;
    ran_.clear();
    for (const auto& island : islands_) {
        island->running = Tournament::kNobody;
        count(*island);
    }
}

void TimelineModule::Agenda::run_tasks() {
    const Picoseconds now_ps = kernel_time_.value();
    // Always from the beginning: island 0 may give any other something to do.
    while (due_.next_due_ps() <= now_ps) run_due(*islands_[due_.first_due(0, now_ps)], now_ps);
    if (const Picoseconds limit_ps = kernel_limit_ps(); limit_ps > 0) {
        // Others have had nothing to do since they last ran ahead.
        const Picoseconds shared_ps = std::min(horizon_ps, islands_.front()->due.next_due_ps());
        for (Island* island : ran_) {
            if (island->number == 0) continue;
            run_ahead(*island, std::min(shared_ps, island->next_kernel_wait_ps()));
        }
        run_ahead(*islands_.front(), limit_ps);
    }
    ran_.clear();
}

void TimelineModule::Agenda::enter(Island& island) {
    running_ = &island;
    due_.set(island.number, kNever);
}

void TimelineModule::Agenda::leave_island() {
    due_.set(running_->number, running_->due.next_due_ps());
    running_ = nullptr;
}

/// Round after round, since one may give those before it something to do.
void TimelineModule::Agenda::run_due(Island& island, Picoseconds now_ps) {
    enter(island);
    for (std::size_t next = 0; island.due.next_due_ps() <= now_ps;) {
        const std::size_t number = island.due.first_due(next, now_ps);
        next = number == Tournament::kNobody ? 0 : number + 1;
        if (next > 0) run_member(island, number, now_ps, 0);
    }
    leave_island();
    if (std::find(ran_.begin(), ran_.end(), &island) == ran_.end()) ran_.push_back(&island);
}

/// Tasks of one member: all that are due at `due_ps`, and later ones, before `limit_ps`, for as
/// long as nobody whom they may touch has anything to do before them.
void TimelineModule::Agenda::run_member(Island& island, std::size_t number, Picoseconds due_ps,
                                        Picoseconds limit_ps) {
    TimelineModule& member = *island.members[number];
    if (member.last_activation_ != activations_) {
        member.last_activation_ = activations_;
        member.activations_++;
    }
    const Picoseconds start_ps = kernel_time_.value();
    const bool touches_all = island.number == 0;
    island.running = number;
    island.due.set(number, kNever);
    do {
        ahead_ps_ = due_ps - start_ps;
        while (member.queue_.run_one(due_ps)) {
        }
        due_ps = member.queue_.next_due_ps();
    } while (due_ps < limit_ps && due_ps < island.due.next_due_ps() &&
             (!touches_all || due_ps < due_.next_due_ps()));
    island.running = Tournament::kNobody;
    ahead_ps_ = 0;
    island.due.set(number, due_ps);
}

/// Tasks of devices before `limit_ps`, as long as they are the next thing to happen to anybody whom
/// they may touch.
void TimelineModule::Agenda::run_ahead(Island& island, Picoseconds limit_ps) {
    enter(island);
    while (island.due.next_due_ps() < limit_ps) {
        const Picoseconds due_ps = island.due.next_due_ps();
        if (island.number == 0 && due_.next_due_ps() <= due_ps) break;
        const std::size_t number = island.due.first_due(0, due_ps);
        if (island.members[number]->pace_ != Pace::kAhead) break;
        run_member(island, number, due_ps, limit_ps);
    }
    leave_island();
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

void TimelineModule::separate(const std::vector<std::vector<TimelineModule*>>& islands) {
    for (const std::vector<TimelineModule*>& members : islands) {
        if (!members.empty()) members.front()->agenda_->separate(members);
    }
}

TimelineModule::KernelWait::KernelWait(TimelineModule& timeline, Picoseconds until_ps)
    : timeline_(timeline), until_ps_(until_ps) {
    timeline.island_->kernel_waits.push_back(until_ps);
}

TimelineModule::KernelWait::~KernelWait() {
    std::vector<Picoseconds>& waits = timeline_.island_->kernel_waits;
    *std::find(waits.begin(), waits.end(), until_ps_) = waits.back();
    waits.pop_back();
}

void TimelineModule::wait_until(Picoseconds until_ps) {
    const Picoseconds now_ps = kernel_time_.value();
    if (until_ps <= now_ps) return;
    const KernelWait waiting(*this, until_ps);
    sc_core::wait(sc_core::sc_time::from_value(until_ps - now_ps));
}

}  // namespace doorbell
