#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/loan_pool.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/pcie_port.hpp"
#include "hw/base/prng.hpp"
#include "hw/base/time.hpp"
#include "hw/pcie/iotlb.hpp"
#include "hw/pcie/memory_latency.hpp"

namespace doorbell {

/// What the header of a request for memory looks like: four dwords hold any address, three one
/// below 4 GiB (2.2.4.1).
enum class AddressBits : std::uint8_t {
    kAuto,  ///< By the address, as hardware does it: below 4 GiB the long form is not allowed.
    k32,    ///< Three dwords always.
    k64,    ///< Four dwords always, as pcie-bench counts.
};

/// Defaults: the 82574L's Gen1 x1 link below a root complex of a desktop board. The latencies are
/// fitted: a 64-byte DMA read of an idle Gen3 x8 device takes the 600 ns that pcie-bench measured,
/// and a register read over Gen1 x4 the 1,581 ns measured on an 82576.
struct PcieLinkParams : MemoryLatencyParams, IotlbParams {
    bool enabled = true;           ///< false: functional mode, every arrival is immediate.
    std::uint32_t generation = 1;  ///< 1 and 2: 8b/10b; 3 to 5: 128b/130b.
    std::uint32_t lanes = 1;
    std::uint32_t max_payload_bytes = 128;              ///< MPS until `set_limits`.
    std::uint32_t max_read_request_bytes = 512;         ///< MRRS until `set_limits`.
    std::uint32_t read_completion_boundary_bytes = 64;  ///< RCB
    /// Largest completion the root complex makes: 0 is the MPS; some answer by the RCB. Never more
    /// than the MPS, nor less than the RCB, at which a completion may end (2.3.1.1).
    std::uint32_t completion_payload_bytes = 0;
    AddressBits address_bits = AddressBits::k64;
    /// Data travels in whole dwords (2.2.2). Off: by the byte, as pcie-bench counts it.
    bool whole_dwords = true;

    Picoseconds propagation_ps = nanoseconds(200);  ///< Each way: PHYs, link layers, root complex.
    Picoseconds register_latency_ps = nanoseconds(1129);  ///< Inside the device, per read.

    // Flow control towards the root complex; 0: infinite (2.6.1). Completions never wait, in
    // neither direction: an endpoint and a root complex that forwards nothing between its ports
    // have to announce infinite credits for them. What the device grants to register writes is the
    // affair of whoever writes them (`NicParams::posted_writes`); registers are read one by one.
    std::uint32_t posted_header_credits = 0;     ///< One for each write, message or interrupt.
    std::uint32_t posted_data_credits = 0;       ///< One for each 16 bytes of their data.
    std::uint32_t nonposted_header_credits = 0;  ///< One for each read request.
    /// From the root complex's buffer being free to the transmitter knowing: UpdateFC on its way.
    Picoseconds credit_return_ps = nanoseconds(200);

    // TLP framing, sequence number, header and LCRC.
    std::uint32_t request_overhead_bytes = 24;  ///< With a header of four dwords.
    std::uint32_t completion_overhead_bytes = 20;
    /// ACK, flow control and SKIP share of the raw rate, per million: 8/203 + 8/203 + 4/1538.
    std::uint32_t dllp_share_ppm = 81'419;
};

/// Time of one PCIe link. Each direction is a resource with a busy-until time; each TLP costs its
/// header, its DLLP share and its serialisation, by arithmetic, not by an event. Without credits
/// and IOTLB that is a formula for all TLPs of a request; with them a loop over them, which asks
/// for each when its credits are back and when its page is translated (docs/adr/0008).
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
    [[nodiscard]] Picoseconds interrupt_arrival(std::uint64_t address,
                                                Picoseconds not_before_ps) override;
    [[nodiscard]] Picoseconds message_arrival(Picoseconds not_before_ps) override;
    [[nodiscard]] ReadTimes read_ready(std::uint64_t address, std::uint32_t size_bytes,
                                       std::uint32_t requests, Picoseconds not_before_ps) override;
    [[nodiscard]] Picoseconds read_credits_at(std::uint32_t requests, Picoseconds now_ps) override;
    [[nodiscard]] std::uint32_t most_read_requests() const override;
    /// The answer to a register read, with `size_bytes` of data: behind the writes sent before it.
    [[nodiscard]] Picoseconds register_completion_arrival(std::uint32_t size_bytes,
                                                          Picoseconds ready_ps);

    // --- downstream
    // -------------------------------------------------------------------------------
    [[nodiscard]] Picoseconds completion_arrival(std::uint64_t address, std::uint32_t size_bytes,
                                                 Picoseconds answered_from_ps) override;
    [[nodiscard]] Picoseconds error_completion_arrival(Picoseconds ready_ps) override;
    [[nodiscard]] Picoseconds delivery_ps_per_byte() const override {
        return params_.enabled ? memory_.delivery_ps_per_byte() : 0;
    }
    /// A register or configuration write: when it reaches the device. The writer does not wait.
    [[nodiscard]] Picoseconds posted_write_down(std::uint32_t size_bytes,
                                                Picoseconds not_before_ps);
    /// A register read: when the device has looked it up, link and `register_latency_ps` included.
    /// Sample the register then, and call `register_completion_arrival` then.
    [[nodiscard]] Picoseconds register_read_ready(Picoseconds not_before_ps);

    [[nodiscard]] std::uint32_t read_request_count(std::uint64_t address,
                                                   std::uint32_t size_bytes) const override;
    [[nodiscard]] std::uint32_t read_request_bytes(std::uint64_t address,
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

    struct Tlps {
        std::uint64_t count = 0;
        std::uint64_t bytes = 0;  ///< Headers included.
    };

    /// What answers one of the requests of a read.
    struct Answer {
        Picoseconds ready_ps;
        std::uint64_t bytes;
    };

    struct CreditWaits {
        std::uint64_t waits = 0;
        Picoseconds wait_ps = 0;
    };

    Picoseconds reserve(Path& path, std::uint64_t tlps, std::uint64_t bytes,
                        Picoseconds not_before_ps);
    // The loops over TLPs stay out of the way of the formulas.
    [[nodiscard, gnu::noinline]] Picoseconds post(std::uint64_t address, std::uint32_t size_bytes,
                                                  bool translated, Picoseconds not_before_ps);
    [[nodiscard]] Picoseconds post_tlp(std::uint64_t bytes, std::uint64_t carried,
                                       Picoseconds not_before_ps);
    void give_back_posted(std::uint64_t carried);
    [[nodiscard, gnu::noinline]] ReadTimes requests_ready(std::uint64_t address,
                                                          std::uint32_t size_bytes,
                                                          Picoseconds not_before_ps);
    [[nodiscard]] Picoseconds request_ready(std::uint64_t address, Picoseconds not_before_ps);
    [[nodiscard]] ReadTimes times_of_answers();
    [[nodiscard]] Tlps completions(std::uint64_t address, std::uint32_t size_bytes) const;
    [[nodiscard]] std::uint32_t request_overhead(std::uint64_t address) const;
    [[nodiscard]] bool one_by_one(std::uint64_t address, std::uint32_t size_bytes) const;
    [[nodiscard]] std::uint64_t data_bytes(std::uint64_t address, std::uint32_t size_bytes) const;

    PcieLinkParams params_;
    Prng prng_;
    std::uint64_t ps_per_byte_q16_;  ///< Picoseconds per byte, 16 fractional bits.
    MemoryLatency memory_;
    Path upstream_;
    Path downstream_;

    /// Credits or an IOTLB: what becomes of a TLP depends on those before it.
    bool each_tlp_counts_;
    bool headers_differ_;  ///< By the address.
    Iotlb iotlb_;
    LoanPool posted_headers_;
    LoanPool posted_data_;
    LoanPool nonposted_headers_;
    std::vector<Answer> answers_;  ///< To the requests of the read that is being sent.
    /// When the last posted request was in memory: whatever comes behind it is not there earlier.
    Picoseconds posted_done_ps_ = 0;
    CreditWaits posted_waits_;
    CreditWaits nonposted_waits_;
    Picoseconds held_back_until_ps_ = 0;
};

}  // namespace doorbell
