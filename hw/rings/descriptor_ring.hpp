#pragma once

#include <array>
#include <cstdint>

#include "hw/base/cause_port.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/timeline.hpp"
#include "hw/rings/ring_geometry.hpp"

namespace doorbell {

/// Why a ring stopped. The first fault is latched; only a reset clears it.
enum class RingFault : std::uint8_t {
    kNone = 0,
    kDescriptorFetch = 1,  ///< The ring is not in host memory.
    kData = 2,             ///< A buffer is not in host memory.
    kWriteBack = 3,
    kBadDescriptor = 4,  ///< A type that does not exist, or a format that is not supported.
    kBadContext = 5,     ///< Segmentation that cannot make progress (MSS 0) or fit a frame.
    kTooLong = 6,        ///< A packet longer than a frame may be, or than the packet buffer.
};

/// What is known of a descriptor on the chip, beside its bytes.
struct DescriptorSlot {
    std::uint32_t index = 0;  ///< Its place in the ring.
    std::uint32_t pending_reads = 0;
    bool issued = false;  ///< TX: all reads of its data have been submitted.
    bool reports = false;
    bool delayed = false;    ///< IDE
    bool frame_end = false;  ///< RX: EOP
    bool continues = false;  ///< RX: the next one is the other half of a packet split descriptor.
    Picoseconds landed_ps = 0;
    PacketRef about;  ///< For the event stream only: known once data of it was moved.
};

/// What became visible to the driver with one write-back.
struct WrittenBack {
    std::uint32_t descriptors = 0;
    std::uint32_t reports = 0;  ///< TX: descriptors that ask for a report.
    bool delayed = true;        ///< TX: all of these carried IDE.
    std::uint32_t frames = 0;   ///< RX: whole frames.
};

class DescriptorRingOwner {
public:
    virtual ~DescriptorRingOwner() = default;
    /// There may be something to do: descriptors arrived, or the ring is free of old requests.
    virtual void descriptors_arrived(std::uint32_t queue) = 0;
    virtual void written_back(std::uint32_t queue, const WrittenBack& what) = 0;
    virtual void ring_stopped(std::uint32_t queue) = 0;
};

/// One descriptor ring with its on-chip store, for both directions: prefetch by PTHRESH and
/// HTHRESH, write-back, faults. Descriptors are numbered from the last (re)start of the ring:
///
///     freed_     written_    done_      taken_       arrived_     requested_      host, to tail
///       | write-  | complete, | in work  | on chip,   | fetch      | not fetched     |
///       | back    | not yet   | (TX:     | not yet    | under way  | yet             |
///       | on way  | written   | reading) | looked at  |            |                 |
///
/// At most `capacity` of them lie between freed_ and requested_.
class DescriptorRing final : public DmaClient {
public:
    static constexpr std::uint32_t kSlots = 64;

    struct Thresholds {
        std::uint32_t prefetch = 0;    ///< PTHRESH
        std::uint32_t host = 0;        ///< HTHRESH
        std::uint32_t write_back = 0;  ///< WTHRESH; all in descriptors.
    };
    struct Counters {
        std::uint64_t doorbells = 0;
        std::uint64_t bad_tails = 0;
        std::uint64_t descriptors = 0;
        std::uint64_t fetches = 0;
        std::uint64_t write_backs = 0;
        std::uint64_t faults = 0;

        Counters& operator+=(const Counters& other);
    };

    DescriptorRing(Direction direction, std::uint32_t queue, std::uint32_t capacity,
                   Timeline& timeline, DmaPort& dma, EventPort events, DescriptorRingOwner& owner);
    ~DescriptorRing() override;

    // --- the driver's side: registers ---
    /// Everything is as after power-on, and nothing of the older epoch will complete.
    void reset();
    /// Base, length or head was written: what was prefetched is dropped, the ring starts at `head`.
    void restart(const RingGeometry& geometry, std::uint32_t head);
    /// The doorbell.
    void set_tail(std::uint32_t tail);
    void set_thresholds(const Thresholds& thresholds) { thresholds_ = thresholds; }
    /// How many descriptors of 16 bytes the engine takes at a time: 2 for packet split.
    void set_unit(std::uint32_t unit) { unit_ = unit; }

    // --- the engine's side ---
    /// Fetches descriptors when the thresholds say so.
    void prefetch() {
        const auto on_chip = static_cast<std::uint32_t>(requested_ - taken_);
        const bool enough = on_chip >= unit_;  // For the engine to go on with.
        if (!enough || on_chip < thresholds_.prefetch) prefetch_more(enough);
    }
    /// Descriptors that can be taken now.
    [[nodiscard]] std::uint32_t available() const {
        return fault_ == RingFault::kNone ? static_cast<std::uint32_t>(arrived_ - taken_) : 0;
    }
    /// Descriptors the driver has given and nobody has taken, fetched or not.
    [[nodiscard]] std::uint32_t untaken() const {
        return static_cast<std::uint32_t>(requested_ - taken_) + in_host();
    }
    /// Descriptors from done_ to tail.
    [[nodiscard]] std::uint32_t unfinished() const {
        return static_cast<std::uint32_t>(requested_ - done_) + in_host();
    }
    /// Nothing of the driver's is here, and nothing waits in host memory: no reason to look at it.
    [[nodiscard]] bool idle() const {
        return freed_ == requested_ && in_host() == 0 && stale_ == 0;
    }
    [[nodiscard]] std::uint64_t next_number() const { return taken_; }
    /// Number of the oldest descriptor that is not done.
    [[nodiscard]] std::uint64_t done() const { return done_; }
    void take() { taken_++; }

    [[nodiscard]] DescriptorSlot& slot(std::uint64_t number) { return slots_[number % kSlots]; }
    [[nodiscard]] std::uint8_t* bytes(std::uint64_t number) {
        return store_.data() + number % kSlots * RingGeometry::kDescriptorBytes;
    }
    /// Counts restarts: a number means something only within one.
    [[nodiscard]] std::uint32_t generation() const { return generation_; }

    // TX: descriptors are done in order, when the data of all before them is on the chip.
    void land();
    [[nodiscard]] bool landed_by(Picoseconds now_ps) const {
        return done_ < landed_ && slots_[done_ % kSlots].landed_ps <= now_ps;
    }
    /// When the next descriptor is done whose completion can be seen from outside: it is reported,
    /// fills up WTHRESH, empties the ring or reaches `low` (0: none), or is waited for by the
    /// prefetch. kNever: none has landed.
    [[nodiscard]] Picoseconds next_visible_ps(std::uint32_t low) const;
    /// Completes the oldest descriptor that is not done; what it says may be written back.
    DescriptorSlot& complete();

    [[nodiscard]] std::uint32_t unwritten() const {
        return static_cast<std::uint32_t>(done_ - written_);
    }
    [[nodiscard]] const Thresholds& thresholds() const { return thresholds_; }
    /// Writes whole descriptors: everything that is done.
    void write_back();
    /// WTHRESH = 0: of those that report only the status byte; the others are simply free again.
    void write_status();

    void fail(RingFault fault);
    [[nodiscard]] RingFault fault() const { return fault_; }
    [[nodiscard]] bool stopped() const { return fault_ != RingFault::kNone; }

    [[nodiscard]] const RingGeometry& geometry() const { return geometry_; }
    /// Index of the oldest descriptor that is not done (TDH), or not taken (RDH).
    [[nodiscard]] std::uint32_t done_index() const;
    [[nodiscard]] std::uint32_t taken_index() const;
    [[nodiscard]] const Counters& counters() const { return counters_; }

    void dma_complete(const DmaCompletion& completion) override;

private:
    void prefetch_more(bool enough);
    /// One write on its way: `slots` descriptors are free when it is visible.
    struct Piece {
        std::uint32_t slots;
        std::uint64_t first;  ///< Number of the first descriptor that is written.
        WrittenBack what;
    };

    [[nodiscard]] std::uint32_t in_host() const { return geometry_.owned(next_index_, tail_); }
    [[nodiscard]] std::uint32_t room() const {
        const std::uint32_t capacity = capacity_ > unit_ ? capacity_ : unit_;
        const auto used = static_cast<std::uint32_t>(requested_ - freed_);
        return capacity > used ? capacity - used : 0;
    }
    void forget();
    void fetch(std::uint32_t count);
    void fetch_completed(const DmaCompletion& completion);
    void arrive();
    [[nodiscard]] Piece gather_piece(std::uint32_t count) const;
    void write_halves();
    void submit(DmaRequest request, const std::uint8_t* source, const Piece& piece);
    void free_without_write(std::uint32_t count);
    void write_completed(const DmaCompletion& completion);
    [[nodiscard]] std::uint32_t index_of(std::uint64_t number) const;
    void report_state(std::uint32_t index, std::uint64_t state) const;
    void report_state(const DescriptorSlot& slot, std::uint64_t state, Picoseconds time_ps) const;

    const Direction direction_;
    const std::uint32_t queue_;
    const std::uint32_t capacity_;
    Timeline& timeline_;
    DmaPort& dma_;
    EventPort events_;
    DescriptorRingOwner& owner_;

    RingGeometry geometry_;
    Thresholds thresholds_;
    std::uint32_t unit_ = 1;
    std::uint32_t tail_ = 0;
    std::uint32_t start_index_ = 0;  ///< Index of number 0.
    std::uint32_t next_index_ = 0;   ///< Index of requested_.
    RingFault fault_ = RingFault::kNone;

    std::array<DescriptorSlot, kSlots> slots_;
    /// The bytes, as they lie in host memory: fetched into and written back from.
    std::array<std::uint8_t, kSlots * RingGeometry::kDescriptorBytes> store_{};
    std::uint64_t freed_ = 0;
    std::uint64_t written_ = 0;
    std::uint64_t done_ = 0;
    std::uint64_t landed_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t arrived_ = 0;
    std::uint64_t requested_ = 0;
    Picoseconds landed_ps_ = 0;

    // One batch at a time; it has several pieces where the ring or the store wraps.
    std::uint32_t fetch_pieces_ = 0;
    bool fetch_failed_ = false;
    Picoseconds fetch_done_ps_ = 0;
    Task arrival_task_;

    std::array<Piece, kSlots> pieces_{};
    std::uint32_t first_piece_ = 0;
    std::uint32_t piece_count_ = 0;

    std::uint32_t generation_ = 0;
    std::uint32_t stale_ = 0;  ///< Requests of before a restart that use the store still.
    Counters counters_;
};

}  // namespace doorbell
