#include "hw/rings/tx_descriptor.hpp"

namespace doorbell {
namespace {

using Field = regs::DescriptorField<2>;

bool flag(const Field& field, const TxWords& d) {
    return field.get(d) != 0;
}
std::uint32_t number(const Field& field, const TxWords& d) {
    return static_cast<std::uint32_t>(field.get(d));
}

}  // namespace

TxBuffer decode_buffer(const TxWords& d) {
    using namespace regs::i82574l;
    TxBuffer buffer;
    buffer.legacy = format(d) == TxFormat::kLegacy;
    buffer.address = tx_legacy::BUFFER_ADDRESS.get(d);
    buffer.eop = flag(tx_legacy::EOP, d);
    buffer.ifcs = flag(tx_legacy::IFCS, d);
    buffer.vle = flag(tx_legacy::VLE, d);
    buffer.tag = static_cast<std::uint16_t>(tx_legacy::VLAN.get(d));
    buffer.time_stamp = flag(tx_legacy::TS, d);
    if (buffer.legacy) {
        buffer.length = number(tx_legacy::LENGTH, d);
        buffer.ic = flag(tx_legacy::IC, d);
        buffer.cso = number(tx_legacy::CSO, d);
        buffer.css = number(tx_legacy::CSS, d);
    } else {
        buffer.length = number(tx_data::DTALEN, d);
        buffer.tse = flag(tx_data::TSE, d);
        buffer.ixsm = flag(tx_data::IXSM, d);
        buffer.txsm = flag(tx_data::TXSM, d);
    }
    return buffer;
}

TxContext decode_context(const TxWords& d) {
    using namespace regs::i82574l;
    TxContext context;
    context.ipcss = number(tx_context::IPCSS, d);
    context.ipcso = number(tx_context::IPCSO, d);
    context.ipcse = number(tx_context::IPCSE, d);
    context.tucss = number(tx_context::TUCSS, d);
    context.tucso = number(tx_context::TUCSO, d);
    context.tucse = number(tx_context::TUCSE, d);
    context.hdrlen = number(tx_context::HDRLEN, d);
    context.mss = number(tx_context::MSS, d);
    context.tcp = flag(tx_context::TCP, d);
    context.ipv4 = flag(tx_context::IP, d);
    context.snap = flag(tx_context::SNAP, d);
    return context;
}

}  // namespace doorbell
