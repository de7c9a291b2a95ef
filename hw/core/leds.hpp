#pragma once

#include <array>
#include <cstdint>

#include "hw/base/device_state.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// What an LED shows; the numbers are those of the event stream.
enum class LedState : std::uint8_t {
    kOff = 0,
    kOn = 1,
    kBlinking = 2,
    kActivity = 3,  ///< Lit by frames as they pass.
};

/// The three LEDs of LEDCTL (specification 2.3): source, blinking and inversion of each.
class Leds {
public:
    static constexpr std::uint32_t kLeds = 3;

    Leds(Timeline& timeline, const regs::RegisterFile& registers, const DeviceState& state,
         EventPort events)
        : timeline_(timeline), registers_(registers), state_(state), events_(events) {}

    /// LEDCTL or the link changed.
    void update();
    [[nodiscard]] LedState shows(std::uint32_t led) const { return shown_[led]; }
    void visit_metrics(MetricVisitor& visitor) const;

private:
    [[nodiscard]] LedState decide(std::uint32_t led) const;

    Timeline& timeline_;
    const regs::RegisterFile& registers_;
    const DeviceState& state_;
    EventPort events_;
    std::array<LedState, kLeds> shown_{};
};

}  // namespace doorbell
