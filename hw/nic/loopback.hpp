#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/device_state.hpp"
#include "hw/base/frame_time_port.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/queue_engine.hpp"
#include "hw/base/timeline.hpp"
#include "hw/phy/phy_params.hpp"

namespace doorbell {

/// Where the MAC's frames turn: out onto the wire, or back into the receiver when the MAC
/// (RCTL.LBM) or the PHY (BMCR.LOOPBACK) loops them; the wire then hears and says nothing
/// (section 4.7). Each frame's time at the MAC is handed to the time stamps, whichever way it
/// takes. The PHY's own latency lies between here and the wire: the MAC turns frames before it, the
/// PHY behind it.
class Loopback final : public EthernetPort {
public:
    Loopback(Timeline& timeline, const PhyParams& phy, const DeviceState& state, EthernetPort& wire,
             FrameTimePort& times);
    ~Loopback() override;
    Loopback(const Loopback&) = delete;
    Loopback& operator=(const Loopback&) = delete;

    void bind(QueueEngine& receiver) { receiver_ = &receiver; }
    /// What is on its way back, or in, is lost.
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
    struct Coming {
        FramePtr frame;
        Picoseconds start_ps = 0;
        Picoseconds end_ps = 0;
    };

    [[nodiscard]] bool active() const { return state_.mac_loopback || state_.phy_loopback; }
    [[nodiscard]] Picoseconds delimiter_ps(Picoseconds start_ps) const;
    /// The frame is at the MAC at its `end_ps`.
    void comes(Coming coming);
    void hand_over(Coming coming);
    void arrive();

    Timeline& timeline_;
    const Picoseconds phy_tx_ps_;
    const Picoseconds phy_rx_ps_;
    const DeviceState& state_;
    EthernetPort& wire_;
    FrameTimePort& times_;
    QueueEngine* receiver_ = nullptr;
    /// In the order of their times; the MAC hands frames over a little ahead, so there are few.
    std::vector<Coming> coming_;
    std::size_t next_ = 0;
    std::uint64_t looped_ = 0;
    Task arrival_task_;
};

}  // namespace doorbell
