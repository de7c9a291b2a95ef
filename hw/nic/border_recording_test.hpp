#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "hw/nic/border.hpp"
#include "hw/nic/nic.hpp"

/// The border of a NIC on tape: recorded from one, played into another.
namespace doorbell::nic_test {

/// A crossing with everything it pointed at.
struct Taped {
    Crossing crossing;
    std::vector<std::uint8_t> bytes;
    std::optional<LinkAbilities> abilities;

    [[nodiscard]] bool comes_in() const {
        switch (crossing.kind) {
            case CrossingKind::kConfigRead:
            case CrossingKind::kConfigWrite:
            case CrossingKind::kBarRead:
            case CrossingKind::kBarWrite:
            case CrossingKind::kFrameIn:
            case CrossingKind::kPartner:
            case CrossingKind::kPowerOnReset:
            case CrossingKind::kPcieReset:
                return true;
            default:
                return false;
        }
    }
    bool operator==(const Taped& other) const {
        const Crossing& a = crossing;
        const Crossing& b = other.crossing;
        return a.kind == b.kind && a.time_ps == b.time_ps && a.unit == b.unit &&
               a.address == b.address && a.value == b.value && a.packet == b.packet &&
               a.size_bytes == b.size_bytes && a.start_ps == b.start_ps && a.end_ps == b.end_ps &&
               bytes == other.bytes;
    }
};

class Tape final : public BorderListener {
public:
    void crossing(const Crossing& crossing) override {
        Taped taped{crossing, {}, std::nullopt};
        if (crossing.data != nullptr) {
            taped.bytes.assign(crossing.data, crossing.data + crossing.size_bytes);
        }
        if (crossing.abilities != nullptr) taped.abilities = *crossing.abilities;
        taped.crossing.data = nullptr;
        taped.crossing.frame = nullptr;
        taped.crossing.abilities = nullptr;
        crossings.push_back(std::move(taped));
    }
    std::vector<Taped> crossings;
};

/// A host and a wire that are only a tape: DMA reads are answered from it.
class TapedWorld final : public HostPort, public EthernetPort {
public:
    explicit TapedWorld(const std::vector<Taped>& tape) : tape_(tape) {}

    DmaStatus read(std::uint64_t address, std::uint8_t* target, std::uint32_t size_bytes,
                   std::uint64_t& packet) override {
        const Taped* then = next(CrossingKind::kDmaRead);
        packet = 0;
        if (then == nullptr || then->crossing.address != address ||
            then->crossing.size_bytes != size_bytes) {
            return DmaStatus::kUnsupportedRequest;
        }
        packet = then->crossing.packet;
        std::copy(then->bytes.begin(), then->bytes.end(), target);
        return static_cast<DmaStatus>(then->crossing.value);
    }
    DmaStatus write(std::uint64_t, const std::uint8_t*, std::uint32_t, std::uint64_t) override {
        const Taped* then = next(CrossingKind::kDmaWrite);
        return then == nullptr ? DmaStatus::kUnsupportedRequest
                               : static_cast<DmaStatus>(then->crossing.value);
    }
    void message(std::uint64_t, std::uint32_t) override {}
    void interrupt_pin(bool) override {}
    void transmit(FramePtr, Picoseconds, Picoseconds) override {}
    void advertise(const LinkAbilities&) override {}

private:
    const Taped* next(CrossingKind kind) {
        std::size_t& at = kind == CrossingKind::kDmaRead ? read_ : write_;
        while (at < tape_.size() && tape_[at].crossing.kind != kind) at++;
        return at < tape_.size() ? &tape_[at++] : nullptr;
    }
    const std::vector<Taped>& tape_;
    std::size_t read_ = 0;
    std::size_t write_ = 0;
};

/// Does to the NIC, at its time, what came in then.
inline void play(const std::vector<Taped>& tape, ManualTimeline& timeline, FramePool& frames,
                 Nic& nic) {
    for (const Taped& taped : tape) {
        if (!taped.comes_in()) continue;
        const Crossing& in = taped.crossing;
        const auto offset = static_cast<std::uint32_t>(in.address);
        timeline.advance_until(in.time_ps);
        switch (in.kind) {
            case CrossingKind::kConfigRead:
                (void)nic.config_read(offset, in.unit);
                break;
            case CrossingKind::kConfigWrite:
                nic.config_write(offset, in.unit, static_cast<std::uint32_t>(in.value));
                break;
            case CrossingKind::kBarRead:
                (void)nic.bar_read(in.unit, offset);
                break;
            case CrossingKind::kBarWrite:
                nic.bar_write(in.unit, offset, static_cast<std::uint32_t>(in.value));
                break;
            case CrossingKind::kFrameIn: {
                FramePtr frame = frames.take();
                frame->resize(in.size_bytes);
                std::copy(taped.bytes.begin(), taped.bytes.end(), frame->data());
                frame->packet = in.packet;
                nic.receive(std::move(frame), in.start_ps, in.end_ps);
                break;
            }
            case CrossingKind::kPartner:
                nic.partner(*taped.abilities);
                break;
            case CrossingKind::kPowerOnReset:
                nic.power_on_reset();
                break;
            case CrossingKind::kPcieReset:
                nic.pcie_reset();
                break;
            default:
                break;
        }
    }
}

}  // namespace doorbell::nic_test
