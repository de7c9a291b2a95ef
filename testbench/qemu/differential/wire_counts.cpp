#include "testbench/qemu/differential/wire_counts.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>

#include "hw/regs/generated/i82574l_descriptors.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell::differential {

namespace {

namespace r = regs::i82574l;

constexpr std::uint32_t kFcsBytes = 4;
constexpr std::uint32_t kTagBytes = 4;
constexpr std::array<const char*, 26> kCounters = {
    "GPTC",    "TPT",     "GOTCL",   "TOTL",   "PTC64", "PTC127", "PTC255",  "PTC511", "PTC1023",
    "PTC1522", "MPTC",    "BPTC",    "TPR",    "TORL",  "GORCL",  "PRC64",   "PRC127", "PRC255",
    "PRC511",  "PRC1023", "PRC1522", "XONRXC", "GPRC",  "MPRC",   "XOFFRXC", "FCRUC"};

/// Reading the high half of a pair clears both; the others clear themselves.
std::string cleared_by(const std::string& read) {
    if (read.size() != 4 && read.size() != 5) return read;
    const std::string pair = read.substr(0, read.size() - 1);
    if (pair != "GORC" && pair != "GOTC" && pair != "TOR" && pair != "TOT") return read;
    return read.back() == 'H' ? pair + "L" : "";
}

}  // namespace

void WireCounts::operate(const Operation& operation) {
    switch (operation.kind) {
        case OperationKind::kSoftwareReset:
            *this = {};
            break;
        case OperationKind::kWrite:
            if (operation.bar == 0 && operation.offset == r::CTRL.offset) {
                control_ = operation.value;
            }
            break;
        case OperationKind::kReceive:
            for (const std::vector<std::uint8_t>& frame : operation.frames) arrive(frame);
            break;
        default:
            break;
    }
}

void WireCounts::observe(const Observation& model) {
    switch (model.subject) {
        case Subject::kRegister:
            counts_[cleared_by(model.name)] = 0;
            break;
        case Subject::kFrame:
            leave(model);
            break;
        case Subject::kRxLegacy:
        case Subject::kRxExtended:
            fill(model);
            break;
        case Subject::kRxBuffer:
            look_into(model);
            break;
        default:
            break;
    }
}

std::optional<std::uint32_t> WireCounts::expected(const std::string& counter) const {
    const auto found = counts_.find(counter);
    if (found != counts_.end()) return static_cast<std::uint32_t>(found->second);
    const bool known = std::any_of(kCounters.begin(), kCounters.end(),
                                   [&](const char* name) { return counter == name; });
    return known ? std::optional<std::uint32_t>(0) : std::nullopt;
}

bool WireCounts::is_mac_control(const std::vector<std::uint8_t>& frame) {
    static constexpr std::uint8_t kAddress[] = {0x01, 0x80, 0xC2, 0x00, 0x00, 0x01};
    return std::equal(std::begin(kAddress), std::end(kAddress), frame.begin()) &&
           frame[12] == 0x88 && frame[13] == 0x08;
}

void WireCounts::count(const std::string& counter, std::uint64_t amount) {
    counts_[counter] += amount;
}

void WireCounts::count_size(const char* prefix, std::uint32_t wire_bytes) {
    static constexpr std::uint32_t kUpTo[] = {64, 127, 255, 511, 1023, 1522};
    for (const std::uint32_t bytes : kUpTo) {
        if (wire_bytes > bytes && bytes != 1522) continue;
        count(prefix + std::to_string(bytes));
        return;
    }
}

void WireCounts::arrive(const std::vector<std::uint8_t>& frame) {
    count("TPR");
    count("TORL", frame.size() + kFcsBytes);
    if (!is_mac_control(frame)) return;
    if (frame[14] != 0 || frame[15] != 1) {
        count("FCRUC");
    } else if (r::CTRL_RFCE.get(control_) != 0) {
        count((frame[16] | frame[17]) == 0 ? "XONRXC" : "XOFFRXC");
    }
}

void WireCounts::leave(const Observation& frame) {
    const std::uint32_t bytes = frame.size_bytes + kFcsBytes;
    count("GPTC");
    count("TPT");
    count("GOTCL", bytes);
    count("TOTL", bytes);
    count_size("PTC", bytes);
    const bool broadcast = frame.words[0] == 0xFFFF'FFFF && (frame.words[1] & 0xFFFF) == 0xFFFF;
    if (broadcast) {
        count("BPTC");
    } else if ((frame.words[0] & 1) != 0) {
        count("MPTC");
    }
}

void WireCounts::fill(const Observation& descriptor) {
    regs::Descriptor<2> words;
    for (std::size_t i = 0; i < 2; i++) {
        words.words[i] = descriptor.words[i * 2] | std::uint64_t{descriptor.words[i * 2 + 1]} << 32;
    }
    const bool legacy = descriptor.subject == Subject::kRxLegacy;
    const char ring = descriptor.name[std::strlen("RX ring ")];
    std::uint32_t& bytes = filled_[ring].bytes;
    bytes += static_cast<std::uint32_t>(legacy ? r::rx_legacy::LENGTH.get(words)
                                               : r::rx_extended::LENGTH.get(words));
    if ((legacy ? r::rx_legacy::EOP.get(words) : r::rx_extended::EOP.get(words)) == 0) return;
    bytes += kFcsBytes;
    const bool tagged = (legacy ? r::rx_legacy::VP.get(words) : r::rx_extended::VP.get(words)) != 0;
    if (tagged && r::CTRL_VME.get(control_) != 0) bytes += kTagBytes;
    ended_ = true;
}

void WireCounts::look_into(const Observation& buffer) {
    const char ring = buffer.name[std::strlen("buffer of RX ring ")];
    Filled& frame = filled_[ring];
    if (frame.buffers++ == 0) frame.first = {buffer.words[0], buffer.words[1], buffer.words[3]};
    if (!ended_) return;
    ended_ = false;
    const Filled whole = frame;
    frame = {};
    const bool broadcast = whole.first[0] == 0xFFFF'FFFF && (whole.first[1] & 0xFFFF) == 0xFFFF;
    const bool control = whole.first[0] == 0x00C2'8001 && (whole.first[1] & 0xFFFF) == 0x0100 &&
                         (whole.first[2] & 0xFFFF) == 0x0888;
    if (control) return;
    count("GPRC");
    count("GORCL", whole.bytes);
    count_size("PRC", whole.bytes);
    if (!broadcast && (whole.first[0] & 1) != 0) count("MPRC");
}

}  // namespace doorbell::differential
