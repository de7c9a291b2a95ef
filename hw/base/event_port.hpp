#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "hw/base/time.hpp"

/// One stream of events. A block holds an `EventPort` and reports through the generated functions
/// of `generated/events.hpp`; captures, the trace, the hash and the report are listeners of the
/// hub. With no listener a report costs one predictable branch.
namespace doorbell {

/// Whom an event is about; {} when about no packet.
struct PacketRef {
    std::uint64_t packet = 0;
    std::uint64_t frame = 0;
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
        return hub_ != nullptr && hub_->active();
    }
#endif
    void emit(const Event& event) const {
        hub_->emit(event);
    }
    [[nodiscard]] std::uint16_t source() const {
        return source_;
    }

private:
    EventHub* hub_ = nullptr;
    std::uint16_t source_ = 0;
};

}  // namespace doorbell
