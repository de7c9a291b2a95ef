#include "hw/mac/receive_filter.hpp"

#include "hw/mac/pause.hpp"
#include "hw/mac/vlan.hpp"

namespace doorbell {
namespace {

/// Step 2: length first, then the FCS.
DropReason physical_error(const FilterConfig& config, const Frame& frame) {
    const std::uint32_t bytes = frame.wire_bytes();
    const bool crc_good = frame.fcs_good();
    if (bytes < ethernet::kMinimumFrameBytes) {
        return crc_good ? DropReason::kUndersize : DropReason::kFragment;
    }
    if (bytes > config.maximum_bytes) {
        return crc_good ? DropReason::kOversize : DropReason::kJabber;
    }
    return crc_good ? DropReason::kNone : DropReason::kCrcError;
}

bool is_mac_control(const FilterConfig& config, const Frame& frame) {
    if (load_be16(frame.data() + ethernet::kTypeOffset) != config.flow_control_type) return false;
    const ethernet::Address destination = ethernet::load_address(frame.data());
    return destination == config.flow_control_address || destination == config.station;
}

/// Step 3: true when the frame ends in the MAC.
bool absorb_mac_control(const FilterConfig& config, const Frame& frame, ReceiveVerdict& verdict) {
    if (frame.size_bytes() < pause::kMinimumBytes || !is_mac_control(config, frame)) return false;
    verdict.mac_control = true;
    if (load_be16(frame.data() + pause::kOpcodeOffset) != pause::kOpcode) {
        verdict.unknown_mac_control = true;
        return !config.pass_mac_control;
    }
    if (config.obey_pause) {
        verdict.pause = true;
        verdict.pause_quanta = load_be16(frame.data() + pause::kTimeOffset);
    }
    return !config.pass_mac_control || config.discard_pause;
}

bool exact_match(const FilterConfig& config, ethernet::Address destination,
                 ethernet::Address source) {
    for (std::uint32_t i = 0; i < config.exact_count; i++) {
        const FilterConfig::ExactAddress& entry = config.exact[i];
        if (entry.address == (entry.source ? source : destination)) return true;
    }
    return false;
}

bool hash_match(const FilterConfig& config, const std::uint8_t* destination) {
    const std::uint32_t hash = multicast_hash(destination, config.hash_shift);
    return bit(config.multicast_table[hash >> 5], hash & 31);
}

/// Step 4. Exact addresses are tried for every class of address; the hash serves all groups,
/// broadcast among them.
FilterRule address_rule(const FilterConfig& config, const std::uint8_t* frame) {
    const ethernet::Address destination = ethernet::load_address(frame);
    const ethernet::Address source = ethernet::load_address(frame + ethernet::kSourceOffset);
    if (exact_match(config, destination, source)) return FilterRule::kExact;
    if (!ethernet::is_group(destination)) {
        return config.unicast_promiscuous ? FilterRule::kUnicastPromiscuous : FilterRule::kNone;
    }
    if (destination == ethernet::kBroadcast) {
        if (config.broadcast) return FilterRule::kBroadcast;
    } else if (config.multicast_promiscuous) {
        return FilterRule::kMulticastPromiscuous;
    }
    return hash_match(config, frame) ? FilterRule::kMulticastHash : FilterRule::kNone;
}

/// Step 5: untagged frames pass.
DropReason vlan_error(const FilterConfig& config, const Frame& frame) {
    if (!config.vlan_filter || !vlan::is_tagged(frame.data(), frame.size_bytes(), config.vet)) {
        return DropReason::kNone;
    }
    const std::uint16_t tag = vlan::tag(frame.data());
    const std::uint32_t vid = vlan::identity(tag);
    if (!bit(config.vlan_table[vid >> 5], vid & 31)) return DropReason::kVlan;
    if (config.cfi_check && vlan::canonical_format(tag) != config.cfi_wanted) {
        return DropReason::kCfi;
    }
    return DropReason::kNone;
}

}  // namespace

const char* drop_reason_name(DropReason reason) {
    switch (reason) {
        case DropReason::kNone:
            return "none";
        case DropReason::kReceiverOff:
            return "receiver_off";
        case DropReason::kUndersize:
            return "undersize";
        case DropReason::kFragment:
            return "fragment";
        case DropReason::kOversize:
            return "oversize";
        case DropReason::kJabber:
            return "jabber";
        case DropReason::kCrcError:
            return "crc_error";
        case DropReason::kMacControl:
            return "mac_control";
        case DropReason::kAddress:
            return "address_filter";
        case DropReason::kVlan:
            return "vlan_filter";
        case DropReason::kCfi:
            return "cfi";
        case DropReason::kOverrun:
            return "fifo_overrun";
        case DropReason::kCount:
            break;
    }
    return "unknown";
}

std::uint32_t multicast_hash(const std::uint8_t* destination, std::uint32_t shift) {
    return static_cast<std::uint32_t>(load_le16(destination + 4)) >> shift & 0xfff;
}

std::uint32_t multicast_hash_shift(std::uint32_t mo) {
    constexpr std::uint32_t kShift[] = {4, 3, 2, 0};
    return kShift[mo & 3];
}

ReceiveVerdict judge_frame(const FilterConfig& config, const Frame& frame) {
    ReceiveVerdict verdict;
    verdict.reason = physical_error(config, frame);
    // Nothing can be said about the addresses of less than a header.
    const bool has_header = frame.size_bytes() >= ethernet::kHeaderBytes;
    if (has_header) verdict.rule = address_rule(config, frame.data());
    verdict.address_matched = verdict.rule != FilterRule::kNone;

    if (!verdict.good()) {
        verdict.accepted = config.store_bad && verdict.address_matched;
    } else if (absorb_mac_control(config, frame, verdict)) {
        verdict.reason = DropReason::kMacControl;
    } else if (!verdict.address_matched) {
        verdict.reason = DropReason::kAddress;
    } else {
        verdict.reason = vlan_error(config, frame);
        verdict.accepted = verdict.good();
    }
    verdict.inexact = verdict.accepted && verdict.rule == FilterRule::kMulticastHash;
    return verdict;
}

void count_verdict(StatsPort& stats, const ReceiveVerdict& verdict) {
    switch (verdict.reason) {
        case DropReason::kUndersize:
            stats.count(Stat::kRUC);
            break;
        case DropReason::kFragment:
            stats.count(Stat::kRFC);
            break;
        case DropReason::kOversize:
            stats.count(Stat::kROC);
            break;
        case DropReason::kJabber:
            stats.count(Stat::kRJC);
            break;
        case DropReason::kCrcError:
            stats.count(Stat::kCRCERRS);
            break;
        case DropReason::kNone:
        case DropReason::kReceiverOff:
        case DropReason::kMacControl:
        case DropReason::kAddress:
        case DropReason::kVlan:
        case DropReason::kCfi:
        case DropReason::kOverrun:
        case DropReason::kCount:
            break;
    }
    const bool length_error =
        verdict.reason == DropReason::kUndersize || verdict.reason == DropReason::kOversize;
    if (length_error && verdict.address_matched) stats.count(Stat::kRLEC);
    if (verdict.unknown_mac_control) stats.count(Stat::kFCRUC);
    if (verdict.pause) {
        stats.count(verdict.pause_quanta == 0 ? Stat::kXONRXC : Stat::kXOFFRXC);
    }
}

}  // namespace doorbell
