#pragma once

#include <cstdint>

#include "hw/base/metrics.hpp"
#include "hw/base/pcie_port.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// Defaults: the 82574L's Gen1 x1 link below a root complex of a desktop board. The latencies are
/// fitted: a 64-byte DMA read of an idle Gen3 x8 device takes the 600 ns that pcie-bench measured,
/// and a register read over Gen1 x4 the 1,581 ns measured on an 82576.
struct PcieLinkParams {
    bool enabled = true;           ///< false: functional mode, every arrival is immediate.
    std::uint32_t generation = 1;  ///< 1 and 2: 8b/10b; 3: 128b/130b.
    std::uint32_t lanes = 1;
    std::uint32_t max_payload_bytes = 128;              ///< MPS until `set_limits`.
    std::uint32_t max_read_request_bytes = 512;         ///< MRRS until `set_limits`.
    std::uint32_t read_completion_boundary_bytes = 64;  ///< RCB
    /// Largest completion the root complex makes: 0 is the MPS; some answer by the RCB.
    std::uint32_t completion_payload_bytes = 0;

    Picoseconds propagation_ps = nanoseconds(200);  ///< Each way: PHYs, link layers, root complex.
    Picoseconds memory_latency_ps = nanoseconds(185);
    /// Draws the memory latency from the distribution measured by pcie-bench: median as above, 95 %
    /// within +53 ns, 99.9 % within +306 ns. Off: always the median.
    bool memory_latency_spread = false;
    Picoseconds register_latency_ps = nanoseconds(1129);  ///< Inside the device, per read.

    // TLP framing, sequence number, header and LCRC: 64-bit addresses, as pcie-bench counts.
    std::uint32_t request_overhead_bytes = 24;  ///< Memory write and memory read request.
    std::uint32_t completion_overhead_bytes = 20;
    /// ACK, flow control and SKIP share of the raw rate, per million: 8/203 + 8/203 + 4/1538.
    std::uint32_t dllp_share_ppm = 81'419;
};

/// Time of one PCIe link. Each direction is a resource with a busy-until time; each TLP costs its
/// header, its DLLP share and its serialisation, by arithmetic, not by an event.
class PcieLink final : public PciePort {
public:
    explicit PcieLink(const PcieLinkParams& params, std::uint64_t seed = 0);

    /// Device Control of the configuration space: maximum payload and read request size.
    void set_limits(std::uint32_t max_payload_bytes, std::uint32_t max_read_request_bytes);
    [[nodiscard]] const PcieLinkParams& params() const { return params_; }

    // --- upstream
    // ---------------------------------------------------------------------------------
    [[nodiscard]] Picoseconds write_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                            Picoseconds not_before_ps) override;
    [[nodiscard]] Picoseconds read_request_arrival(std::uint32_t requests,
                                                   Picoseconds not_before_ps) override;
    [[nodiscard]] Picoseconds message_arrival(Picoseconds not_before_ps) override;
    /// The answer to a register read, with `size_bytes` of data: behind the writes sent before it.
    [[nodiscard]] Picoseconds register_completion_arrival(std::uint32_t size_bytes,
                                                          Picoseconds ready_ps);

    // --- downstream
    // -------------------------------------------------------------------------------
    [[nodiscard]] Picoseconds memory_ready(Picoseconds arrival_ps) override;
    [[nodiscard]] Picoseconds completion_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                                 Picoseconds ready_ps) override;
    [[nodiscard]] Picoseconds error_completion_arrival(Picoseconds ready_ps) override;
    /// A register or configuration write: when it reaches the device. The writer does not wait.
    [[nodiscard]] Picoseconds posted_write_down(std::uint32_t size_bytes,
                                                Picoseconds not_before_ps);
    /// A register read: when the device has looked it up, link and `register_latency_ps` included.
    /// Sample the register then, and call `register_completion_arrival` then.
    [[nodiscard]] Picoseconds register_read_ready(Picoseconds not_before_ps);

    [[nodiscard]] std::uint32_t read_request_count(std::uint64_t address,
                                                   std::uint32_t size_bytes) const override;

    /// Serialisation time of that many bytes, DLLP share included.
    [[nodiscard]] Picoseconds serialisation_ps(std::uint64_t bytes) const;

    void visit_metrics(MetricVisitor& visitor) const;

private:
    struct Path {
        Picoseconds busy_until_ps = 0;
        Picoseconds busy_ps = 0;
        std::uint64_t tlps = 0;
        std::uint64_t bytes = 0;
    };

    Picoseconds reserve(Path& path, std::uint64_t tlps, std::uint64_t bytes,
                        Picoseconds not_before_ps);

    PcieLinkParams params_;
    Prng prng_;
    std::uint64_t ps_per_byte_q16_;  ///< Picoseconds per byte, 16 fractional bits.
    Path upstream_;
    Path downstream_;
};

}  // namespace doorbell
