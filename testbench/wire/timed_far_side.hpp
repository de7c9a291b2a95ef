#pragma once

#include <cstdint>
#include <memory>

#include "testbench/wire/far_side.hpp"
#include "testbench/wire/link.hpp"

namespace doorbell::wire {

/// A far side at the end of a cable with a rate: the NIC sends real frames at the speed of its
/// link, and what comes from outside is paced to the rate of the cable. A path around a far side,
/// as the decorators of a wire are around a wire.
class TimedFarSide final : public FarSide {
public:
    TimedFarSide(std::unique_ptr<FarSide> outside, std::uint32_t rate_mbps,
                 const FarSideContext& context);
    ~TimedFarSide() override;

    void attach(EthernetEndpoint& endpoint) override;
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void advertise(const LinkAbilities& abilities) override;
    void before_wait(std::vector<pollfd>& watched, int& timeout_ms) override;
    void after_wait(const pollfd* ready, std::size_t count) override;
    void flush() override;
    void tap(WireTap* tap) override {
        nic_end_.tap = tap;
        cable_.tap(tap == nullptr ? nullptr : &nic_end_);
    }
    [[nodiscard]] std::string description() const override;
    void visit_metrics(MetricVisitor& visitor) const override;

private:
    /// What may wait for the cable; the rest waits outside.
    static constexpr Picoseconds kAhead_ps = microseconds(200);

    /// The end of the cable that is not the NIC's: towards the outside it is the NIC.
    class OuterEnd final : public EthernetEndpoint {
    public:
        explicit OuterEnd(TimedFarSide& owner) : owner_(owner) {}
        void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
        void partner(const LinkAbilities& abilities) override;

    private:
        TimedFarSide& owner_;
    };
    class Entrance final : public EthernetEndpoint {
    public:
        explicit Entrance(TimedFarSide& owner) : owner_(owner) {}
        void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
        void partner(const LinkAbilities& abilities) override;
        [[nodiscard]] bool has_room(std::uint32_t wire_bytes) const override;
        [[nodiscard]] bool listens() const override;

    private:
        TimedFarSide& owner_;
        Picoseconds free_ps_ = 0;
    };

    /// Who looks on sees the NIC's end of the cable: each frame once.
    struct NicEnd final : WireTap {
        void frame_out(std::uint32_t end, const Frame& frame, Picoseconds start_ps) override {
            if (end == kNicEnd) tap->frame_out(kNicEnd, frame, start_ps);
        }
        void frame_in(std::uint32_t end, const Frame& frame, Picoseconds end_ps) override {
            if (end == kNicEnd) tap->frame_in(kNicEnd, frame, end_ps);
        }
        WireTap* tap = nullptr;
    };
    static constexpr std::uint32_t kNicEnd = 0;
    static constexpr std::uint32_t kOuterEnd = 1;

    const FarSideContext context_;
    const Picoseconds byte_ps_;
    const std::uint32_t rate_mbps_;
    EthernetEndpoint* nic_ = nullptr;
    std::unique_ptr<FarSide> outside_;
    OuterEnd outer_end_;
    Entrance entrance_;
    NicEnd nic_end_;
    Link cable_;
};

}  // namespace doorbell::wire
