#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "hw/rings/tx_descriptor.hpp"

namespace doorbell::report {

/// Puts together what a NIC fetches for transmission, from its reads alone: descriptors say which
/// buffers are a packet, reads of the buffers bring the bytes, in whatever pieces and order. The
/// packet is as the driver laid it: before segmentation, checksums, VLAN tag and padding. Memory is
/// bounded whatever a guest lays there: buffers that no chip could have on its way, more than a
/// ring has descriptors or beyond 4 MiB, are forgotten.
class FetchedPackets {
public:
    static constexpr std::uint32_t kQueues = 2;
    struct Packet {
        std::uint64_t identity = 0;  ///< Of the first buffer that has one.
        std::vector<std::uint8_t> bytes;
    };

    /// Where the ring of a queue lies now. A ring that moved starts anew.
    void place_ring(std::uint32_t queue, std::uint64_t base, std::uint32_t size_bytes);
    /// The queue's head was set, or everything was reset: what was fetched is forgotten.
    void restart(std::uint32_t queue);

    /// A read of `bytes` from a ring; false when no ring lies there.
    bool descriptors(std::uint64_t address, const std::vector<std::uint8_t>& bytes);
    /// A read of data.
    void data(std::uint64_t address, const std::vector<std::uint8_t>& bytes,
              std::uint64_t identity);
    /// The next packet that is whole, in the order of its ring; false when there is none.
    [[nodiscard]] bool take(Packet& packet);

private:
    struct Buffer {
        std::uint64_t address;
        bool end_of_packet;
        std::uint32_t filled = 0;
        std::uint64_t identity = 0;
        std::vector<std::uint8_t> bytes;
    };
    struct Ring {
        std::uint64_t base = 0;
        std::uint32_t size_bytes = 0;
        bool started = false;  ///< `next_index` is known.
        std::uint32_t next_index = 0;
        std::map<std::uint32_t, TxWords> fetched;  ///< By index; those before are missing yet.
        std::deque<Buffer> buffers;                ///< In order of the ring.
        std::size_t held_bytes = 0;                ///< In them.
    };
    static void forget_buffers(Ring& ring);
    [[nodiscard]] static bool take_from(Ring& ring, Packet& packet);

    std::array<Ring, kQueues> rings_;
};

}  // namespace doorbell::report
