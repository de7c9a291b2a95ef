#pragma once

#include <cstdint>
#include <memory>

#include "hw/base/device_state.hpp"
#include "hw/base/dma_fault.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/border.hpp"
#include "hw/nic/nic_params.hpp"
#include "hw/nic/nic_personality.hpp"
#include "hw/pcie/pcie_link.hpp"
#include "hw/ptp/time_stamper.hpp"

namespace doorbell {

/// The whole NIC as plain C++: instances, their wiring, and the decoding of what the bus asks. It
/// behaves only through its blocks. The bus side is functional (what happens when an access
/// reaches the device); the way to the device is `NicModule`'s.
class Nic final : public EthernetEndpoint {
public:
    /// The ports and the pool outlive the NIC. Nothing is reported or sent before
    /// `power_on_reset()`.
    Nic(Timeline& timeline, HostPort& host, EthernetPort& wire, FramePool& frames, EventPort events,
        const NicParams& params, const NicPersonality& personality = i82574l_personality());
    ~Nic() override;

    /// LAN_PWR_GOOD: everything as new, whatever was going on (the far end's offer apart, which is
    /// the cable's). To be called once before use; again at any time.
    void power_on_reset();
    /// PERST# or a hot reset.
    void pcie_reset();

    // --- the bus side
    // -----------------------------------------------------------------------------
    /// 1, 2 or 4 bytes within a dword; another size or offset reads as ones and writes nothing.
    [[nodiscard]] std::uint32_t config_read(std::uint32_t offset, std::uint32_t size_bytes);
    void config_write(std::uint32_t offset, std::uint32_t size_bytes, std::uint32_t value);
    [[nodiscard]] std::uint32_t config_debug_read(std::uint32_t offset) const;

    /// Whether the function answers in this BAR now: Command enables, power state, presence.
    [[nodiscard]] bool decodes(unsigned bar) const;
    [[nodiscard]] std::uint32_t bar_size_bytes(unsigned bar) const;
    /// Dwords at dword-aligned offsets. What is not decoded reads as ones (as a root complex makes
    /// of an unsupported request) and swallows writes.
    [[nodiscard]] std::uint32_t bar_read(unsigned bar, std::uint32_t offset);
    void bar_write(unsigned bar, std::uint32_t offset, std::uint32_t value);
    /// What `bar_read` would return, without side effect, event or check of the enables.
    [[nodiscard]] std::uint32_t debug_read(unsigned bar, std::uint32_t offset) const;

    // --- the wire side
    // ----------------------------------------------------------------------------
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void partner(const LinkAbilities& abilities) override;
    [[nodiscard]] bool listens() const override;
    [[nodiscard]] bool has_room(std::uint32_t wire_bytes) const override;

    // --- to look at
    // -------------------------------------------------------------------------------
    /// Hears of every crossing of the border; one listener, nullptr for none.
    void listen_at_border(BorderListener* listener);
    [[nodiscard]] const DeviceState& state() const;
    [[nodiscard]] const NicParams& params() const;
    [[nodiscard]] const TimeStamper& time_stamps() const;
    /// The PCIe link, for whoever times the accesses from outside.
    [[nodiscard]] PcieLink& link();
    /// What the device has written and is due becomes visible: for the completion of a read, which
    /// pushes it.
    void push_posted_writes();
    /// Fails DMA requests on purpose; nullptr for none.
    void set_dma_fault_hook(DmaFaultHook* hook);
    void visit_metrics(MetricVisitor& visitor) const;

private:
    static constexpr std::uint32_t kNotDecoded = 0xFFFFFFFF;
    [[nodiscard]] static Crossing access(CrossingKind kind, std::uint32_t unit,
                                         std::uint32_t offset, std::uint32_t value);

    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace doorbell
