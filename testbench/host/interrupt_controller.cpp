#include "testbench/host/interrupt_controller.hpp"

#include <cerrno>

#include "hw/base/generated/events.hpp"
#include "testbench/host/running_guest.hpp"

namespace doorbell {

namespace {
/// Vectors below 32 are the CPU's own exceptions.
constexpr std::uint32_t kFirstVector = 32;
}  // namespace

struct InterruptController::Line {
    Line(InterruptController& controller, std::uint32_t own_number)
        : number(own_number), delivery([this, &controller] { controller.deliver(*this); }) {}

    const std::uint32_t number;
    Kind kind = Kind::kFree;
    std::uint32_t device = 0;
    bool in_service = false;  ///< Pin: delivered, and no end of interrupt yet.
    Handler handler = nullptr;
    void* ctx = nullptr;
    std::uint64_t count = 0;
    Task delivery;
};

InterruptController::InterruptController(const InterruptControllerParams& params,
                                         Timeline& timeline, EventPort events)
    : params_(params), timeline_(timeline), events_(events) {}

InterruptController::~InterruptController() {
    for (const std::unique_ptr<Line>& line : lines_) timeline_.cancel(line->delivery);
}

int InterruptController::take_line() {
    std::uint32_t number = 0;
    while (number < lines_.size() && lines_[number]->kind != Kind::kFree) number++;
    if (number == params_.max_lines) return -ENOSPC;
    if (number == lines_.size()) lines_.push_back(std::make_unique<Line>(*this, number));
    return static_cast<int>(number);
}

int InterruptController::request_message(Handler handler, void* ctx, std::uint64_t& address,
                                         std::uint32_t& data) {
    const int number = take_line();
    if (number < 0) return number;
    Line& line = *lines_[static_cast<std::size_t>(number)];
    line.kind = Kind::kMessage;
    line.handler = handler;
    line.ctx = ctx;
    line.in_service = false;
    address = kWindowBase;
    data = kFirstVector + line.number;
    return number;
}

int InterruptController::request_pin(std::uint32_t device, Handler handler, void* ctx) {
    if (line_of_pin(device) != nullptr) return -EBUSY;
    const int number = take_line();
    if (number < 0) return number;
    Line& line = *lines_[static_cast<std::size_t>(number)];
    line.kind = Kind::kPin;
    line.device = device;
    line.handler = handler;
    line.ctx = ctx;
    line.in_service = false;
    if (asserted(device)) trigger_pin(line);  // It is a level: what was missed is still there.
    return number;
}

bool InterruptController::free(int number) {
    if (number < 0 || static_cast<std::size_t>(number) >= lines_.size()) return false;
    Line& line = *lines_[static_cast<std::size_t>(number)];
    if (line.kind == Kind::kFree) return false;
    timeline_.cancel(line.delivery);
    line.kind = Kind::kFree;
    return true;
}

void InterruptController::end_of_interrupt(int number) {
    if (number < 0 || static_cast<std::size_t>(number) >= lines_.size()) return;
    Line& line = *lines_[static_cast<std::size_t>(number)];
    line.in_service = false;
    if (line.kind == Kind::kPin && asserted(line.device)) trigger_pin(line);
}

void InterruptController::message(std::uint64_t address, std::uint32_t data) {
    const std::uint64_t number = std::uint64_t{data} - kFirstVector;
    const bool known =
        in_window(address) && number < lines_.size() && lines_[number]->kind == Kind::kMessage;
    if (!known) {
        spurious_++;
        return;
    }
    Line& line = *lines_[number];
    // An edge that comes before the one before it was taken is one interrupt (the IRR bit).
    if (line.delivery.scheduled()) {
        merged_++;
        return;
    }
    timeline_.schedule(line.delivery, timeline_.now_ps() + params_.delivery_latency_ps);
}

InterruptController::Line* InterruptController::line_of_pin(std::uint32_t device) {
    for (const std::unique_ptr<Line>& line : lines_) {
        if (line->kind == Kind::kPin && line->device == device) return line.get();
    }
    return nullptr;
}

void InterruptController::pin(std::uint32_t device, bool level) {
    if (device >= pins_.size()) pins_.resize(device + 1);
    pins_[device] = level;
    Line* line = line_of_pin(device);
    if (line == nullptr) return;
    if (level) {
        trigger_pin(*line);
    } else {
        timeline_.cancel(line->delivery);
    }
}

void InterruptController::trigger_pin(Line& line) {
    if (line.in_service || line.delivery.scheduled()) return;
    timeline_.schedule(line.delivery, timeline_.now_ps() + params_.delivery_latency_ps);
}

void InterruptController::deliver(Line& line) {
    line.in_service = line.kind == Kind::kPin;
    line.count++;
    delivered_++;
    events::irq_delivered(events_, timeline_, {}, line.number);
    handler_depth_++;
    running_guest::in_handler = true;
    line.handler(line.ctx, line.number);
    running_guest::in_handler = false;
    handler_depth_--;
}

void InterruptController::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("irq.delivered", delivered_);
    visitor.metric("irq.merged", merged_);
    visitor.metric("irq.spurious", spurious_);
    for (const std::unique_ptr<Line>& line : lines_) {
        visitor.metric("irq.line" + std::to_string(line->number) + ".delivered", line->count);
    }
}

}  // namespace doorbell
