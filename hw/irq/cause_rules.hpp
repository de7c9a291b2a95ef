#pragma once

#include <cstdint>

#include "hw/irq/interrupt_params.hpp"

namespace doorbell {

/// ICR, IMS and INT_ASSERTED, and what reads, writes, events and messages do to them (datasheet
/// 7.4 and 10.2.4; specification section 8). Bits and rules only: no time, no modes of delivery.
class CauseRules {
public:
    /// What the other registers say at the time of an operation.
    struct Settings {
        bool msix = false;  ///< MSI-X is enabled: OTHER exists, ICR reads follow the three cases.
        bool iame = false;  ///< CTRL_EXT.IAME
        std::uint32_t iam = 0;
    };

    /// ICR 24:0; bit 31, INT_ASSERTED, is kept beside them.
    static constexpr std::uint32_t kCauseMask = 0x01FFFFFF;

    explicit CauseRules(const InterruptParams& params) : params_(params) {}

    void reset();

    /// An event or an ICS write: latches causes whatever the mask says. In MSI-X mode OTHER follows
    /// the causes behind it, independent of their own masks (erratum 12). Returns all
    /// the bits that happened, OTHER with them.
    std::uint32_t set(std::uint32_t causes, const Settings& settings);

    /// Section 8.2. The value is the one before clearing.
    std::uint32_t read_icr(const Settings& settings);
    void write_icr(std::uint32_t value, const Settings& settings);
    /// Returns the bits that were masked before.
    std::uint32_t write_ims(std::uint32_t value);
    void write_imc(std::uint32_t value);
    /// EIAC acts as the message of these causes leaves.
    void auto_clear(std::uint32_t causes);
    /// EIAME acts as the message of these causes leaves; IAM changes only with U4's other answer.
    [[nodiscard]] std::uint32_t auto_mask(std::uint32_t causes, std::uint32_t iam);
    /// IMS &= ~bits, for what acts on its own account.
    void mask(std::uint32_t bits) { ims_ &= ~bits; }

    /// The word of ICR as a read without side effect shows it.
    [[nodiscard]] std::uint32_t icr() const;
    [[nodiscard]] std::uint32_t ims() const { return ims_; }
    [[nodiscard]] std::uint32_t active() const { return causes_ & ims_; }
    [[nodiscard]] bool int_asserted() const { return int_asserted_; }
    /// The causes that stand behind OTHER (U12).
    [[nodiscard]] std::uint32_t other_causes() const;

private:
    void latch_int_asserted();
    void recompute_int_asserted();
    void clear_all();

    InterruptParams params_;
    std::uint32_t causes_ = 0;
    std::uint32_t ims_ = 0;
    bool int_asserted_ = false;
};

}  // namespace doorbell
