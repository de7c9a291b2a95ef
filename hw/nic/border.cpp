#include "hw/nic/border.hpp"

#include <utility>

namespace doorbell {

void Border::report(Crossing crossing) const {
    crossing.time_ps = timeline_.now_ps();
    listener_->crossing(crossing);
}

DmaStatus Border::read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                       std::uint64_t& packet) {
    const DmaStatus status = host_.read(address, target, size_bytes, packet);
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kDmaRead;
        crossing.address = address;
        crossing.value = static_cast<std::uint64_t>(status);
        crossing.packet = packet;
        crossing.size_bytes = size_bytes;
        // What was refused brought nothing in.
        crossing.data = status == DmaStatus::kOk ? target : nullptr;
        report(crossing);
    }
    return status;
}

DmaStatus Border::write(std::uint64_t address, const std::uint8_t* source, std::uint32_t size_bytes,
                        std::uint64_t packet) {
    const DmaStatus status = host_.write(address, source, size_bytes, packet);
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kDmaWrite;
        crossing.address = address;
        crossing.value = static_cast<std::uint64_t>(status);
        crossing.packet = packet;
        crossing.size_bytes = size_bytes;
        crossing.data = source;
        report(crossing);
    }
    return status;
}

void Border::message(std::uint64_t address, std::uint32_t data) {
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kMessage;
        crossing.address = address;
        crossing.value = data;
        report(crossing);
    }
    host_.message(address, data);
}

void Border::interrupt_pin(bool asserted) {
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kInterruptPin;
        crossing.value = asserted ? 1 : 0;
        report(crossing);
    }
    host_.interrupt_pin(asserted);
}

void Border::power_management_event() {
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kPowerManagementEvent;
        report(crossing);
    }
    host_.power_management_event();
}

void Border::transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    if (listened()) report(of_frame(CrossingKind::kFrameOut, *frame, start_ps, end_ps));
    wire_.transmit(std::move(frame), start_ps, end_ps);
}

void Border::advertise(const LinkAbilities& abilities) {
    if (listened()) {
        Crossing crossing;
        crossing.kind = CrossingKind::kAdvertise;
        crossing.abilities = &abilities;
        report(crossing);
    }
    wire_.advertise(abilities);
}

Crossing Border::of_frame(CrossingKind kind, const Frame& frame, Picoseconds start_ps,
                          Picoseconds end_ps) {
    Crossing crossing;
    crossing.kind = kind;
    crossing.packet = frame.packet;
    crossing.data = frame.data();
    crossing.size_bytes = frame.size_bytes();
    crossing.start_ps = start_ps;
    crossing.end_ps = end_ps;
    crossing.frame = &frame;
    return crossing;
}

}  // namespace doorbell
