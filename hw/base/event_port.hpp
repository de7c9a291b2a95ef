#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/base/time.hpp"
#include "hw/base/timeline.hpp"

/// One stream of events. A block holds an `EventPort` and reports through the generated functions
/// of `generated/events.hpp`; captures, the trace, the hash and the report are listeners of the
/// hub. With no listener a report costs one predictable branch.
namespace doorbell {

/// Whom an event is about; {} when about no packet.
struct PacketRef {
    std::uint64_t packet = 0;
    std::uint64_t frame = 0;
};

/// When an event happens: an instant, or the timeline's, which is asked only if somebody listens.
class EventTime {
public:
    EventTime(Picoseconds time_ps) : time_ps_(time_ps) {}
    EventTime(const Timeline& timeline) : timeline_(&timeline) {}
    [[nodiscard]] Picoseconds ps() const {
        return timeline_ != nullptr ? timeline_->now_ps() : time_ps_;
    }

private:
    const Timeline* timeline_ = nullptr;
    Picoseconds time_ps_ = 0;
};

struct Event {
    Picoseconds time_ps;
    std::uint64_t packet;
    std::uint64_t frame;
    std::uint64_t args[4];
    std::uint16_t type;
    std::uint16_t source;
};

struct EventDescription {
    std::uint16_t code;
    const char* name;
    const char* args[4];
    const char* description;
};

class EventListener {
public:
    virtual ~EventListener() = default;
    virtual void event(const Event& event) = 0;
};

class EventHub {
public:
    /// Names a source ("a.nic0", "a", "wire0"); the number is its place in the stream's dictionary.
    std::uint16_t add_source(std::string name) {
        sources_.push_back(std::move(name));
        return static_cast<std::uint16_t>(sources_.size() - 1);
    }
    [[nodiscard]] const std::vector<std::string>& sources() const { return sources_; }

    void attach(EventListener& listener) {
        listeners_.push_back(&listener);
        active_ = true;
    }
    void detach(EventListener& listener) {
        listeners_.erase(std::remove(listeners_.begin(), listeners_.end(), &listener),
                         listeners_.end());
        active_ = !listeners_.empty();
    }
    [[nodiscard]] bool active() const { return active_; }

    void emit(const Event& event) {
        for (EventListener* listener : listeners_) listener->event(event);
    }

private:
    std::vector<std::string> sources_;
    std::vector<EventListener*> listeners_;
    bool active_ = false;  ///< There are listeners: asked for every event that nobody hears.
};

/// A block's way into the stream. Default-made: reports go nowhere.
class EventPort {
public:
    EventPort() = default;
    EventPort(EventHub& hub, std::uint16_t source) : hub_(&hub), source_(source) {}

#ifdef DOORBELL_EMPTY_SINK
    [[nodiscard]] static constexpr bool enabled() {
        return false;
    }
#else
    [[nodiscard]] bool enabled() const {
        return hub_->active();
    }
#endif
    void emit(const Event& event) const {
        hub_->emit(event);
    }
    /// Out of the way of code that nobody listens to.
    [[gnu::cold, gnu::noinline]] void report(EventTime when, PacketRef ref, std::uint16_t type,
                                             std::uint64_t a, std::uint64_t b, std::uint64_t c,
                                             std::uint64_t d) const {
        hub_->emit({when.ps(), ref.packet, ref.frame, {a, b, c, d}, type, source_});
    }
    [[nodiscard]] std::uint16_t source() const {
        return source_;
    }

private:
    /// The hub of all that report nowhere: nobody can attach to it.
    [[nodiscard]] static EventHub* nowhere() {
        static EventHub hub;
        return &hub;
    }

    EventHub* hub_ = nowhere();
    std::uint16_t source_ = 0;
};

}  // namespace doorbell
