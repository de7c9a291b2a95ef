#include "hw/pcie/pcie_link.hpp"

#include <algorithm>
#include <cassert>

namespace doorbell {

namespace {

constexpr std::uint32_t kPageBytes = 4096;  ///< No request crosses a 4 KiB boundary.
constexpr std::uint32_t kDwordBytes = 4;
constexpr std::uint32_t kCreditBytes = 16;  ///< What a data credit is worth (2.6.1).
constexpr std::uint64_t kFourGiB = std::uint64_t{1} << 32;

/// Bytes of the first dword that lie before `address`. They count against the limits of a TLP,
/// whose length is whole dwords (2.2.2): what follows the first piece is aligned.
std::uint32_t lead_of(std::uint64_t address) {
    return static_cast<std::uint32_t>(address % kDwordBytes);
}

/// The bytes of every dword that is touched: the first and the last may be partly enabled. A
/// request of no bytes still carries one, with all byte enables clear (2.2.5).
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

/// Into how many TLPs a request is split by `limit`.
std::uint32_t tlps_of(std::uint64_t address, std::uint32_t size_bytes, std::uint32_t limit) {
    std::uint32_t tlps = 0;
    for_each_page(address, size_bytes, [&](std::uint64_t start, std::uint32_t part) {
        tlps += pieces_of(lead_of(start) + part, limit);
    });
    return tlps;
}

/// How much of a request its first TLP takes.
std::uint32_t first_tlp_bytes(std::uint64_t address, std::uint32_t size_bytes,
                              std::uint32_t limit) {
    const std::uint32_t room = kPageBytes - static_cast<std::uint32_t>(address % kPageBytes);
    return std::min({size_bytes, room, limit - lead_of(address)});
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
    assert(params.generation >= 1 && params.generation <= 5);
    assert(is_power_of_two(params.lanes) && params.lanes <= 32);
    assert(params.dllp_share_ppm < 1'000'000);
    // 8 bits at 2.5, 5, 8, 16 and 32 GT/s; then the code: 10 bits for 8, or 130 for 128.
    static constexpr std::uint64_t kLanePsPerByte[] = {3200, 1600, 1000, 500, 250};
    const std::uint64_t uncoded = kLanePsPerByte[params.generation - 1] << 16;
    const std::uint64_t coded =
        params.generation < 3 ? uncoded * 10 / 8 : (uncoded * 130 + 64) / 128;
    const std::uint64_t usable = 1'000'000 - params.dllp_share_ppm;
    return (coded / params.lanes * 1'000'000 + usable / 2) / usable;
}

/// Takes credits as soon as they are there, at `when_ps` or later.
Picoseconds lend(LoanPool& pool, std::uint32_t count, Picoseconds when_ps) {
    if (pool.take(count, when_ps)) return when_ps;
    const Picoseconds free_ps = pool.free_at(count);
    const bool taken = pool.take(count, free_ps);
    assert(taken && "every credit on loan has been given back for a time");
    (void)taken;
    return free_ps;
}

std::uint32_t data_credits(std::uint64_t bytes) {
    return static_cast<std::uint32_t>((bytes + kCreditBytes - 1) / kCreditBytes);
}

/// A pool for nobody stands where credits are infinite.
LoanPool pool_of(std::uint32_t credits) {
    return LoanPool(std::max(credits, 1u));
}

}  // namespace

PcieLink::PcieLink(const PcieLinkParams& params, std::uint64_t seed)
    : params_(params),
      prng_(seed),
      ps_per_byte_q16_(ps_per_byte_q16(params)),
      memory_(params),
      each_tlp_counts_(params.enabled &&
                       (params.iotlb_entries != 0 || params.posted_header_credits != 0 ||
                        params.posted_data_credits != 0 || params.nonposted_header_credits != 0)),
      headers_differ_(params.enabled && params.address_bits == AddressBits::kAuto),
      iotlb_(params),
      posted_headers_(pool_of(params.posted_header_credits)),
      posted_data_(pool_of(params.posted_data_credits)),
      nonposted_headers_(pool_of(params.nonposted_header_credits)) {
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
    // A receiver has to take the largest TLP that it allows (2.6.1).
    const std::uint32_t least = max_payload_bytes / kCreditBytes;
    if (params_.posted_data_credits != 0 && posted_data_.total() < least) {
        posted_data_ = LoanPool(least);
    }
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

std::uint32_t PcieLink::request_overhead(std::uint64_t address) const {
    const bool is_short = params_.address_bits == AddressBits::k32 ||
                          (params_.address_bits == AddressBits::kAuto && address < kFourGiB);
    return params_.request_overhead_bytes - (is_short ? kDwordBytes : 0);
}

/// Whether the TLPs of a request have to be looked at one by one: they have different headers, or
/// what becomes of each depends on those before it.
bool PcieLink::one_by_one(std::uint64_t address, std::uint32_t size_bytes) const {
    if (!headers_differ_) return each_tlp_counts_;
    return each_tlp_counts_ || (address < kFourGiB && address + size_bytes > kFourGiB);
}

std::uint64_t PcieLink::data_bytes(std::uint64_t address, std::uint32_t size_bytes) const {
    if (params_.whole_dwords || size_bytes == 0) return dword_bytes(address, size_bytes);
    return size_bytes;
}

// --- upstream: posted requests ------------------------------------------------------------------

Picoseconds PcieLink::write_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                    Picoseconds not_before_ps) {
    if (one_by_one(address, size_bytes)) return post(address, size_bytes, true, not_before_ps);
    const std::uint64_t tlps = tlps_of(address, size_bytes, params_.max_payload_bytes);
    return reserve(upstream_, tlps,
                   tlps * request_overhead(address) + data_bytes(address, size_bytes),
                   not_before_ps);
}

Picoseconds PcieLink::interrupt_arrival(std::uint64_t address, Picoseconds not_before_ps) {
    if (each_tlp_counts_) return post(address, kDwordBytes, false, not_before_ps);
    return reserve(upstream_, 1, request_overhead(address) + kDwordBytes, not_before_ps);
}

// Messages have the long header always (2.2.8).
Picoseconds PcieLink::message_arrival(Picoseconds not_before_ps) {
    const std::uint64_t bytes = params_.request_overhead_bytes;
    if (!each_tlp_counts_) return reserve(upstream_, 1, bytes, not_before_ps);
    const Picoseconds arrival_ps = post_tlp(bytes, 0, not_before_ps);
    posted_done_ps_ = std::max(posted_done_ps_, arrival_ps);
    give_back_posted(0);
    return posted_done_ps_;
}

/// A posted request of which each TLP needs credits, and a page that is known.
Picoseconds PcieLink::post(std::uint64_t address, std::uint32_t size_bytes, bool translated,
                           Picoseconds not_before_ps) {
    do {
        const std::uint32_t part = first_tlp_bytes(address, size_bytes, params_.max_payload_bytes);
        const std::uint64_t carried = data_bytes(address, part);
        Picoseconds there_ps =
            post_tlp(request_overhead(address) + carried, carried, not_before_ps);
        if (translated && params_.iotlb_entries != 0) {
            there_ps = iotlb_.translate(address, there_ps);
        }
        // In order: a write whose page is known waits for one before it that has to be walked for.
        posted_done_ps_ = std::max(posted_done_ps_, there_ps);
        give_back_posted(carried);
        address += part;
        size_bytes -= part;
    } while (size_bytes > 0);
    return posted_done_ps_;
}

/// Sends one posted TLP when there are credits for it; when it is at the root complex.
Picoseconds PcieLink::post_tlp(std::uint64_t bytes, std::uint64_t carried,
                               Picoseconds not_before_ps) {
    const Picoseconds ready_ps = std::max(upstream_.busy_until_ps, not_before_ps);
    Picoseconds start_ps = ready_ps;
    if (params_.posted_header_credits != 0) start_ps = lend(posted_headers_, 1, start_ps);
    if (params_.posted_data_credits != 0 && carried != 0) {
        start_ps = lend(posted_data_, data_credits(carried), start_ps);
    }
    if (start_ps > ready_ps) {
        posted_waits_.waits++;
        posted_waits_.wait_ps += start_ps - ready_ps;
    }
    return reserve(upstream_, 1, bytes, start_ps);
}

/// The root complex has taken the last posted TLP out of its buffer.
void PcieLink::give_back_posted(std::uint64_t carried) {
    const Picoseconds back_ps = posted_done_ps_ + params_.credit_return_ps;
    if (params_.posted_header_credits != 0) posted_headers_.give_back(1, back_ps);
    if (params_.posted_data_credits != 0 && carried != 0) {
        posted_data_.give_back(data_credits(carried), back_ps);
    }
}

// A completion passes no posted request (2.4.1).
Picoseconds PcieLink::register_completion_arrival(std::uint32_t size_bytes, Picoseconds ready_ps) {
    const Picoseconds arrival_ps = reserve(
        upstream_, 1, params_.completion_overhead_bytes + dword_bytes(0, size_bytes), ready_ps);
    return std::max(arrival_ps, posted_done_ps_);
}

// --- upstream: reads ----------------------------------------------------------------------------

ReadTimes PcieLink::read_ready(std::uint64_t address, std::uint32_t size_bytes,
                               std::uint32_t requests, Picoseconds not_before_ps) {
    if (one_by_one(address, size_bytes)) return requests_ready(address, size_bytes, not_before_ps);
    const std::uint64_t tlps = requests;
    const std::uint64_t overhead = request_overhead(address);
    const Picoseconds arrival_ps = reserve(upstream_, tlps, tlps * overhead, not_before_ps);
    if (!params_.enabled) return {arrival_ps, arrival_ps};
    const Picoseconds ready_ps = arrival_ps + memory_.draw(prng_);
    // No completion is shorter than a request: once the first is on its way, each finds the data of
    // the next ready.
    return {ready_ps, ready_ps - serialisation_ps((tlps - 1) * overhead)};
}

ReadTimes PcieLink::requests_ready(std::uint64_t address, std::uint32_t size_bytes,
                                   Picoseconds not_before_ps) {
    answers_.clear();
    do {
        const std::uint32_t part = read_request_bytes(address, size_bytes);
        const Picoseconds ready_ps = request_ready(address, not_before_ps);
        answers_.push_back({ready_ps, completions(address, part).bytes});
        address += part;
        size_bytes -= part;
    } while (size_bytes > 0);
    return times_of_answers();
}

/// Whichever is sent first, the link is through with all of them no earlier than with those that
/// are ready at an instant or later, begun at that instant: one of the instants decides.
ReadTimes PcieLink::times_of_answers() {
    if (answers_.size() == 1) return {answers_[0].ready_ps, answers_[0].ready_ps};
    std::sort(answers_.begin(), answers_.end(),
              [](const Answer& a, const Answer& b) { return a.ready_ps > b.ready_ps; });
    Picoseconds end_ps = 0;
    std::uint64_t bytes = 0;
    for (const Answer& answer : answers_) {
        bytes += answer.bytes;
        end_ps = std::max(end_ps, answer.ready_ps + serialisation_ps(bytes));
    }
    return {answers_[0].ready_ps, end_ps - serialisation_ps(bytes)};
}

/// When memory has the data of one read request.
Picoseconds PcieLink::request_ready(std::uint64_t address, Picoseconds not_before_ps) {
    Picoseconds start_ps = std::max(upstream_.busy_until_ps, not_before_ps);
    if (params_.nonposted_header_credits != 0) start_ps = lend(nonposted_headers_, 1, start_ps);
    Picoseconds there_ps = reserve(upstream_, 1, request_overhead(address), start_ps);
    if (params_.iotlb_entries != 0) there_ps = iotlb_.translate(address, there_ps);
    // A read passes no posted request (2.4.1), wherever that one waits.
    there_ps = std::max(there_ps, posted_done_ps_);
    if (params_.nonposted_header_credits != 0) {
        nonposted_headers_.give_back(1, there_ps + params_.credit_return_ps);
    }
    return there_ps + memory_.draw(prng_);
}

Picoseconds PcieLink::read_credits_at(std::uint32_t requests, Picoseconds now_ps) {
    if (!each_tlp_counts_ || params_.nonposted_header_credits == 0) return now_ps;
    assert(requests <= nonposted_headers_.total());
    const Picoseconds free_ps = std::max(nonposted_headers_.free_at(requests), now_ps);
    // Asked again and again meanwhile: one wait.
    if (free_ps > now_ps && free_ps != held_back_until_ps_) {
        held_back_until_ps_ = free_ps;
        nonposted_waits_.waits++;
        nonposted_waits_.wait_ps += free_ps - now_ps;
    }
    return free_ps;
}

std::uint32_t PcieLink::most_read_requests() const {
    if (!each_tlp_counts_ || params_.nonposted_header_credits == 0) return ~std::uint32_t{0};
    return nonposted_headers_.total();
}

// --- downstream ---------------------------------------------------------------------------------

Picoseconds PcieLink::completion_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                         Picoseconds answered_from_ps) {
    const Tlps tlps = completions(address, size_bytes);
    return reserve(downstream_, tlps.count, tlps.bytes, answered_from_ps);
}

PcieLink::Tlps PcieLink::completions(std::uint64_t address, std::uint32_t size_bytes) const {
    const std::uint32_t boundary = params_.read_completion_boundary_bytes;
    std::uint32_t limit = params_.max_payload_bytes;
    if (params_.completion_payload_bytes != 0) {
        limit = std::min(limit, std::max(params_.completion_payload_bytes, boundary));
    }
    Tlps tlps;
    const std::uint64_t data = data_bytes(address, size_bytes);
    // Each read request of the split is answered by completions of its own.
    for_each_page(address, size_bytes, [&](std::uint64_t start, std::uint32_t part) {
        do {
            const std::uint32_t request =
                std::min(part, params_.max_read_request_bytes - lead_of(start));
            tlps.count += completions_of(start, request, limit, boundary);
            start += request;
            part -= request;
        } while (part > 0);
    });
    tlps.bytes = tlps.count * params_.completion_overhead_bytes + data;
    return tlps;
}

Picoseconds PcieLink::error_completion_arrival(Picoseconds ready_ps) {
    return reserve(downstream_, 1, params_.completion_overhead_bytes, ready_ps);
}

Picoseconds PcieLink::posted_write_down(std::uint32_t size_bytes, Picoseconds not_before_ps) {
    return reserve(downstream_, 1, request_overhead(0) + dword_bytes(0, size_bytes), not_before_ps);
}

Picoseconds PcieLink::register_read_ready(Picoseconds not_before_ps) {
    const Picoseconds arrival_ps = reserve(downstream_, 1, request_overhead(0), not_before_ps);
    return params_.enabled ? arrival_ps + params_.register_latency_ps : arrival_ps;
}

std::uint32_t PcieLink::read_request_count(std::uint64_t address, std::uint32_t size_bytes) const {
    return tlps_of(address, size_bytes, params_.max_read_request_bytes);
}

std::uint32_t PcieLink::read_request_bytes(std::uint64_t address, std::uint32_t size_bytes) const {
    return first_tlp_bytes(address, size_bytes, params_.max_read_request_bytes);
}

void PcieLink::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("pcie.upstream.tlps", upstream_.tlps);
    visitor.metric("pcie.upstream.bytes", upstream_.bytes);
    visitor.metric("pcie.upstream.busy_ns", upstream_.busy_ps / 1'000);
    visitor.metric("pcie.downstream.tlps", downstream_.tlps);
    visitor.metric("pcie.downstream.bytes", downstream_.bytes);
    visitor.metric("pcie.downstream.busy_ns", downstream_.busy_ps / 1'000);
    visitor.metric("pcie.credits.posted_waits", posted_waits_.waits);
    visitor.metric("pcie.credits.posted_wait_ns", posted_waits_.wait_ps / 1'000);
    visitor.metric("pcie.credits.nonposted_waits", nonposted_waits_.waits);
    visitor.metric("pcie.credits.nonposted_wait_ns", nonposted_waits_.wait_ps / 1'000);
    const Iotlb::Counters& iotlb = iotlb_.counters();
    visitor.metric("pcie.iotlb.hits", iotlb.hits);
    visitor.metric("pcie.iotlb.misses", iotlb.misses);
    visitor.metric("pcie.iotlb.walker_waits", iotlb.walker_waits);
    visitor.metric("pcie.iotlb.walker_wait_ns", iotlb.walker_wait_ps / 1'000);
}

}  // namespace doorbell
