#include "hw/rings/tx_offload.hpp"

#include <algorithm>
#include <cstring>

#include "hw/base/bits.hpp"
#include "hw/mac/ethernet.hpp"
#include "hw/mac/internet_checksum.hpp"
#include "hw/mac/vlan.hpp"

namespace doorbell {
namespace {

constexpr std::uint32_t kIpv4Length = 2;
constexpr std::uint32_t kIpv4Identification = 4;
constexpr std::uint32_t kIpv6Length = 4;
constexpr std::uint32_t kIpv6Bytes = 40;
constexpr std::uint32_t kTcpSequence = 4;
constexpr std::uint32_t kTcpFlags = 13;
constexpr std::uint8_t kTcpFin = 0x01;
constexpr std::uint8_t kTcpPsh = 0x08;
constexpr std::uint8_t kTcpCwr = 0x80;
constexpr std::uint32_t kUdpLength = 4;
constexpr std::uint32_t kMinimumDataBytes = ethernet::kMinimumFrameBytes - ethernet::kFcsBytes;

/// A packet under construction. Offsets come from the driver: what is outside is left alone.
struct Body {
    std::uint8_t* bytes;
    std::uint32_t size;

    [[nodiscard]] bool holds(std::uint32_t offset, std::uint32_t size_bytes) const {
        return offset <= size && size_bytes <= size - offset;
    }
    void put16(std::uint32_t offset, std::uint32_t value) const {
        if (holds(offset, 2)) store_be16(bytes + offset, static_cast<std::uint16_t>(value));
    }
    void add16(std::uint32_t offset, std::uint32_t increment) const {
        if (holds(offset, 2)) put16(offset, load_be16(bytes + offset) + increment);
    }
    void add32(std::uint32_t offset, std::uint32_t increment) const {
        if (holds(offset, 4)) store_be32(bytes + offset, load_be32(bytes + offset) + increment);
    }
};

/// Bytes of the packet from `offset` on.
std::uint32_t bytes_from(const Body& body, std::uint32_t offset) {
    return body.size - std::min(body.size, offset);
}

/// The fields of specification 6.3 that differ from segment to segment, checksums apart.
void fix_headers(const Body& body, const TxContext& context, const TxSegment& segment,
                 const TxOffloadParams& params) {
    const Body header{body.bytes, std::min(body.size, segment.header_bytes)};
    if (context.snap) {
        header.put16(ethernet::kTypeOffset, bytes_from(body, ethernet::kHeaderBytes));
    }
    const std::uint32_t ip_bytes = bytes_from(body, context.ipcss);
    if (context.ipv4) {
        header.put16(context.ipcss + kIpv4Length, ip_bytes);
        header.add16(context.ipcss + kIpv4Identification, segment.index);
    } else {
        header.put16(context.ipcss + kIpv6Length, ip_bytes - std::min(ip_bytes, kIpv6Bytes));
    }
    if (!context.tcp) {
        header.put16(context.tucss + kUdpLength, bytes_from(body, context.tucss));
        return;
    }
    header.add32(context.tucss + kTcpSequence, segment.index * context.mss);
    if (!header.holds(context.tucss + kTcpFlags, 1)) return;
    std::uint8_t& flags = header.bytes[context.tucss + kTcpFlags];
    std::uint8_t cleared = 0;
    if (!segment.last) cleared |= kTcpFin | kTcpPsh;
    if (segment.index > 0 && params.cwr_in_first_segment_only) cleared |= kTcpCwr;
    flags = static_cast<std::uint8_t>(flags & ~cleared);
}

/// Stores the complement of the sum from `start` to `end` (inclusive, 0: the last byte) at `place`;
/// the field's old value is part of the sum (a pseudo-header, or zero).
bool insert_checksum(const Body& body, std::uint32_t start, std::uint32_t place, std::uint32_t end,
                     std::uint32_t seed, bool zero_as_ffff) {
    const std::uint32_t stop = end == 0 ? body.size : std::min(end + 1, body.size);
    if (start >= stop || !body.holds(place, 2)) return false;
    const std::uint16_t sum = internet_sum(body.bytes + start, stop - start, seed);
    std::uint16_t checksum = static_cast<std::uint16_t>(~sum);
    if (checksum == 0 && zero_as_ffff) checksum = 0xffff;
    store_be16(body.bytes + place, checksum);
    return true;
}

/// Whether the transport checksum is the plain one, from its header to the end of the frame: then
/// somebody who knows only where it starts and where it belongs can finish it.
bool can_be_left(const Body& body, const TxInstructions& what) {
    const TxContext& context = what.context;
    const bool to_the_end = context.tucse == 0 || context.tucse + 1 >= body.size;
    return to_the_end && !what.insert_legacy && what.append_fcs && context.tucso > context.tucss &&
           body.holds(context.tucso, 2);
}

/// Leaves the transport checksum to the wire: its field holds the sum of the pseudo-header, to
/// which `l4_bytes` is added.
void leave_checksum(const Body& body, const TxContext& context, std::uint32_t l4_bytes,
                    FrameHints& hints) {
    std::uint8_t* field = body.bytes + context.tucso;
    store_be16(field, fold_internet_sum(std::uint64_t{load_be16(field)} + l4_bytes));
    hints.checksum_unfinished = true;
    hints.checksum_start = static_cast<std::uint16_t>(context.tucss);
    hints.checksum_offset = static_cast<std::uint16_t>(context.tucso - context.tucss);
}

bool insert_checksums(const Body& body, const TxInstructions& what, const TxSegment* segment,
                      const TxOffloadParams& params, bool leave_l4, FrameHints& hints) {
    const TxContext& context = what.context;
    bool inserted = true;
    if (what.insert_ip) {
        inserted &= insert_checksum(body, context.ipcss, context.ipcso, context.ipcse, 0, false);
    }
    if (what.insert_l4) {
        // The driver's pseudo-header sum of a segmented packet has a length of 0.
        const std::uint32_t l4_bytes = segment != nullptr ? bytes_from(body, context.tucss) : 0;
        const bool zero_as_ffff = !context.tcp && params.udp_zero_as_ffff;
        if (leave_l4 && can_be_left(body, what)) {
            leave_checksum(body, context, l4_bytes, hints);
        } else {
            inserted &= insert_checksum(body, context.tucss, context.tucso, context.tucse, l4_bytes,
                                        zero_as_ffff);
        }
    }
    if (what.insert_legacy) {
        inserted &= insert_checksum(body, what.css, what.cso, 0, 0, false);
    }
    return inserted;
}

/// Which part of a TCP packet the frame is, for a wire that puts the parts together again.
void describe_segment(const TxSegment& segment, const TxContext& context, FrameHints& hints) {
    hints.segment_index = static_cast<std::uint16_t>(segment.index);
    hints.last_segment = segment.last;
    hints.header_bytes = static_cast<std::uint16_t>(segment.header_bytes);
    hints.segment_bytes = static_cast<std::uint16_t>(context.mss);
}

/// Brings the frame to the start of its data, with the tag in it if there is to be one.
void place_tag(Frame& frame, std::uint32_t headroom, const TxInstructions& what) {
    std::uint8_t* start = frame.data();
    const std::uint32_t size = frame.size_bytes();
    if (!what.insert_tag || size < ethernet::kTypeOffset) {
        if (headroom > 0) std::memmove(start, start + headroom, size);
        return;
    }
    if (headroom == 0) {  // A legacy packet with VLE on its last descriptor only.
        std::memmove(start + ethernet::kVlanTagBytes, start, size);
    }
    vlan::insert_below(start, what.vet, what.tag);
    frame.resize(size + ethernet::kVlanTagBytes);
    if (frame.hints.checksum_unfinished) {
        constexpr auto kTag = static_cast<std::uint16_t>(ethernet::kVlanTagBytes);
        frame.hints.checksum_start = static_cast<std::uint16_t>(frame.hints.checksum_start + kTag);
        frame.hints.header_bytes = static_cast<std::uint16_t>(frame.hints.header_bytes + kTag);
    }
}

}  // namespace

bool finish_frame(Frame& frame, std::uint32_t headroom, std::uint32_t body_bytes,
                  const TxInstructions& what, const TxSegment* segment,
                  const TxOffloadParams& params, const WireOffloads& wire) {
    const Body body{frame.data() + headroom, body_bytes};
    if (segment != nullptr) fix_headers(body, what.context, *segment, params);
    const bool inserted =
        insert_checksums(body, what, segment, params, wire.checksums, frame.hints);
    const bool in_train = wire.trains && segment != nullptr && what.context.tcp;
    if (in_train && frame.hints.checksum_unfinished) {
        describe_segment(*segment, what.context, frame.hints);
    }

    frame.resize(body_bytes);
    place_tag(frame, headroom, what);
    const std::uint32_t size = frame.size_bytes();
    if (!what.append_fcs) {
        std::uint8_t fcs[ethernet::kFcsBytes] = {};
        const std::uint32_t there = std::min(size, ethernet::kFcsBytes);
        std::memcpy(fcs, frame.data() + size - there, there);
        frame.resize(size - there);
        frame.pin_fcs(load_le32(fcs));
    } else if (what.pad && size < kMinimumDataBytes) {
        std::memset(frame.data() + size, 0, kMinimumDataBytes - size);
        frame.resize(kMinimumDataBytes);
    }
    return inserted;
}

}  // namespace doorbell
