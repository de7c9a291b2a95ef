#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// The PCIe link as a DMA engine sees it: each call reserves one direction and says when the last
/// byte is at the other end. A direction serves in the order of the calls, so nobody reserves for
/// a time at which it is not yet sure to need the link (architecture, section 3).
class PciePort {
public:
    virtual ~PciePort() = default;

    // --- upstream: device to memory
    // -----------------------------------------------------------------
    /// Posted write; split by the maximum payload and at 4 KiB.
    [[nodiscard]] virtual Picoseconds write_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                                    Picoseconds not_before_ps) = 0;
    /// The requests of a read, as many as `read_request_count` says.
    [[nodiscard]] virtual Picoseconds read_request_arrival(std::uint32_t requests,
                                                           Picoseconds not_before_ps) = 0;
    /// A message without data: INTx assert and deassert.
    [[nodiscard]] virtual Picoseconds message_arrival(Picoseconds not_before_ps) = 0;

    // --- memory, and downstream back to the device
    // ---------------------------------------------------
    /// When memory has the data of a read that reached it at `arrival_ps`.
    [[nodiscard]] virtual Picoseconds memory_ready(Picoseconds arrival_ps) = 0;
    /// Completions with data; call it at `ready_ps`, not earlier.
    [[nodiscard]] virtual Picoseconds completion_arrival(std::uint64_t address,
                                                         std::uint32_t size_bytes,
                                                         Picoseconds ready_ps) = 0;
    /// A completion without data: the request failed.
    [[nodiscard]] virtual Picoseconds error_completion_arrival(Picoseconds ready_ps) = 0;

    /// Into how many requests a read is split, by the maximum read request size and at 4 KiB: the
    /// tags that it takes.
    [[nodiscard]] virtual std::uint32_t read_request_count(std::uint64_t address,
                                                           std::uint32_t size_bytes) const = 0;
};

}  // namespace doorbell
