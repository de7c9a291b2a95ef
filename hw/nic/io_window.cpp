#include "hw/nic/io_window.hpp"

#include "hw/nic/flash_window.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

constexpr std::uint32_t kFlashFirst = 0x80000;
constexpr std::uint32_t kFlashEnd = 0x100000;

bool selects_flash(std::uint32_t address) {
    return address >= kFlashFirst && address < kFlashEnd;
}

}  // namespace

// Between the registers and the flash nothing answers: the register file reads 0 beyond its end.
IoWindow::IoWindow(regs::RegisterFile& registers) : registers_(registers), window_(r::kIoMap) {
    window_.on_read(r::IODATA, [this](std::uint32_t, std::uint32_t) {
        const std::uint32_t address = window_.word(r::IOADDR);
        return selects_flash(address) ? kErasedFlash : registers_.bus_read(address);
    });
    window_.on_write(r::IODATA, [this](const regs::RegisterFile::Write& write) {
        const std::uint32_t address = window_.word(r::IOADDR);
        if (!selects_flash(address)) registers_.bus_write(address, write.written);
    });
}

std::uint32_t IoWindow::debug_read(std::uint32_t offset) const {
    if (offset != r::IODATA.offset) return window_.debug_read(offset);
    const std::uint32_t address = window_.word(r::IOADDR);
    return selects_flash(address) ? kErasedFlash : registers_.debug_read(address);
}

}  // namespace doorbell
