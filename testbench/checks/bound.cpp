#include "testbench/checks/bound.hpp"

#include <algorithm>

namespace doorbell::checks {
namespace {

/// A wire is full when nothing fits between its frames; the others are never used to the last bit:
/// a link waits for memory now and then, a CPU for its next interrupt.
constexpr double kFull = 0.995;
constexpr double kSaturated = 0.95;
constexpr double kMostly = 0.5;

/// "pcie" or "cpu", when one of them has no time left; else "".
std::string saturated(const BoundEvidence& e) {
    const double pcie = std::max(e.pcie_upstream_busy, e.pcie_downstream_busy);
    if (std::max(pcie, e.cpu_busy) < kSaturated) return "";
    return pcie >= e.cpu_busy ? "pcie" : "cpu";
}

}  // namespace

std::string bound_of_tx(const BoundEvidence& e) {
    if (e.tx.occupied >= kFull) return "wire";
    std::string busy = saturated(e);
    if (!busy.empty()) return busy;
    // The link has time left, but every request that may be under way is: its latency bounds. Reads
    // that wait for a tag have their room already, so that the packet buffer is full of them.
    if (e.tag_waits >= kMostly) return "pcie";
    if (e.tx.waited_for_room >= kMostly) return "packet_buffer";
    return e.tx.queue_stops > 0 ? "ring" : "load";
}

std::string bound_of_rx(const BoundEvidence& e) {
    if (e.rx.lost() == 0) return e.rx.occupied >= kFull ? "wire" : "load";
    std::string busy = saturated(e);
    if (!busy.empty()) return busy;
    // A fetch of descriptors that had to wait for a tag waited for the link's latency.
    const bool fetches = e.rx.lost_fetch > e.rx.lost_store;
    if (fetches && e.tag_waits >= kMostly) return "pcie";
    // Neither has its time full: what was in the buffer waited for a latency, not for its turn.
    if (e.rx.lost_no_descriptor >= std::max(e.rx.lost_store, e.rx.lost_fetch)) return "ring";
    return fetches ? "descriptor_cache" : "packet_buffer";
}

}  // namespace doorbell::checks
