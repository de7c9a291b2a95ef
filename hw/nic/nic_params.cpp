#include "hw/nic/nic_params.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <iterator>
#include <limits>

namespace doorbell {

namespace {

constexpr Picoseconds kNanosecond = nanoseconds(1);
constexpr Picoseconds kMicrosecond = microseconds(1);
constexpr Picoseconds kMillisecond = milliseconds(1);
constexpr std::int64_t kMaxU32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::int64_t kMaxI64 = std::numeric_limits<std::int64_t>::max();

// A parameter is a member of a block's parameters (`Group`); `Unit` is what one step of the raw
// value is worth in the member.
template <auto Group, auto Member, Picoseconds Unit>
std::int64_t load(const NicParams& params) {
    return static_cast<std::int64_t>((params.*Group).*Member) / static_cast<std::int64_t>(Unit);
}
template <auto Group, auto Member, Picoseconds Unit>
void store(NicParams& params, std::int64_t raw) {
    auto& member = (params.*Group).*Member;
    member = static_cast<std::remove_reference_t<decltype(member)>>(
        raw * static_cast<std::int64_t>(Unit));
}

template <auto Group, auto Member>
constexpr NicParam boolean(std::string_view name, std::string_view description) {
    return {name,
            NicParamKind::kBoolean,
            "",
            0,
            1,
            "",
            description,
            load<Group, Member, 1>,
            store<Group, Member, 1>};
}
template <auto Group, auto Member, Picoseconds Unit = 1>
constexpr NicParam integer(std::string_view name, std::string_view unit, std::int64_t minimum,
                           std::int64_t maximum, std::string_view description) {
    return {name,
            NicParamKind::kInteger,
            unit,
            minimum,
            maximum,
            "",
            description,
            load<Group, Member, Unit>,
            store<Group, Member, Unit>};
}
template <auto Group, auto Member>
constexpr NicParam power_of_two(std::string_view name, std::string_view unit, std::int64_t minimum,
                                std::int64_t maximum, std::string_view description) {
    return {name,
            NicParamKind::kPowerOfTwo,
            unit,
            minimum,
            maximum,
            "",
            description,
            load<Group, Member, 1>,
            store<Group, Member, 1>};
}
template <auto Group, auto Member>
constexpr NicParam choice(std::string_view name, std::string_view choices,
                          std::string_view description) {
    return {name,
            NicParamKind::kChoice,
            "",
            0,
            0,
            choices,
            description,
            load<Group, Member, 1>,
            store<Group, Member, 1>};
}

// "off" is code 1, so that a member that enables is its inverse.
std::int64_t load_timing(const NicParams& params) {
    return params.pcie.enabled ? 0 : 1;
}
void store_timing(NicParams& params, std::int64_t raw) {
    params.pcie.enabled = raw == 0;
}

std::int64_t load_mac(const NicParams& params) {
    std::int64_t raw = 0;
    for (const std::uint8_t byte : params.nvm.mac_address) raw = raw << 8 | byte;
    return raw;
}
void store_mac(NicParams& params, std::int64_t raw) {
    for (std::size_t i = params.nvm.mac_address.size(); i-- > 0; raw >>= 8) {
        params.nvm.mac_address[i] = static_cast<std::uint8_t>(raw);
    }
}

template <auto Member>
std::int64_t load_own(const NicParams& params) {
    return static_cast<std::int64_t>(params.*Member);
}
template <auto Member>
void store_own(NicParams& params, std::int64_t raw) {
    auto& member = params.*Member;
    member = static_cast<std::remove_reference_t<decltype(member)>>(raw);
}

constexpr auto kCore = &NicParams::core;
constexpr auto kConfig = &NicParams::config;
constexpr auto kDma = &NicParams::dma;
constexpr auto kIrq = &NicParams::irq;
constexpr auto kNvm = &NicParams::nvm;
constexpr auto kPcie = &NicParams::pcie;
constexpr auto kPhy = &NicParams::phy;
constexpr auto kPtp = &NicParams::ptp;
constexpr auto kRings = &NicParams::rings;
constexpr auto kStats = &NicParams::stats;

constexpr NicParam kTable[] = {
    power_of_two<kConfig, &ConfigSpaceParams::flash_bar_bytes>(
        "config.flash_bar_bytes", "bytes", 0, 1 << 20,
        "Size of BAR1, the flash window (from 65536); 0: no such BAR"),
    integer<kConfig, &ConfigSpaceParams::msix_vectors>("config.msix_vectors", "", 1, 5,
                                                       "MSI-X vectors that the function announces"),
    integer<kConfig, &ConfigSpaceParams::device_capabilities>(
        "config.u23_device_capabilities", "", 0, kMaxU32, "U23: PCIe Device Capabilities"),
    integer<kConfig, &ConfigSpaceParams::link_capabilities>(
        "config.u23_link_capabilities", "", 0, kMaxU32,
        "U23: PCIe Link Capabilities; speed and width are those of the link"),
    integer<kCore, &CoreParams::mdic_transaction_ps, kNanosecond>(
        "core.mdic_ns", "ns", 0, 1'000'000, "One transaction with a PHY register"),
    boolean<kCore, &CoreParams::smbi_left_set>(
        "core.smbi_left_set", "Erratum: a boot agent left the semaphore SWSM.SMBI set"),
    integer<kCore, &CoreParams::u10_ctrl_reset>("core.u10_ctrl_reset", "", 0, kMaxU32,
                                                "U10: CTRL after a reset"),
    integer<kCore, &CoreParams::u11_ctrl_ext_reset>("core.u11_ctrl_ext_reset", "", 0, kMaxU32,
                                                    "U11: CTRL_EXT after a reset"),
    integer<kCore, &CoreParams::u11_factps_reset>("core.u11_factps_reset", "", 0, kMaxU32,
                                                  "U11: FACTPS after a reset"),
    integer<kCore, &CoreParams::u11_gcr_reset>("core.u11_gcr_reset", "", 0, kMaxU32,
                                               "U11: GCR after a reset"),
    integer<kCore, &CoreParams::u11_ledctl_reset>("core.u11_ledctl_reset", "", 0, kMaxU32,
                                                  "U11: LEDCTL after a reset"),
    integer<kCore, &CoreParams::u11_manc_reset>("core.u11_manc_reset", "", 0, kMaxU32,
                                                "U11: MANC after a reset"),
    choice<kCore, &CoreParams::u22_tables>(
        "core.u22_tables", "zero|random",
        "U22: MTA, VFTA, RETA and RSSRK after power-on; CTRL.RST keeps them"),
    choice<kCore, &CoreParams::u6_pba_txa>("core.u6_pba_txa", "derived|storage",
                                           "U6: PBA.TXA is what RXA leaves, or what was written"),
    choice<kDma, &DmaParams::arbitration>(
        "dma.arbitration", "in_order|round_robin",
        "Whose read takes the next free tags: who asked first, or the blocks that read in turn"),
    boolean<kDma, &DmaParams::coalesce_posted_writes>(
        "dma.coalesce_posted_writes", "Writes submitted at one instant become visible together"),
    integer<kDma, &DmaParams::completion_timeout_ps, kMicrosecond>(
        "dma.completion_timeout_us", "us", 1, 1'000'000, "When a read that nobody answers ends"),
    integer<kDma, &DmaParams::read_tags>("dma.read_tags", "", 1, DmaParams::kMaxReadTags,
                                         "Read requests that may be outstanding"),
    boolean<kDma, &DmaParams::task_per_request>(
        "dma.task_per_request",
        "Each request of a read longer than the MRRS is sampled, and frees its tag, by itself"),
    choice<kIrq, &InterruptParams::u12_other_causes>(
        "irq.u12_other_causes", "six|eight",
        "U12: causes behind OTHER: LSC, RXO, MDAC, SRPD, ACK, MNG; eight: and RXSEQ, TXD_LOW"),
    boolean<kIrq, &InterruptParams::u17_legacy_causes_in_msix>(
        "irq.u17_legacy_causes_in_msix", "U17: TXDW, RXT0 and RXDMT0 are set in MSI-X mode, too"),
    choice<kIrq, &InterruptParams::u1_icr_read>(
        "irq.u1_icr_read", "by_mode|always_clear|never_clear",
        "U1, erratum 12: an ICR read with IMS set and INT_ASSERTED clear clears the causes"),
    choice<kIrq, &InterruptParams::u2_int_asserted>(
        "irq.u2_int_asserted", "unmasked_cause|any_cause", "U2: what sets INT_ASSERTED"),
    boolean<kIrq, &InterruptParams::u3_eiac_clears_ims>("irq.u3_eiac_clears_ims",
                                                        "U3: EIAC clears the mask bit as well"),
    choice<kIrq, &InterruptParams::u4_auto_mask>(
        "irq.u4_auto_mask", "clear_ims|clear_iam",
        "U4: what EIAME does as the message of a cause leaves"),
    integer<kNvm, &NvmParams::auto_load_ps, kMicrosecond>("nvm.auto_load_us", "us", 0, 1'000'000,
                                                          "From a reset to EECD.AUTO_RD"),
    {"nvm.mac_address", NicParamKind::kMacAddress, "", 0, 0, "",
     "The station's address in the default image", load_mac, store_mac},
    integer<kNvm, &NvmParams::read_word_ps, kNanosecond>("nvm.read_word_ns", "ns", 0, 1'000'000'000,
                                                         "One EERD access"),
    integer<kNvm, &NvmParams::subsystem_id>("nvm.subsystem_id", "", 0, 0xFFFF,
                                            "Subsystem ID in the default image"),
    integer<kNvm, &NvmParams::subsystem_vendor_id>("nvm.subsystem_vendor_id", "", 0, 0xFFFF,
                                                   "Subsystem vendor ID in the default image"),
    boolean<kNvm, &NvmParams::wake_on_lan>("nvm.wake_on_lan",
                                           "APM wake-up enabled in the default image"),
    integer<kNvm, &NvmParams::write_word_ps, kNanosecond>("nvm.write_word_ns", "ns", 0,
                                                          1'000'000'000, "One EEWR access"),
    boolean<kNvm, &NvmParams::writes_survive_power_cycle>(
        "nvm.writes_survive_power_cycle", "What EEWR wrote stays over a power cycle"),
    choice<kPcie, &PcieLinkParams::address_bits>(
        "pcie.address_bits", "auto|32|64",
        "Header of a request: by its address, of three dwords (32), of four (64)"),
    power_of_two<kPcie, &PcieLinkParams::completion_payload_bytes>(
        "pcie.completion_payload_bytes", "bytes", 0, 4096,
        "Largest completion of the root complex, from RCB to maximum payload; 0: that"),
    integer<kPcie, &PcieLinkParams::credit_return_ps, kNanosecond>(
        "pcie.credit_return_ns", "ns", 0, 1'000'000,
        "From a free buffer of the root complex to the credits being back"),
    integer<kPcie, &PcieLinkParams::delivery_ps_per_byte>(
        "pcie.delivery_ps", "ps", 0, 100'000,
        "Into the device's own memory, per byte of a read; without pcie.host"),
    integer<kPcie, &PcieLinkParams::dllp_share_ppm>(
        "pcie.dllp_share_ppm", "ppm", 0, 500'000,
        "What ACK, flow control and SKIP take of the link"),
    integer<kPcie, &PcieLinkParams::generation>(
        "pcie.generation", "", 1, 5, "1: 2.5 GT/s, 2: 5 GT/s, 3: 8 GT/s, 4: 16 GT/s, 5: 32 GT/s"),
    choice<kPcie, &PcieLinkParams::host>(
        "pcie.host",
        "none|haswell_e5|haswell_e5_2620|broadwell_e5|ivy_bridge_e5|sandy_bridge_e5|haswell_e3",
        "Answers reads as a host that pcie-bench measured; none: by pcie.memory_latency_ns"),
    integer<kPcie, &PcieLinkParams::iotlb_entries>(
        "pcie.iotlb_entries", "", 0, 65'536,
        "Translations that the IOMMU keeps; 0: no translation"),
    integer<kPcie, &PcieLinkParams::iotlb_miss_ps, kNanosecond>(
        "pcie.iotlb_miss_ns", "ns", 0, 1'000'000, "A walk of its page table"),
    power_of_two<kPcie, &PcieLinkParams::iotlb_page_bytes>("pcie.iotlb_page_bytes", "bytes", 4096,
                                                           1 << 30, "What one translation covers"),
    integer<kPcie, &PcieLinkParams::iotlb_walkers>("pcie.iotlb_walkers", "", 1, 64,
                                                   "Walks that go on at once"),
    power_of_two<kPcie, &PcieLinkParams::lanes>("pcie.lanes", "", 1, 16, "Width of the link"),
    integer<kPcie, &PcieLinkParams::llc_cold_ps, kNanosecond>(
        "pcie.llc_cold_ns", "ns", 0, 1'000'000,
        "With pcie.host: how much later data comes that is not in the last-level cache"),
    integer<kPcie, &PcieLinkParams::llc_cold_percent>("pcie.llc_cold_percent", "%", 0, 100,
                                                      "With pcie.host: how much of it is not"),
    integer<kPcie, &PcieLinkParams::memory_latency_ps, kNanosecond>(
        "pcie.memory_latency_ns", "ns", 0, 1'000'000,
        "Memory's answer to a read, median; without pcie.host"),
    boolean<kPcie, &PcieLinkParams::memory_latency_spread>(
        "pcie.memory_latency_spread",
        "Memory answers by the distribution of pcie-bench's paper; without pcie.host"),
    power_of_two<kPcie, &PcieLinkParams::max_payload_bytes>(
        "pcie.mps_bytes", "bytes", 128, 4096, "Maximum payload until software sets it"),
    power_of_two<kPcie, &PcieLinkParams::max_read_request_bytes>(
        "pcie.mrrs_bytes", "bytes", 128, 4096, "Maximum read request until software sets it"),
    integer<kPcie, &PcieLinkParams::nonposted_header_credits>(
        "pcie.nonposted_header_credits", "", 0, 2032,
        "Read requests that the root complex has room for; 0: any number"),
    integer<kPcie, &PcieLinkParams::posted_data_credits>(
        "pcie.posted_data_credits", "", 0, 32'752,
        "Data of writes, in units of 16 bytes, that it has room for; 0: any amount"),
    integer<kPcie, &PcieLinkParams::posted_header_credits>(
        "pcie.posted_header_credits", "", 0, 2032,
        "Writes and messages that it has room for; 0: any number"),
    {"pcie.posted_writes", NicParamKind::kInteger, "", 1, 65'536, "",
     "Writes under way to the device before the writer waits", load_own<&NicParams::posted_writes>,
     store_own<&NicParams::posted_writes>},
    integer<kPcie, &PcieLinkParams::propagation_ps, kNanosecond>(
        "pcie.propagation_ns", "ns", 0, 1'000'000, "Each way: PHYs, link layers, root complex"),
    power_of_two<kPcie, &PcieLinkParams::read_completion_boundary_bytes>(
        "pcie.rcb_bytes", "bytes", 64, 128, "Read completion boundary"),
    integer<kPcie, &PcieLinkParams::register_latency_ps, kNanosecond>(
        "pcie.register_latency_ns", "ns", 0, 1'000'000, "A register read inside the device"),
    boolean<kPcie, &PcieLinkParams::remote_numa>("pcie.remote_numa",
                                                 "Memory hangs on the other socket"),
    integer<kPcie, &PcieLinkParams::remote_numa_ps, kNanosecond>(
        "pcie.remote_numa_ns", "ns", 0, 1'000'000, "How much later it answers then"),
    {"pcie.timing", NicParamKind::kChoice, "", 0, 0, "on|off",
     "off: functional mode, everything on the link is immediate", load_timing, store_timing},
    boolean<kPcie, &PcieLinkParams::whole_dwords>(
        "pcie.whole_dwords",
        "Data travels in whole dwords; false: by the byte, as pcie-bench counts"),
    integer<kPhy, &PhyParams::autonegotiation_ps, kMillisecond>(
        "phy.autonegotiation_ms", "ms", 0, 60'000, "From the restart of negotiation to link"),
    integer<kPhy, &PhyParams::erratum_receive_hang_ps, kMillisecond>(
        "phy.erratum_receive_hang_ms", "ms", 0, 1'000'000,
        "Erratum: from link to a receive path that hangs until the PHY is reset; 0: never"),
    integer<kPhy, &PhyParams::forced_link_ps, kMillisecond>("phy.forced_link_ms", "ms", 0, 60'000,
                                                            "The same when an end is forced"),
    integer<kPhy, &PhyParams::rx_latency_ps, kNanosecond>(
        "phy.rx_latency_ns", "ns", 0, 1'000'000, "A frame's way through the PHY, from the cable"),
    integer<kPhy, &PhyParams::tx_latency_ps, kNanosecond>(
        "phy.tx_latency_ns", "ns", 0, 1'000'000,
        "The same to the cable; a PHY loopback takes both"),
    boolean<kPhy, &PhyParams::u19_unknown_register_is_error>(
        "phy.u19_unknown_register_is_error", "U19: an unknown register or page is an MDIC error"),
    choice<kPtp, &PtpParams::erratum_systim>(
        "ptp.erratum_systim", "none|unlatched|wrong_high",
        "Erratum: the halves of SYSTIM do not belong together, now and then"),
    integer<kPtp, &PtpParams::u7_clock_ps, kNanosecond>("ptp.u7_clock_ns", "ns", 1, 1'000,
                                                        "U7: period of SYSTIM's clock"),
    choice<kPtp, &PtpParams::u8_rx_release>("ptp.u8_rx_release", "either|rxstmph|rxsatrh",
                                            "U8: the read that releases a receive time stamp"),
    choice<kPtp, &PtpParams::u9_rxudp>("ptp.u9_rxudp", "network|host",
                                       "U9: order of the bytes of RXUDP"),
    power_of_two<kRings, &QueueEngineParams::cache_line_bytes>(
        "rings.cache_line_bytes", "bytes", 16, 256, "Unit of the thresholds while GRAN is 0"),
    integer<kRings, &QueueEngineParams::clock_ps>("rings.clock_ps", "ps", 1, 1'000'000,
                                                  "Period of the chip's clock"),
    integer<kRings, &QueueEngineParams::descriptor_cache>("rings.descriptor_cache", "descriptors",
                                                          1, 64, "On-chip store of each queue"),
    integer<kRings, &QueueEngineParams::fcrtv_unit_bits>(
        "rings.fcrtv_unit_bits", "bits", 1, 4096,
        "Bit times in a unit of FCRTV; 512 are the quanta of PAUSE"),
    integer<kRings, &QueueEngineParams::rx_pipeline_cycles>(
        "rings.rx_pipeline_cycles", "cycles", 0, 1'000'000,
        "From the last bit of a received frame to the first write of its data"),
    integer<kRings, &QueueEngineParams::transmit_lookahead_ps, kNanosecond>(
        "rings.transmit_lookahead_ns", "ns", 0, 1'000'000,
        "How long before its start a frame may be handed to the wire; at most 1024 bit times while "
        "flow control is on"),
    integer<kRings, &QueueEngineParams::transmit_rate_mbps>(
        "rings.transmit_rate_mbps", "Mb/s", 0, 1'000'000,
        "Rate at which frames leave; 0: the link's, on a wire that has a rate"),
    integer<kRings, &QueueEngineParams::tx_pipeline_cycles>(
        "rings.tx_pipeline_cycles", "cycles", 0, 1'000'000,
        "From the packet buffer to the first preamble bit"),
    boolean<kRings, &QueueEngineParams::u13_vp_without_vme>(
        "rings.u13_vp_without_vme", "U13: VP marks VLAN frames even while CTRL.VME is 0"),
    boolean<kRings, &QueueEngineParams::u14_udp_zero_as_ffff>(
        "rings.u14_udp_zero_as_ffff", "U14: a computed UDP checksum of 0 is sent as 0xFFFF"),
    boolean<kRings, &QueueEngineParams::u15_cwr_in_first_segment_only>(
        "rings.u15_cwr_in_first_segment_only", "U15: CWR stays in the first segment only"),
    integer<kRings, &QueueEngineParams::u16_long_frame_bytes>(
        "rings.u16_long_frame_bytes", "bytes", 1522, 10'240,
        "U16: longest frame with FCS while RCTL.LPE is 1"),
    boolean<kRings, &QueueEngineParams::u18_rxo_on_descriptor_shortage>(
        "rings.u18_rxo_on_descriptor_shortage", "U18: RXO when a frame waits for a descriptor"),
    boolean<kRings, &QueueEngineParams::u20_tcp_ipv6_in_bit_21>(
        "rings.u20_tcp_ipv6_in_bit_21", "U20: bit 21 of MRQC hashes TCP over IPv6"),
    boolean<kRings, &QueueEngineParams::u24_tx_context_per_queue>(
        "rings.u24_tx_context_per_queue", "U24: each TX queue has a context of its own"),
    boolean<kRings, &QueueEngineParams::u5_hash_without_mrqe>(
        "rings.u5_hash_without_mrqe", "U5: the RSS hash is reported also while MRQC.MRQE is 00"),
    {"seed", NicParamKind::kInteger, "", 0, kMaxI64, "", "Seeds what is random inside the NIC",
     load_own<&NicParams::seed>, store_own<&NicParams::seed>},
    boolean<kStats, &StatisticsParams::u21_high_read_clears_pair>(
        "stats.u21_high_read_clears_pair", "U21: reading the high half clears both"),
};

/// Calls `visit(code, text)` for each choice until it returns true.
template <typename Visit>
bool any_choice(std::string_view choices, Visit&& visit) {
    std::int64_t code = 0;
    while (!choices.empty()) {
        const std::string_view text = choices.substr(0, choices.find('|'));
        if (visit(code++, text)) return true;
        choices.remove_prefix(std::min(choices.size(), text.size() + 1));
    }
    return false;
}

/// Six bytes in hexadecimal, separated by ':' or '-'; false when it is something else.
bool parse_mac(std::string_view text, std::int64_t& raw) {
    constexpr std::size_t kCharacters = 17;
    if (text.size() != kCharacters) return false;
    raw = 0;
    for (std::size_t i = 0; i < kCharacters; i++) {
        const char c = text[i];
        if (i % 3 == 2) {
            if (c != ':' && c != '-') return false;
            continue;
        }
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
        const int digit = std::isdigit(static_cast<unsigned char>(c)) != 0
                              ? c - '0'
                              : std::tolower(static_cast<unsigned char>(c)) - 'a' + 10;
        raw = raw << 4 | digit;
    }
    return true;
}

std::string format_mac(std::int64_t raw) {
    constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (int shift = 44; shift >= 0; shift -= 4) {
        text += kDigits[raw >> shift & 0xF];
        if (shift % 8 == 0 && shift != 0) text += ':';
    }
    return text;
}

/// Edits that turn one text into the other (Levenshtein).
std::size_t distance(std::string_view a, std::string_view b) {
    std::array<std::size_t, 128> row{};
    if (b.size() >= row.size()) return b.size();
    for (std::size_t j = 0; j <= b.size(); j++) row[j] = j;
    for (std::size_t i = 1; i <= a.size(); i++) {
        std::size_t diagonal = row[0];
        row[0] = i;
        for (std::size_t j = 1; j <= b.size(); j++) {
            const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
        }
    }
    return row[b.size()];
}

std::string wrong_integer(const NicParam& param, std::int64_t value) {
    if (value < param.minimum || value > param.maximum) {
        return "must be from " + std::to_string(param.minimum) + " to " +
               std::to_string(param.maximum) + (param.unit.empty() ? "" : " ") +
               std::string(param.unit) + ", not " + std::to_string(value);
    }
    if (param.kind == NicParamKind::kPowerOfTwo && (value & (value - 1)) != 0) {
        return "must be a power of two, not " + std::to_string(value);
    }
    return "";
}

}  // namespace

NicParamTable nic_param_table() {
    return {kTable, std::size(kTable)};
}

const NicParam* find_nic_param(std::string_view name) {
    for (const NicParam& param : kTable) {
        if (param.name == name) return &param;
    }
    return nullptr;
}

std::string_view similar_nic_param(std::string_view name) {
    // More than a third of the letters wrong is another word.
    std::size_t best = name.size() / 3 + 1;
    std::string_view found;
    for (const NicParam& param : kTable) {
        const std::size_t edits = distance(name, param.name);
        if (edits >= best) continue;
        best = edits;
        found = param.name;
    }
    return found;
}

std::string set_nic_param(NicParams& params, std::string_view name, const NicParamValue& value) {
    const NicParam* param = find_nic_param(name);
    if (param == nullptr) {
        const std::string_view similar = similar_nic_param(name);
        return "a NIC has no parameter \"" + std::string(name) + "\"" +
               (similar.empty() ? "" : "; did you mean \"" + std::string(similar) + "\"?");
    }
    std::int64_t raw = 0;
    switch (param->kind) {
        case NicParamKind::kBoolean: {
            const bool* boolean = std::get_if<bool>(&value);
            if (boolean == nullptr) return "must be true or false";
            raw = *boolean ? 1 : 0;
            break;
        }
        case NicParamKind::kInteger:
        case NicParamKind::kPowerOfTwo: {
            const std::int64_t* number = std::get_if<std::int64_t>(&value);
            if (number == nullptr) return "must be an integer";
            const std::string wrong = wrong_integer(*param, *number);
            if (!wrong.empty()) return wrong;
            raw = *number;
            break;
        }
        case NicParamKind::kChoice: {
            const std::string* text = std::get_if<std::string>(&value);
            const bool known =
                text != nullptr && any_choice(param->choices, [&](std::int64_t code, auto word) {
                    raw = code;
                    return word == *text;
                });
            if (!known) return "must be one of " + std::string(param->choices);
            break;
        }
        case NicParamKind::kMacAddress: {
            const std::string* text = std::get_if<std::string>(&value);
            if (text == nullptr || !parse_mac(*text, raw)) {
                return "must be a MAC address such as \"02:00:00:82:57:40\"";
            }
            // The first byte's lowest bit is the group bit (IEEE 802.3 3.2.3).
            if ((raw >> 40 & 1) != 0) return "must be the address of a station, not of a group";
            break;
        }
    }
    param->store(params, raw);
    return "";
}

NicParamValue get_nic_param(const NicParams& params, const NicParam& param) {
    const std::int64_t raw = param.load(params);
    switch (param.kind) {
        case NicParamKind::kBoolean:
            return raw != 0;
        case NicParamKind::kInteger:
        case NicParamKind::kPowerOfTwo:
            return raw;
        case NicParamKind::kMacAddress:
            return format_mac(raw);
        case NicParamKind::kChoice: {
            std::string text;
            any_choice(param.choices, [&](std::int64_t code, std::string_view word) {
                text = word;
                return code == raw;
            });
            return text;
        }
    }
    return raw;
}

std::string to_string(const NicParamValue& value) {
    if (const bool* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
    if (const std::int64_t* number = std::get_if<std::int64_t>(&value)) {
        return std::to_string(*number);
    }
    return std::get<std::string>(value);
}

}  // namespace doorbell
