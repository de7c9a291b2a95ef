#include "testbench/qemu/differential/program.hpp"

#include <cstdio>

#include "hw/base/bits.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_text.hpp"

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

std::string hex(std::uint64_t value, int digits = 8) {
    char text[24];
    std::snprintf(text, sizeof text, "0x%0*llx", digits, static_cast<unsigned long long>(value));
    return text;
}

std::string bytes_text(const std::vector<std::uint8_t>& bytes, std::size_t limit) {
    std::string text;
    for (std::size_t i = 0; i < bytes.size() && i < limit; i++) {
        text += hex(bytes[i], 2).substr(2);
    }
    if (bytes.size() > limit) text += "...";
    return text;
}

std::string part_text(const TxPart& part) {
    std::string text = "\n      control " + hex(part.control, 16);
    if (part.is_context) return text + ", context " + hex(part.context, 16);
    return text + ", " + std::to_string(part.data.size()) + " bytes " + bytes_text(part.data, 64);
}

}  // namespace

std::string register_name(std::uint32_t bar, std::uint32_t offset) {
    for (std::uint32_t i = 0; i < r::kContract.register_count; i++) {
        const regs::Register& reg = *r::kContract.registers[i];
        if (reg.bar != bar || offset < reg.offset) continue;
        const std::uint32_t at = (offset - reg.offset) / reg.stride;
        if (at >= reg.count || reg.offset_of(at) != offset) continue;
        return reg.count == 1 ? reg.name : reg.name + ("[" + std::to_string(at) + "]");
    }
    return "BAR" + std::to_string(bar) + "+" + hex(offset, 5);
}

const char* name_of(Subject subject) {
    static constexpr const char* kNames[kSubjects] = {
        "register",  "config",   "tx_descriptor", "rx_legacy", "rx_extended",
        "rx_buffer", "rx_count", "frame_count",   "frame",     "interrupt"};
    return kNames[static_cast<unsigned>(subject)];
}

std::string describe(const Operation& operation) {
    const std::string settle =
        operation.settle_us != 0 ? ", then " + std::to_string(operation.settle_us) + " us" : "";
    const std::string queue = std::to_string(operation.queue);
    switch (operation.kind) {
        case OperationKind::kWrite:
            return "write " + register_name(operation.bar, operation.offset) + " " +
                   hex(operation.value) + settle;
        case OperationKind::kRead:
            return "read " + register_name(operation.bar, operation.offset);
        case OperationKind::kConfigRead:
            return "read configuration dword " + hex(operation.offset, 3);
        case OperationKind::kOpenTx:
            return "open TX ring " + queue + " of " + std::to_string(operation.count);
        case OperationKind::kOpenRx:
            return "open RX ring " + queue + " of " + std::to_string(operation.count) +
                   " buffers of " + std::to_string(operation.value);
        case OperationKind::kSend: {
            std::string text = "send in TX ring " + queue + settle;
            for (const TxPart& part : operation.parts) text += part_text(part);
            return text;
        }
        case OperationKind::kReceive: {
            std::string text = "receive" + settle;
            for (const std::vector<std::uint8_t>& frame : operation.frames) {
                text +=
                    "\n      " + std::to_string(frame.size()) + " bytes " + bytes_text(frame, 96);
            }
            return text;
        }
        case OperationKind::kRefill:
            return "refill RX ring " + queue + settle;
        case OperationKind::kInterrupt:
            return "look at interrupts";
        case OperationKind::kWait:
            return "wait" + settle;
        case OperationKind::kSoftwareReset:
            return "software reset (CTRL.RST), rings closed";
    }
    return "";
}

}  // namespace doorbell::differential
