#pragma once

#include <cstdint>

#include "hw/base/host_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell {

/// What crosses the border of the NIC, in which direction, is one of these.
enum class CrossingKind : std::uint8_t {
    kConfigRead = 0,
    kConfigWrite = 1,
    kBarRead = 2,
    kBarWrite = 3,
    kDmaRead = 4,
    kDmaWrite = 5,
    kMessage = 6,
    kInterruptPin = 7,
    kFrameOut = 8,
    kFrameIn = 9,
    kAdvertise = 10,
    kPartner = 11,
    kPowerOnReset = 12,
    kPcieReset = 13,
    kPowerManagementEvent = 14,
};

/// One crossing. `data` is valid during the call only.
struct Crossing {
    CrossingKind kind = CrossingKind::kConfigRead;
    Picoseconds time_ps = 0;
    std::uint32_t unit = 0;     ///< BAR number; access size in configuration space.
    std::uint64_t address = 0;  ///< Offset, or host address.
    std::uint64_t value = 0;    ///< Register value, message data, level of the pin, DMA status.
    std::uint64_t packet = 0;
    const std::uint8_t* data = nullptr;  ///< DMA and frames.
    std::uint32_t size_bytes = 0;
    Picoseconds start_ps = 0;  ///< Frames.
    Picoseconds end_ps = 0;
    const Frame* frame = nullptr;              ///< Frames: FCS and number as well.
    const LinkAbilities* abilities = nullptr;  ///< Advertise and partner.
};

class BorderListener {
public:
    virtual ~BorderListener() = default;
    virtual void crossing(const Crossing& crossing) = 0;
};

/// The one timed port through which everything crosses, whatever stands outside (DMI, transport, an
/// array, a recording). What leaves for good is reported first and then passed on; a DMA access
/// when the host's answer is known, since the answer is what crosses. Without a listener a crossing
/// costs a branch.
class Border final : public HostPort, public EthernetPort {
public:
    Border(const Timeline& timeline, HostPort& host, EthernetPort& wire)
        : timeline_(timeline), host_(host), wire_(wire) {}

    void listen(BorderListener* listener) { listener_ = listener; }
    [[nodiscard]] bool listened() const { return listener_ != nullptr; }
    /// For crossings that come from outside; only when listened to.
    void report(Crossing crossing) const;
    [[nodiscard]] static Crossing of_frame(CrossingKind kind, const Frame& frame,
                                           Picoseconds start_ps, Picoseconds end_ps);

    [[nodiscard]] DmaStatus read(std::uint64_t address, std::uint8_t* target,
                                 std::uint32_t size_bytes, std::uint64_t& packet) override;
    [[nodiscard]] DmaStatus write(std::uint64_t address, const std::uint8_t* source,
                                  std::uint32_t size_bytes, std::uint64_t packet) override;
    void message(std::uint64_t address, std::uint32_t data) override;
    void interrupt_pin(bool asserted) override;
    void power_management_event() override;

    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void advertise(const LinkAbilities& abilities) override;
    /// A recording holds frames as a cable would carry them.
    [[nodiscard]] WireOffloads offloads() const override {
        return listened() ? WireOffloads{} : wire_.offloads();
    }

private:
    const Timeline& timeline_;
    HostPort& host_;
    EthernetPort& wire_;
    BorderListener* listener_ = nullptr;
};

}  // namespace doorbell
