#include "testbench/report/fetched_packets.hpp"

#include <algorithm>
#include <cstddef>

namespace doorbell::report {
namespace {

constexpr std::uint32_t kDescriptorBytes = 16;
// Far above what the chip has on its way: a packet to segment has at most 1 MiB.
constexpr std::size_t kMostHeldBytes = std::size_t{4} << 20;

}  // namespace

void FetchedPackets::place_ring(std::uint32_t queue, std::uint64_t base, std::uint32_t size_bytes) {
    Ring& ring = rings_.at(queue);
    if (ring.base == base && ring.size_bytes == size_bytes) return;
    restart(queue);
    ring.base = base;
    ring.size_bytes = size_bytes;
}

void FetchedPackets::restart(std::uint32_t queue) {
    Ring& ring = rings_.at(queue);
    ring.started = false;
    ring.fetched.clear();
    forget_buffers(ring);
}

void FetchedPackets::forget_buffers(Ring& ring) {
    ring.buffers.clear();
    ring.held_bytes = 0;
}

bool FetchedPackets::descriptors(std::uint64_t address, const std::vector<std::uint8_t>& bytes) {
    const auto owner = std::find_if(rings_.begin(), rings_.end(), [&](const Ring& ring) {
        return address >= ring.base && address - ring.base < ring.size_bytes;
    });
    if (owner == rings_.end()) return false;
    Ring& ring = *owner;
    const std::uint32_t count = ring.size_bytes / kDescriptorBytes;
    auto index = static_cast<std::uint32_t>((address - ring.base) / kDescriptorBytes);
    if (!ring.started) {
        ring.started = true;
        ring.next_index = index;
    }
    for (std::size_t at = 0; at + kDescriptorBytes <= bytes.size(); at += kDescriptorBytes) {
        ring.fetched[index % count] = TxWords::load(bytes.data() + at);
        index++;
    }
    for (auto it = ring.fetched.find(ring.next_index); it != ring.fetched.end();
         it = ring.fetched.find(ring.next_index)) {
        const TxFormat kind = format(it->second);
        if (kind == TxFormat::kLegacy || kind == TxFormat::kData) {
            const TxBuffer buffer = decode_buffer(it->second);
            if (ring.buffers.size() == count || ring.held_bytes + buffer.length > kMostHeldBytes) {
                forget_buffers(ring);
            }
            ring.buffers.push_back({buffer.address, buffer.eop, 0, 0, {}});
            ring.buffers.back().bytes.resize(buffer.length);
            ring.held_bytes += buffer.length;
        }
        ring.fetched.erase(it);
        ring.next_index = (ring.next_index + 1) % count;
    }
    return true;
}

void FetchedPackets::data(std::uint64_t address, const std::vector<std::uint8_t>& bytes,
                          std::uint64_t identity) {
    for (Ring& ring : rings_) {
        for (Buffer& buffer : ring.buffers) {
            const std::size_t missing = buffer.bytes.size() - buffer.filled;
            if (bytes.size() > missing || address < buffer.address ||
                address - buffer.address > buffer.bytes.size() - bytes.size()) {
                continue;
            }
            const auto offset = static_cast<std::ptrdiff_t>(address - buffer.address);
            std::copy(bytes.begin(), bytes.end(), buffer.bytes.begin() + offset);
            buffer.filled += static_cast<std::uint32_t>(bytes.size());
            if (buffer.identity == 0) buffer.identity = identity;
            return;
        }
    }
}

bool FetchedPackets::take(Packet& packet) {
    return std::any_of(rings_.begin(), rings_.end(),
                       [&](Ring& ring) { return take_from(ring, packet); });
}

bool FetchedPackets::take_from(Ring& ring, Packet& packet) {
    const auto last = std::find_if(ring.buffers.begin(), ring.buffers.end(), [](const Buffer& b) {
        return b.end_of_packet || b.filled < b.bytes.size();
    });
    if (last == ring.buffers.end() || last->filled < last->bytes.size()) return false;
    packet = Packet();
    for (auto it = ring.buffers.begin(); it != last + 1; ++it) {
        packet.bytes.insert(packet.bytes.end(), it->bytes.begin(), it->bytes.end());
        if (packet.identity == 0) packet.identity = it->identity;
        ring.held_bytes -= it->bytes.size();
    }
    ring.buffers.erase(ring.buffers.begin(), last + 1);
    return true;
}

}  // namespace doorbell::report
