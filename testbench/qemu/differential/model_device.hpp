#pragma once

#include <memory>

#include "testbench/qemu/differential/device.hpp"

namespace doorbell::differential {

/// The model: the same `Nic` class as everywhere, on a timeline moved by hand.
class ModelDevice final : public Device {
public:
    ModelDevice();
    ~ModelDevice() override;
    void reset(InterruptMode mode) override;
    void write(std::uint32_t bar, std::uint32_t offset, std::uint32_t value) override;
    std::uint32_t read(std::uint32_t bar, std::uint32_t offset) override;
    std::uint32_t config_read(std::uint32_t offset) override;
    void poke(std::uint32_t address, const std::vector<std::uint8_t>& bytes) override;
    std::vector<std::uint8_t> peek(std::uint32_t address, std::uint32_t size_bytes) override;
    void receive(const std::vector<std::uint8_t>& frame) override;
    std::vector<std::vector<std::uint8_t>> sent() override;
    void wait(std::uint32_t microseconds) override;

private:
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace doorbell::differential
