#pragma once

#include <array>
#include <cstdint>

#include "hw/base/frame.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/mac/ethernet.hpp"

namespace doorbell {

/// Why a frame that came in did not reach host memory. The numbers are those of the event
/// `frame_drop`.
enum class DropReason : std::uint8_t {
    kNone = 0,
    kReceiverOff = 1,  ///< RCTL.EN is 0, no link, or D3: nothing sees the frame.
    kUndersize = 2,    ///< Below 64 bytes, FCS good.
    kFragment = 3,     ///< Below 64 bytes, FCS bad.
    kOversize = 4,     ///< Too long, FCS good.
    kJabber = 5,       ///< Too long, FCS bad.
    kCrcError = 6,
    kMacControl = 7,  ///< PAUSE and other MAC control frames end in the MAC.
    kAddress = 8,     ///< No address filter matched.
    kVlan = 9,        ///< VFTA does not know the VLAN.
    kCfi = 10,        ///< RCTL.CFIEN: not the canonical format that is wanted.
    kOverrun = 11,    ///< The receive FIFO had no room (MPC).
    kCount = 12,
};
[[nodiscard]] const char* drop_reason_name(DropReason reason);

/// Which filter let a frame in: the event `frame_accept` tells it.
enum class FilterRule : std::uint8_t {
    kNone = 0,
    kExact = 1,                 ///< One of the 16 receive addresses.
    kUnicastPromiscuous = 2,    ///< RCTL.UPE
    kMulticastPromiscuous = 3,  ///< RCTL.MPE
    kMulticastHash = 4,         ///< MTA: inexact, software checks again (PIF).
    kBroadcast = 5,             ///< RCTL.BAM
};

/// What the registers say about reception, decoded when they are written, never per frame.
struct FilterConfig {
    struct ExactAddress {
        ethernet::Address address;
        bool source;  ///< RAH.ASEL = 01: compared with the source address.
    };
    std::array<ExactAddress, 16> exact{};
    std::uint32_t exact_count = 0;
    ethernet::Address station = 0;  ///< RA0, for PAUSE frames.

    bool enabled = false;              ///< RCTL.EN
    bool store_bad = false;            ///< RCTL.SBP
    bool unicast_promiscuous = false;  ///< RCTL.UPE
    bool multicast_promiscuous = false;
    bool broadcast = false;           ///< RCTL.BAM
    std::uint32_t maximum_bytes = 0;  ///< FCS included; by RCTL.LPE.
    std::uint32_t hash_shift = 4;     ///< By RCTL.MO.
    std::array<std::uint32_t, 128> multicast_table{};

    bool vlan_filter = false;  ///< RCTL.VFE
    bool cfi_check = false;    ///< RCTL.CFIEN
    bool cfi_wanted = false;   ///< RCTL.CFI
    std::uint16_t vet = 0;
    std::array<std::uint32_t, 128> vlan_table{};

    bool obey_pause = false;        ///< CTRL.RFCE
    bool pass_mac_control = false;  ///< RCTL.PMCF
    bool discard_pause = false;     ///< RCTL.DPF
    ethernet::Address flow_control_address = 0;
    std::uint16_t flow_control_type = 0;
};

/// The decision about one frame.
struct ReceiveVerdict {
    bool accepted = false;
    FilterRule rule = FilterRule::kNone;
    /// Why it is dropped; of an accepted frame (RCTL.SBP) what is wrong with it.
    DropReason reason = DropReason::kNone;
    bool inexact = false;  ///< PIF
    /// A MAC control frame for this station: no good packet for the counters, even when it is
    /// passed to the host.
    bool mac_control = false;
    /// A PAUSE frame to be obeyed, with its time in quanta of 512 bit times.
    bool pause = false;
    std::uint16_t pause_quanta = 0;
    /// A MAC control frame with an operation the part does not know (FCRUC).
    bool unknown_mac_control = false;
    /// Some address filter matched, whatever else happened (RLEC counts only those).
    bool address_matched = false;

    [[nodiscard]] bool good() const { return reason == DropReason::kNone; }
};

/// Position in MTA's 4096 bits for a destination, by the window that RCTL.MO selects.
[[nodiscard]] std::uint32_t multicast_hash(const std::uint8_t* destination, std::uint32_t shift);
/// RCTL.MO = 0..3 selects bits 47:36, 46:35, 45:34, 43:32 of the destination.
[[nodiscard]] std::uint32_t multicast_hash_shift(std::uint32_t mo);

/// Is this frame accepted? Decisions in the order of specification 7.1; the receiver is enabled. A
/// frame that is accepted may still find no room (RxFifo).
///
///   length      64 to 1522, with LPE to 9728      else dropped; SBP: kept if the address matches
///   FCS         good                              likewise
///   MAC control type FCT, to FCAL/FCAH or RA0     ends here; PMCF: goes on, PAUSE not with DPF
///   address     any of the following              else dropped
///                 RA: 16 entries with AV; ASEL 00 destination, 01 source
///                 unicast: UPE
///                 multicast: MPE, or the bit of MTA that MO chooses (then PIF)
///                 broadcast: BAM, or that bit of MTA
///   VLAN        of frames with type VET, with VFE: the bit of VFTA; with CFIEN the CFI bit too
[[nodiscard]] ReceiveVerdict judge_frame(const FilterConfig& config, const Frame& frame);

/// Counts what a verdict says went wrong, and MAC control frames.
void count_verdict(StatsPort& stats, const ReceiveVerdict& verdict);

}  // namespace doorbell
