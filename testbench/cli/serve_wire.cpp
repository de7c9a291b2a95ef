#include "testbench/cli/serve_wire.hpp"

#include "testbench/wire/far_side_base.hpp"

namespace doorbell::cli {
namespace {

/// Sends nothing, whoever it is.
class SilentWire final : public wire::FarSide {
public:
    explicit SilentWire(bool plugged) : plugged_(plugged) {}

    void attach(EthernetEndpoint& endpoint) override {
        if (plugged_) endpoint.partner(wire::FarSideBase::gigabit_partner());
    }
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds) override {
        frames_++;
        bytes_ += frame->wire_bytes();
        if (tap_ != nullptr) tap_->frame_out(0, *frame, start_ps);
    }
    void advertise(const LinkAbilities&) override {}
    [[nodiscard]] WireOffloads offloads() const override {
        WireOffloads offloads;
        offloads.untimed = true;
        return offloads;
    }
    void before_wait(std::vector<pollfd>&, int&) override {}
    void after_wait(const pollfd*, std::size_t) override {}
    void tap(wire::WireTap* tap) override { tap_ = tap; }
    [[nodiscard]] std::string description() const override {
        return plugged_ ? "a partner that swallows every frame" : "no cable";
    }
    void visit_metrics(MetricVisitor& visitor) const override {
        visitor.metric("outward.frames", frames_);
        visitor.metric("outward.bytes", bytes_);
    }

private:
    bool plugged_;
    wire::WireTap* tap_ = nullptr;
    std::uint64_t frames_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace

wire::MadeFarSide open_wire(const std::string& spec, const wire::FarSideContext& context) {
    if (spec == "none" || spec == "sink") {
        return {std::make_unique<SilentWire>(spec == "sink"), ""};
    }
    return wire::make_far_side(spec, context);
}

std::string wire_help() {
    return "  none                      no cable\n"
           "  sink                      a partner that swallows every frame\n" +
           wire::far_side_help();
}

}  // namespace doorbell::cli
