#include "hw/rings/descriptor_ring.hpp"

#include <algorithm>
#include <cassert>

#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_descriptors.hpp"

namespace doorbell {
namespace {

enum State : std::uint64_t { kFetched = 1, kDataDone = 2, kWrittenBack = 3, kFault = 4 };

// A tag tells a fetch from a write-back, and the generation of the ring it belongs to.
constexpr std::uint32_t kTagFetch = 0;
constexpr std::uint32_t kTagWrite = 1;
constexpr std::uint32_t tag_of(std::uint32_t generation, std::uint32_t kind) {
    return generation << 1 | kind;
}

// The status byte of a transmit descriptor, where DD is.
constexpr const auto& kDone = regs::i82574l::tx_legacy::DD;
constexpr std::uint32_t kStatusOffset = kDone.word * 8 + kDone.lsb / 8;

}  // namespace

DescriptorRing::Counters& DescriptorRing::Counters::operator+=(const Counters& other) {
    doorbells += other.doorbells;
    bad_tails += other.bad_tails;
    descriptors += other.descriptors;
    fetches += other.fetches;
    write_backs += other.write_backs;
    faults += other.faults;
    return *this;
}

DescriptorRing::DescriptorRing(Direction direction, std::uint32_t queue, std::uint32_t capacity,
                               Timeline& timeline, DmaPort& dma, EventPort events,
                               DescriptorRingOwner& owner)
    : direction_(direction),
      queue_(queue),
      capacity_(std::clamp(capacity, 1u, kSlots)),
      timeline_(timeline),
      dma_(dma),
      events_(events),
      owner_(owner),
      arrival_task_([this] { arrive(); }) {}

DescriptorRing::~DescriptorRing() {
    timeline_.cancel(arrival_task_);
}

// --- the driver's side ------------------------------------------------------------------------

void DescriptorRing::reset() {
    forget();
    stale_ = 0;
    geometry_ = RingGeometry();
    thresholds_ = Thresholds();
    tail_ = 0;
    start_index_ = 0;
    next_index_ = 0;
    fault_ = RingFault::kNone;
}

void DescriptorRing::restart(const RingGeometry& geometry, std::uint32_t head) {
    // Requests under way still read from or write into the store: nothing new is fetched before
    // they are through.
    stale_ += fetch_pieces_ + piece_count_;
    forget();
    geometry_ = geometry;
    start_index_ = head;
    next_index_ = head;
}

void DescriptorRing::forget() {
    generation_++;
    timeline_.cancel(arrival_task_);
    freed_ = written_ = done_ = landed_ = taken_ = arrived_ = requested_ = 0;
    landed_ps_ = 0;
    fetch_pieces_ = 0;
    fetch_failed_ = false;
    fetch_done_ps_ = 0;
    first_piece_ = 0;
    piece_count_ = 0;
}

void DescriptorRing::set_tail(std::uint32_t tail) {
    tail_ = tail;
    counters_.doorbells++;
    events::doorbell(events_, timeline_, {}, static_cast<std::uint64_t>(direction_), queue_, tail,
                     in_host());
    // A tail beyond the ring counts as empty (specification 5.1): the ring idles until a good one
    // is written. A ring of length 0 is not yet set up, which is no mistake.
    if (geometry_.count() == 0 || geometry_.contains(tail)) return;
    counters_.bad_tails++;
    report_state(tail, kFault);
}

// --- prefetch -----------------------------------------------------------------------------------

void DescriptorRing::prefetch_more(bool enough) {
    if (stopped() || fetch_pieces_ > 0 || arrival_task_.scheduled() || stale_ > 0) return;
    const std::uint32_t in_memory = in_host();
    if (in_memory == 0 || (enough && in_memory < thresholds_.host)) return;
    // A threshold that the store cannot reach must not stop the ring for good.
    if (room() < unit_ && unwritten() > 0) write_back();
    if (room() > 0) fetch(std::min(in_memory, room()));
}

void DescriptorRing::fetch(std::uint32_t count) {
    struct Run {
        std::uint32_t index;
        std::uint32_t place;
        std::uint32_t count;
    };
    std::array<Run, 3> batch{};  // The ring wraps at most once in it, and the store does.
    std::uint32_t pieces = 0;
    while (count > 0) {
        assert(pieces < batch.size());
        const std::uint32_t place = static_cast<std::uint32_t>(requested_ % kSlots);
        const std::uint32_t run =
            std::min(geometry_.contiguous(next_index_, count), kSlots - place);
        for (std::uint32_t i = 0; i < run; i++) {
            slot(requested_ + i) = DescriptorSlot();
            slot(requested_ + i).index = next_index_ + i;
        }
        batch[pieces++] = {next_index_, place, run};
        requested_ += run;
        next_index_ = geometry_.advance(next_index_, run);
        count -= run;
    }
    fetch_pieces_ = pieces;
    fetch_done_ps_ = 0;
    fetch_failed_ = false;
    counters_.fetches++;
    DmaRequest request;
    request.kind = DmaKind::kDescriptorFetch;
    request.tag = tag_of(generation_, kTagFetch);
    for (std::uint32_t i = 0; i < pieces; i++) {
        request.address = geometry_.address(batch[i].index);
        request.size_bytes = batch[i].count * RingGeometry::kDescriptorBytes;
        dma_.read(request, store_.data() + batch[i].place * RingGeometry::kDescriptorBytes, *this);
    }
}

void DescriptorRing::dma_complete(const DmaCompletion& completion) {
    if (completion.tag >> 1 != tag_of(generation_, kTagFetch) >> 1) {
        if (stale_ == 0 || --stale_ > 0) return;
        owner_.descriptors_arrived(queue_);
        return;
    }
    if ((completion.tag & kTagWrite) != 0) {
        write_completed(completion);
    } else {
        fetch_completed(completion);
    }
}

void DescriptorRing::fetch_completed(const DmaCompletion& completion) {
    assert(fetch_pieces_ > 0);
    fetch_pieces_--;
    fetch_failed_ = fetch_failed_ || completion.status != DmaStatus::kOk;
    fetch_done_ps_ = std::max(fetch_done_ps_, completion.done_ps);
    if (fetch_pieces_ > 0) return;
    if (fetch_failed_) {
        fail(RingFault::kDescriptorFetch);
    } else if (fetch_done_ps_ > timeline_.now_ps()) {
        timeline_.schedule(arrival_task_, fetch_done_ps_);
    } else {
        arrive();
    }
}

void DescriptorRing::arrive() {
    if (events_.enabled()) {
        for (std::uint64_t n = arrived_; n < requested_; n++) {
            report_state(slot(n).index, kFetched);
        }
    }
    arrived_ = requested_;
    owner_.descriptors_arrived(queue_);
}

// --- completion ---------------------------------------------------------------------------------

void DescriptorRing::land() {
    while (landed_ < taken_) {
        DescriptorSlot& oldest = slot(landed_);
        if (!oldest.issued || oldest.pending_reads > 0) return;
        landed_ps_ = std::max(landed_ps_, oldest.landed_ps);
        oldest.landed_ps = landed_ps_;
        landed_++;
    }
}

Picoseconds DescriptorRing::next_visible_ps(std::uint32_t low) const {
    if (fault_ == RingFault::kWriteBack) return kNever;
    const std::uint32_t unfinished_now = unfinished();
    const bool fills = thresholds_.write_back > 0;
    for (std::uint64_t n = done_; n < landed_; n++) {
        const DescriptorSlot& candidate = slots_[n % kSlots];
        const std::uint64_t finished = n + 1 - done_;
        const bool visible = candidate.reports ||
                             (fills && n + 1 - written_ >= thresholds_.write_back) ||
                             unfinished_now - finished == low || unfinished_now == finished;
        if (visible) return candidate.landed_ps;
    }
    const bool prefetch_waits = room() == 0 && in_host() > 0 && done_ < landed_;
    return prefetch_waits ? landed_ps_ : kNever;
}

DescriptorSlot& DescriptorRing::complete() {
    assert(done_ < taken_);
    DescriptorSlot& oldest = slot(done_);
    done_++;
    counters_.descriptors++;
    // TX is looked at only when somebody could see the difference, later than it happened.
    report_state(oldest, kDataDone, oldest.landed_ps != 0 ? oldest.landed_ps : timeline_.now_ps());
    return oldest;
}

// --- write-back ---------------------------------------------------------------------------------

void DescriptorRing::write_back() {
    while (unwritten() > 0 && fault_ != RingFault::kWriteBack) {
        const DescriptorSlot& first = slot(written_);
        const std::uint32_t to_store_end = kSlots - static_cast<std::uint32_t>(written_ % kSlots);
        std::uint32_t run = std::min(geometry_.contiguous(first.index, unwritten()), to_store_end);
        if (run < unwritten() && slot(written_ + run - 1).continues) run--;
        if (run == 0) {
            write_halves();
            continue;
        }
        DmaRequest request;
        request.address = geometry_.address(first.index);
        request.size_bytes = run * RingGeometry::kDescriptorBytes;
        submit(request, bytes(written_), gather_piece(run));
    }
}

/// A packet split descriptor around the end of the ring or of the store. DD is in its first half:
/// that goes last, so that whoever sees it finds the other half.
void DescriptorRing::write_halves() {
    const std::uint64_t number = written_;
    DmaRequest request;
    request.size_bytes = RingGeometry::kDescriptorBytes;
    request.address = geometry_.address(slot(number + 1).index);
    submit(request, bytes(number + 1), {0, number + 1, {}});
    request.address = geometry_.address(slot(number).index);
    submit(request, bytes(number), gather_piece(2));
}

void DescriptorRing::write_status() {
    while (unwritten() > 0 && fault_ != RingFault::kWriteBack) {
        std::uint32_t run = 1;
        while (run < unwritten() && !slot(written_ + run - 1).reports) run++;
        const std::uint64_t last = written_ + run - 1;
        if (!slot(last).reports) return free_without_write(run);
        DmaRequest request;
        request.address = geometry_.address(slot(last).index) + kStatusOffset;
        request.size_bytes = 1;
        Piece piece = gather_piece(run);
        piece.first = last;
        piece.what.descriptors = 1;
        submit(request, bytes(last) + kStatusOffset, piece);
    }
}

DescriptorRing::Piece DescriptorRing::gather_piece(std::uint32_t count) const {
    Piece piece{count, written_, {}};
    piece.what.descriptors = count;
    for (std::uint32_t i = 0; i < count; i++) {
        const DescriptorSlot& written = slots_[(written_ + i) % kSlots];
        if (written.reports) {
            piece.what.reports++;
            piece.what.delayed = piece.what.delayed && written.delayed;
        }
        if (written.frame_end) piece.what.frames++;
    }
    return piece;
}

void DescriptorRing::submit(DmaRequest request, const std::uint8_t* source, const Piece& piece) {
    assert(piece_count_ < kSlots);
    pieces_[(first_piece_ + piece_count_) % kSlots] = piece;
    piece_count_++;
    written_ += piece.slots;
    counters_.write_backs++;
    request.kind = DmaKind::kWriteBack;
    request.tag = tag_of(generation_, kTagWrite);
    dma_.write(request, source, *this);
}

void DescriptorRing::free_without_write(std::uint32_t count) {
    written_ += count;
    if (piece_count_ == 0) {
        freed_ += count;
    } else {  // In order: free when the write before it is through.
        pieces_[(first_piece_ + piece_count_ - 1) % kSlots].slots += count;
    }
}

void DescriptorRing::write_completed(const DmaCompletion& completion) {
    assert(piece_count_ > 0);  // Posted writes complete in the order of their submission.
    const Piece piece = pieces_[first_piece_];
    first_piece_ = (first_piece_ + 1) % kSlots;
    piece_count_--;
    if (completion.status != DmaStatus::kOk) return fail(RingFault::kWriteBack);
    if (events_.enabled()) {
        for (std::uint32_t i = 0; i < piece.what.descriptors; i++) {
            report_state(slot(piece.first + i), kWrittenBack, timeline_.now_ps());
        }
    }
    freed_ += piece.slots;
    owner_.written_back(queue_, piece.what);
}

// --- faults -------------------------------------------------------------------------------------

void DescriptorRing::fail(RingFault fault) {
    assert(fault != RingFault::kNone);
    if (stopped()) return;
    fault_ = fault;
    counters_.faults++;
    const bool in_work = taken_ < requested_;
    report_state(in_work ? slot(taken_).index : next_index_, kFault);
    owner_.ring_stopped(queue_);
}

std::uint32_t DescriptorRing::index_of(std::uint64_t number) const {
    return number < requested_ ? slots_[number % kSlots].index : next_index_;
}

std::uint32_t DescriptorRing::done_index() const {
    return index_of(done_);
}

std::uint32_t DescriptorRing::taken_index() const {
    return index_of(taken_);
}

void DescriptorRing::report_state(std::uint32_t index, std::uint64_t state) const {
    events::descriptor(events_, timeline_, {}, static_cast<std::uint64_t>(direction_), queue_,
                       index, state);
}

void DescriptorRing::report_state(const DescriptorSlot& slot, std::uint64_t state,
                                  Picoseconds time_ps) const {
    events::descriptor(events_, time_ps, slot.about, static_cast<std::uint64_t>(direction_), queue_,
                       slot.index, state);
}

}  // namespace doorbell
