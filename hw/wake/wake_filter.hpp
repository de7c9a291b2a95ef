#pragma once

#include <array>
#include <cstdint>

#include "hw/regs/register_file.hpp"

namespace doorbell {

/// What the registers say about frames that wake: read when the function falls asleep, since
/// nobody can write registers until it is awake again.
struct WakeConfig {
    static constexpr std::uint32_t kStations = 16;
    static constexpr std::uint32_t kIpv4Addresses = 4;
    static constexpr std::uint32_t kFlexibleFilters = 4;
    static constexpr std::uint32_t kFlexibleBytes = 128;

    struct Flexible {
        std::uint32_t length = 0;  ///< FFLT.LEN; 0 matches nothing.
        std::array<bool, kFlexibleBytes> compared{};
        std::array<std::uint8_t, kFlexibleBytes> wanted{};
    };

    std::array<std::uint64_t, kStations> stations{};  ///< RA entries that are valid.
    std::uint32_t station_count = 0;
    std::uint64_t own = 0;  ///< RA0: the address in a magic packet.
    std::array<std::uint32_t, 128> multicast_table{};
    std::uint32_t multicast_shift = 4;
    bool multicast_promiscuous = false;
    bool unicast_promiscuous = false;
    std::uint16_t vet = 0;

    std::array<std::uint32_t, kIpv4Addresses> ipv4{};  ///< Bytes as on the wire, first lowest.
    std::uint32_t ipv4_valid = 0;                      ///< IPAV.V40, a bit for each.
    std::array<std::uint32_t, 4> ipv6{};
    bool ipv6_valid = false;
    std::array<Flexible, kFlexibleFilters> flexible{};
};

[[nodiscard]] WakeConfig decode_wake_config(const regs::RegisterFile& registers);

/// Which filters a good frame matches, whether they are enabled or not: WUFC's bit positions.
[[nodiscard]] std::uint32_t wake_filters_matched(const WakeConfig& config,
                                                 const std::uint8_t* frame,
                                                 std::uint32_t size_bytes);

}  // namespace doorbell
