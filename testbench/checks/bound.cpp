#include "testbench/checks/bound.hpp"

#include <algorithm>

namespace doorbell::checks {
namespace {

/// A wire is full when nothing fits between its frames; the others are never used to the last bit:
/// a link waits for memory now and then, a CPU for its next interrupt.
constexpr double kFull = 0.995;
constexpr double kSaturated = 0.95;
/// Work that waits for something busy so much of the time would gain more by more of it than by all
/// of the rest, in which a latency is waited for.
constexpr double kMainly = 0.75;
constexpr double kMostly = 0.5;

double pcie_busy(const BoundEvidence& e) {
    return std::max(e.pcie_upstream_busy, e.pcie_downstream_busy);
}

/// "pcie" or "cpu", when one of them has no time left; else "".
std::string saturated(const BoundEvidence& e) {
    if (std::max(pcie_busy(e), e.cpu_busy) < kSaturated) return "";
    return pcie_busy(e) >= e.cpu_busy ? "pcie" : "cpu";
}

}  // namespace

std::string bound_of_tx(const BoundEvidence& e) {
    if (e.tx.occupied >= kFull) return "wire";
    std::string busy = saturated(e);
    if (!busy.empty()) return busy;
    // The link has time left, but every request that may be under way is: its latency bounds. Reads
    // that wait for a tag have their room already, so that the packet buffer is full of them.
    if (e.tag_waits >= kMostly) return "pcie";
    const bool no_room = e.tx.waited_for_room >= kMostly;
    if (!no_room && e.tx.queue_stops == 0) return "load";
    if (pcie_busy(e) >= kMainly) return "pcie";
    return no_room ? "packet_buffer" : "ring";
}

std::string bound_of_rx(const BoundEvidence& e) {
    if (e.rx.lost() == 0) return e.rx.occupied >= kFull ? "wire" : "load";
    std::string busy = saturated(e);
    if (!busy.empty()) return busy;
    // Descriptors are the driver's to give; room and fetches are the link's.
    if (e.rx.lost_no_descriptor >= std::max(e.rx.lost_store, e.rx.lost_fetch)) {
        return e.cpu_busy >= kMainly ? "cpu" : "ring";
    }
    if (pcie_busy(e) >= kMainly) return "pcie";
    // What was in the buffer waited for a latency, not for its turn. A fetch of descriptors that
    // had to wait for a tag waited for the link's.
    if (e.rx.lost_fetch <= e.rx.lost_store) return "packet_buffer";
    return e.tag_waits >= kMostly ? "pcie" : "descriptor_cache";
}

}  // namespace doorbell::checks
