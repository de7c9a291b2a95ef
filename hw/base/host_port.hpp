#pragma once

#include <cstdint>

#include "hw/base/dma_port.hpp"

namespace doorbell {

/// The border of the NIC towards its host: what the NIC masters, at the instant of the call (all
/// timing has been done by the DMA engine). `NicModule` implements it over TLM sockets and DMI, the
/// plugin over mapped guest RAM, a test over an array, a replay from a recording. The host is not
/// trusted: a range that is not mapped answers `kUnsupportedRequest` and moves nothing.
class HostPort {
public:
    virtual ~HostPort() = default;
    /// `packet` receives the identity of what lies there (0 = unknown).
    [[nodiscard]] virtual DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                         std::uint32_t size_bytes, std::uint64_t& packet) = 0;
    [[nodiscard]] virtual DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                          std::uint32_t size_bytes, std::uint64_t packet) = 0;
    virtual void message(std::uint64_t address, std::uint32_t data) = 0;
    virtual void interrupt_pin(bool asserted) = 0;
    /// PM_PME: the sleeping function wants to be woken.
    virtual void power_management_event() {}
};

}  // namespace doorbell
