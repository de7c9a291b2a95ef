#include "hw/rings/ring_registers.hpp"

namespace doorbell {

void visit_ring_metrics(MetricVisitor& visitor, Direction direction,
                        const DescriptorRing::Counters& counters) {
    const bool tx = direction == Direction::kTx;
    visitor.metric(tx ? "tx.doorbells" : "rx.doorbells", counters.doorbells);
    visitor.metric(tx ? "tx.bad_tail_doorbells" : "rx.bad_tail_doorbells", counters.bad_tails);
    visitor.metric(tx ? "tx.descriptors" : "rx.descriptors", counters.descriptors);
    visitor.metric(tx ? "tx.descriptor_fetches" : "rx.descriptor_fetches", counters.fetches);
    visitor.metric(tx ? "tx.write_backs" : "rx.write_backs", counters.write_backs);
    visitor.metric(tx ? "tx.ring_faults" : "rx.ring_faults", counters.faults);
}

}  // namespace doorbell
