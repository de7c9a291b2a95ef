#include "hw/rings/tx_engine.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "hw/base/generated/events.hpp"
#include "hw/mac/pause.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/rings/ring_registers.hpp"
#include "hw/stats/frame_counts.hpp"

namespace doorbell {

using namespace regs::i82574l;

namespace {

bool takes_work(const WireOffloads& offloads) {
    return offloads.checksums || offloads.trains || offloads.untimed;
}

}  // namespace

TxEngine::TxEngine(regs::RegisterFile& registers, Timeline& timeline, DmaPort& dma,
                   CausePort& causes, StatsPort& stats, EthernetPort& wire, FramePool& frames,
                   const DeviceState& state, EventPort events, const QueueEngineParams& params)
    : registers_(registers),
      timeline_(timeline),
      causes_(causes),
      stats_(stats),
      wire_(wire),
      frames_(frames),
      state_(state),
      events_(events),
      params_(params),
      offload_params_{params.u14_udp_zero_as_ffff, params.u15_cwr_in_first_segment_only},
      ring0_(Direction::kTx, 0, params.descriptor_cache, timeline, dma, events, *this),
      ring1_(Direction::kTx, 1, params.descriptor_cache, timeline, dma, events, *this),
      rings_{&ring0_, &ring1_},
      fifo_(events),
      gatherer_(rings_, fifo_, frames, timeline, dma, stats, config_,
                params.u24_tx_context_per_queue, *this),
      wake_([this] { run(); }),
      wire_takes_work_(takes_work(wire.offloads())),
      frame_number_(params.first_frame_number) {
    install_hooks();
}

TxEngine::~TxEngine() {
    timeline_.cancel(wake_);
}

// --- registers ----------------------------------------------------------------------------------

void TxEngine::install_hooks() {
    using Write = regs::RegisterFile::Write;
    for (const regs::Register* reg : {&TDBAL, &TDBAH, &TDLEN, &TDH}) {
        registers_.on_write(*reg, [this](const Write& write) { restart_ring(write.index); });
    }
    registers_.on_write(TDT, [this](const Write& write) {
        rings_[write.index]->set_tail(TDT_TDT.get(write.now));
        run();
    });
    registers_.on_read(TDH, [this](std::uint32_t queue, std::uint32_t) {
        complete(queue, timeline_.now_ps());
        return registers_.word(TDH, queue);
    });
    for (const regs::Register* reg : {&TCTL, &TIPG, &AIT, &TXDCTL, &TARC, &VET, &CTRL, &IVAR}) {
        registers_.on_write(*reg, [this](const Write&) { configure(); });
    }
    show_fifo();
}

/// Diagnostic registers (specification 2.12) show the FIFO when they are read: where the next byte
/// to leave is, where the next one goes, and how many packets are between. The saved pointers are
/// those of whole packets, which is all that leaves here. What software writes is an offset that
/// stays.
void TxEngine::show_fifo() {
    struct Shown {
        const regs::Register& reg;
        std::uint32_t (*value)(TxEngine& engine);
    };
    static constexpr auto kHead = [](TxEngine& e) {
        return e.fifo_pointer(e.fifo_.passed_bytes());
    };
    static constexpr auto kTail = [](TxEngine& e) {
        return e.fifo_pointer(e.fifo_.passed_bytes() + e.fifo_.space().used_bytes());
    };
    static constexpr auto kPackets = [](TxEngine& e) { return e.fifo_.size(); };
    static constexpr Shown kShown[] = {
        {TDFH, kHead}, {TDFT, kTail}, {TDFHS, kHead}, {TDFTS, kTail}, {TDFPC, kPackets}};
    for (std::size_t i = 0; i < fifo_offsets_.size(); i++) {
        const Shown& shown = kShown[i];
        registers_.on_read(shown.reg, [this, &shown, i](std::uint32_t, std::uint32_t) {
            fifo_.release_sent(timeline_.now_ps());
            return (shown.value(*this) + fifo_offsets_[i]) & TDFH_PTR.mask();
        });
        registers_.on_write(shown.reg, [this, &shown, i](const regs::RegisterFile::Write& write) {
            fifo_offsets_[i] = write.now - shown.value(*this);
        });
    }
}

std::uint32_t TxEngine::fifo_pointer(std::uint64_t total_bytes) const {
    constexpr std::uint32_t kUnitBytes = 8;
    const std::uint32_t capacity = std::max(kUnitBytes, fifo_.space().capacity_bytes());
    return TDFH.reset + static_cast<std::uint32_t>(total_bytes % capacity) / kUnitBytes;
}

void TxEngine::decode() {
    config_.enabled = registers_.get(TCTL_EN) != 0;
    config_.pad = registers_.get(TCTL_PSP) != 0;
    config_.vlan = registers_.get(CTRL_VME) != 0;
    config_.vet = static_cast<std::uint16_t>(registers_.get(VET_VET));
    config_.report_every = registers_.get(IVAR_TX_INT_EVERY_WB) != 0;
    for (std::uint32_t q = 0; q < kTxQueues; q++) {
        config_.queues[q].enabled = registers_.get(TARC_ENABLE, q) != 0;
        config_.queues[q].burst = registers_.get(TARC_COUNT, q);
        config_.queues[q].low = registers_.get(TXDCTL_LWTHRESH, q) * 8;
        const std::uint32_t unit = registers_.get(TXDCTL_GRAN, q) != 0
                                       ? 1
                                       : descriptors_per_line(params_.cache_line_bytes);
        rings_[q]->set_thresholds({registers_.get(TXDCTL_PTHRESH, q) * unit,
                                   registers_.get(TXDCTL_HTHRESH, q) * unit,
                                   registers_.get(TXDCTL_WTHRESH, q) * unit});
    }
    const std::uint32_t rate_mbps = params_.rate_mbps(state_.speed_mbps);
    pacer_.set_speed(rate_mbps);
    pacer_.set_gap(registers_.get(TIPG_IPGT), registers_.get(AIT_AIFS));
    // A frame that was handed over cannot be held back any more: as long as somebody may stop us,
    // or a PAUSE frame may want to go first, only what would start anyhow is.
    flow_control_ =
        state_.full_duplex && (registers_.get(CTRL_RFCE) != 0 || registers_.get(CTRL_TFCE) != 0);
    lookahead_ps_ = params_.transmit_lookahead_ps;
    if (flow_control_) {
        const Picoseconds reaction_ps = pause::bit_times(pause::kReactionBits, rate_mbps);
        lookahead_ps_ = std::min(lookahead_ps_, reaction_ps);
    }
    // What is in the pipeline is on its way: who waited until a frame is nearer to its start would
    // wait for ever.
    lookahead_ps_ = std::max(lookahead_ps_, pipeline_ps());
}

void TxEngine::configure() {
    decode();
    run();
}

void TxEngine::restart_ring(std::uint32_t queue) {
    gatherer_.abandon_unfinished(queue);
    rings_[queue]->restart(tx_geometry(registers_, queue), registers_.get(TDH_TDH, queue));
    run();
}

void TxEngine::reset(std::uint32_t fifo_bytes) {
    timeline_.cancel(wake_);
    for (DescriptorRing* ring : rings_) ring->reset();
    gatherer_.reset();
    fifo_.reset(fifo_bytes);
    fifo_offsets_ = {};
    pacer_.reset(timeline_.now_ps());
    flush_ = false;
    again_ = false;
    pause_request_ = PauseRequest::kNone;
    hand_over_due_ps_ = kNever;
    note_room_wait(timeline_.now_ps());
    decode();
    for (std::uint32_t q = 0; q < kTxQueues; q++) {
        rings_[q]->restart(tx_geometry(registers_, q), registers_.get(TDH_TDH, q));
    }
}

// --- the loop -----------------------------------------------------------------------------------

/// Wires that never take anything are not asked for each frame.
WireOffloads TxEngine::wire_offloads() const {
    if (!wire_takes_work_) return {};
    WireOffloads offloads = wire_.offloads();
    if (params_.transmit_rate_mbps != 0) offloads.untimed = false;
    return offloads;
}

bool TxEngine::wire_usable() const {
    return config_.enabled && (state_.link_up || state_.mac_loopback || state_.phy_loopback);
}

std::array<bool, kTxQueues> TxEngine::may_run() const {
    const bool any = wire_usable() && state_.bus_master;
    return {any && config_.queues[0].enabled, any && config_.queues[1].enabled};
}

void TxEngine::run() {
    // Ports without time complete while they are called: their news waits for the next round.
    again_ = true;
    if (running_) return;
    running_ = true;
    const Picoseconds now_ps = timeline_.now_ps();
    const std::array<bool, kTxQueues> runs = may_run();
    while (again_) {
        again_ = false;
        fifo_.release_sent(now_ps);
        for (std::uint32_t q = 0; q < kTxQueues; q++) {
            if (!rings_[q]->idle()) complete(q, now_ps);
        }
        flush_ = false;
        gatherer_.gather(runs);
        hand_over(now_ps);
        for (std::uint32_t q = 0; q < kTxQueues; q++) {
            if (runs[q] && !rings_[q]->idle()) rings_[q]->prefetch();
        }
    }
    running_ = false;
    note_room_wait(now_ps);
    arm(now_ps);
}

/// Time in which the gatherer had something to read and no room to read it to.
void TxEngine::note_room_wait(Picoseconds now_ps) {
    const bool waits = gatherer_.blocked_bytes() > 0;
    if (waits == (room_wanted_since_ps_ != kNever)) return;
    if (!waits) counters_.room_wait_ps += now_ps - room_wanted_since_ps_;
    room_wanted_since_ps_ = waits ? now_ps : kNever;
}

/// Time in which a complete frame waited for the wire: of each frame what lies behind the start of
/// the one before, so that nothing counts twice.
void TxEngine::note_wire_wait(Picoseconds ready_ps, Picoseconds start_ps) {
    counters_.wire_wait_ps += start_ps - std::min(start_ps, std::max(ready_ps, last_start_ps_));
    last_start_ps_ = start_ps;
}

/// One task for whatever is to happen next: a frame to hand over, room that becomes free, a
/// descriptor that is done.
void TxEngine::arm(Picoseconds now_ps) {
    Picoseconds due_ps = hand_over_due_ps_;
    if (gatherer_.blocked_bytes() > 0) {
        // Wait for a quarter of the FIFO, so that several reads go out at once.
        const std::uint32_t quarter = fifo_.space().capacity_bytes() / 4;
        due_ps = std::min(due_ps, fifo_.free_at(std::max(gatherer_.blocked_bytes(), quarter)));
    }
    for (std::uint32_t q = 0; q < kTxQueues && state_.bus_master; q++) {
        if (rings_[q]->idle()) continue;
        due_ps = std::min(due_ps, rings_[q]->next_visible_ps(config_.queues[q].low));
    }
    if (due_ps == kNever) {
        timeline_.cancel(wake_);
    } else if (!wake_.scheduled() || wake_.due_ps() != due_ps) {
        timeline_.schedule(wake_, std::max(due_ps, now_ps));
    }
}

void TxEngine::descriptors_arrived(std::uint32_t) {
    run();
}

void TxEngine::ring_stopped(std::uint32_t queue) {
    gatherer_.abandon_open(queue);
}

// --- descriptors that are done ------------------------------------------------------------------

/// In order of the ring, when the data of a descriptor and of all before it is in the FIFO.
void TxEngine::complete(std::uint32_t queue, Picoseconds now_ps) {
    if (!state_.bus_master) return;  // Nothing could be written back.
    DescriptorRing& ring = *rings_[queue];
    ring.land();
    if (!ring.landed_by(now_ps) && !flush_) return;
    const std::uint32_t before = ring.unfinished();
    bool deferred = false;
    bool any = false;
    while (ring.landed_by(now_ps)) {
        mark_done(ring.bytes(ring.done()));
        const DescriptorSlot& slot = ring.complete();
        deferred = deferred || (slot.reports && slot.delayed);
        any = true;
    }
    if (any) registers_.set(TDH_TDH, ring.done_index(), queue);
    if (any || flush_) write_back(queue, deferred);
    if (any) raise_levels(queue, before, ring.unfinished());
}

/// Specification 5.5.
void TxEngine::write_back(std::uint32_t queue, bool deferred) {
    DescriptorRing& ring = *rings_[queue];
    const std::uint32_t threshold = ring.thresholds().write_back;
    if (threshold == 0) {
        ring.write_status();
    } else if (flush_ || ring.unwritten() >= threshold) {
        ring.write_back();
    } else if (deferred) {
        causes_.tx_write_back_deferred(queue);
    }
}

void TxEngine::raise_levels(std::uint32_t queue, std::uint32_t before, std::uint32_t after) {
    const std::uint32_t low = config_.queues[queue].low;
    if (low > 0 && before > low && after <= low) {
        causes_.raise(ICR_TXD_LOW.mask());
    }
    if (after == 0) {
        causes_.raise(ICR_TXQE.mask());
    }
}

void TxEngine::written_back(std::uint32_t queue, const WrittenBack& what) {
    if (what.reports > 0) causes_.tx_written_back(queue, what.delayed);
    run();
}

void TxEngine::flush_write_backs() {
    flush_ = true;
    run();
}

bool TxEngine::write_backs_pending() const {
    return ring0_.unwritten() > 0 || ring1_.unwritten() > 0;
}

// --- frames that leave --------------------------------------------------------------------------

/// Gives complete frames to the wire in order, up to the look-ahead before they start; then several
/// at once.
void TxEngine::hand_over(Picoseconds now_ps) {
    hand_over_due_ps_ = kNever;
    if (pause_request_ != PauseRequest::kNone) send_pause_frame(now_ps);
    if (pause_request_ != PauseRequest::kNone) return;  // Data waits behind it.
    if (fifo_.all_sent()) return;
    // Most calls end here: the frame is in the making, or the wire is busy for long.
    const TxEntry& oldest = fifo_.oldest_unsent();
    if (!oldest.dead && !oldest.complete()) return;
    if (!oldest.dead && oldest.deferred == pacer_.paused_at(now_ps) &&
        wait_for_wire(pacer_.start_ps(now_ps), now_ps)) {
        return;
    }
    const WireOffloads offloads = wire_offloads();
    const Picoseconds pipeline_ps = offloads.untimed ? 0 : this->pipeline_ps();
    while (!fifo_.all_sent()) {
        TxEntry& entry = fifo_.oldest_unsent();
        if (entry.dead) {
            if (entry.pending_reads > 0) return;  // The DMA engine writes into it still.
            TxGatherer::release_header(entry);
            counters_.abandoned += entry.gathered_bytes > 0 ? 1 : 0;
            fifo_.mark_sent(now_ps);
            continue;
        }
        if (!entry.complete() || !wire_usable()) return;
        const Picoseconds header_ps = entry.header != nullptr ? entry.header->ready_ps : 0;
        const Picoseconds ready_ps = std::max({entry.ready_ps, header_ps, now_ps});
        const Picoseconds start_ps = pacer_.start_ps(ready_ps + pipeline_ps);
        if (pacer_.paused_at(ready_ps + pipeline_ps) && !entry.deferred) {
            entry.deferred = true;
            stats_.count(Stat::kDC);
        }
        // Without flow control, what waits for its data only is handed over at once.
        const bool may_wait =
            (flow_control_ && !offloads.untimed) || start_ps > ready_ps + pipeline_ps;
        if (may_wait && wait_for_wire(start_ps, now_ps)) return;
        note_wire_wait(ready_ps + pipeline_ps, start_ps);
        send(entry, start_ps, offloads);
    }
}

/// True when it is too early to hand over what starts then: `hand_over` is called again.
bool TxEngine::wait_for_wire(Picoseconds start_ps, Picoseconds now_ps) {
    if (start_ps <= now_ps + lookahead_ps_) return false;
    const Picoseconds ahead_ps = std::max(lookahead_ps_ / 4, pipeline_ps());
    hand_over_due_ps_ = std::max(start_ps - ahead_ps, now_ps + 1);
    return true;
}

void TxEngine::send_pause_frame(Picoseconds now_ps) {
    const Picoseconds ready_ps = now_ps + pipeline_ps();
    const Picoseconds start_ps = pacer_.control_start_ps(ready_ps);
    if (wire_usable() && start_ps > ready_ps && wait_for_wire(start_ps, now_ps)) return;
    const bool xoff = pause_request_ == PauseRequest::kXoff;
    pause_request_ = PauseRequest::kNone;
    if (!wire_usable()) return;  // Nobody is there to be told.
    const std::uint32_t quanta = xoff ? registers_.get(FCTTV_TTV) : 0;
    FramePtr frame = frames_.take();
    pause::build(*frame, registers_.get(FCAL_FCAL) | std::uint64_t{registers_.get(FCAH_FCAH)} << 32,
                 registers_.get(RAL_RAL) | std::uint64_t{registers_.get(RAH_RAH)} << 32,
                 static_cast<std::uint16_t>(registers_.get(FCT_FCT)),
                 static_cast<std::uint16_t>(quanta));
    frame->number = ++frame_number_;
    count_pause_sent(stats_, *frame, xoff);
    const TransmitPacer::Slot slot = wire_offloads().untimed
                                         ? pacer_.pass(start_ps)
                                         : pacer_.reserve(start_ps, frame->wire_bytes());
    events::pause_frame(events_, slot.start_ps, {0, frame->number},
                        static_cast<std::uint64_t>(Direction::kTx), quanta);
    put_on_wire(std::move(frame), slot);
}

void TxEngine::pause(Picoseconds until_ps) {
    pacer_.pause(until_ps);
    run();
}

void TxEngine::request_pause_frame(bool xoff) {
    pause_request_ = xoff ? PauseRequest::kXoff : PauseRequest::kXon;
    run();
}

void TxEngine::send(TxEntry& entry, Picoseconds start_ps, const WireOffloads& offloads) {
    FramePtr frame = std::move(entry.frame);
    std::uint32_t body_bytes = entry.gathered_bytes;
    const TxSegment* segment = nullptr;
    if (entry.header != nullptr) {
        const std::uint32_t header_bytes = entry.segment.header_bytes;
        std::memcpy(frame->data() + entry.headroom, entry.header->bytes.data(), header_bytes);
        body_bytes += header_bytes;
        segment = &entry.segment;
        TxGatherer::release_header(entry);
    }
    if (!finish_frame(*frame, entry.headroom, body_bytes, entry.what, segment, offload_params_,
                      offloads)) {
        counters_.checksum_skipped++;
    }
    if (frame->hints.segment_bytes > 0) {
        if (frame->hints.segment_index == 0) train_++;
        frame->hints.train = train_;
    }
    frame->number = ++frame_number_;
    frame->time_stamp = entry.what.time_stamp;
    const TransmitPacer::Slot slot =
        offloads.untimed ? pacer_.pass(start_ps) : pacer_.reserve(start_ps, frame->wire_bytes());
    counters_.frames++;
    counters_.bytes += frame->wire_bytes();
    count_sent(stats_, *frame);
    fifo_.mark_sent(slot.end_ps);
    put_on_wire(std::move(frame), slot);
}

/// The frame is handed over ahead of time: what happens, happens at its start.
void TxEngine::put_on_wire(FramePtr frame, const TransmitPacer::Slot& slot) {
    events::frame_transmit(events_, slot.start_ps, {frame->packet, frame->number},
                           frame->wire_bytes(), slot.start_ps, slot.end_ps);
    wire_.transmit(std::move(frame), slot.start_ps, slot.end_ps);
}

void TxEngine::visit_metrics(MetricVisitor& visitor) const {
    DescriptorRing::Counters sum;
    for (const DescriptorRing* ring : rings_) sum += ring->counters();
    visitor.metric("tx.frames", counters_.frames);
    visitor.metric("tx.bytes", counters_.bytes);
    visitor.metric("tx.tso_packets", gatherer_.counters().tso_packets);
    visitor.metric("tx.tso_segments", gatherer_.counters().tso_segments);
    visitor.metric("tx.abandoned_frames", counters_.abandoned);
    visitor.metric("tx.checksum_skipped_frames", counters_.checksum_skipped);
    visitor.metric("tx.fifo_peak_bytes", fifo_.space().peak_bytes());
    visitor.metric("tx.wire_wait_ns", counters_.wire_wait_ps / 1'000);
    const bool waits = room_wanted_since_ps_ != kNever;
    const Picoseconds open_ps = waits ? timeline_.now_ps() - room_wanted_since_ps_ : 0;
    visitor.metric("tx.room_wait_ns", (counters_.room_wait_ps + open_ps) / 1'000);
    visit_ring_metrics(visitor, Direction::kTx, sum);
}

}  // namespace doorbell
