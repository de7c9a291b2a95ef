#pragma once

#include <cstdint>

#include "hw/base/time.hpp"

namespace doorbell {

/// What is a choice about rings, filters and the packet buffer. `uNN` are the open questions of the
/// specification (section 13) with their recommended defaults.
struct QueueEngineParams {
    /// The first frame sent gets this number plus 1: unique in a run when each NIC has its own.
    std::uint64_t first_frame_number = 0;

    /// U5: type and hash are reported as soon as MRQC names a field, also while MRQE is 00.
    bool u5_hash_without_mrqe = true;
    /// U13: VP is reported for VLAN frames even while CTRL.VME is 0.
    bool u13_vp_without_vme = false;
    /// U14: a computed UDP checksum of 0 is sent as 0xFFFF (RFC 768: 0 means "none").
    bool u14_udp_zero_as_ffff = true;
    /// U15: CWR stays only in the first segment of a TSO (RFC 3168 6.1.2), else in all of them.
    bool u15_cwr_in_first_segment_only = false;
    /// U16: longest frame, FCS included, that RCTL.LPE lets in.
    std::uint32_t u16_long_frame_bytes = 9728;
    /// U18: RXO is raised already when a frame has to wait for a descriptor.
    bool u18_rxo_on_descriptor_shortage = false;
    /// FCRTV counts in units of this many bit times: 64 are the 8 bytes of the specification, 512
    /// the quanta of PAUSE.
    std::uint32_t fcrtv_unit_bits = 64;
    /// U20: bit 21 of MRQC enables the hash of TCP over IPv6, as in the family; else it is storage.
    bool u20_tcp_ipv6_in_bit_21 = true;
    /// U24: each TX queue keeps a context of its own; else the last one loaded serves both.
    bool u24_tx_context_per_queue = false;

    /// On-chip store of descriptors per queue (specification section 12), at most 64.
    std::uint32_t descriptor_cache = 64;
    /// Unit of PTHRESH, HTHRESH and WTHRESH while GRAN is 0.
    std::uint32_t cache_line_bytes = 64;
    /// From the last byte of a frame in the packet buffer to its first preamble bit.
    std::uint32_t tx_pipeline_cycles = 32;
    /// From the last bit of a received frame to the first write of its data: what filters,
    /// checksums and the way through the packet buffer take beyond the frame's own time. No figure
    /// is public; 0 leaves what a frame takes to PCIe.
    std::uint32_t rx_pipeline_cycles = 0;
    Picoseconds clock_ps = 8'000;
    /// The rate at which frames leave, whatever the link has negotiated and the wire could take; 0:
    /// the link's, on a wire that has a rate.
    std::uint32_t transmit_rate_mbps = 0;
    /// That rate, on a link of `link_mbps`: PAUSE counts its quanta by it, too.
    [[nodiscard]] std::uint32_t rate_mbps(std::uint32_t link_mbps) const {
        return transmit_rate_mbps != 0 ? transmit_rate_mbps : link_mbps;
    }
    /// Frames are handed to the wire up to this long before they start, several per activation. A
    /// reset cannot recall what has been handed over; 0 hands each frame over when it enters the
    /// pipeline.
    Picoseconds transmit_lookahead_ps = microseconds(60);
};

}  // namespace doorbell
