#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// When memory answers a read that is split into requests.
struct ReadTimes {
    /// It has the data of all of them.
    Picoseconds ready_ps = 0;
    /// From when on their completions, one behind the other without a gap, end when they would if
    /// each request were answered as soon as memory has its data. `ready_ps` for a single request.
    Picoseconds answered_from_ps = 0;
};

/// The PCIe link, and the root complex behind it, as a DMA engine sees them: each call reserves one
/// direction and says when what was asked for has happened at the other end. A direction serves in
/// the order of the calls, so nobody reserves for a time at which it is not yet sure to need the
/// link (architecture, section 3).
class PciePort {
public:
    virtual ~PciePort() = default;

    // --- upstream: device to memory
    // -----------------------------------------------------------------
    /// Posted write; split by the maximum payload and at 4 KiB. When all of it is in memory.
    [[nodiscard]] virtual Picoseconds write_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                                    Picoseconds not_before_ps) = 0;
    /// A message-signalled interrupt: a posted dword that no IOMMU page table translates.
    [[nodiscard]] virtual Picoseconds interrupt_arrival(std::uint64_t address,
                                                        Picoseconds not_before_ps) = 0;
    /// A message without data: INTx assert and deassert.
    [[nodiscard]] virtual Picoseconds message_arrival(Picoseconds not_before_ps) = 0;
    /// The requests of a read, as many as `read_request_count` says.
    [[nodiscard]] virtual ReadTimes read_ready(std::uint64_t address, std::uint32_t size_bytes,
                                               std::uint32_t requests,
                                               Picoseconds not_before_ps) = 0;
    /// From when on so many read requests may leave together: the root complex has non-posted
    /// credits for them. A device that has none sends posted requests meanwhile, so the requests
    /// are held back before they reserve the link. At most `most_read_requests` at once.
    [[nodiscard]] virtual Picoseconds read_credits_at(std::uint32_t /*requests*/,
                                                      Picoseconds now_ps) {
        return now_ps;
    }
    /// How many read requests the root complex ever has credits for at once.
    [[nodiscard]] virtual std::uint32_t most_read_requests() const { return ~std::uint32_t{0}; }

    // --- downstream: memory back to the device
    // ------------------------------------------------------
    /// Completions with data, from `answered_from_ps` on; call it at `ready_ps`, not earlier.
    [[nodiscard]] virtual Picoseconds completion_arrival(std::uint64_t address,
                                                         std::uint32_t size_bytes,
                                                         Picoseconds answered_from_ps) = 0;
    /// A completion without data: the request failed.
    [[nodiscard]] virtual Picoseconds error_completion_arrival(Picoseconds ready_ps) = 0;
    /// What the device's own memory takes to have what the last completion has brought, for each
    /// byte of the whole read.
    [[nodiscard]] virtual Picoseconds delivery_ps_per_byte() const { return 0; }

    // --- splitting
    // ----------------------------------------------------------------------------------
    /// Into how many requests a read is split, by the maximum read request size and at 4 KiB: the
    /// tags that it takes.
    [[nodiscard]] virtual std::uint32_t read_request_count(std::uint64_t address,
                                                           std::uint32_t size_bytes) const = 0;
    /// How many bytes the first of them asks for.
    [[nodiscard]] virtual std::uint32_t read_request_bytes(std::uint64_t address,
                                                           std::uint32_t size_bytes) const = 0;
};

}  // namespace doorbell
