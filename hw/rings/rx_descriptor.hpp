#pragma once

#include <cstdint>

#include "hw/mac/receive_checksum.hpp"
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
    ReceiveChecksum checksum;
};

/// The buffer address, at the same place in the legacy and the extended format.
[[nodiscard]] std::uint64_t rx_buffer_address(const std::uint8_t* descriptor);
/// Turns the descriptor into its write-back form, DD set.
void write_rx_report(std::uint8_t* descriptor, RxFormat format, const RxReport& report);

}  // namespace doorbell
