#include "hw/pcie/pcie_link.hpp"

#include <algorithm>
#include <cassert>

namespace doorbell {

namespace {

constexpr std::uint32_t kPageBytes = 4096;  ///< No request crosses a 4 KiB boundary.
constexpr std::uint32_t kDwordBytes = 4;

struct Pieces {
    std::uint64_t tlps = 0;
    std::uint64_t data_bytes = 0;
};

/// Bytes of the first dword that lie before `address`. They count against the limits of a TLP,
/// whose length is whole dwords (2.2.2): what follows the first piece is aligned.
std::uint32_t lead_of(std::uint64_t address) {
    return static_cast<std::uint32_t>(address % kDwordBytes);
}

/// TLP data is whole dwords: the first and the last may be partly enabled. A request of no bytes
/// still carries one dword with all byte enables clear (PCIe base specification, 2.2.5).
std::uint64_t dword_bytes(std::uint64_t address, std::uint32_t size_bytes) {
    if (size_bytes == 0) return kDwordBytes;
    const std::uint64_t lead = lead_of(address);
    return (lead + size_bytes + kDwordBytes - 1) / kDwordBytes * kDwordBytes;
}

/// Calls `piece(address, bytes)` for the parts of a range between 4 KiB boundaries. The range is
/// at most what a descriptor can name, so the loop is short.
template <typename Piece>
void for_each_page(std::uint64_t address, std::uint32_t size_bytes, Piece&& piece) {
    do {
        const std::uint32_t room = kPageBytes - static_cast<std::uint32_t>(address % kPageBytes);
        const std::uint32_t part = std::min(size_bytes, room);
        piece(address, part);
        address += part;
        size_bytes -= part;
    } while (size_bytes > 0);
}

/// Every limit is a power of two (7.5.3.4): this is asked for each request, and a shift is cheap.
std::uint32_t pieces_of(std::uint32_t bytes, std::uint32_t limit) {
    return bytes == 0 ? 1 : (bytes + limit - 1) >> __builtin_ctz(limit);
}

Pieces split_request(std::uint64_t address, std::uint32_t size_bytes, std::uint32_t limit) {
    Pieces total;
    for_each_page(address, size_bytes, [&](std::uint64_t start, std::uint32_t part) {
        total.tlps += pieces_of(lead_of(start) + part, limit);
    });
    total.data_bytes = dword_bytes(address, size_bytes);
    return total;
}

/// A completion carries up to `limit` bytes and, unless it is the last one of its request, ends at
/// a multiple of the RCB: an unaligned read gets a short first completion (2.3.1.1).
std::uint64_t completions_of(std::uint64_t address, std::uint32_t bytes, std::uint32_t limit,
                             std::uint32_t boundary) {
    const std::uint32_t lead = static_cast<std::uint32_t>(address) & (boundary - 1);
    const std::uint32_t first = limit - lead;
    if (bytes <= first) return 1;
    return 1 + pieces_of(bytes - first, limit);
}

bool is_power_of_two(std::uint32_t n) {
    return n != 0 && (n & (n - 1)) == 0;
}

std::uint64_t ps_per_byte_q16(const PcieLinkParams& params) {
    assert(params.generation >= 1 && params.generation <= 3);
    assert(is_power_of_two(params.lanes) && params.lanes <= 32);
    assert(params.dllp_share_ppm < 1'000'000);
    // 8 bits at 2.5, 5 and 8 GT/s; then the code: 10 bits for 8, or 130 for 128.
    static constexpr std::uint64_t kLanePsPerByte[] = {3200, 1600, 1000};
    const std::uint64_t uncoded = kLanePsPerByte[params.generation - 1] << 16;
    const std::uint64_t coded =
        params.generation < 3 ? uncoded * 10 / 8 : (uncoded * 130 + 64) / 128;
    const std::uint64_t usable = 1'000'000 - params.dllp_share_ppm;
    return (coded / params.lanes * 1'000'000 + usable / 2) / usable;
}

}  // namespace

PcieLink::PcieLink(const PcieLinkParams& params, std::uint64_t seed)
    : params_(params), prng_(seed), ps_per_byte_q16_(ps_per_byte_q16(params)) {
    assert(is_power_of_two(params.read_completion_boundary_bytes));
    assert(params.completion_payload_bytes == 0 ||
           is_power_of_two(params.completion_payload_bytes));
    set_limits(params.max_payload_bytes, params.max_read_request_bytes);
}

void PcieLink::set_limits(std::uint32_t max_payload_bytes, std::uint32_t max_read_request_bytes) {
    assert(is_power_of_two(max_payload_bytes) && max_payload_bytes >= 128);
    assert(is_power_of_two(max_read_request_bytes) && max_read_request_bytes >= 128);
    params_.max_payload_bytes = max_payload_bytes;
    params_.max_read_request_bytes = max_read_request_bytes;
}

Picoseconds PcieLink::serialisation_ps(std::uint64_t bytes) const {
    return (bytes * ps_per_byte_q16_ + 0xFFFF) >> 16;
}

Picoseconds PcieLink::reserve(Path& path, std::uint64_t tlps, std::uint64_t bytes,
                              Picoseconds not_before_ps) {
    path.tlps += tlps;
    path.bytes += bytes;
    if (!params_.enabled) return not_before_ps;
    const Picoseconds duration_ps = serialisation_ps(bytes);
    path.busy_ps += duration_ps;
    path.busy_until_ps = std::max(path.busy_until_ps, not_before_ps) + duration_ps;
    return path.busy_until_ps + params_.propagation_ps;
}

Picoseconds PcieLink::write_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                    Picoseconds not_before_ps) {
    const Pieces pieces = split_request(address, size_bytes, params_.max_payload_bytes);
    return reserve(upstream_, pieces.tlps,
                   pieces.tlps * params_.request_overhead_bytes + pieces.data_bytes, not_before_ps);
}

Picoseconds PcieLink::read_request_arrival(std::uint32_t requests, Picoseconds not_before_ps) {
    const std::uint64_t tlps = requests;
    return reserve(upstream_, tlps, tlps * params_.request_overhead_bytes, not_before_ps);
}

Picoseconds PcieLink::message_arrival(Picoseconds not_before_ps) {
    return reserve(upstream_, 1, params_.request_overhead_bytes, not_before_ps);
}

Picoseconds PcieLink::register_completion_arrival(std::uint32_t size_bytes, Picoseconds ready_ps) {
    return reserve(upstream_, 1, params_.completion_overhead_bytes + dword_bytes(0, size_bytes),
                   ready_ps);
}

Picoseconds PcieLink::memory_ready(Picoseconds arrival_ps) {
    if (!params_.enabled) return arrival_ps;
    if (!params_.memory_latency_spread) return arrival_ps + params_.memory_latency_ps;
    // The inverse of pcie-bench's distribution, linear between its published points. Below the
    // median it gives no figure: half of the reads are spread evenly over the 20 ns before it.
    const Picoseconds median_ps = params_.memory_latency_ps;
    const std::uint64_t rank = prng_.below(10'000);
    if (rank < 5'000) {
        const Picoseconds early_ps = nanoseconds(20) * (5'000 - rank) / 5'000;
        return arrival_ps + (median_ps > early_ps ? median_ps - early_ps : 0);
    }
    if (rank < 9'500) return arrival_ps + median_ps + nanoseconds(53) * (rank - 5'000) / 4'500;
    if (rank < 9'990) {
        return arrival_ps + median_ps + nanoseconds(53) + nanoseconds(253) * (rank - 9'500) / 490;
    }
    return arrival_ps + median_ps + nanoseconds(306);
}

Picoseconds PcieLink::completion_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                         Picoseconds ready_ps) {
    const std::uint32_t limit = params_.completion_payload_bytes != 0
                                    ? params_.completion_payload_bytes
                                    : params_.max_payload_bytes;
    const std::uint32_t boundary = std::min(params_.read_completion_boundary_bytes, limit);
    std::uint64_t tlps = 0;
    // Each read request of the split is answered by completions of its own.
    for_each_page(address, size_bytes, [&](std::uint64_t start, std::uint32_t part) {
        do {
            const std::uint32_t request =
                std::min(part, params_.max_read_request_bytes - lead_of(start));
            tlps += completions_of(start, request, limit, boundary);
            start += request;
            part -= request;
        } while (part > 0);
    });
    return reserve(downstream_, tlps,
                   tlps * params_.completion_overhead_bytes + dword_bytes(address, size_bytes),
                   ready_ps);
}

Picoseconds PcieLink::error_completion_arrival(Picoseconds ready_ps) {
    return reserve(downstream_, 1, params_.completion_overhead_bytes, ready_ps);
}

Picoseconds PcieLink::posted_write_down(std::uint32_t size_bytes, Picoseconds not_before_ps) {
    return reserve(downstream_, 1, params_.request_overhead_bytes + dword_bytes(0, size_bytes),
                   not_before_ps);
}

Picoseconds PcieLink::register_read_ready(Picoseconds not_before_ps) {
    const Picoseconds arrival_ps =
        reserve(downstream_, 1, params_.request_overhead_bytes, not_before_ps);
    return params_.enabled ? arrival_ps + params_.register_latency_ps : arrival_ps;
}

std::uint32_t PcieLink::read_request_count(std::uint64_t address, std::uint32_t size_bytes) const {
    return static_cast<std::uint32_t>(
        split_request(address, size_bytes, params_.max_read_request_bytes).tlps);
}

void PcieLink::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("pcie.upstream.tlps", upstream_.tlps);
    visitor.metric("pcie.upstream.bytes", upstream_.bytes);
    visitor.metric("pcie.upstream.busy_ns", upstream_.busy_ps / 1'000);
    visitor.metric("pcie.downstream.tlps", downstream_.tlps);
    visitor.metric("pcie.downstream.bytes", downstream_.bytes);
    visitor.metric("pcie.downstream.busy_ns", downstream_.busy_ps / 1'000);
}

}  // namespace doorbell
