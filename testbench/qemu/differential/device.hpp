#pragma once

#include <cstdint>
#include <vector>

#include "testbench/qemu/differential/program.hpp"

namespace doorbell::differential {

/// Memory that both devices have: RAM at the same place, zeroed by a reset.
inline constexpr std::uint32_t kMemoryBase = 0x0100'0000;
inline constexpr std::uint32_t kMemoryBytes = 0x0010'0000;
/// Where message n of MSI-X (0 of MSI) goes, 4 bytes each.
inline constexpr std::uint32_t kMessages = kMemoryBase + 0x10000;
inline constexpr std::uint32_t kMessageData = 0x4D00;
inline constexpr unsigned kVectors = 5;

/// A NIC with its host and the far end of its cable. What is written happens in order; a `read`
/// sees everything before it.
class Device {
public:
    virtual ~Device() = default;
    /// As new: power-on, memory zero, BARs decoded, bus master, messages of `mode` enabled and
    /// unmasked, link up.
    virtual void reset(InterruptMode mode) = 0;
    virtual void write(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) = 0;
    [[nodiscard]] virtual std::uint32_t read(std::uint32_t bar, std::uint32_t offset) = 0;
    [[nodiscard]] virtual std::uint32_t config_read(std::uint32_t offset) = 0;
    virtual void poke(std::uint32_t address, const std::vector<std::uint8_t>& bytes) = 0;
    [[nodiscard]] virtual std::vector<std::uint8_t> peek(std::uint32_t address,
                                                         std::uint32_t size_bytes) = 0;
    /// A frame without FCS arrives; it has been dealt with when this returns, except for time.
    virtual void receive(const std::vector<std::uint8_t>& frame) = 0;
    /// What was sent since the last call.
    [[nodiscard]] virtual std::vector<std::vector<std::uint8_t>> sent() = 0;
    virtual void wait(std::uint32_t microseconds) = 0;
};

/// Runs the program from a reset on. What it returns depends on the program and the device only.
[[nodiscard]] std::vector<Observation> run(Device& device, const Program& program);

}  // namespace doorbell::differential
