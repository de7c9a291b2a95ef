#include "hw/dma/dma_engine.hpp"

#include <algorithm>
#include <cassert>

#include "hw/base/generated/events.hpp"

namespace doorbell {

namespace {

constexpr std::uint32_t kMessageBytes = 4;
/// Far above a descriptor batch or a jumbo frame: our own blocks never ask for more.
constexpr std::uint32_t kMaxRequestBytes = 1u << 20;

std::uint64_t number(DmaKind kind) {
    return static_cast<std::uint64_t>(kind);
}
std::uint64_t number(DmaStatus status) {
    return static_cast<std::uint64_t>(status);
}

PacketRef about(const DmaRequest& request, std::uint64_t packet) {
    return {packet, request.frame};
}

}  // namespace

/// A read that has left and that memory has not answered; or one request of it.
struct DmaEngine::ReadSlot {
    explicit ReadSlot(DmaEngine& engine)
        : ready_task([this, &engine] { engine.read_ready(*this); }) {}

    PendingRead pending{};
    std::uint32_t requests = 0;  ///< Each has a tag.
    Picoseconds answered_from_ps = 0;
    DmaStatus status = DmaStatus::kOk;
    SplitRead* part_of = nullptr;
    Task ready_task;
};

/// A read whose requests go their own ways.
struct DmaEngine::SplitRead {
    PendingRead pending{};
    DmaStatus status = DmaStatus::kOk;  ///< Decided when the first request left.
    std::uint32_t left_bytes = 0;       ///< What has left.
    std::uint32_t under_way = 0;        ///< Requests without an answer.
    DmaCompletion completion;           ///< What has come back so far.
};

DmaEngine::DmaEngine(const DmaParams& params, Timeline& timeline, HostPort& host, PciePort& link,
                     const DeviceState& state, EventPort events)
    : params_(params),
      timeline_(timeline),
      host_(host),
      link_(link),
      state_(state),
      events_(events),
      delivery_ps_per_byte_(link.delivery_ps_per_byte()),
      most_at_once_(std::min(params.read_tags, link.most_read_requests())),
      tags_(params.read_tags),
      tags_free_task_([this] { pump_reads(); }),
      posted_task_([this] { push_posted_writes(); }) {
    if (params.arbitration == DmaArbitration::kInOrder) {
        queues_.push_back({nullptr, RequestRing<PendingRead>()});
    }
    for (std::uint32_t i = 0; i < params.read_tags; i++) {
        slots_.push_back(std::make_unique<ReadSlot>(*this));
        free_slots_.push_back(slots_.back().get());
    }
    // One for each tag, and one of which nothing is under way: it waits for its first.
    for (std::uint32_t i = 0; i <= params.read_tags; i++) {
        split_reads_.push_back(std::make_unique<SplitRead>());
        free_split_reads_.push_back(split_reads_.back().get());
    }
}

DmaEngine::~DmaEngine() {
    timeline_.cancel(tags_free_task_);
    timeline_.cancel(posted_task_);
    for (const std::unique_ptr<ReadSlot>& slot : slots_) timeline_.cancel(slot->ready_task);
}

void DmaEngine::submitted() {
    outstanding_++;
    counters_.peak_outstanding = std::max<std::uint64_t>(counters_.peak_outstanding, outstanding_);
}

DmaStatus DmaEngine::judge(DmaOperation operation, const DmaRequest& request) {
    return fault_hook_ == nullptr ? DmaStatus::kOk : fault_hook_->judge(operation, request);
}

void DmaEngine::count(DmaStatus status) {
    switch (status) {
        case DmaStatus::kOk:
            break;
        case DmaStatus::kUnsupportedRequest:
            counters_.unsupported++;
            break;
        case DmaStatus::kTimeout:
            counters_.timeouts++;
            break;
    }
}

// --- reads
// ----------------------------------------------------------------------------------------

void DmaEngine::read(const DmaRequest& request, std::uint8_t* target, DmaClient& client) {
    assert(request.size_bytes <= kMaxRequestBytes);
    submitted();
    counters_.reads++;
    counters_.read_bytes += request.size_bytes;
    const PendingRead pending{request, target, &client};
    if (waiting_reads_ == 0 && issue(pending)) return;
    const std::uint32_t queue = queue_of(client);
    // It may have left in part.
    if (waiting_reads_ == 0) turn_ = queue;
    queues_[queue].reads.push(pending);
    waiting_reads_++;
    counters_.tag_waits++;
}

/// Clients are a handful of blocks: one after the other is looked at, and none is ever forgotten.
std::uint32_t DmaEngine::queue_of(const DmaClient& client) {
    if (params_.arbitration == DmaArbitration::kInOrder) return 0;
    std::uint32_t queue = 0;
    while (queue < queues_.size() && queues_[queue].client != &client) queue++;
    if (queue == queues_.size()) queues_.push_back({&client, RequestRing<PendingRead>()});
    return queue;
}

/// A read whose turn it is keeps it until it has left: one that needs many tags gets them.
void DmaEngine::pump_reads() {
    while (waiting_reads_ > 0) {
        while (queues_[turn_].reads.empty()) turn_ = next_queue(turn_);
        if (!issue(queues_[turn_].reads.front())) return;
        queues_[turn_].reads.drop();
        waiting_reads_--;
        turn_ = next_queue(turn_);
    }
}

/// False when the read, or what is left of it, has to wait.
bool DmaEngine::issue(const PendingRead& pending) {
    if (!state_.bus_master) return false;
    const DmaRequest& request = pending.request;
    const std::uint32_t requests = link_.read_request_count(request.address, request.size_bytes);
    // What cannot be under way at once does not leave at once.
    if (params_.task_per_request || leaving_ != nullptr || requests > most_at_once_) {
        return issue_requests(pending);
    }
    return issue_whole(pending, requests);
}

/// Takes a tag for each request when there are as many, and credits.
bool DmaEngine::may_leave(std::uint32_t requests, Picoseconds now_ps) {
    const Picoseconds credits_ps = link_.read_credits_at(requests, now_ps);
    if (credits_ps <= now_ps && tags_.take(requests, now_ps)) return true;
    look_again(requests, credits_ps, now_ps);
    return false;
}

void DmaEngine::look_again(std::uint32_t requests, Picoseconds credits_ps, Picoseconds now_ps) {
    // kNever: a read that has not met memory yet holds the tags; its completion looks again.
    const Picoseconds when_ps = credits_ps > now_ps ? credits_ps : tags_.free_at(requests);
    if (when_ps != kNever) timeline_.schedule(tags_free_task_, when_ps);
}

void DmaEngine::leave(const DmaRequest& request, Picoseconds now_ps) {
    events::dma_read(events_, now_ps, about(request, request.packet), request.address,
                     request.size_bytes, number(request.kind), request.tag);
}

void DmaEngine::send(const PendingRead& pending, std::uint32_t requests, DmaStatus status,
                     SplitRead* part_of, Picoseconds now_ps) {
    ReadSlot& slot = *free_slots_.back();
    free_slots_.pop_back();
    slot.pending = pending;
    slot.requests = requests;
    slot.status = status;
    slot.part_of = part_of;
    ReadTimes times =
        link_.read_ready(pending.request.address, pending.request.size_bytes, requests, now_ps);
    if (status == DmaStatus::kTimeout) times.ready_ps = now_ps + params_.completion_timeout_ps;
    slot.answered_from_ps = times.answered_from_ps;
    timeline_.schedule(slot.ready_task, times.ready_ps);
}

bool DmaEngine::issue_whole(const PendingRead& pending, std::uint32_t requests) {
    const Picoseconds now = timeline_.now_ps();
    if (!may_leave(requests, now)) return false;
    const DmaStatus status = judge(DmaOperation::kRead, pending.request);
    leave(pending.request, now);
    send(pending, requests, status, nullptr, now);
    return true;
}

bool DmaEngine::issue_requests(const PendingRead& pending) {
    const DmaRequest& whole = pending.request;
    const Picoseconds now = timeline_.now_ps();
    while (may_leave(1, now)) {
        if (leaving_ == nullptr) {
            leaving_ = free_split_reads_.back();
            free_split_reads_.pop_back();
            *leaving_ = SplitRead{};
            leaving_->pending = pending;
            leaving_->completion.tag = whole.tag;
            leaving_->status = judge(DmaOperation::kRead, whole);
            leave(whole, now);
        }
        PendingRead piece = pending;
        piece.request.address += leaving_->left_bytes;
        piece.request.size_bytes = link_.read_request_bytes(
            piece.request.address, whole.size_bytes - leaving_->left_bytes);
        piece.target += leaving_->left_bytes;
        leaving_->left_bytes += piece.request.size_bytes;
        leaving_->under_way++;
        send(piece, 1, leaving_->status, leaving_, now);
        if (leaving_->left_bytes < whole.size_bytes) continue;
        leaving_ = nullptr;
        return true;
    }
    return false;
}

/// A part of the read that waits first is on its way.
bool DmaEngine::leaving_under_way() const {
    return leaving_->under_way > 0;
}

void DmaEngine::complete(const PendingRead& pending, DmaCompletion& completion) {
    const DmaRequest& request = pending.request;
    if (completion.status == DmaStatus::kOk) {
        completion.done_ps += delivery_ps_per_byte_ * request.size_bytes;
    }
    outstanding_--;
    count(completion.status);
    if (completion.status != DmaStatus::kOk && error_listener_ != nullptr) {
        error_listener_->read_failed(completion.status);
    }
    events::dma_completion(events_, completion.done_ps, about(request, completion.packet),
                           request.address, request.size_bytes, number(request.kind),
                           number(completion.status));
    pending.client->dma_complete(completion);
}

void DmaEngine::read_ready(ReadSlot& slot) {
    const PendingRead pending = slot.pending;
    const DmaRequest& request = pending.request;
    const Picoseconds now = timeline_.now_ps();
    DmaCompletion completion;
    completion.tag = request.tag;
    completion.status = slot.status;
    // A read request passes no posted write: it sees what reached memory before it.
    const std::uint32_t epoch = epoch_;
    push_posted_writes();
    if (epoch != epoch_) return;
    if (completion.status == DmaStatus::kOk && request.size_bytes > 0) {
        completion.status =
            host_.read(request.address, pending.target, request.size_bytes, completion.packet);
        if (epoch != epoch_) return;
    }
    completion.done_ps = now;
    if (completion.status == DmaStatus::kOk) {
        completion.done_ps =
            link_.completion_arrival(request.address, request.size_bytes, slot.answered_from_ps);
    } else if (completion.status == DmaStatus::kUnsupportedRequest) {
        completion.done_ps = link_.error_completion_arrival(now);
    }
    tags_.give_back(slot.requests, completion.done_ps);
    free_slots_.push_back(&slot);
    if (slot.part_of != nullptr) {
        request_complete(*slot.part_of, completion);
    } else {
        complete(pending, completion);
    }
    pump_reads();
}

/// One request of a split read has come back: the first that failed says how the read ended.
void DmaEngine::request_complete(SplitRead& read, const DmaCompletion& completion) {
    DmaCompletion& whole = read.completion;
    if (whole.status == DmaStatus::kOk) whole.status = completion.status;
    if (whole.packet == 0) whole.packet = completion.packet;
    whole.done_ps = std::max(whole.done_ps, completion.done_ps);
    read.under_way--;
    if (read.under_way > 0 || &read == leaving_) return;
    const PendingRead pending = read.pending;
    DmaCompletion last = whole;
    free_split_reads_.push_back(&read);
    complete(pending, last);
}

// --- writes, messages, INTA: one posted queue
// -------------------------------------------------------

void DmaEngine::write(const DmaRequest& request, const std::uint8_t* source, DmaClient& client) {
    assert(request.size_bytes <= kMaxRequestBytes);
    submitted();
    counters_.writes++;
    counters_.write_bytes += request.size_bytes;
    if (!state_.bus_master) return held_.push({request, source, &client});
    release_held_writes();
    issue(request, source, client);
}

void DmaEngine::issue(const DmaRequest& request, const std::uint8_t* source, DmaClient& client) {
    const DmaStatus status = judge(DmaOperation::kWrite, request);
    Posted& entry =
        post(PostedKind::kWrite,
             link_.write_arrival(request.address, request.size_bytes, timeline_.now_ps()));
    entry.request = request;
    entry.source = source;
    entry.client = &client;
    entry.status = status;
}

void DmaEngine::release_held_writes() {
    while (!held_.empty() && state_.bus_master) {
        const HeldWrite write = held_.pop();
        issue(write.request, write.source, *write.client);
    }
}

void DmaEngine::message(std::uint64_t address, std::uint32_t data) {
    // A message is a memory write: without bus mastering there is none (PCI 3.0, 6.2.2). Unlike
    // data it is not held: what it would announce is in ICR, and asks anew.
    if (!state_.bus_master) {
        counters_.unsent_messages++;
        return;
    }
    release_held_writes();
    DmaRequest request;
    request.address = address;
    request.size_bytes = kMessageBytes;
    request.kind = DmaKind::kMessage;
    const DmaStatus status = judge(DmaOperation::kMessage, request);
    submitted();
    counters_.messages++;
    Posted& entry =
        post(PostedKind::kMessage, link_.interrupt_arrival(address, timeline_.now_ps()));
    entry.request = request;
    entry.client = nullptr;
    entry.data = data;
    entry.status = status;
}

// INTx messages are not memory requests: they leave whatever Command.BME says.
void DmaEngine::interrupt_pin(bool asserted) {
    if (asserted == pin_requested_) return;
    pin_requested_ = asserted;
    post(PostedKind::kPin, link_.message_arrival(timeline_.now_ps())).data = asserted ? 1 : 0;
}

/// A new last entry of the posted queue, for the caller to fill in.
DmaEngine::Posted& DmaEngine::post(PostedKind kind, Picoseconds arrival_ps) {
    last_visible_ps_ = std::max(last_visible_ps_, arrival_ps);
    Posted& entry = posted_.push();
    entry.kind = kind;
    entry.submitted_ps = timeline_.now_ps();
    entry.arrival_ps = last_visible_ps_;
    const bool in_first_burst = posted_.size() == 1 || joins(entry, posted_.front());
    if (in_first_burst && !delivering_) timeline_.schedule(posted_task_, entry.arrival_ps);
    return entry;
}

/// Whether both become visible together: submitted at one instant.
bool DmaEngine::joins(const Posted& entry, const Posted& burst) const {
    return params_.coalesce_posted_writes && entry.submitted_ps == burst.submitted_ps;
}

/// When the last entry of the oldest burst has arrived. Bursts are short: data of a frame, its
/// descriptor, an interrupt.
Picoseconds DmaEngine::first_burst_visible_ps() const {
    std::uint32_t last = 0;
    while (last + 1 < posted_.size() && joins(posted_.at(last + 1), posted_.front())) last++;
    return posted_.at(last).arrival_ps;
}

// Due with the last entry of a burst, or earlier when something pushes what has arrived by then.
void DmaEngine::push_posted_writes() {
    if (delivering_) return;
    const Picoseconds now = timeline_.now_ps();
    delivering_ = true;
    // Only what is there at the start: a client that answers a write with a write in no time must
    // not hold us here.
    std::uint32_t entries = posted_.size();
    const std::uint32_t epoch = epoch_;
    while (epoch == epoch_ && entries-- > 0 && posted_.front().arrival_ps <= now) {
        deliver(posted_.pop());
    }
    delivering_ = false;
    if (posted_.empty()) return timeline_.cancel(posted_task_);
    const Picoseconds due_ps = std::max(now, first_burst_visible_ps());
    if (!posted_task_.scheduled() || posted_task_.due_ps() != due_ps) {
        timeline_.schedule(posted_task_, due_ps);
    }
}

void DmaEngine::deliver(const Posted& entry) {
    const DmaRequest& request = entry.request;
    const Picoseconds now = timeline_.now_ps();
    if (entry.kind == PostedKind::kPin) {
        pin_delivered_ = entry.data != 0;
        host_.interrupt_pin(pin_delivered_);
        return;
    }
    DmaStatus status = entry.status;
    const std::uint32_t epoch = epoch_;
    if (status == DmaStatus::kOk) {
        if (entry.kind == PostedKind::kMessage) {
            host_.message(request.address, entry.data);
        } else if (request.size_bytes > 0) {
            status = host_.write(request.address, entry.source, request.size_bytes, request.packet);
        }
    }
    if (epoch != epoch_) return;  // The host reset us: what it took belongs to nobody.
    outstanding_--;
    count(status);
    events::dma_write(events_, now, about(request, request.packet), request.address,
                      request.size_bytes, number(request.kind), number(status));
    if (entry.client != nullptr) entry.client->dma_complete({request.tag, status, 0, now});
}

// --- reset, metrics
// -----------------------------------------------------------------------------------

void DmaEngine::reset() {
    epoch_++;
    counters_.dropped_by_reset += outstanding_;
    outstanding_ = 0;
    for (ReadQueue& queue : queues_) queue.reads.clear();
    turn_ = 0;
    waiting_reads_ = 0;
    held_.clear();
    posted_.clear();
    timeline_.cancel(tags_free_task_);
    timeline_.cancel(posted_task_);
    tags_.reset();
    free_slots_.clear();
    for (const std::unique_ptr<ReadSlot>& slot : slots_) {
        timeline_.cancel(slot->ready_task);
        free_slots_.push_back(slot.get());
    }
    leaving_ = nullptr;
    free_split_reads_.clear();
    for (const std::unique_ptr<SplitRead>& read : split_reads_) {
        free_split_reads_.push_back(read.get());
    }
    // A forgotten change of INTA would leave the host with a line that nobody ever releases.
    if (pin_delivered_ != pin_requested_) {
        post(PostedKind::kPin, link_.message_arrival(timeline_.now_ps())).data =
            pin_requested_ ? 1 : 0;
    }
}

void DmaEngine::visit_metrics(MetricVisitor& visitor) const {
    visitor.metric("dma.reads", counters_.reads);
    visitor.metric("dma.read_bytes", counters_.read_bytes);
    visitor.metric("dma.writes", counters_.writes);
    visitor.metric("dma.write_bytes", counters_.write_bytes);
    visitor.metric("dma.messages", counters_.messages);
    visitor.metric("dma.tag_waits", counters_.tag_waits);
    visitor.metric("dma.peak_outstanding", counters_.peak_outstanding);
    visitor.metric("dma.failed.unsupported_request", counters_.unsupported);
    visitor.metric("dma.failed.master_disabled", counters_.unsent_messages);
    visitor.metric("dma.failed.timeout", counters_.timeouts);
    visitor.metric("dma.dropped_by_reset", counters_.dropped_by_reset);
}

}  // namespace doorbell
