#pragma once

#include <cstdint>

namespace doorbell {

/// A PTP message found in a frame (IEEE 1588 annexes D, E and F).
struct PtpMessage {
    /// By EtherType; else in UDP.
    bool layer2 = false;
    const std::uint8_t* header = nullptr;

    [[nodiscard]] std::uint8_t v1_control() const;       ///< Sync 0, Delay_Req 1, ...
    [[nodiscard]] std::uint8_t v2_message_type() const;  ///< Sync 0, Delay_Req 1, ...
    /// Event messages of version 2 are those that are stamped on the wire: types 0 to 3.
    [[nodiscard]] bool v2_event() const { return v2_message_type() < 4; }
    /// Six bytes of who sent it, the first on the wire in bits 7:0: sourceUuid of version 1, the
    /// middle of sourcePortIdentity in version 2.
    [[nodiscard]] std::uint64_t source() const;
    [[nodiscard]] std::uint16_t sequence() const;
};

/// What is looked for: an EtherType, and a UDP destination port over IPv4 or IPv6 without extension
/// headers. One VLAN tag of type `vet` is passed over. `header` is nullptr when there is none.
struct PtpPlaces {
    std::uint16_t ether_type;
    std::uint16_t udp_port;
    std::uint16_t vet;
};
[[nodiscard]] PtpMessage find_ptp_message(const std::uint8_t* frame, std::uint32_t size_bytes,
                                          const PtpPlaces& places);

}  // namespace doorbell
