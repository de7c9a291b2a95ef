#pragma once

#include <cstdint>

#include "hw/base/frame.hpp"
#include "hw/base/link_port.hpp"

namespace doorbell {

/// A context descriptor (specification 5.3) by the datasheet's names. Offsets count from the start
/// of the packet as it lies in host memory, before a VLAN tag is inserted.
struct TxContext {
    std::uint32_t ipcss = 0;
    std::uint32_t ipcso = 0;
    std::uint32_t ipcse = 0;
    std::uint32_t tucss = 0;
    std::uint32_t tucso = 0;
    std::uint32_t tucse = 0;
    std::uint32_t hdrlen = 0;
    std::uint32_t mss = 0;
    bool tcp = false;   ///< Else UDP.
    bool ipv4 = false;  ///< Else IPv6.
    bool snap = false;  ///< An 802.3 length stands where the type would.
};

/// What is to be done to a packet on its way out: collected from its descriptors and registers.
struct TxInstructions {
    bool append_fcs = true;  ///< IFCS; else the data ends with an FCS already.
    bool pad = false;        ///< TCTL.PSP
    bool insert_tag = false;
    std::uint16_t tag = 0;
    std::uint16_t vet = 0;
    bool time_stamp = false;     ///< EXTCMD.TS of any descriptor of the packet
    bool insert_ip = false;      ///< POPTS.IXSM
    bool insert_l4 = false;      ///< POPTS.TXSM
    bool insert_legacy = false;  ///< IC of a legacy descriptor
    std::uint32_t cso = 0;
    std::uint32_t css = 0;
    TxContext context;
};

/// Which part of a segmented packet a frame is (specification 6.3).
struct TxSegment {
    std::uint32_t header_bytes = 0;  ///< Repeated header at the start of the frame.
    std::uint32_t index = 0;
    bool last = false;
};

struct TxOffloadParams {
    bool udp_zero_as_ffff = true;
    bool cwr_in_first_segment_only = false;
};

/// Makes the frame that goes out of what was gathered. The packet stands `headroom` bytes (0, or 4
/// when a tag was foreseen) into the frame's data and has `body_bytes`. `segment` is nullptr
/// outside of TSO. Returns false when a checksum could not be inserted because its place or start
/// is outside the packet: the frame goes out without. What the wire takes off the NIC is left to it
/// and said in the frame's hints (all but `train`, which only its sender knows).
bool finish_frame(Frame& frame, std::uint32_t headroom, std::uint32_t body_bytes,
                  const TxInstructions& what, const TxSegment* segment,
                  const TxOffloadParams& params, const WireOffloads& wire = {});

}  // namespace doorbell
