#include "testbench/wire/far_side_base.hpp"

#include <cassert>
#include <cstring>
#include <utility>

#include "hw/mac/ethernet.hpp"
#include "hw/mac/pause.hpp"
#include "hw/phy/negotiation.hpp"

namespace doorbell::wire {
namespace {

/// Before both ends have said what they can.
constexpr std::uint32_t kUnknownSpeed_mbps = 1000;
constexpr std::uint16_t kTypeMacControl = 0x8808;              // IEEE 802.3 annex 31A
constexpr ethernet::Address kPauseAddress = 0x0100'00c2'8001;  // 01:80:C2:00:00:01
constexpr std::uint16_t kAnarEverything = 0x05E1;  // 10 and 100 Mb/s, both duplexes, PAUSE
// 1000BASE-T, both duplexes, and a device with several ports: it gives the clock.
constexpr std::uint16_t kCtrl1000Everything = 0x0700;

}  // namespace

FarSideBase::FarSideBase(const FarSideContext& context)
    : context_(context), pause_over_([this] { deliver(); }) {}

FarSideBase::~FarSideBase() {
    context_.timeline.cancel(pause_over_);
}

LinkAbilities FarSideBase::gigabit_partner() {
    LinkAbilities partner;
    partner.present = true;
    partner.negotiates = true;
    partner.anar = kAnarEverything;
    partner.ctrl1000 = kCtrl1000Everything;
    return partner;
}

void FarSideBase::attach(EthernetEndpoint& endpoint) {
    assert(endpoint_ == nullptr && "attached twice");
    endpoint_ = &endpoint;
    offer(first_offer());
}

/// The partner's offer does not depend on the NIC's: each end resolves both for itself.
void FarSideBase::advertise(const LinkAbilities& abilities) {
    nic_offer_ = abilities;
}

void FarSideBase::offer(const LinkAbilities& abilities) {
    our_offer_ = abilities;
    if (endpoint_ != nullptr) endpoint_->partner(abilities);
}

WireOffloads FarSideBase::offloads() const {
    WireOffloads offloads = outward_offloads();
    if (tap_ != nullptr) offloads.checksums = offloads.trains = false;
    return offloads;
}

void FarSideBase::transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) {
    frames_outward_++;
    bytes_outward_ += frame->wire_bytes();
    if (tap_ != nullptr) tap_->frame_out(0, *frame, start_ps);
    if (pause_ends() != PauseEnds::kBeyond && obey_pause(*frame) &&
        pause_ends() == PauseEnds::kHere) {
        return;
    }
    if (!carries_damage() && !frame->fcs_good()) return count_lost_outward();
    send(std::move(frame), start_ps, end_ps);
}

/// Whether it is a PAUSE frame. Its time counts in bits of the link.
bool FarSideBase::obey_pause(const Frame& frame) {
    const std::uint8_t* data = frame.data();
    const bool is_one = frame.size_bytes() >= pause::kMinimumBytes &&
                        load_be16(data + ethernet::kTypeOffset) == kTypeMacControl &&
                        ethernet::load_address(data) == kPauseAddress &&
                        load_be16(data + pause::kOpcodeOffset) == pause::kOpcode;
    if (!is_one || !frame.fcs_good()) return is_one;
    pauses_++;
    const std::uint64_t quanta = load_be16(data + pause::kTimeOffset);
    const phy::Resolution link = phy::resolve(our_offer_, nic_offer_);
    const std::uint32_t speed_mbps = link.link ? link.speed_mbps : kUnknownSpeed_mbps;
    paused_until_ps_ =
        context_.timeline.now_ps() + pause::bit_times(quanta * pause::kQuantumBits, speed_mbps);
    context_.timeline.schedule(pause_over_, paused_until_ps_);
    return true;
}

void FarSideBase::arrive(FramePtr frame, Padding padding) {
    constexpr std::uint32_t kMinimum = ethernet::kMinimumFrameBytes - ethernet::kFcsBytes;
    const std::uint32_t size = frame->size_bytes();
    if (size < ethernet::kHeaderBytes || waiting_.size() >= kWaitingFrames) {
        return count_lost_inward();
    }
    if (size < kMinimum && padding == Padding::kToMinimum) {
        std::memset(frame->data() + size, 0, kMinimum - size);
        frame->resize(kMinimum);
    }
    waiting_.push_back(std::move(frame));
}

void FarSideBase::deliver() {
    while (!waiting_.empty() && endpoint_ != nullptr) {
        const bool paused = paused_until_ps_ > context_.timeline.now_ps();
        if (paused || !endpoint_->has_room(waiting_.front()->wire_bytes())) {
            held_back_++;
            return;
        }
        FramePtr frame = std::move(waiting_.front());
        waiting_.pop_front();
        frames_inward_++;
        bytes_inward_ += frame->wire_bytes();
        const Picoseconds now_ps = context_.timeline.now_ps();
        if (tap_ != nullptr) tap_->frame_in(0, *frame, now_ps);
        endpoint_->receive(std::move(frame), now_ps, now_ps);
    }
}

void FarSideBase::flush() {
    deliver();
}

void FarSideBase::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("outward.frames", frames_outward_);
    visitor.metric("outward.bytes", bytes_outward_);
    visitor.metric("outward.lost_frames", lost_outward_);
    visitor.metric("inward.frames", frames_inward_);
    visitor.metric("inward.bytes", bytes_inward_);
    visitor.metric("inward.lost_frames", lost_inward_);
    visitor.metric("inward.waits", held_back_);
    visitor.metric("inward.pauses", pauses_);
}

}  // namespace doorbell::wire
