#include "testbench/checks/journey_meter.hpp"

#include <algorithm>

#include "hw/base/generated/events.hpp"

namespace doorbell::checks {
namespace {

// As events.toml numbers them.
constexpr std::uint64_t kTx = 0;
constexpr std::uint64_t kUp = 1;
constexpr std::uint64_t kDriver = 7;
constexpr std::uint64_t kWrittenBack = 3;

bool is(const Event& event, EventType type) {
    return event.type == static_cast<std::uint16_t>(type);
}

}  // namespace

JourneyMeter::JourneyMeter(std::uint16_t nic, std::uint16_t guest)
    : nic_(nic), guest_(guest), arrivals_(kFrames), read_since_(kFrames), packets_(kFrames) {
    for (Queue& queue : queues_) queue.rung_ps.resize(kMostDescriptors);
}

void JourneyMeter::event(const Event& event) {
    if (event.source == guest_) {
        if (!is(event, EventType::kLayer) || event.packet == 0) return;
        if (event.args[0] != kDriver || event.args[1] != kUp) return;
        const std::size_t place = event.packet % kFrames;
        if (packets_[place] != event.packet) return;
        packets_[place] = 0;  // A packet in several buffers is read at its first.
        if (counts(read_since_[place])) wire_to_reader_.add(event.time_ps - read_since_[place]);
        return;
    }
    if (event.source != nic_) return;
    if (is(event, EventType::kFrameArrive)) return arrived(event);
    if (!is(event, EventType::kDoorbell) && !is(event, EventType::kDescriptor)) return;
    if (event.args[0] != kTx) {
        if (!is(event, EventType::kDescriptor) || event.args[3] != kWrittenBack) return;
        Arrival& arrival = arrivals_[event.frame % kFrames];
        if (arrival.frame == event.frame && event.frame != 0) arrival.done_ps = event.time_ps;
        return;
    }
    if (event.args[1] >= kQueues || event.args[2] >= kMostDescriptors) return;
    Queue& queue = queues_[event.args[1]];
    const auto index = static_cast<std::uint32_t>(event.args[2]);
    if (is(event, EventType::kDoorbell)) return rung(queue, index, event.time_ps);
    if (event.args[3] != kWrittenBack) return;
    const Picoseconds since_ps = queue.rung_ps[index];
    queue.rung_ps[index] = 0;
    if (since_ps != 0 && counts(since_ps)) doorbell_to_done_.add(event.time_ps - since_ps);
}

/// The descriptors from the old tail to the new one are given. Of the ring's length nothing is
/// known: round its end, all behind the old tail are marked, of which those that exist are used.
void JourneyMeter::rung(Queue& queue, std::uint32_t tail, Picoseconds now_ps) {
    const auto at = [&](std::uint32_t index) {
        return queue.rung_ps.begin() + static_cast<std::ptrdiff_t>(index);
    };
    if (tail >= queue.tail) {
        std::fill(at(queue.tail), at(tail), now_ps);
    } else {
        std::fill(at(queue.tail), queue.rung_ps.end(), now_ps);
        std::fill(queue.rung_ps.begin(), at(tail), now_ps);
    }
    queue.tail = tail;
}

void JourneyMeter::arrived(const Event& event) {
    if (event.frame == 0) return;
    Arrival& arrival = arrivals_[event.frame % kFrames];
    close(arrival);
    arrival = {event.frame, event.time_ps, 0};
    if (event.packet == 0) return;
    packets_[event.packet % kFrames] = event.packet;
    read_since_[event.packet % kFrames] = event.time_ps;
}

void JourneyMeter::close(Arrival& arrival) {
    if (arrival.done_ps != 0 && counts(arrival.arrived_ps)) {
        wire_to_done_.add(arrival.done_ps - arrival.arrived_ps);
    }
    arrival = {};
}

void JourneyMeter::finish() {
    for (Arrival& arrival : arrivals_) close(arrival);
}

}  // namespace doorbell::checks
