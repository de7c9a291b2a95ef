#pragma once

#include <cstdint>

#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// BAR3: five MSI-X table entries and the pending bits (PCI 3.0, 6.8.2; section 1.6). Storage and
/// access rules are the contract's; here is what they mean.
class MsixTable {
public:
    static constexpr std::uint32_t kVectors = regs::i82574l::MSIXTADD.count;

    /// All entries masked, nothing pending.
    void reset() { registers_.reset(regs::ResetKind::kPowerOn); }

    [[nodiscard]] std::uint32_t read(std::uint32_t offset) { return registers_.bus_read(offset); }
    [[nodiscard]] std::uint32_t debug_read(std::uint32_t offset) const {
        return registers_.debug_read(offset);
    }
    void write(std::uint32_t offset, std::uint32_t value) { registers_.bus_write(offset, value); }

    [[nodiscard]] bool masked(std::uint32_t vector) const {
        return registers_.get(regs::i82574l::MSIXTVCTRL_MASK, vector) != 0;
    }
    [[nodiscard]] std::uint64_t address(std::uint32_t vector) const {
        return std::uint64_t{registers_.word(regs::i82574l::MSIXTUADD, vector)} << 32 |
               registers_.word(regs::i82574l::MSIXTADD, vector);
    }
    [[nodiscard]] std::uint32_t data(std::uint32_t vector) const {
        return registers_.word(regs::i82574l::MSIXTMSG, vector);
    }

    [[nodiscard]] std::uint32_t pending_bits() const {
        return registers_.get(regs::i82574l::MSIXPBA_PENDING);
    }
    [[nodiscard]] bool pending(std::uint32_t vector) const {
        return (pending_bits() >> vector & 1) != 0;
    }
    void set_pending(std::uint32_t vector) {
        registers_.set(regs::i82574l::MSIXPBA_PENDING, pending_bits() | 1u << vector);
    }
    /// PBACLR, or the message has left.
    void clear_pending(std::uint32_t vectors) {
        registers_.set(regs::i82574l::MSIXPBA_PENDING, pending_bits() & ~vectors);
    }

private:
    regs::RegisterFile registers_{regs::i82574l::kMsixMap};
};

}  // namespace doorbell
