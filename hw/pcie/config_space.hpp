#pragma once

#include <array>
#include <cstdint>

#include "hw/regs/register.hpp"

namespace doorbell {

/// What the part loads from its NVM or has in its gates.
struct ConfigSpaceParams {
    std::uint16_t vendor_id = 0x8086;
    std::uint16_t device_id = 0x10D3;
    std::uint8_t revision_id = 0;
    std::uint16_t subsystem_vendor_id = 0x8086;
    std::uint16_t subsystem_id = 0;
    std::array<std::uint8_t, 6> mac = {};  ///< For the device serial number.
    std::uint32_t msix_vectors = 5;        ///< 1..5; the NVM may reduce it.
    std::uint32_t flash_bar_bytes = 0;     ///< BAR1: a power of two from 64 KiB; 0 = no flash.
    bool pme_from_d3cold = true;           ///< Auxiliary power: PMC bit 15 follows CTRL.ADVD3WUC.
    std::uint32_t link_generation = 1;     ///< What LnkCap and LnkSta say.
    std::uint32_t link_width = 1;
    std::uint32_t device_capabilities = 0x00008CC1;  ///< DevCap (U23): payload 256, L0s, L1.
    std::uint32_t link_capabilities = 0x00031C00;    ///< LnkCap without speed and width (U23).
};

/// Told after the configuration space has changed. Read the new state from the getters.
class ConfigListener {
public:
    virtual ~ConfigListener() = default;
    /// Command: decoding of memory and I/O, bus mastering, INTx disable; or a BAR moved.
    virtual void command_changed() = 0;
    /// PMCSR.PowerState: D0 (0) or D3hot (3).
    virtual void power_state_changed() = 0;
    /// D3hot to D0 (No_Soft_Reset = 0): the configuration has been reset already, of which no other
    /// call tells; the device follows and reads everything anew.
    virtual void d3_to_d0_reset() = 0;
    /// MSI or MSI-X enabled, disabled, masked or re-addressed.
    virtual void messages_changed() = 0;
    /// PMCSR: PME_En or PME_Status.
    virtual void power_management_changed() {}
    /// Device Control: maximum payload or maximum read request size.
    virtual void link_limits_changed() = 0;
};

/// Type 0 configuration space of the 82574L (datasheet chapter 9; spec section 1): 4 KiB, the
/// capability chain 0xC8 power management, 0xD0 MSI, 0xE0 PCI Express, 0xA0 MSI-X, and the extended
/// capabilities 0x100 AER and 0x140 device serial number. Access rules are data (`rows`).
class ConfigSpace {
public:
    static constexpr std::uint32_t kSizeBytes = 4096;
    static constexpr std::uint32_t kBarCount = 6;

    /// One dword of the map: name, offset, reset value and which bits behave how.
    struct Row {
        const char* name;
        std::uint32_t offset;
        std::uint32_t reset;
        regs::Access access;
        /// Bits that only power-on resets, not the way from D3hot to D0.
        std::uint32_t sticky_bits;
    };

    explicit ConfigSpace(const ConfigSpaceParams& params);

    void set_listener(ConfigListener& listener) { listener_ = &listener; }

    /// Power-on or PCIe reset: everything. Tells nobody: the caller resets the rest as well.
    void power_on_reset();
    /// What the NVM holds now; shows at once, and after every reset.
    void load(const ConfigSpaceParams& params);
    [[nodiscard]] const ConfigSpaceParams& params() const { return params_; }

    // --- the bus side: size 1, 2 or 4, naturally aligned. Else: all ones, and writes are ignored
    // ----
    [[nodiscard]] std::uint32_t read(std::uint32_t offset, std::uint32_t size_bytes) const;
    void write(std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value);

    // --- what it means
    // -----------------------------------------------------------------------------
    [[nodiscard]] bool io_enabled() const;
    [[nodiscard]] bool memory_enabled() const;
    [[nodiscard]] bool bus_master_enabled() const;
    [[nodiscard]] bool intx_disabled() const;
    [[nodiscard]] std::uint32_t power_state() const;  ///< 0 or 3
    [[nodiscard]] bool pme_enabled() const;

    /// Base address of a BAR without its type bits; 0 when absent or never programmed.
    [[nodiscard]] std::uint32_t bar_address(std::uint32_t bar) const;
    [[nodiscard]] std::uint32_t bar_size_bytes(std::uint32_t bar) const;  ///< 0 when absent.

    [[nodiscard]] bool msi_enabled() const;
    [[nodiscard]] std::uint64_t msi_address() const;
    [[nodiscard]] std::uint16_t msi_data() const;
    [[nodiscard]] bool msix_enabled() const;
    [[nodiscard]] bool msix_function_masked() const;
    [[nodiscard]] std::uint32_t msix_vectors() const;

    [[nodiscard]] std::uint32_t max_payload_bytes() const;
    [[nodiscard]] std::uint32_t max_read_request_bytes() const;

    // --- the hardware side
    // ---------------------------------------------------------------------------
    /// Status bit 3: the INTx line before the INTx-disable gate.
    void set_interrupt_status(bool asserted);
    /// A request of ours was answered "unsupported request": Status.Received_Master_Abort.
    void received_master_abort();
    /// A request of ours was never answered: a non-fatal error, in AER and Device Status.
    void completion_timed_out();
    /// CTRL.ADVD3WUC: PMC bit 15, where the slot has auxiliary power.
    void advertise_d3cold_wake_up(bool advertised);
    [[nodiscard]] bool pme_status() const;
    /// PMCSR.PME_Status, PMCSR.PME_En: for wake-up events and for WUC, which mirrors them.
    void set_pme_status(bool status = true);
    void set_pme_enabled(bool enabled);

    /// All rows of the map, for dumps and tests.
    [[nodiscard]] const Row* rows() const { return rows_.data(); }
    [[nodiscard]] std::uint32_t row_count() const { return row_count_; }

private:
    static constexpr std::uint32_t kMaxRows = 48;
    static constexpr std::uint8_t kNoRow = 0xFF;

    void build_rows();
    void add(const char* name, std::uint32_t offset, std::uint32_t reset, regs::Access access,
             std::uint32_t sticky_bits = 0);
    void reset(bool keep_sticky);
    [[nodiscard]] std::uint32_t word(std::uint32_t offset) const { return words_[offset / 4]; }
    void tell(std::uint32_t offset, std::uint32_t before);

    ConfigSpaceParams params_;
    ConfigListener* listener_ = nullptr;
    std::array<Row, kMaxRows> rows_{};
    std::uint32_t row_count_ = 0;
    std::array<std::uint8_t, kSizeBytes / 4> row_of_{};
    std::array<std::uint32_t, kSizeBytes / 4> words_{};
};

}  // namespace doorbell
