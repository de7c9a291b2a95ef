#pragma once

#include <array>
#include <cstdint>

#include "hw/base/device_state.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/interrupt_block.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/irq/cause_rules.hpp"
#include "hw/irq/delay_timers.hpp"
#include "hw/irq/interrupt_params.hpp"
#include "hw/irq/msix_table.hpp"
#include "hw/irq/throttle.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// Interrupts of the 82574L (datasheet 7.4, 10.2.4; specification section 8): causes and masks,
/// delay timers, throttling, and three ways out: INTA, MSI, MSI-X. `update_irq()` alone decides
/// what goes out.
class InterruptBlock82574l final : public InterruptBlock {
public:
    static constexpr std::uint32_t kQueues = 2;

    InterruptBlock82574l(const InterruptParams& params, Timeline& timeline,
                         regs::RegisterFile& registers, DmaPort& dma, StatsPort& stats,
                         const DeviceState& state, const InterruptConfiguration& configuration,
                         EventPort events);
    ~InterruptBlock82574l() override;

    void bind(WriteBackPort& queues) override { queues_ = &queues; }
    void reset() override;
    void reset_msix_table() override;
    void configuration_changed() override;
    [[nodiscard]] std::uint32_t msix_read(std::uint32_t offset) override;
    void msix_write(std::uint32_t offset, std::uint32_t value) override;
    [[nodiscard]] std::uint32_t msix_debug_read(std::uint32_t offset) const override;
    [[nodiscard]] bool pin_requested() const override { return line_; }
    void visit_metrics(MetricVisitor& visitor) const override;

    void raise(std::uint32_t icr_bits) override;
    void tx_written_back(std::uint32_t queue, bool delayed) override;
    void tx_write_back_deferred(std::uint32_t queue) override;
    void rx_frame_stored(std::uint32_t queue) override;
    void rx_written_back(std::uint32_t queue, std::uint32_t frames) override;

private:
    enum class Mode : std::uint8_t { kPin, kMsi, kMsix };
    static constexpr std::uint32_t kCauses = 25;

    void install_hooks();
    [[nodiscard]] Mode mode() const;
    [[nodiscard]] bool msix() const { return configuration_.msix_enabled; }
    [[nodiscard]] CauseRules::Settings settings() const;

    // --- from events and registers to causes
    // ------------------------------------------------------
    void set_causes(std::uint32_t causes);
    void count(std::uint32_t causes);
    void write_ims(std::uint32_t value);
    void announce_rx();
    void announce_tx();
    void rx_expired(DelayTimers::Expiry expiry);
    void tx_expired(DelayTimers::Expiry expiry);
    void flush_by_software(Direction direction);

    // --- from causes to interrupts
    // ----------------------------------------------------------------
    void update_irq();
    [[nodiscard]] Picoseconds update_pin();
    [[nodiscard]] Picoseconds update_msi();
    [[nodiscard]] Picoseconds update_msix();
    [[nodiscard]] bool held_back(Throttle& throttle, std::uint32_t interval, std::uint32_t vector,
                                 Picoseconds& retry_ps);
    void drop_line();
    void drive_pin();
    void send_msix(std::uint32_t vector, std::uint32_t causes);
    void issued(Throttle& throttle);
    using VectorCauses = std::array<std::uint32_t, 8>;
    [[nodiscard]] const VectorCauses& causes_of_vectors();
    void publish();

    Timeline& timeline_;
    regs::RegisterFile& registers_;
    DmaPort& dma_;
    StatsPort& stats_;
    const DeviceState& state_;
    const InterruptConfiguration& configuration_;
    EventPort events_;
    const bool legacy_causes_in_msix_;
    const bool host_keeps_msix_table_;
    WriteBackPort* queues_ = nullptr;

    CauseRules rules_;
    MsixTable table_;
    Throttle itr_;
    std::array<Throttle, MsixTable::kVectors> eitr_;
    DelayTimers rx_timers_;
    DelayTimers tx_timers_;
    DelayTimers ack_timer_;
    Task throttle_task_;

    /// Active causes that an interrupt which was issued (or is pending in the PBA) stands for.
    std::uint32_t covered_ = 0;
    /// What `decoded_ivar_` says, by vector. A vector number beyond the table has no interrupt.
    VectorCauses vector_causes_{};
    std::uint32_t decoded_ivar_ = 0;
    Mode last_mode_ = Mode::kPin;
    bool line_ = false;        ///< The INTx line before Command.INTx_disable.
    bool pin_driven_ = false;  ///< What the host was told.
    /// The delay is over, the write-back that it flushed not yet visible.
    bool rx_awaits_write_back_ = false;
    bool tx_awaits_write_back_ = false;
    /// Vectors whose present hold has been reported.
    std::uint32_t moderation_reported_ = 0;

    std::array<std::uint64_t, kCauses> cause_counts_{};
    std::uint64_t pin_assertions_ = 0;
    std::uint64_t msi_messages_ = 0;
    std::array<std::uint64_t, MsixTable::kVectors> msix_messages_{};
    std::uint64_t moderated_ = 0;
};

}  // namespace doorbell
