#include "hw/rings/rx_descriptor.hpp"

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

void write_rx_report(std::uint8_t* descriptor, RxFormat format, const RxReport& report) {
    RxWords d = RxWords::load(descriptor);
    if (format == RxFormat::kExtended) {
        write_extended(d, report);
    } else {
        write_legacy(d, report);
    }
    d.store(descriptor);
}

}  // namespace doorbell
