#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell {

struct InterruptControllerParams {
    std::uint32_t max_lines = 64;
    /// From the message's arrival at the root complex to the CPU's first instruction of the
    /// handler.
    Picoseconds delivery_latency_ps = nanoseconds(100);
};

/// What a CPU has in front of it: a window for message-signalled interrupts and, per device, one
/// level-triggered pin. A line is one registered handler.
class InterruptController {
public:
    /// The window of x86 (Intel SDM volume 3, 11.11): writes there are interrupts, not memory.
    static constexpr std::uint64_t kWindowBase = 0xFEE0'0000;
    static constexpr std::uint64_t kWindowBytes = 0x10'0000;

    using Handler = void (*)(void* ctx, std::uint32_t line);

    InterruptController(const InterruptControllerParams& params, Timeline& timeline,
                        EventPort events);
    ~InterruptController();

    /// A line for messages: where to send what. Negative errno: -ENOSPC.
    [[nodiscard]] int request_message(Handler handler, void* ctx, std::uint64_t& address,
                                      std::uint32_t& data);
    /// A line for the pin of a device: -EBUSY when it has one, -ENOSPC.
    [[nodiscard]] int request_pin(std::uint32_t device, Handler handler, void* ctx);
    /// False: no such line.
    [[nodiscard]] bool free(int line);
    /// End of interrupt: a pin that is still asserted interrupts again.
    void end_of_interrupt(int line);

    /// True: the address belongs to the window.
    [[nodiscard]] static bool in_window(std::uint64_t address) {
        return address >= kWindowBase && address - kWindowBase < kWindowBytes;
    }
    void message(std::uint64_t address, std::uint32_t data);
    void pin(std::uint32_t device, bool asserted);

    /// A handler is running: whoever asks must not block.
    [[nodiscard]] bool in_handler() const { return handler_depth_ > 0; }
    [[nodiscard]] std::uint64_t delivered() const { return delivered_; }
    void visit_metrics(MetricVisitor& visitor) const;

private:
    enum class Kind : std::uint8_t { kFree, kMessage, kPin };
    struct Line;

    [[nodiscard]] int take_line();
    [[nodiscard]] Line* line_of_pin(std::uint32_t device);
    void trigger_pin(Line& line);
    void deliver(Line& line);
    [[nodiscard]] bool asserted(std::uint32_t device) const {
        return device < pins_.size() && pins_[device];
    }

    InterruptControllerParams params_;
    Timeline& timeline_;
    EventPort events_;
    std::vector<std::unique_ptr<Line>> lines_;  ///< Made once each, used again.
    std::vector<bool> pins_;
    std::uint32_t handler_depth_ = 0;
    std::uint64_t delivered_ = 0;
    std::uint64_t merged_ = 0;
    std::uint64_t spurious_ = 0;
};

}  // namespace doorbell
