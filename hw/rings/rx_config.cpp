#include "hw/rings/rx_config.hpp"

#include "hw/mac/ethernet.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {
namespace {

using namespace regs::i82574l;

bool flag(const regs::RegisterFile& registers, const regs::Field& field) {
    return registers.get(field) != 0;
}

/// BSIZE halves 2048; BSEX makes it sixteen times as large, where 0 is reserved and taken as 2048.
std::uint32_t buffer_bytes(const regs::RegisterFile& registers) {
    const std::uint32_t flexible = registers.get(RCTL_FLXBUF);
    if (flexible > 0) return flexible * 1024;
    const std::uint32_t bsize = registers.get(RCTL_BSIZE);
    const std::uint32_t plain = 2048u >> bsize;
    return flag(registers, RCTL_BSEX) && bsize > 0 ? plain * 16 : plain;
}

RxFormat format_of(const regs::RegisterFile& registers) {
    if (!flag(registers, RFCTL_EXTEN)) return RxFormat::kLegacy;
    return registers.get(RCTL_DTYP) == 1 ? RxFormat::kPacketSplit : RxFormat::kExtended;
}

/// 00 is one half, 01 one quarter, 10 one eighth; 11 is reserved and taken as one eighth.
std::uint32_t threshold_shift(std::uint32_t rdmts) {
    return rdmts < 2 ? rdmts + 1 : 3;
}

// PSRCTL: units of its fields.
constexpr std::uint32_t kSplitHeaderUnit = 128;
constexpr std::uint32_t kSplitDataUnit = 1024;

ethernet::Address address_of(std::uint32_t low, std::uint32_t high) {
    return low | static_cast<ethernet::Address>(high) << 32;
}

/// Descriptors have room for the hash in the extended formats with RXCSUM.PCSD only (7.4).
void decode_rss_control(RxConfig& config, const regs::RegisterFile& registers,
                        const QueueEngineParams& params) {
    RssConfig& rss = config.rss;
    rss.tcp_ipv4 = flag(registers, MRQC_TCPIPV4);
    rss.ipv4 = flag(registers, MRQC_IPV4);
    rss.tcp_ipv6_extended = flag(registers, MRQC_TCPIPV6EX);
    rss.ipv6_extended = flag(registers, MRQC_IPV6EX);
    rss.ipv6 = flag(registers, MRQC_IPV6);
    rss.tcp_ipv6 = flag(registers, MRQC_TCPIPV6) && params.u20_tcp_ipv6_in_bit_21;
    const bool on = registers.get(MRQC_MRQE) == MRQC_MRQE_RSS;
    const bool fields = rss.tcp_ipv4 || rss.ipv4 || rss.tcp_ipv6_extended || rss.ipv6_extended ||
                        rss.ipv6 || rss.tcp_ipv6;
    const bool room = flag(registers, RXCSUM_PCSD) && config.format != RxFormat::kLegacy;
    rss.hashes = room && fields && (on || params.u5_hash_without_mrqe);
    rss.steers = rss.hashes && on;
}

}  // namespace

void decode_rx_control(RxConfig& config, const regs::RegisterFile& registers,
                       const QueueEngineParams& params) {
    FilterConfig& filter = config.filter;
    filter.enabled = flag(registers, RCTL_EN);
    filter.store_bad = flag(registers, RCTL_SBP);
    filter.unicast_promiscuous = flag(registers, RCTL_UPE);
    filter.multicast_promiscuous = flag(registers, RCTL_MPE);
    filter.broadcast = flag(registers, RCTL_BAM);
    filter.maximum_bytes =
        flag(registers, RCTL_LPE) ? params.u16_long_frame_bytes : ethernet::kMaximumFrameBytes;
    filter.hash_shift = multicast_hash_shift(registers.get(RCTL_MO));
    filter.vlan_filter = flag(registers, RCTL_VFE);
    filter.cfi_check = flag(registers, RCTL_CFIEN);
    filter.cfi_wanted = flag(registers, RCTL_CFI);
    filter.vet = static_cast<std::uint16_t>(registers.get(VET_VET));
    filter.obey_pause = flag(registers, CTRL_RFCE);
    filter.pass_mac_control = flag(registers, RCTL_PMCF);
    filter.discard_pause = flag(registers, RCTL_DPF);
    filter.flow_control_address = address_of(registers.get(FCAL_FCAL), registers.get(FCAH_FCAH));
    filter.flow_control_type = static_cast<std::uint16_t>(registers.get(FCT_FCT));

    config.parsing.ipv6 = !flag(registers, RFCTL_IPV6_DIS);
    config.parsing.ipv6_extensions = !flag(registers, RFCTL_IPV6_EX_DIS);
    config.parsing.ipv6_addresses = !flag(registers, RFCTL_NEW_IPV6_EXT_DIS);

    ReceiveChecksumConfig& checksum = config.checksum;
    checksum.packet_start = registers.get(RXCSUM_PCSS);
    checksum.ip = flag(registers, RXCSUM_IPOFLD);
    checksum.l4 = flag(registers, RXCSUM_TUOFLD);
    checksum.fragment_payload = flag(registers, RXCSUM_IPPCSE);
    checksum.packet_sum = !flag(registers, RXCSUM_PCSD);
    checksum.ipv6_l4 = !flag(registers, RFCTL_IPV6_XSUM_DIS);

    config.format = format_of(registers);
    config.slots = config.format == RxFormat::kPacketSplit ? 2 : 1;
    config.buffer_bytes = buffer_bytes(registers);
    config.split_bytes = {registers.get(PSRCTL_BSIZE0) * kSplitHeaderUnit,
                          registers.get(PSRCTL_BSIZE1) * kSplitDataUnit,
                          registers.get(PSRCTL_BSIZE2) * kSplitDataUnit,
                          registers.get(PSRCTL_BSIZE3) * kSplitDataUnit};
    config.split_fragments = !flag(registers, RFCTL_IPFRSP_DIS);
    config.strip_crc = flag(registers, RCTL_SECRC);
    config.strip_vlan = flag(registers, CTRL_VME);
    config.threshold_shift = threshold_shift(registers.get(RCTL_RDMTS));
    config.immediate = registers.get(RDTR_DELAY) == 0;
    config.small_packet_bytes = registers.get(RSRPD_SIZE);
    config.ack_cause = !flag(registers, RFCTL_ACK_DIS);
    config.pure_ack_only = flag(registers, RFCTL_ACKD_DIS);
    decode_rss_control(config, registers, params);
}

void decode_receive_addresses(FilterConfig& filter, const regs::RegisterFile& registers) {
    filter.exact_count = 0;
    for (std::uint32_t i = 0; i < RAL.count; i++) {
        const ethernet::Address address =
            address_of(registers.get(RAL_RAL, i), registers.get(RAH_RAH, i));
        if (i == 0) filter.station = address;
        const std::uint32_t asel = registers.get(RAH_ASEL, i);
        if (registers.get(RAH_AV, i) == 0 || asel > 1) continue;
        filter.exact[filter.exact_count++] = {address, asel == 1};
    }
}

void decode_filter_tables(FilterConfig& filter, const regs::RegisterFile& registers) {
    for (std::uint32_t i = 0; i < MTA.count; i++) {
        filter.multicast_table[i] = registers.word(MTA, i);
    }
    for (std::uint32_t i = 0; i < VFTA.count; i++) filter.vlan_table[i] = registers.word(VFTA, i);
}

void decode_rss_key(RssConfig& rss, const regs::RegisterFile& registers) {
    ToeplitzHash::Key key;
    static_assert(RSSRK.count * 4 == ToeplitzHash::kKeyBytes);
    for (std::uint32_t i = 0; i < RSSRK.count; i++) {
        store_le32(key.data() + 4 * i, registers.word(RSSRK, i));
    }
    rss.hash.set_key(key);
}

void decode_rss_entries(RssConfig& rss, const regs::RegisterFile& registers, std::uint32_t word) {
    static_assert(RETA.count * 4 == RssConfig::kEntries);
    const regs::Field* entries[] = {&RETA_E0_Q, &RETA_E1_Q, &RETA_E2_Q, &RETA_E3_Q};
    for (std::uint32_t i = 0; i < 4; i++) {
        rss.table[word * 4 + i] = static_cast<std::uint8_t>(registers.get(*entries[i], word));
    }
}

}  // namespace doorbell
