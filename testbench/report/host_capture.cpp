#include "testbench/report/host_capture.hpp"

#include <algorithm>
#include <cstddef>

#include "hw/base/dma_port.hpp"
#include "hw/base/generated/events.hpp"
#include "hw/mac/receive_filter.hpp"

namespace doorbell::report {
namespace {

/// A frame is given up when so many newer ones are being stored: its DMA has failed.
constexpr std::size_t kFramesAtOnce = 64;

}  // namespace

class HostCapture::Nic final : public BorderListener {
public:
    Nic(std::string nic_name, std::uint32_t number)
        : name(std::move(nic_name)), interface(number) {}

    /// The event that says what a write was comes right after its crossing.
    void crossing(const Crossing& crossing) override {
        if (crossing.kind != CrossingKind::kDmaWrite || crossing.data == nullptr) return;
        last_address_ = crossing.address;
        last_bytes_.assign(crossing.data, crossing.data + crossing.size_bytes);
    }

    void written(const Event& event) {
        if (event.args[0] != last_address_ || event.args[1] != last_bytes_.size()) return;
        auto it = find(event.frame);
        if (it == assembling_.end()) {
            if (assembling_.size() == kFramesAtOnce) assembling_.erase(assembling_.begin());
            it = assembling_.insert(assembling_.end(), {event.frame, {}});
        }
        it->bytes.insert(it->bytes.end(), last_bytes_.begin(), last_bytes_.end());
    }

    void stored(const Event& event, WireCapture& capture) {
        const auto it = find(event.frame);
        if (it == assembling_.end()) return;
        capture.add_stored(interface, event.time_ps, event.packet, it->bytes);
        assembling_.erase(it);
    }

    const std::string name;
    const std::uint32_t interface;

private:
    struct Assembly {
        std::uint64_t frame;
        std::vector<std::uint8_t> bytes;
    };
    std::vector<Assembly>::iterator find(std::uint64_t frame) {
        return std::find_if(assembling_.begin(), assembling_.end(),
                            [&](const Assembly& a) { return a.frame == frame; });
    }

    std::uint64_t last_address_ = 0;
    std::vector<std::uint8_t> last_bytes_;
    std::vector<Assembly> assembling_;
};

HostCapture::HostCapture(WireCapture& capture, const EventHub& hub)
    : capture_(capture), hub_(hub) {}

HostCapture::~HostCapture() = default;

BorderListener& HostCapture::add_nic(const std::string& name) {
    nics_.push_back(std::make_unique<Nic>(name, capture_.add_host_side(name)));
    return *nics_.back();
}

HostCapture::Nic* HostCapture::nic_of(std::uint16_t source) {
    const std::string& name = hub_.sources().at(source);
    for (const auto& nic : nics_) {
        if (nic->name == name) return nic.get();
    }
    return nullptr;
}

void HostCapture::event(const Event& event) {
    const auto type = static_cast<EventType>(event.type);
    if (type != EventType::kDmaWrite && type != EventType::kFrameStored &&
        type != EventType::kFrameDrop) {
        return;
    }
    Nic* nic = nic_of(event.source);
    if (nic == nullptr) return;
    if (type == EventType::kFrameStored) {
        nic->stored(event, capture_);
    } else if (type == EventType::kFrameDrop) {
        capture_.comment_arrival(nic->name, event.frame,
                                 std::string("dropped by the MAC: ") +
                                     drop_reason_name(static_cast<DropReason>(event.args[0])));
    } else if (event.args[2] == static_cast<std::uint64_t>(DmaKind::kRxData)) {
        nic->written(event);
    }
}

}  // namespace doorbell::report
