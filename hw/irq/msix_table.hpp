#pragma once

#include <array>
#include <cstdint>

namespace doorbell {

/// BAR3: five MSI-X table entries and the pending bits (PCI 3.0, 6.8.2; section 1.6).
class MsixTable {
public:
    static constexpr std::uint32_t kVectors = 5;

    /// All entries masked, nothing pending.
    void reset();

    [[nodiscard]] std::uint32_t read(std::uint32_t offset) const;
    /// Returns the vector that was unmasked, or kVectors.
    std::uint32_t write(std::uint32_t offset, std::uint32_t value);

    [[nodiscard]] bool masked(std::uint32_t vector) const;
    [[nodiscard]] std::uint64_t address(std::uint32_t vector) const;
    [[nodiscard]] std::uint32_t data(std::uint32_t vector) const { return entries_[vector].data; }

    [[nodiscard]] bool pending(std::uint32_t vector) const { return (pending_ >> vector & 1) != 0; }
    void set_pending(std::uint32_t vector) { pending_ |= 1u << vector; }
    /// PBACLR, or the message has left.
    void clear_pending(std::uint32_t vectors) { pending_ &= ~vectors; }
    [[nodiscard]] std::uint32_t pending_bits() const { return pending_; }

private:
    struct Entry {
        std::uint32_t address_low = 0;
        std::uint32_t address_high = 0;
        std::uint32_t data = 0;
        std::uint32_t control = 0;
    };
    std::array<Entry, kVectors> entries_{};
    std::uint32_t pending_ = 0;
};

}  // namespace doorbell
