#pragma once

#include "hw/regs/register_file.hpp"

namespace doorbell {

/// BAR2: IOADDR selects an internal offset, IODATA accesses what is there with the side effects of
/// a memory access (specification 1.5).
class IoWindow {
public:
    explicit IoWindow(regs::RegisterFile& registers);

    void reset() { window_.reset(regs::ResetKind::kPowerOn); }
    [[nodiscard]] std::uint32_t read(std::uint32_t offset) { return window_.bus_read(offset); }
    void write(std::uint32_t offset, std::uint32_t value) { window_.bus_write(offset, value); }
    [[nodiscard]] std::uint32_t debug_read(std::uint32_t offset) const;

private:
    regs::RegisterFile& registers_;
    regs::RegisterFile window_;
};

}  // namespace doorbell
