#pragma once

#include <memory>

#include "hw/base/device_state.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/frame.hpp"
#include "hw/base/frame_time_port.hpp"
#include "hw/base/interrupt_block.hpp"
#include "hw/base/link_port.hpp"
#include "hw/base/phy_port.hpp"
#include "hw/base/queue_engine.hpp"
#include "hw/base/stats_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/nic/nic_params.hpp"
#include "hw/regs/register_file.hpp"

namespace doorbell {

/// What a replaceable part finds around it. All of it outlives the part.
struct NicContext {
    Timeline& timeline;
    EventPort events;
    regs::RegisterFile& registers;
    DmaPort& dma;
    StatsPort& stats;
    FramePool& frames;
    EthernetPort& wire;
    const DeviceState& state;
    const InterruptConfiguration& interrupts;
    const NicParams& params;
    FrameTimePort& times;
};

/// The three parts by which a member of the family differs: queues, interrupts and PHY. Whatever
/// else a NIC has is common. A later personality (82576, I225), or a test, overrides what it
/// replaces.
class NicPersonality {
public:
    virtual ~NicPersonality() = default;
    [[nodiscard]] virtual std::unique_ptr<Phy> make_phy(const NicContext& context,
                                                        PhyListener& listener) const;
    [[nodiscard]] virtual std::unique_ptr<InterruptBlock> make_interrupts(
        const NicContext& context) const;
    [[nodiscard]] virtual std::unique_ptr<QueueEngine> make_queues(const NicContext& context,
                                                                   CausePort& causes) const;
};

/// The 82574L as it is.
[[nodiscard]] const NicPersonality& i82574l_personality();

}  // namespace doorbell
