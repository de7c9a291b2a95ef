#include "hw/core/leds.hpp"

#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"

namespace doorbell {

namespace r = regs::i82574l;

namespace {

/// LEDCTL has the same fields in a byte for each LED.
struct LedFields {
    const regs::Field& mode;
    const regs::Field& invert;
    const regs::Field& blink;
};
constexpr LedFields kFields[Leds::kLeds] = {
    {r::LEDCTL_LED0_MODE, r::LEDCTL_LED0_IVRT, r::LEDCTL_LED0_BLINK},
    {r::LEDCTL_LED1_MODE, r::LEDCTL_LED1_IVRT, r::LEDCTL_LED1_BLINK},
    {r::LEDCTL_LED2_MODE, r::LEDCTL_LED2_IVRT, r::LEDCTL_LED2_BLINK},
};

LedState lit(bool on) {
    return on ? LedState::kOn : LedState::kOff;
}

/// What the source says, by the code of LEDCTL.
LedState source(std::uint32_t mode, const DeviceState& state) {
    const bool link = state.link_up;
    const std::uint32_t speed = state.speed_mbps;
    switch (mode) {
        case r::LEDCTL_LED0_MODE_LINK_10_1000:
            return lit(link && speed != 100);
        case r::LEDCTL_LED0_MODE_LINK_100_1000:
            return lit(link && speed != 10);
        case r::LEDCTL_LED0_MODE_LINK_UP:
            return lit(link);
        case r::LEDCTL_LED0_MODE_ACTIVITY:
        case r::LEDCTL_LED0_MODE_LINK_ACTIVITY:
            return link ? LedState::kActivity : LedState::kOff;
        case r::LEDCTL_LED0_MODE_LINK_10:
            return lit(link && speed == 10);
        case r::LEDCTL_LED0_MODE_LINK_100:
            return lit(link && speed == 100);
        case r::LEDCTL_LED0_MODE_LINK_1000:
            return lit(link && speed == 1000);
        case r::LEDCTL_LED0_MODE_ON:
            return LedState::kOn;
        default:
            return LedState::kOff;  // OFF, and codes that nobody knows.
    }
}

}  // namespace

LedState Leds::decide(std::uint32_t led) const {
    const LedFields& fields = kFields[led];
    const LedState state = source(registers_.get(fields.mode), state_);
    if (state == LedState::kOn && registers_.get(fields.blink) != 0) return LedState::kBlinking;
    if (registers_.get(fields.invert) == 0) return state;
    if (state == LedState::kOn) return LedState::kOff;
    return state == LedState::kOff ? LedState::kOn : state;
}

void Leds::update() {
    for (std::uint32_t led = 0; led < kLeds; led++) {
        const LedState now = decide(led);
        if (now == shown_[led]) continue;
        shown_[led] = now;
        events::led(events_, timeline_, {}, led, static_cast<std::uint64_t>(now));
    }
}

void Leds::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("led.0.state", static_cast<std::uint64_t>(shown_[0]));
    visitor.metric("led.1.state", static_cast<std::uint64_t>(shown_[1]));
    visitor.metric("led.2.state", static_cast<std::uint64_t>(shown_[2]));
}

}  // namespace doorbell
