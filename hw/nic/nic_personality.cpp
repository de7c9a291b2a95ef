#include "hw/nic/nic_personality.hpp"

#include "hw/irq/interrupt_block_82574l.hpp"
#include "hw/phy/phy_82574l.hpp"
#include "hw/rings/queue_engine_82574l.hpp"

namespace doorbell {

std::unique_ptr<Phy> NicPersonality::make_phy(const NicContext& context,
                                              PhyListener& listener) const {
    return std::make_unique<Phy82574l>(context.params.phy, context.timeline, context.wire, listener,
                                       context.events, context.params.seed);
}

std::unique_ptr<InterruptBlock> NicPersonality::make_interrupts(const NicContext& context) const {
    return std::make_unique<InterruptBlock82574l>(
        context.params.irq, context.timeline, context.registers, context.dma, context.stats,
        context.state, context.interrupts, context.events);
}

std::unique_ptr<QueueEngine> NicPersonality::make_queues(const NicContext& context,
                                                         CausePort& causes) const {
    auto engine = std::make_unique<QueueEngine82574l>(
        context.registers, context.timeline, context.dma, causes, context.stats, context.wire,
        context.frames, context.state, context.events, context.params.rings);
    engine->bind(context.times);
    return engine;
}

const NicPersonality& i82574l_personality() {
    static const NicPersonality personality;
    return personality;
}

}  // namespace doorbell
