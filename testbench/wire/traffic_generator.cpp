#include "testbench/wire/traffic_generator.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"
#include "hw/mac/internet_checksum.hpp"

namespace doorbell::wire {
namespace {

/// So many frames are handed to the cable at a time: one activation for all of them.
constexpr std::uint32_t kBatch = 8;
/// How often it looks whether the other end listens.
constexpr Picoseconds kLook_ps = microseconds(10);

// IEEE 802.3 28.2 and 40.5: 10 and 100 Mb/s and 1000BASE-T, both duplexes, no PAUSE. A generator
// that a receiver can hold up would not show what the receiver loses.
constexpr std::uint16_t kAnar = 0x01E1;
constexpr std::uint16_t kCtrl1000 = 0x0700;

constexpr std::uint32_t kGapBytes = 12;
constexpr std::uint32_t kIpBytes = 20;
constexpr std::uint32_t kUdpBytes = 8;
constexpr std::uint32_t kNumberBytes = 8;
constexpr std::uint32_t kIpLength = 2;
constexpr std::uint32_t kIpIdentification = 4;
constexpr std::uint32_t kIpChecksum = 10;
constexpr std::uint32_t kUdpLength = 4;
constexpr std::uint32_t kUdpChecksum = 6;
constexpr std::uint8_t kProtocolUdp = 17;
constexpr std::uint32_t kFrom = 0xc0a86401;  // 192.168.100.1 and .2, as packet_generator has them
constexpr std::uint32_t kTo = 0xc0a86402;
constexpr std::uint16_t kTypeIp = 0x0800;
constexpr std::uint16_t kTypeVlan = 0x8100;

constexpr std::uint32_t kPatternPeriod = 65536;

void store_be64(std::uint8_t* at, std::uint64_t value) {
    store_be32(at, static_cast<std::uint32_t>(value >> 32));
    store_be32(at + 4, static_cast<std::uint32_t>(value));
}

}  // namespace

TrafficGenerator::TrafficGenerator(Timeline& timeline, FramePool& frames,
                                   const GeneratorParams& params)
    : timeline_(timeline),
      frames_(frames),
      params_(params),
      step_([this] { step(); }),
      byte_time_(params.rate_mbps),
      period_ps_(params.rate_fps == 0 ? 0 : seconds(1) / params.rate_fps),
      period_left_(params.rate_fps == 0 ? 0 : seconds(1) % params.rate_fps) {
    assert(params.size_bytes >= GeneratorParams::kLeastBytes &&
           params.size_bytes <= GeneratorParams::kMostBytes);
    ip_at_ = ethernet::kHeaderBytes + (params.vlan_tag != 0 ? ethernet::kVlanTagBytes : 0);
    headers_.resize(ip_at_ + kIpBytes + kUdpBytes);
    std::uint8_t* head = headers_.data();
    std::memcpy(head, params.to.data(), params.to.size());
    std::memcpy(head + params.to.size(), params.from.data(), params.from.size());
    std::uint8_t* type = head + ethernet::kTypeOffset;
    if (params.vlan_tag != 0) {
        store_be16(type, kTypeVlan);
        store_be16(type + 2, params.vlan_tag);
        type += ethernet::kVlanTagBytes;
    }
    store_be16(type, kTypeIp);
    std::uint8_t* ip = head + ip_at_;
    const auto datagram =
        static_cast<std::uint16_t>(params.size_bytes - Frame::kFcsBytes - ip_at_ - kIpBytes);
    ip[0] = 0x45;
    store_be16(ip + kIpLength, static_cast<std::uint16_t>(datagram + kIpBytes));
    ip[8] = 64;
    ip[9] = kProtocolUdp;
    store_be32(ip + 12, kFrom);
    store_be32(ip + 16, kTo);
    std::uint8_t* udp = ip + kIpBytes;
    store_be16(udp, params.port);
    store_be16(udp + 2, params.port);
    store_be16(udp + kUdpLength, datagram);
    header_sum_ = internet_sum(ip + 12, 8) + std::uint64_t{kProtocolUdp} + datagram +
                  internet_sum(udp, kUdpBytes);
    pattern_.resize(kPatternPeriod + GeneratorParams::kMostBytes);
    for (std::size_t i = 0; i < pattern_.size(); i++) {
        const std::size_t place = i % kPatternPeriod;
        pattern_[i] = static_cast<std::uint8_t>(place ^ place >> 8);
    }
}

TrafficGenerator::~TrafficGenerator() {
    timeline_.cancel(step_);
}

void TrafficGenerator::connect(EthernetPort& cable, const EthernetEndpoint& other) {
    cable_ = &cable;
    other_ = &other;
}

void TrafficGenerator::start() {
    LinkAbilities offer;
    offer.present = true;
    offer.anar = kAnar;
    offer.ctrl1000 = kCtrl1000;
    cable_->advertise(offer);
    if (params_.count > 0) timeline_.schedule(step_, params_.start_ps);
}

/// A batch of frames, and the next one when its last frame starts.
void TrafficGenerator::step() {
    if (!began_) {
        if (!other_->listens()) {
            timeline_.schedule(step_, timeline_.now_ps() + kLook_ps);
            return;
        }
        began_ = true;
        next_ps_ = timeline_.now_ps();
    }
    Picoseconds last_ps = next_ps_;
    for (std::uint32_t i = 0; i < kBatch && sent_ < params_.count; i++, sent_++) {
        FramePtr frame = make();
        const Picoseconds start_ps = next_ps_;
        const Picoseconds end_ps =
            start_ps + byte_time_.take(ethernet::kPreambleBytes + params_.size_bytes);
        const Picoseconds free_ps = end_ps + byte_time_.take(kGapBytes);
        last_ps = start_ps;
        if (params_.rate_fps == 0) {
            next_ps_ = free_ps;
        } else {
            period_fraction_ += period_left_;
            const bool carry = period_fraction_ >= params_.rate_fps;
            if (carry) period_fraction_ -= params_.rate_fps;
            next_ps_ = std::max(free_ps, start_ps + period_ps_ + (carry ? 1 : 0));
            if (next_ps_ > free_ps) byte_time_.forget_fraction();
        }
        cable_->transmit(std::move(frame), start_ps, end_ps);
    }
    if (!done()) timeline_.schedule(step_, last_ps);
}

FramePtr TrafficGenerator::make() {
    FramePtr frame = frames_.take();
    const std::uint32_t size = params_.size_bytes - Frame::kFcsBytes;
    frame->resize(size);
    frame->number = params_.first_frame_number + sent_ + 1;
    if (params_.first_packet != 0) frame->packet = params_.first_packet + sent_;
    std::uint8_t* data = frame->data();
    std::memcpy(data, headers_.data(), headers_.size());
    std::uint8_t* ip = data + ip_at_;
    store_be16(ip + kIpIdentification, static_cast<std::uint16_t>(sent_));
    store_be16(ip + kIpChecksum, static_cast<std::uint16_t>(~internet_sum(ip, kIpBytes)));
    std::uint8_t* udp = ip + kIpBytes;
    std::uint8_t* payload = udp + kUdpBytes;
    const auto payload_bytes = static_cast<std::uint32_t>(data + size - payload);
    store_be64(payload, sent_);
    fill(payload + kNumberBytes, sent_ + kNumberBytes, payload_bytes - kNumberBytes);
    const auto sum = static_cast<std::uint16_t>(~internet_sum(payload, payload_bytes, header_sum_));
    store_be16(udp + kUdpChecksum, sum == 0 ? 0xffff : sum);
    return frame;
}

/// Byte i of a payload is its place xor the places of its upper bytes
/// (guest_stack/apps/test_packet).
void TrafficGenerator::fill(std::uint8_t* payload, std::uint64_t place,
                            std::uint32_t size_bytes) const {
    while (size_bytes > 0) {
        const auto low = static_cast<std::uint32_t>(place % kPatternPeriod);
        const std::uint32_t run = std::min(size_bytes, kPatternPeriod - low);
        const auto high = static_cast<std::uint8_t>(place / kPatternPeriod);
        const std::uint8_t* from = pattern_.data() + low;
        for (std::uint32_t i = 0; i < run; i++) {
            payload[i] = static_cast<std::uint8_t>(from[i] ^ high);
        }
        payload += run;
        place += run;
        size_bytes -= run;
    }
}

void TrafficGenerator::receive(FramePtr frame, Picoseconds start_ps, Picoseconds) {
    if (received_.frames > 0) {
        const Picoseconds gap_ps = start_ps - received_.last_start_ps;
        received_.gap_min_ps = std::min(received_.gap_min_ps, gap_ps);
        received_.gap_max_ps = std::max(received_.gap_max_ps, gap_ps);
    }
    received_.last_start_ps = start_ps;
    received_.frames++;
    received_.bytes += frame->wire_bytes();
    if (!frame->fcs_good()) {
        received_.damaged++;
        return;
    }
    count_number(*frame);
}

/// Datagrams of packet_generator, or of another generator, are numbered.
void TrafficGenerator::count_number(const Frame& frame) {
    const std::uint8_t* data = frame.data();
    const std::uint8_t* type = data + ethernet::kTypeOffset;
    if (load_be16(type) == kTypeVlan) type += ethernet::kVlanTagBytes;
    const std::uint8_t* ip = type + 2;
    const std::uint8_t* number = ip + kIpBytes + kUdpBytes;
    if (number + kNumberBytes > data + frame.size_bytes()) return;
    if (load_be16(type) != kTypeIp || ip[9] != kProtocolUdp ||
        load_be16(ip + kIpBytes + 2) != params_.port) {
        return;
    }
    const std::uint64_t value = std::uint64_t{load_be32(number)} << 32 | load_be32(number + 4);
    if (value < received_.next_number) return;
    received_.missing += value - received_.next_number;
    received_.next_number = value + 1;
}

void TrafficGenerator::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("sent.frames", sent_);
    visitor.metric("sent.bytes", sent_ * params_.size_bytes);
    visitor.metric("received.frames", received_.frames);
    visitor.metric("received.bytes", received_.bytes);
    visitor.metric("received.damaged_frames", received_.damaged);
    visitor.metric("received.missing_frames", received_.missing);
    visitor.metric("received.start_gap_min_ps",
                   received_.gap_min_ps == kNever ? 0 : received_.gap_min_ps);
    visitor.metric("received.start_gap_max_ps", received_.gap_max_ps);
}

}  // namespace doorbell::wire
