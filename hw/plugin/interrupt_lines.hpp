#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "hw/plugin/client_channel.hpp"

namespace doorbell::plugin {

/// The device's interrupts as the client takes them: an event descriptor for INTx, MSI, and each
/// MSI-X vector. What is signalled is collected, and written once when `deliver` is called. What
/// has no descriptor yet waits for one; it is forgotten when the client disables the index.
class InterruptLines {
public:
    static constexpr std::uint32_t kMaxVectors = 5;
    static constexpr std::uint32_t kIndexes = 5;  ///< INTx, MSI, MSI-X, error, request.

    explicit InterruptLines(std::uint32_t msix_vectors);

    // --- the device's side
    /// The level of INTA. The client masks itself when it is told, and looks again by unmasking.
    void pin(bool asserted);
    void msi() { signal(kMsiSlot); }
    void msix(std::uint32_t vector) {
        if (vector < vectors_) signal(kMsixSlot + vector);
    }
    /// A device that was reset has signalled nothing yet. The descriptors are the client's and
    /// stay.
    void forget_signals() { signalled_ = waiting_ = 0; }

    // --- the client's side
    /// How many interrupts an index (vfio_user::kIrq...) has.
    [[nodiscard]] std::uint32_t count(std::uint32_t index) const;
    /// DEVICE_SET_IRQS; `booleans` are the bytes of kSetDataBool. Returns 0 or an errno.
    [[nodiscard]] int set(std::uint32_t flags, std::uint32_t index, std::uint32_t start,
                          std::uint32_t count, const std::uint8_t* booleans,
                          Descriptors& descriptors);
    /// A client that goes takes everything along, the level of the pin apart.
    void release_all();

    /// Writes what has been signalled to the descriptors.
    void deliver() {
        if (signalled_ != 0) write_signals();
    }

    // --- to look at
    [[nodiscard]] bool pin_level() const { return pin_; }
    [[nodiscard]] bool pin_masked() const { return pin_masked_; }
    [[nodiscard]] bool has_descriptor(std::uint32_t index, std::uint32_t number) const;
    /// Writes to a descriptor so far.
    [[nodiscard]] std::uint64_t delivered(std::uint32_t index, std::uint32_t number) const;
    [[nodiscard]] std::uint32_t vectors() const { return vectors_; }

private:
    static constexpr std::uint32_t kPinSlot = 0;
    static constexpr std::uint32_t kMsiSlot = 1;
    static constexpr std::uint32_t kMsixSlot = 2;
    static constexpr std::uint32_t kErrorSlot = kMsixSlot + kMaxVectors;
    static constexpr std::uint32_t kSlots = kErrorSlot + 1;

    [[nodiscard]] static std::uint32_t slot(std::uint32_t index, std::uint32_t number);
    void signal(std::uint32_t slot) {
        if (slots_[slot].open()) {
            signalled_ |= 1u << slot;
        } else {
            waiting_ |= 1u << slot;
        }
    }
    void signal_pin();
    void write_signals();
    void assign(std::uint32_t slot, Descriptor descriptor);
    [[nodiscard]] int set_mask(std::uint32_t flags, std::uint32_t index, std::uint32_t count,
                               const std::uint8_t* booleans);

    std::uint32_t vectors_;
    std::array<Descriptor, kSlots> slots_;
    std::array<std::uint64_t, kSlots> delivered_{};
    std::uint32_t signalled_ = 0;  ///< To be written, by slot.
    std::uint32_t waiting_ = 0;    ///< Signalled while there was no descriptor.
    bool pin_ = false;
    bool pin_masked_ = false;
};

}  // namespace doorbell::plugin
