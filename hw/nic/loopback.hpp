#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/device_state.hpp"
#include "hw/base/frame_time_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/queue_engine.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell {

/// Where the MAC's frames turn: out onto the wire, or back into the receiver when the MAC
/// (RCTL.LBM) or the PHY (BMCR.LOOPBACK) loops them; the wire then hears and says nothing
/// (section 4.7). Each frame's time is handed to the time stamps, whichever way it takes.
class Loopback final : public EthernetPort {
public:
    Loopback(Timeline& timeline, const DeviceState& state, EthernetPort& wire,
             FrameTimePort& times);
    ~Loopback() override;
    Loopback(const Loopback&) = delete;
    Loopback& operator=(const Loopback&) = delete;

    void bind(QueueEngine& receiver) { receiver_ = &receiver; }
    /// What is on its way back is lost.
    void reset();

    // The MAC's side.
    void transmit(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override;
    void advertise(const LinkAbilities& abilities) override { wire_.advertise(abilities); }
    /// A frame that turns round meets the receiver, which wants it whole.
    [[nodiscard]] WireOffloads offloads() const override {
        return active() ? WireOffloads{} : wire_.offloads();
    }
    // The wire's side.
    void receive(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps);

    [[nodiscard]] std::uint64_t looped_frames() const { return looped_; }

private:
    struct Turning {
        FramePtr frame;
        Picoseconds start_ps = 0;
        Picoseconds end_ps = 0;
    };

    [[nodiscard]] bool active() const { return state_.mac_loopback || state_.phy_loopback; }
    [[nodiscard]] Picoseconds delimiter_ps(Picoseconds start_ps) const;
    void arrive();

    Timeline& timeline_;
    const DeviceState& state_;
    EthernetPort& wire_;
    FrameTimePort& times_;
    QueueEngine* receiver_ = nullptr;
    /// In the order of their times; the MAC hands frames over a little ahead, so there are few.
    std::vector<Turning> turning_;
    std::size_t next_ = 0;
    std::uint64_t looped_ = 0;
    Task arrival_task_;
};

}  // namespace doorbell
