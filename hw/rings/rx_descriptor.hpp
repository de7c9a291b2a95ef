#pragma once

#include <array>
#include <cstdint>

#include "hw/mac/receive_checksum.hpp"
#include "hw/mac/receive_side_scaling.hpp"
#include "hw/rings/descriptor_ring.hpp"

namespace doorbell {

/// By RFCTL.EXTEN and RCTL.DTYP (specification 5.6 to 5.8).
enum class RxFormat : std::uint8_t { kLegacy, kExtended, kPacketSplit };

/// What a receive descriptor says when it is written back.
struct RxReport {
    std::uint32_t length = 0;
    std::uint32_t queue = 0;
    bool eop = false;
    // With EOP only:
    bool vp = false;
    std::uint16_t vlan = 0;
    bool pif = false;
    bool time_stamped = false;  ///< TST
    bool crc_error = false;   ///< CE
    bool data_error = false;  ///< RXE: the frame is bad for another reason.
    bool packet_sum = true;   ///< Not RXCSUM.PCSD: checksum and IP identification, else the hash.
    RssResult rss;
    ReceiveChecksum checksum;
};

/// The four buffers of a packet split descriptor: header, and data 1 to 3.
inline constexpr std::uint32_t kSplitBuffers = 4;
using SplitSizes = std::array<std::uint32_t, kSplitBuffers>;
using SplitAddresses = std::array<std::uint64_t, kSplitBuffers>;

/// What a packet split descriptor says beside the others.
struct SplitReport {
    SplitSizes lengths{};
    std::uint32_t header_bytes = 0;
    bool split = false;  ///< HDRSP
};

/// The buffer address, at the same place in the legacy and the extended format.
[[nodiscard]] std::uint64_t rx_buffer_address(const std::uint8_t* descriptor);
/// A packet split descriptor has two places of 16 bytes, which need not be neighbours here.
[[nodiscard]] SplitAddresses rx_split_addresses(const std::uint8_t* first,
                                                const std::uint8_t* second);
/// The second half of its write-back form; the first is that of an extended descriptor.
void write_split_report(std::uint8_t* second, const SplitReport& report);
/// Turns the descriptor into its write-back form, DD set.
void write_rx_report(std::uint8_t* descriptor, RxFormat format, const RxReport& report);

}  // namespace doorbell
