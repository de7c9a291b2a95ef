#pragma once

#include <cstdint>
#include <string>

/// Which resource bounds the frame rate of a NIC: a rule over what the model measured in a stretch
/// of steady traffic. No rate is computed from parameters here.
namespace doorbell::checks {

struct BoundEvidence {
    // Shares of the time, from 0 to 1.
    double pcie_upstream_busy = 0;
    double pcie_downstream_busy = 0;
    double cpu_busy = 0;
    double tag_waits = 0;  ///< Reads of host memory that had to wait for a tag, of all reads.

    struct Tx {
        double occupied = 0;         ///< By frames, their preambles and gaps.
        double waited_for_room = 0;  ///< Data could not be read for want of packet buffer.
        std::uint64_t queue_stops = 0;
    } tx;
    struct Rx {
        double occupied = 0;
        std::uint64_t frames = 0;
        // Lost for want of packet buffer, by what the buffer waited for.
        std::uint64_t lost_store = 0;
        std::uint64_t lost_fetch = 0;
        std::uint64_t lost_no_descriptor = 0;
        [[nodiscard]] std::uint64_t lost() const {
            return lost_store + lost_fetch + lost_no_descriptor;
        }
    } rx;
};

/// What is said of a direction: "wire", "pcie", "cpu", "packet_buffer", "descriptor_cache", "ring"
/// or "load".
[[nodiscard]] std::string bound_of_tx(const BoundEvidence& evidence);
[[nodiscard]] std::string bound_of_rx(const BoundEvidence& evidence);

}  // namespace doorbell::checks
