#pragma once

#include <array>
#include <cstdint>

#include "hw/mac/packet_layout.hpp"
#include "hw/mac/receive_checksum.hpp"
#include "hw/mac/receive_filter.hpp"
#include "hw/mac/receive_side_scaling.hpp"
#include "hw/regs/register_file.hpp"
#include "hw/rings/queue_engine_params.hpp"
#include "hw/rings/rx_descriptor.hpp"

namespace doorbell {

inline constexpr std::uint32_t kRxQueues = 2;

/// What the receive registers say, decoded when they are written, never per frame.
struct RxConfig {
    FilterConfig filter;
    HeaderParsing parsing;
    ReceiveChecksumConfig checksum;
    RssConfig rss;
    RxFormat format = RxFormat::kLegacy;
    std::uint32_t slots = 1;            ///< Places of 16 bytes that a descriptor takes in its ring.
    std::uint32_t buffer_bytes = 2048;  ///< RCTL.BSIZE, BSEX, FLXBUF
    SplitSizes split_bytes{};           ///< PSRCTL: packet split has four buffers.
    bool split_fragments = true;        ///< Not RFCTL.IPFRSP_DIS
    bool strip_crc = false;             ///< RCTL.SECRC
    bool strip_vlan = false;            ///< CTRL.VME
    std::uint32_t threshold_shift = 1;  ///< RCTL.RDMTS: RXDMT0 at ring size >> shift
    bool immediate = true;              ///< RDTR.DELAY = 0: write back with each frame
    std::uint32_t small_packet_bytes = 0;  ///< RSRPD
    bool ack_cause = true;                 ///< Not RFCTL.ACK_DIS
    bool pure_ack_only = false;            ///< RFCTL.ACKD_DIS
};

/// Everything but the tables and the key.
void decode_rx_control(RxConfig& config, const regs::RegisterFile& registers,
                       const QueueEngineParams& params);
/// RAL and RAH.
void decode_receive_addresses(FilterConfig& filter, const regs::RegisterFile& registers);
/// MTA and VFTA, all of them; single writes go into the tables directly.
void decode_filter_tables(FilterConfig& filter, const regs::RegisterFile& registers);
/// RSSRK.
void decode_rss_key(RssConfig& rss, const regs::RegisterFile& registers);
/// A word of RETA: four entries.
void decode_rss_entries(RssConfig& rss, const regs::RegisterFile& registers, std::uint32_t word);

}  // namespace doorbell
