#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstdint>
#include <vector>

#include "hw/base/frame.hpp"
#include "hw/packet_buffer/packet_buffer.hpp"
#include "hw/rings/tx_offload.hpp"

namespace doorbell {

/// The repeated header of a packet under segmentation, shared by its segments.
struct TsoHeader {
    static constexpr std::uint32_t kMaximumBytes = 255;  ///< HDRLEN has 8 bits.

    std::array<std::uint8_t, kMaximumBytes + 1> bytes{};
    std::uint32_t wanted_bytes = 0;  ///< HDRLEN
    std::uint32_t gathered_bytes = 0;
    std::uint32_t pending_reads = 0;
    std::uint32_t users = 0;  ///< Entries not yet handed over, and the open packet.
    Picoseconds ready_ps = 0;
};

/// A frame in the transmit FIFO, from its first byte to the end of its FCS on the wire.
struct TxEntry {
    FramePtr frame;
    std::uint32_t queue = 0;
    std::uint32_t reserved_bytes = 0;  ///< Room in the packet buffer.
    std::uint32_t gathered_bytes = 0;  ///< Requested so far; without a TSO header.
    std::uint32_t pending_reads = 0;
    std::uint32_t headroom = 0;  ///< 4 when a tag may have to go in.
    bool closed = false;         ///< Nothing more will be gathered.
    bool deferred = false;       ///< A PAUSE held it back: counted in DC.
    bool dead = false;           ///< Not to be sent: its ring stopped or was set up anew.
    Picoseconds ready_ps = 0;    ///< When its last byte is in the FIFO.
    Picoseconds end_ps = 0;      ///< Handed over: when it has left.
    TxInstructions what;
    TsoHeader* header = nullptr;
    TxSegment segment;

    [[nodiscard]] bool complete() const {
        return closed && pending_reads == 0 && (header == nullptr || header->pending_reads == 0);
    }
};

/// The transmit FIFO: entries in the order in which they will be sent.
///
///      first_        sent_ behind it          size_
///     | handed over  | gathered, gathering    |             positions modulo kEntries
///
class TxFifo {
public:
    /// 40 KB hold 512 frames of 64 bytes; shorter ones (TCTL.PSP = 0) have to wait for an entry.
    static constexpr std::uint32_t kEntries = 512;

    explicit TxFifo(EventPort events) : space_(Direction::kTx, events), entries_(kEntries) {}

    void reset(std::uint32_t capacity_bytes) {
        for (; size_ > 0; size_--) at(size_ - 1).frame.reset();
        first_ = 0;
        sent_ = 0;
        passed_bytes_ = 0;
        space_.reset(capacity_bytes);
    }

    [[nodiscard]] FifoSpace& space() { return space_; }
    [[nodiscard]] const FifoSpace& space() const { return space_; }
    /// Room that has been given back since the reset.
    [[nodiscard]] std::uint64_t passed_bytes() const { return passed_bytes_; }
    [[nodiscard]] bool full() const { return size_ == kEntries; }
    [[nodiscard]] std::uint32_t size() const { return size_; }

    [[nodiscard]] TxEntry& at(std::uint32_t age) { return entries_[position(age)]; }
    [[nodiscard]] std::uint32_t position(std::uint32_t age) const {
        return (first_ + age) % kEntries;
    }
    [[nodiscard]] TxEntry& by_position(std::uint32_t position) { return entries_[position]; }

    /// The place behind the youngest entry, as new: for `push`.
    [[nodiscard]] TxEntry& prepare() {
        assert(!full());
        return at(size_) = TxEntry();
    }
    /// Adds the entry that has been prepared; its position names it as long as it is in the FIFO.
    std::uint32_t push() {
        size_++;
        return position(size_ - 1);
    }

    [[nodiscard]] std::uint32_t sent() const { return sent_; }
    [[nodiscard]] bool all_sent() const { return sent_ == size_; }
    [[nodiscard]] TxEntry& oldest_unsent() { return at(sent_); }
    /// The oldest unsent entry has been handed over and leaves the FIFO at `end_ps`, but not before
    /// those ahead of it: one that is dropped behind a frame on the wire waits for its end.
    void mark_sent(Picoseconds end_ps) {
        oldest_unsent().end_ps = sent_ > 0 ? std::max(end_ps, at(sent_ - 1).end_ps) : end_ps;
        sent_++;
    }

    /// Frees the room of what has left by now.
    void release_sent(Picoseconds now_ps) {
        std::uint32_t bytes = 0;
        for (; sent_ > 0 && at(0).end_ps <= now_ps; size_--, sent_--) {
            bytes += at(0).reserved_bytes;
            at(0).frame.reset();
            first_ = (first_ + 1) % kEntries;
        }
        passed_bytes_ += bytes;
        if (bytes > 0) space_.release(bytes, now_ps);
    }
    /// When `bytes` will be free as far as is known; kNever when nothing has been handed over.
    [[nodiscard]] Picoseconds free_at(std::uint32_t bytes) {
        std::uint32_t free = space_.free_bytes();
        Picoseconds when = kNever;
        for (std::uint32_t age = 0; age < sent_; age++) {
            when = at(age).end_ps;
            free += at(age).reserved_bytes;
            if (free >= bytes) break;
        }
        return when;
    }

private:
    FifoSpace space_;
    std::vector<TxEntry> entries_;
    std::uint32_t first_ = 0;
    std::uint32_t sent_ = 0;
    std::uint32_t size_ = 0;
    std::uint64_t passed_bytes_ = 0;
};

}  // namespace doorbell
