#include "testbench/pcie_bench/formula.hpp"

#include <algorithm>
#include <cassert>

#include "testbench/pcie_bench/discipline_rules.hpp"

namespace doorbell::pcie_bench {
namespace {

constexpr std::uint32_t kDword = 4;
constexpr std::uint32_t kRegisterBytes = 4;
constexpr std::uint32_t kPreambleAndGapBytes = 20;

double usable_gbps(const PcieLinkParams& link) {
    static constexpr double kGigatransfers[] = {2.5, 5, 8, 16, 32};
    assert(link.generation >= 1 && link.generation <= 5);
    const double code = link.generation < 3 ? 8.0 / 10 : 128.0 / 130;
    return kGigatransfers[link.generation - 1] * link.lanes * code *
           (1 - link.dllp_share_ppm / 1e6);
}

std::uint32_t pieces(std::uint32_t bytes, std::uint32_t limit) {
    return (bytes + limit - 1) / limit;
}
std::uint32_t data(std::uint32_t bytes, const PcieLinkParams& link) {
    return link.whole_dwords ? (bytes + 3) / 4 * 4 : bytes;
}
/// Framing and header of a request for memory above 4 GiB, where the players' memory is.
std::uint32_t request_overhead(const PcieLinkParams& link) {
    return link.request_overhead_bytes - (link.address_bits == AddressBits::k32 ? kDword : 0);
}
/// The same of registers and interrupt messages, which are below.
double short_request_bytes(std::uint32_t bytes, const PcieLinkParams& link) {
    return link.request_overhead_bytes - (link.address_bits == AddressBits::k64 ? 0 : kDword) +
           bytes;
}

double write_bytes(std::uint32_t bytes, const PcieLinkParams& link) {
    return request_overhead(link) * pieces(bytes, link.max_payload_bytes) + data(bytes, link);
}
double read_request_bytes(std::uint32_t bytes, const PcieLinkParams& link) {
    return request_overhead(link) * pieces(bytes, link.max_read_request_bytes);
}
/// Every request is answered by completions of its own.
double completion_bytes(std::uint32_t bytes, const PcieLinkParams& link) {
    std::uint32_t limit = link.max_payload_bytes;
    if (link.completion_payload_bytes != 0 && link.completion_payload_bytes < limit) {
        limit = std::max(link.completion_payload_bytes, link.read_completion_boundary_bytes);
    }
    const std::uint32_t whole = bytes / link.max_read_request_bytes;
    const std::uint32_t rest = bytes % link.max_read_request_bytes;
    const std::uint32_t tlps =
        whole * pieces(link.max_read_request_bytes, limit) + pieces(rest, limit);
    return link.completion_overhead_bytes * tlps + data(bytes, link);
}

/// `bytes` once in so many packets.
double share(double bytes, std::uint32_t every) {
    return every == 0 ? 0 : bytes / every;
}

/// All that a packet costs but its data.
PacketBytes overhead(const DirectionRules& rules, const PcieLinkParams& link) {
    PacketBytes bytes;
    bytes.downstream += share(short_request_bytes(kRegisterBytes, link), rules.tail_every);
    bytes.upstream += share(read_request_bytes(rules.fetch * kDescriptorBytes, link), rules.fetch);
    bytes.downstream += share(completion_bytes(rules.fetch * kDescriptorBytes, link), rules.fetch);
    bytes.upstream +=
        share(write_bytes(rules.write_back_every * kDescriptorBytes, link), rules.write_back_every);
    bytes.upstream += share(short_request_bytes(kRegisterBytes, link), rules.interrupt_every);
    bytes.downstream += share(short_request_bytes(0, link), rules.head_read_every);
    bytes.upstream += share(completion_bytes(kRegisterBytes, link), rules.head_read_every);
    return bytes;
}

}  // namespace

double dma_gbps(const DmaLoad& load, const PcieLinkParams& link) {
    double up = 0;
    double down = 0;
    if (load.kind != DmaKind::kRead) up += write_bytes(load.size_bytes, link);
    if (load.kind != DmaKind::kWrite) {
        up += read_request_bytes(load.size_bytes, link);
        down += completion_bytes(load.size_bytes, link);
    }
    return usable_gbps(link) * load.size_bytes / std::max(up, down);
}

PacketBytes packet_bytes(const DisciplineLoad& load, const PcieLinkParams& link) {
    const DisciplineRules rules = rules_of(load.discipline);
    const PacketBytes tx = overhead(rules.tx, link);
    const PacketBytes rx = overhead(rules.rx, link);
    const std::uint32_t bytes = load.data_bytes();
    return {tx.upstream + rx.upstream + read_request_bytes(bytes, link) + write_bytes(bytes, link),
            tx.downstream + rx.downstream + completion_bytes(bytes, link)};
}

double wire_gbps(const DisciplineLoad& load) {
    return load.wire_mbps / 1e3 * load.data_bytes() / (load.frame_bytes + kPreambleAndGapBytes);
}

double discipline_gbps(const DisciplineLoad& load, const PcieLinkParams& link) {
    const PacketBytes bytes = packet_bytes(load, link);
    const double link_gbps =
        usable_gbps(link) * load.data_bytes() / std::max(bytes.upstream, bytes.downstream);
    return load.wire_mbps == 0 ? link_gbps : std::min(link_gbps, wire_gbps(load));
}

}  // namespace doorbell::pcie_bench
