#pragma once

#include <cstring>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/base/link_port.hpp"

namespace doorbell::wire {

/// A NIC that only remembers what came.
class RecordingEndpoint final : public EthernetEndpoint {
public:
    struct Arrival {
        std::uint64_t number;
        Picoseconds start_ps;
        Picoseconds end_ps;
        bool fcs_good;
        bool operator==(const Arrival& other) const {
            return number == other.number && start_ps == other.start_ps && end_ps == other.end_ps &&
                   fcs_good == other.fcs_good;
        }
    };
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        arrivals.push_back({frame->number, start_ps, end_ps, frame->fcs_good()});
    }
    void partner(const LinkAbilities& abilities) override { partners.push_back(abilities); }

    [[nodiscard]] std::vector<std::uint64_t> numbers() const {
        std::vector<std::uint64_t> result;
        for (const Arrival& arrival : arrivals) result.push_back(arrival.number);
        return result;
    }

    std::vector<Arrival> arrivals;
    std::vector<LinkAbilities> partners;
};

class RecordingListener final : public EventListener {
public:
    void event(const Event& event) override { events.push_back(event); }
    std::vector<Event> events;
};

/// 1 Gb/s: 8 ns per byte; preamble and start delimiter are 8 bytes, the gap is 12.
inline constexpr Picoseconds kByteTime_ps = 8000;
inline Picoseconds duration_ps(const Frame& frame) {
    return (8 + frame.wire_bytes()) * kByteTime_ps;
}

inline FramePtr make_frame(FramePool& pool, std::uint64_t number, std::uint32_t size_bytes = 60) {
    FramePtr frame = pool.take();
    frame->resize(size_bytes);
    std::memset(frame->data(), static_cast<int>(number & 0xff), size_bytes);
    frame->number = number;
    frame->packet = number + 1000;
    return frame;
}

}  // namespace doorbell::wire
