#pragma once

#include <string>
#include <vector>

#include "testbench/qemu/differential/device.hpp"
#include "testbench/qemu/differential/qtest_session.hpp"

namespace doorbell::differential {

/// QEMU's own e1000e behind a root port. A reset is a secondary bus reset of that port, so one
/// QEMU serves any number of programs.
class QemuDevice final : public Device {
public:
    /// `words` start QEMU, see QtestSession.
    explicit QemuDevice(const std::vector<std::string>& words);
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
    void select(std::uint32_t bus, std::uint32_t device, std::uint32_t offset);
    void config_write(std::uint32_t bus, std::uint32_t device, std::uint32_t offset,
                      std::uint32_t value);
    void command(const char* format, ...) __attribute__((format(printf, 2, 3)));

    QtestSession session_;
};

}  // namespace doorbell::differential
