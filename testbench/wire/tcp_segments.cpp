#include "testbench/wire/tcp_segments.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"
#include "hw/mac/internet_checksum.hpp"

namespace doorbell::wire {
namespace {

constexpr std::uint16_t kTypeVlan = 0x8100;         // IEEE 802.1Q
constexpr std::uint16_t kTypeServiceVlan = 0x88a8;  // IEEE 802.1ad
constexpr unsigned kMaximumTags = 2;

// RFC 791
constexpr std::uint32_t kIpv4MinimumBytes = 20;
constexpr std::uint32_t kIpv4Length = 2;
constexpr std::uint32_t kIpv4Identification = 4;
constexpr std::uint32_t kIpv4Checksum = 10;
// RFC 8200
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint32_t kIpv6Length = 4;
// RFC 9293
constexpr std::uint32_t kTcpMinimumBytes = 20;
constexpr std::uint32_t kTcpSequence = 4;
constexpr std::uint32_t kTcpDataOffset = 12;
constexpr std::uint32_t kTcpFlags = 13;
constexpr std::uint32_t kTcpChecksum = 16;
constexpr std::uint8_t kTcpFin = 0x01;
constexpr std::uint8_t kTcpPsh = 0x08;
constexpr std::uint8_t kTcpCwr = 0x80;

/// A 16-bit word of a one's complement sum changes from `before` to `after` (RFC 1624): the sum it
/// is in, stored as it is.
void change_in_sum(std::uint8_t* sum, std::uint32_t before, std::uint32_t after) {
    const std::uint64_t changed = std::uint64_t{load_be16(sum)} + (~before & 0xffff) + after;
    store_be16(sum, fold_internet_sum(changed));
}
/// The same for a checksum, which is the complement of the sum.
void change_in_checksum(std::uint8_t* checksum, std::uint32_t before, std::uint32_t after) {
    const std::uint64_t sum =
        (~std::uint32_t{load_be16(checksum)} & 0xffff) + std::uint64_t{~before & 0xffff} + after;
    store_be16(checksum, static_cast<std::uint16_t>(~fold_internet_sum(sum)));
}

std::uint32_t ip_header_bytes(const TcpLayout& layout) {
    return layout.tcp - layout.ip;
}

/// Writes the length of what follows the Ethernet header; the checksum of IPv4 follows it.
void set_ip_length(const TcpLayout& layout, std::uint8_t* data, std::uint32_t payload_bytes) {
    const std::uint32_t bytes = ip_header_bytes(layout) + layout.tcp_header_bytes() + payload_bytes;
    std::uint8_t* ip = data + layout.ip;
    if (layout.ipv6) {
        store_be16(ip + kIpv6Length, static_cast<std::uint16_t>(bytes - kIpv6Bytes));
        return;
    }
    change_in_checksum(ip + kIpv4Checksum, load_be16(ip + kIpv4Length), bytes);
    store_be16(ip + kIpv4Length, static_cast<std::uint16_t>(bytes));
}

/// The field of an unfinished checksum holds the sum of a pseudo-header with the old length.
void set_pseudo_length(const TcpLayout& layout, std::uint8_t* data, std::uint32_t before_bytes,
                       std::uint32_t after_bytes) {
    const std::uint32_t header = layout.tcp_header_bytes();
    change_in_sum(data + layout.tcp + kTcpChecksum, header + before_bytes, header + after_bytes);
}

}  // namespace

std::optional<TcpLayout> tcp_layout(const std::uint8_t* data, std::uint32_t size_bytes,
                                    std::uint32_t tcp) {
    if (tcp > size_bytes || size_bytes - tcp < kTcpMinimumBytes) return std::nullopt;
    std::uint32_t type_at = ethernet::kTypeOffset;
    std::uint16_t type = 0;
    for (unsigned tags = 0; tags <= kMaximumTags; tags++, type_at += ethernet::kVlanTagBytes) {
        if (type_at + 2 > tcp) return std::nullopt;
        type = load_be16(data + type_at);
        if (type != kTypeVlan && type != kTypeServiceVlan) break;
    }
    TcpLayout layout;
    layout.ip = type_at + 2;
    layout.tcp = tcp;
    layout.ipv6 = type == ethernet::kTypeIpv6;
    if (type != ethernet::kTypeIpv4 && !layout.ipv6) return std::nullopt;
    const std::uint32_t ip_bytes = tcp - layout.ip;
    if (ip_bytes < (layout.ipv6 ? kIpv6Bytes : kIpv4MinimumBytes)) return std::nullopt;
    const std::uint8_t* ip = data + layout.ip;
    if (ip[0] >> 4 != (layout.ipv6 ? 6 : 4)) return std::nullopt;
    if (!layout.ipv6 && (ip[0] & 0xfu) * 4 != ip_bytes) return std::nullopt;
    const std::uint32_t tcp_bytes = (data[tcp + kTcpDataOffset] >> 4) * 4u;
    if (tcp_bytes < kTcpMinimumBytes || tcp_bytes > size_bytes - tcp) return std::nullopt;
    layout.payload = tcp + tcp_bytes;
    return layout;
}

std::optional<std::uint32_t> tcp_payload_bytes(const TcpLayout& layout, const std::uint8_t* data,
                                               std::uint32_t size_bytes) {
    const std::uint8_t* ip = data + layout.ip;
    const std::uint32_t ip_bytes =
        layout.ipv6 ? kIpv6Bytes + load_be16(ip + kIpv6Length) : load_be16(ip + kIpv4Length);
    const std::uint32_t headers = layout.payload - layout.ip;
    if (ip_bytes < headers || ip_bytes > size_bytes - layout.ip) return std::nullopt;
    return ip_bytes - headers;
}

bool finish_checksum(std::uint8_t* data, std::uint32_t size_bytes, const ChecksumPlace& place) {
    if (place.start >= size_bytes) return false;
    const std::uint32_t l4_bytes = size_bytes - place.start;
    if (l4_bytes < 2 || place.offset > l4_bytes - 2) return false;
    std::uint8_t* l4 = data + place.start;
    const auto checksum = static_cast<std::uint16_t>(~internet_sum(l4, l4_bytes));
    // 0 means "none" in UDP (RFC 768); in TCP both zeros are the same.
    store_be16(l4 + place.offset, checksum == 0 ? std::uint16_t{0xffff} : checksum);
    return true;
}

// --- joining ------------------------------------------------------------------------------------

bool SegmentTrain::add(FramePtr& frame) {
    if (complete_ || !(frames_.empty() ? start(*frame) : continues(*frame))) return false;
    const TcpLayout layout = frames_.empty() ? *tcp_layout(frame->data(), frame->size_bytes(),
                                                           frame->hints.checksum_start)
                                             : layout_;
    const auto payload = tcp_payload_bytes(layout, frame->data(), frame->size_bytes());
    if (!payload || *payload > frame->hints.segment_bytes) return false;
    const std::uint32_t ip_bytes = layout.payload - layout.ip + total_payload_bytes_ + *payload;
    if (ip_bytes > kMaximumIpBytes || frames_.size() == kMaximumSegments) return false;
    layout_ = layout;
    total_payload_bytes_ += *payload;
    complete_ = frame->hints.last_segment || *payload < frame->hints.segment_bytes;
    payload_bytes_.push_back(*payload);
    frames_.push_back(std::move(frame));
    return true;
}

bool SegmentTrain::start(const Frame& frame) {
    const FrameHints& hints = frame.hints;
    if (hints.train == 0 || !hints.checksum_unfinished || hints.segment_bytes == 0) return false;
    if (hints.checksum_offset != kTcpChecksum) return false;
    const auto layout = tcp_layout(frame.data(), frame.size_bytes(), hints.checksum_start);
    return layout && layout->payload == hints.header_bytes;
}

bool SegmentTrain::continues(const Frame& frame) const {
    const FrameHints& first = frames_.front()->hints;
    const FrameHints& next = frame.hints;
    const auto expected = static_cast<std::uint16_t>(frames_.back()->hints.segment_index + 1);
    return next.train == first.train && next.segment_index == expected &&
           next.checksum_unfinished && next.header_bytes == first.header_bytes &&
           frame.size_bytes() >= next.header_bytes;
}

SegmentTrain::Packet SegmentTrain::join(std::vector<iovec>& pieces) {
    assert(!empty());
    Frame& first = *frames_.front();
    const Frame& last = *frames_.back();
    if (frames_.size() > 1) {
        set_ip_length(layout_, first.data(), total_payload_bytes_);
        set_pseudo_length(layout_, first.data(), payload_bytes_.front(), total_payload_bytes_);
        // What only the last segment may say is said for all of them.
        std::uint8_t& flags = first.data()[layout_.tcp + kTcpFlags];
        const std::uint8_t ends = last.data()[layout_.tcp + kTcpFlags] & (kTcpFin | kTcpPsh);
        flags = static_cast<std::uint8_t>(flags | ends);
    }
    pieces.push_back({first.data(), layout_.payload + payload_bytes_.front()});
    for (std::size_t i = 1; i < frames_.size(); i++) {
        pieces.push_back({frames_[i]->data() + layout_.payload, payload_bytes_[i]});
    }
    Packet packet;
    packet.ipv6 = layout_.ipv6;
    packet.congestion_reduced = (first.data()[layout_.tcp + kTcpFlags] & kTcpCwr) != 0;
    packet.segments = static_cast<std::uint32_t>(frames_.size());
    packet.segment_bytes = first.hints.segment_bytes;
    packet.header_bytes = layout_.payload;
    packet.checksum = {layout_.tcp, kTcpChecksum};
    packet.size_bytes = layout_.payload + total_payload_bytes_;
    return packet;
}

void SegmentTrain::clear() {
    frames_.clear();
    payload_bytes_.clear();
    total_payload_bytes_ = 0;
    complete_ = false;
}

// --- cutting ------------------------------------------------------------------------------------

bool SegmentCutter::start(const std::uint8_t* data, std::uint32_t size_bytes, std::uint32_t tcp,
                          std::uint32_t segment_bytes) {
    const auto layout = tcp_layout(data, size_bytes, tcp);
    if (!layout || segment_bytes == 0) return false;
    // What is longer than the lengths of IP can say (BIG TCP) is never asked for.
    const std::uint32_t payload_bytes = size_bytes - layout->payload;
    if (payload_bytes == 0) return false;
    if (layout->payload - layout->ip + payload_bytes > SegmentTrain::kMaximumIpBytes) return false;
    if (layout->payload + std::min(segment_bytes, payload_bytes) > Frame::kCapacityBytes) {
        return false;
    }
    data_ = data;
    layout_ = *layout;
    payload_bytes_ = payload_bytes;
    segment_bytes_ = segment_bytes;
    offset_ = 0;
    index_ = 0;
    return true;
}

void SegmentCutter::next(Frame& frame) {
    assert(offset_ < payload_bytes_);
    const std::uint32_t bytes = std::min(segment_bytes_, payload_bytes_ - offset_);
    std::uint8_t* data = frame.data();
    frame.resize(layout_.payload + bytes);
    std::memcpy(data, data_, layout_.payload);
    std::memcpy(data + layout_.payload, data_ + layout_.payload + offset_, bytes);

    set_ip_length(layout_, data, bytes);
    if (!layout_.ipv6) {
        std::uint8_t* ip = data + layout_.ip;
        const std::uint32_t before = load_be16(ip + kIpv4Identification);
        const std::uint32_t after = (before + index_) & 0xffff;
        change_in_checksum(ip + kIpv4Checksum, before, after);
        store_be16(ip + kIpv4Identification, static_cast<std::uint16_t>(after));
    }
    set_pseudo_length(layout_, data, payload_bytes_, bytes);
    std::uint8_t* sequence = data + layout_.tcp + kTcpSequence;
    store_be32(sequence, load_be32(sequence) + offset_);
    const bool last = offset_ + bytes == payload_bytes_;
    std::uint8_t cleared = last ? std::uint8_t{0} : std::uint8_t{kTcpFin | kTcpPsh};
    if (index_ > 0) cleared = static_cast<std::uint8_t>(cleared | kTcpCwr);
    std::uint8_t& flags = data[layout_.tcp + kTcpFlags];
    flags = static_cast<std::uint8_t>(flags & ~cleared);
    const bool finished = finish_checksum(data, frame.size_bytes(), {layout_.tcp, kTcpChecksum});
    assert(finished);
    static_cast<void>(finished);

    offset_ += bytes;
    index_++;
}

}  // namespace doorbell::wire
