#include "testbench/cli/serve_wire.hpp"

#include "testbench/cli/host_wire_module.hpp"
#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/timed_far_side.hpp"

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

std::string own_help() {
    return std::string(
               "  none                      no cable\n"
               "  sink                      a partner that swallows every frame\n") +
           kHostWireHelp;
}

}  // namespace

wire::MadeFarSide open_wire(const std::string& spec, std::uint32_t rate_mbps,
                            const ProgramPaths& paths, const wire::FarSideContext& context) {
    if (spec == "none" || spec == "sink") {
        return {std::make_unique<SilentWire>(spec == "sink"), ""};
    }
    // A scenario says itself what its cables carry.
    if (is_host_wire(spec)) return open_host_wire(spec, paths, context);
    if (!wire::is_far_side(spec)) {
        return {nullptr, "there is no wire '" + spec + "'; wires:\n" + wire_help()};
    }
    wire::MadeFarSide made = wire::make_far_side(spec, context);
    if (made.far_side != nullptr && rate_mbps != 0) {
        made.far_side =
            std::make_unique<wire::TimedFarSide>(std::move(made.far_side), rate_mbps, context);
    }
    return made;
}

std::string wire_help() {
    return own_help() + "\n" + wire::far_side_help();
}

}  // namespace doorbell::cli
