#include "hw/rings/rx_descriptor.hpp"

#include <cstring>

#include "hw/regs/generated/i82574l_descriptors.hpp"

namespace doorbell {
namespace {

using RxWords = regs::Descriptor<2>;

void write_legacy(RxWords& d, const RxReport& report) {
    using namespace regs::i82574l::rx_legacy;
    d.words[1] = 0;  // The buffer address stays.
    LENGTH.put(d, report.length);
    DD.put(d, 1);
    if (!report.eop) return;
    const ReceiveChecksum& sum = report.checksum;
    EOP.put(d, 1);
    if (report.packet_sum) CSUM.put(d, sum.packet_sum);
    IXSM.put(d, sum.ixsm);
    VP.put(d, report.vp);
    UDPCS.put(d, sum.udpcs);
    TCPCS.put(d, sum.tcpcs);
    IPCS.put(d, sum.ipcs);
    PIF.put(d, report.pif);
    CE.put(d, report.crc_error);
    TCPE.put(d, sum.tcpe);
    IPE.put(d, sum.ipe);
    RXE.put(d, report.data_error);
    VLAN.put(d, report.vlan);
}

void write_extended(RxWords& d, const RxReport& report) {
    using namespace regs::i82574l::rx_extended;
    d.words = {};
    QUEUE.put(d, report.queue);
    DD.put(d, 1);
    LENGTH.put(d, report.length);
    if (!report.eop) return;
    const ReceiveChecksum& sum = report.checksum;
    if (report.packet_sum) {
        IP_ID.put(d, sum.ip_identification);
        CSUM.put(d, sum.packet_sum);
        IPIDV.put(d, sum.ip_identified);
    } else {
        RSS_TYPE.put(d, static_cast<std::uint64_t>(report.rss.type));
        RSS_HASH.put(d, report.rss.hash);
    }
    EOP.put(d, 1);
    IXSM.put(d, sum.ixsm);
    VP.put(d, report.vp);
    UDPCS.put(d, sum.udpcs);
    TCPCS.put(d, sum.tcpcs);
    IPCS.put(d, sum.ipcs);
    PIF.put(d, report.pif);
    TST.put(d, report.time_stamped);
    UDPV.put(d, sum.udpv);
    ACK.put(d, sum.tcp_ack);
    PKTTYPE.put(d, static_cast<std::uint64_t>(sum.type));
    CE.put(d, report.crc_error);
    TCPE.put(d, sum.tcpe);
    IPE.put(d, sum.ipe);
    RXE.put(d, report.data_error);
    VLAN.put(d, report.vlan);
}

}  // namespace

std::uint64_t rx_buffer_address(const std::uint8_t* descriptor) {
    return regs::i82574l::rx_legacy::BUFFER_ADDRESS.get(RxWords::load(descriptor));
}

namespace {

using SplitWords = regs::Descriptor<kSplitBuffers>;
constexpr std::uint32_t kHalfBytes = RxWords::kSizeBytes;

// The first half of a packet split descriptor is written as an extended one.
static_assert(regs::i82574l::rx_split::LENGTH0.lsb == regs::i82574l::rx_extended::LENGTH.lsb);
static_assert(regs::i82574l::rx_split::VLAN.mask() == regs::i82574l::rx_extended::VLAN.mask());
static_assert(regs::i82574l::rx_split::RSS_HASH.mask() ==
              regs::i82574l::rx_extended::RSS_HASH.mask());
static_assert(SplitWords::kSizeBytes == 2 * kHalfBytes);

}  // namespace

SplitAddresses rx_split_addresses(const std::uint8_t* first, const std::uint8_t* second) {
    using namespace regs::i82574l::rx_split_read;
    std::array<std::uint8_t, SplitWords::kSizeBytes> bytes;
    std::memcpy(bytes.data(), first, kHalfBytes);
    std::memcpy(bytes.data() + kHalfBytes, second, kHalfBytes);
    const SplitWords d = SplitWords::load(bytes.data());
    return {BUFFER0_ADDRESS.get(d), BUFFER1_ADDRESS.get(d), BUFFER2_ADDRESS.get(d),
            BUFFER3_ADDRESS.get(d)};
}

void write_split_report(std::uint8_t* second, const SplitReport& report) {
    using namespace regs::i82574l::rx_split;
    SplitWords d;
    HDRLEN.put(d, report.header_bytes);
    HDRSP.put(d, report.split);
    LENGTH1.put(d, report.lengths[1]);
    LENGTH2.put(d, report.lengths[2]);
    LENGTH3.put(d, report.lengths[3]);
    std::array<std::uint8_t, SplitWords::kSizeBytes> bytes;
    d.store(bytes.data());
    std::memcpy(second, bytes.data() + kHalfBytes, kHalfBytes);
}

void write_rx_report(std::uint8_t* descriptor, RxFormat format, const RxReport& report) {
    RxWords d = RxWords::load(descriptor);
    if (format == RxFormat::kLegacy) {
        write_legacy(d, report);
    } else {
        write_extended(d, report);
    }
    d.store(descriptor);
}

}  // namespace doorbell
