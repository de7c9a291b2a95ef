#include "hw/wake/wake_filter.hpp"

#include <algorithm>
#include <cstring>

#include "hw/mac/ethernet.hpp"
#include "hw/mac/receive_filter.hpp"
#include "hw/mac/vlan.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

constexpr std::uint16_t kTypeArp = 0x0806;
// ARP for IPv4 over Ethernet (RFC 826), from the start of the ARP packet.
constexpr std::uint32_t kArpProtocol = 2;
constexpr std::uint32_t kArpOperation = 6;
constexpr std::uint16_t kArpRequest = 1;
constexpr std::uint32_t kArpTarget = 24;
constexpr std::uint32_t kArpBytes = 28;
constexpr std::uint32_t kIpv4Destination = 16;
constexpr std::uint32_t kIpv4Bytes = 20;
constexpr std::uint32_t kIpv6Destination = 24;
constexpr std::uint32_t kIpv6Bytes = 40;
// A magic packet: six bytes of ones, then the station's address sixteen times.
constexpr std::uint32_t kMagicSync = ethernet::kAddressBytes;
constexpr std::uint32_t kMagicRepetitions = 16;
constexpr std::uint32_t kMagicBytes = kMagicSync + kMagicRepetitions * ethernet::kAddressBytes;

bool is_magic(const WakeConfig& config, const std::uint8_t* frame, std::uint32_t size) {
    std::uint8_t own[ethernet::kAddressBytes];
    for (std::uint32_t i = 0; i < ethernet::kAddressBytes; i++) {
        own[i] = static_cast<std::uint8_t>(config.own >> 8 * i);
    }
    std::uint32_t ones = 0;
    for (std::uint32_t i = 0; i < size; i++) {
        // The ones may be more than six: the addresses follow the last of them.
        if (ones >= kMagicSync && size - i >= kMagicBytes - kMagicSync) {
            bool all = true;
            for (std::uint32_t k = 0; all && k < kMagicRepetitions; k++) {
                const std::uint8_t* at = frame + i + k * ethernet::kAddressBytes;
                all = std::memcmp(at, own, sizeof own) == 0;
            }
            if (all) return true;
        }
        ones = frame[i] == 0xFF ? ones + 1 : 0;
    }
    return false;
}

bool has_ipv4(const WakeConfig& config, const std::uint8_t* address) {
    for (std::uint32_t i = 0; i < WakeConfig::kIpv4Addresses; i++) {
        if (bit(config.ipv4_valid, i) && config.ipv4[i] == load_le32(address)) return true;
    }
    return false;
}

bool has_ipv6(const WakeConfig& config, const std::uint8_t* address) {
    if (!config.ipv6_valid) return false;
    for (std::uint32_t i = 0; i < config.ipv6.size(); i++) {
        if (config.ipv6[i] != load_le32(address + 4 * i)) return false;
    }
    return true;
}

bool matches(const WakeConfig::Flexible& filter, const std::uint8_t* frame, std::uint32_t size) {
    if (filter.length == 0 || size < filter.length) return false;
    const std::uint32_t bytes = std::min(filter.length, WakeConfig::kFlexibleBytes);
    for (std::uint32_t i = 0; i < bytes; i++) {
        if (filter.compared[i] && filter.wanted[i] != frame[i]) return false;
    }
    return true;
}

/// What IP and ARP say: the addresses of the packet, behind one VLAN tag at most.
std::uint32_t match_network(const WakeConfig& config, const std::uint8_t* frame,
                            std::uint32_t size) {
    std::uint32_t type_offset = ethernet::kTypeOffset;
    if (vlan::is_tagged(frame, size, config.vet)) type_offset += ethernet::kVlanTagBytes;
    const std::uint16_t type = load_be16(frame + type_offset);
    const std::uint8_t* packet = frame + type_offset + 2;
    const std::uint32_t bytes = size - type_offset - 2;
    if (type == kTypeArp && bytes >= kArpBytes) {
        const bool request = load_be16(packet + kArpProtocol) == ethernet::kTypeIpv4 &&
                             load_be16(packet + kArpOperation) == kArpRequest;
        return request && has_ipv4(config, packet + kArpTarget) ? r::WUFC_ARP.mask() : 0;
    }
    if (type == ethernet::kTypeIpv4 && bytes >= kIpv4Bytes) {
        return has_ipv4(config, packet + kIpv4Destination) ? r::WUFC_IPV4.mask() : 0;
    }
    if (type == ethernet::kTypeIpv6 && bytes >= kIpv6Bytes) {
        return has_ipv6(config, packet + kIpv6Destination) ? r::WUFC_IPV6.mask() : 0;
    }
    return 0;
}

}  // namespace

WakeConfig decode_wake_config(const regs::RegisterFile& registers) {
    WakeConfig config;
    const auto address = [&](std::uint32_t i) {
        return registers.word(r::RAL, i) | std::uint64_t{registers.get(r::RAH_RAH, i)} << 32;
    };
    for (std::uint32_t i = 0; i < WakeConfig::kStations; i++) {
        // Entries that name a source (ASEL) say nothing about whom a frame is for.
        if (registers.get(r::RAH_AV, i) == 0 || registers.get(r::RAH_ASEL, i) != 0) continue;
        config.stations[config.station_count++] = address(i);
    }
    config.own = address(0);
    for (std::uint32_t i = 0; i < config.multicast_table.size(); i++) {
        config.multicast_table[i] = registers.word(r::MTA, i);
    }
    config.multicast_shift = multicast_hash_shift(registers.get(r::RCTL_MO));
    config.multicast_promiscuous = registers.get(r::RCTL_MPE) != 0;
    config.unicast_promiscuous = registers.get(r::RCTL_UPE) != 0;
    config.vet = static_cast<std::uint16_t>(registers.get(r::VET_VET));
    config.ipv4_valid = registers.get(r::IPAV_V40);
    config.ipv6_valid = registers.get(r::IPAV_V60) != 0;
    for (std::uint32_t i = 0; i < 4; i++) {
        config.ipv4[i] = registers.word(r::IP4AT, i);
        config.ipv6[i] = registers.word(r::IP6AT, i);
    }
    for (std::uint32_t f = 0; f < WakeConfig::kFlexibleFilters; f++) {
        WakeConfig::Flexible& filter = config.flexible[f];
        filter.length = registers.get(r::FFLT_LEN, f);
        for (std::uint32_t i = 0; i < WakeConfig::kFlexibleBytes; i++) {
            filter.compared[i] = bit(registers.get(r::FFMT_MASK, i), f);
            filter.wanted[i] = static_cast<std::uint8_t>(registers.word(r::FFVT, i) >> 8 * f);
        }
    }
    return config;
}

std::uint32_t wake_filters_matched(const WakeConfig& config, const std::uint8_t* frame,
                                   std::uint32_t size_bytes) {
    if (size_bytes < ethernet::kHeaderBytes) return 0;
    const ethernet::Address destination = ethernet::load_address(frame);
    const bool broadcast = destination == ethernet::kBroadcast;
    const bool group = ethernet::is_group(destination);
    const std::uint64_t* last = config.stations.data() + config.station_count;
    const bool exact = std::find(config.stations.data(), last, destination) != last;

    std::uint32_t matched = 0;
    if (broadcast) {
        matched |= r::WUFC_BC.mask();
    } else if (group) {
        const std::uint32_t hash = multicast_hash(frame, config.multicast_shift);
        const bool hit = bit(config.multicast_table[hash / 32], hash % 32);
        if (exact || hit || config.multicast_promiscuous) matched |= r::WUFC_MC.mask();
    } else if (exact) {
        matched |= r::WUFC_EX.mask();
    }
    // Everything else looks only at frames that the address filter lets in.
    if (matched == 0 && !(config.unicast_promiscuous && !group)) return 0;
    if (is_magic(config, frame, size_bytes)) matched |= r::WUFC_MAG.mask();
    matched |= match_network(config, frame, size_bytes);
    for (std::uint32_t f = 0; f < WakeConfig::kFlexibleFilters; f++) {
        if (!matches(config.flexible[f], frame, size_bytes)) continue;
        matched |= 1u << (r::WUFC_FLX.lsb + f);
    }
    return matched;
}

}  // namespace doorbell
