#include "testbench/report/host_capture.hpp"

#include <algorithm>
#include <cstddef>

#include "hw/base/dma_port.hpp"
#include "hw/base/generated/events.hpp"
#include "hw/mac/receive_filter.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/report/fetched_packets.hpp"

namespace doorbell::report {

namespace r = regs::i82574l;

namespace {

/// A frame is given up when so many newer ones are being stored: its DMA has failed.
constexpr std::size_t kFramesAtOnce = 64;

}  // namespace

class HostCapture::Side final : public BorderListener {
public:
    Side(std::string nic_name, std::uint32_t number, const doorbell::Nic& nic)
        : name(std::move(nic_name)), interface(number), nic_(nic) {}

    /// The event that says what an access was comes right after its crossing.
    void crossing(const Crossing& crossing) override {
        if (crossing.kind == CrossingKind::kBarWrite) return register_written(crossing);
        const bool access =
            crossing.kind == CrossingKind::kDmaWrite || crossing.kind == CrossingKind::kDmaRead;
        if (!access || crossing.data == nullptr) return;
        last_address_ = crossing.address;
        last_bytes_.assign(crossing.data, crossing.data + crossing.size_bytes);
    }

    void written(const Event& event) {
        if (!is_last(event)) return;
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
        capture.add_at_host(interface, CaptureDirection::kInbound, event.time_ps, event.packet,
                            it->bytes);
        assembling_.erase(it);
    }

    void read(const Event& event, WireCapture& capture) {
        if (event.args[3] != 0 || !is_last(event)) return;
        if (event.args[2] == static_cast<std::uint64_t>(DmaKind::kDescriptorFetch)) {
            for (std::uint32_t q = 0; q < FetchedPackets::kQueues; q++) {
                const std::uint64_t high = nic_.debug_read(0, r::TDBAH.offset_of(q));
                fetched_.place_ring(q, high << 32 | nic_.debug_read(0, r::TDBAL.offset_of(q)),
                                    nic_.debug_read(0, r::TDLEN.offset_of(q)));
            }
            (void)fetched_.descriptors(last_address_, last_bytes_);
        } else {
            fetched_.data(last_address_, last_bytes_, event.packet);
        }
        while (fetched_.take(packet_)) {
            if (packet_.bytes.empty()) continue;
            capture.add_at_host(interface, CaptureDirection::kOutbound, event.time_ps,
                                packet_.identity, packet_.bytes);
        }
    }

    void reset() {
        for (std::uint32_t q = 0; q < FetchedPackets::kQueues; q++) fetched_.restart(q);
    }

    const std::string name;
    const std::uint32_t interface;

private:
    [[nodiscard]] bool is_last(const Event& event) const {
        return event.args[0] == last_address_ && event.args[1] == last_bytes_.size();
    }
    void register_written(const Crossing& crossing) {
        for (std::uint32_t q = 0; q < FetchedPackets::kQueues; q++) {
            if (crossing.unit == 0 && crossing.address == r::TDH.offset_of(q)) fetched_.restart(q);
        }
    }

    struct Assembly {
        std::uint64_t frame;
        std::vector<std::uint8_t> bytes;
    };
    std::vector<Assembly>::iterator find(std::uint64_t frame) {
        return std::find_if(assembling_.begin(), assembling_.end(),
                            [&](const Assembly& a) { return a.frame == frame; });
    }

    const doorbell::Nic& nic_;
    FetchedPackets fetched_;
    FetchedPackets::Packet packet_;
    std::uint64_t last_address_ = 0;
    std::vector<std::uint8_t> last_bytes_;
    std::vector<Assembly> assembling_;
};

HostCapture::HostCapture(WireCapture& capture, const EventHub& hub)
    : capture_(capture), hub_(hub) {}

HostCapture::~HostCapture() = default;

BorderListener& HostCapture::add_nic(const std::string& name, const doorbell::Nic& nic) {
    sides_.push_back(std::make_unique<Side>(name, capture_.add_host_side(name), nic));
    return *sides_.back();
}

HostCapture::Side* HostCapture::side_of(std::uint16_t source) {
    const std::string& name = hub_.sources().at(source);
    for (const auto& side : sides_) {
        if (side->name == name) return side.get();
    }
    return nullptr;
}

void HostCapture::event(const Event& event) {
    const auto type = static_cast<EventType>(event.type);
    if (type != EventType::kDmaWrite && type != EventType::kDmaCompletion &&
        type != EventType::kFrameStored && type != EventType::kFrameDrop &&
        type != EventType::kDeviceReset) {
        return;
    }
    Side* side = side_of(event.source);
    if (side == nullptr) return;
    if (type == EventType::kDmaCompletion) {
        side->read(event, capture_);
    } else if (type == EventType::kDeviceReset) {
        side->reset();
    } else if (type == EventType::kFrameStored) {
        side->stored(event, capture_);
    } else if (type == EventType::kFrameDrop) {
        capture_.comment_arrival(side->name, event.frame,
                                 std::string("dropped by the MAC: ") +
                                     drop_reason_name(static_cast<DropReason>(event.args[0])));
    } else if (event.args[2] == static_cast<std::uint64_t>(DmaKind::kRxData)) {
        side->written(event);
    }
}

}  // namespace doorbell::report
