#include "hw/rings/rx_engine.hpp"

#include <algorithm>
#include <cassert>
#include <string>

#include "hw/base/generated/events.hpp"
#include "hw/mac/vlan.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "hw/rings/ring_registers.hpp"
#include "hw/stats/frame_counts.hpp"

namespace doorbell {

using namespace regs::i82574l;

RxEngine::RxEngine(regs::RegisterFile& registers, Timeline& timeline, DmaPort& dma,
                   CausePort& causes, StatsPort& stats, FlowControl& flow_control,
                   const DeviceState& state, EventPort events, const QueueEngineParams& params)
    : registers_(registers),
      timeline_(timeline),
      dma_(dma),
      causes_(causes),
      stats_(stats),
      flow_control_(flow_control),
      state_(state),
      events_(events),
      params_(params),
      ring0_(Direction::kRx, 0, params.descriptor_cache, timeline, dma, events, *this),
      ring1_(Direction::kRx, 1, params.descriptor_cache, timeline, dma, events, *this),
      rings_{&ring0_, &ring1_},
      fifo_(stats, events),
      pipeline_ps_(params.rx_pipeline_cycles * params.clock_ps),
      pipeline_task_([this] { run(); }) {
    flow_control_.watch(fifo_.space());
    install_hooks();
}

RxEngine::~RxEngine() {
    timeline_.cancel(pipeline_task_);
}

// --- registers ----------------------------------------------------------------------------------

void RxEngine::install_hooks() {
    using Write = regs::RegisterFile::Write;
    for (const regs::Register* reg : {&RDBAL, &RDBAH, &RDLEN, &RDH}) {
        registers_.on_write(*reg, [this](const Write& write) { restart_ring(write.index); });
    }
    registers_.on_write(RDT, [this](const Write& write) {
        rings_[write.index]->set_tail(RDT_RDT.get(write.now));
        run();
    });
    for (const regs::Register* reg : {&RCTL, &CTRL, &RXDCTL, &RXCSUM, &RFCTL, &RDTR, &RSRPD, &VET,
                                      &FCAL, &FCAH, &FCT, &PSRCTL, &MRQC}) {
        registers_.on_write(*reg, [this](const Write&) { configure(); });
    }
    registers_.on_write(RSSRK, [this](const Write&) { decode_rss_key(config_.rss, registers_); });
    registers_.on_write(RETA, [this](const Write& write) {
        decode_rss_entries(config_.rss, registers_, write.index);
    });
    for (const regs::Register* reg : {&RAL, &RAH}) {
        registers_.on_write(
            *reg, [this](const Write&) { decode_receive_addresses(config_.filter, registers_); });
    }
    registers_.on_write(MTA, [this](const Write& write) {
        config_.filter.multicast_table[write.index] = write.now;
    });
    registers_.on_write(
        VFTA, [this](const Write& write) { config_.filter.vlan_table[write.index] = write.now; });
    show_fifo();
}

/// Diagnostic registers (specification 2.12) show the FIFO when they are read; TxEngine has the
/// same. PBM, the window into the buffer, is storage: frames live in memory of the host program,
/// and the window means something only while receiver and transmitter are off.
void RxEngine::show_fifo() {
    struct Shown {
        const regs::Register& reg;
        std::uint32_t (*value)(const RxEngine& engine);
    };
    static constexpr auto kHead = [](const RxEngine& e) {
        return e.fifo_pointer(e.fifo_.passed_bytes());
    };
    static constexpr auto kTail = [](const RxEngine& e) {
        return e.fifo_pointer(e.fifo_.passed_bytes() + e.fifo_.space().used_bytes());
    };
    static constexpr auto kPackets = [](const RxEngine& e) { return e.fifo_.size(); };
    static constexpr Shown kShown[] = {
        {RDFH, kHead}, {RDFT, kTail}, {RDFHS, kHead}, {RDFTS, kTail}, {RDFPC, kPackets}};
    for (std::size_t i = 0; i < fifo_offsets_.size(); i++) {
        const Shown& shown = kShown[i];
        registers_.on_read(shown.reg, [this, &shown, i](std::uint32_t, std::uint32_t) {
            return (shown.value(*this) + fifo_offsets_[i]) & RDFH_PTR.mask();
        });
        registers_.on_write(shown.reg, [this, &shown, i](const regs::RegisterFile::Write& write) {
            fifo_offsets_[i] = write.now - shown.value(*this);
        });
    }
}

std::uint32_t RxEngine::fifo_pointer(std::uint64_t total_bytes) const {
    constexpr std::uint32_t kUnitBytes = 8;
    const std::uint32_t capacity = std::max(kUnitBytes, fifo_.space().capacity_bytes());
    return RDFH.reset + static_cast<std::uint32_t>(total_bytes % capacity) / kUnitBytes;
}

void RxEngine::decode() {
    decode_rx_control(config_, registers_, params_);
    for (std::uint32_t q = 0; q < kRxQueues; q++) {
        const std::uint32_t unit = registers_.get(RXDCTL_GRAN, q) != 0
                                       ? config_.slots
                                       : descriptors_per_line(params_.cache_line_bytes);
        rings_[q]->set_unit(config_.slots);
        rings_[q]->set_thresholds({registers_.get(RXDCTL_PTHRESH, q) * unit,
                                   registers_.get(RXDCTL_HTHRESH, q) * unit,
                                   registers_.get(RXDCTL_WTHRESH, q) * unit});
    }
}

void RxEngine::configure() {
    decode();
    decode_receive_addresses(config_.filter, registers_);
    run();
}

void RxEngine::restart_ring(std::uint32_t queue) {
    // A frame that has part of its data in the old ring's buffers starts again in the new ring's.
    for (std::uint32_t age = in_store_; age < fifo_.size(); age++) {
        if (fifo_.at(age).queue == queue) fifo_.at(age).offset = 0;
    }
    rings_[queue]->restart(rx_geometry(registers_, queue), registers_.get(RDH_RDH, queue));
    run();
}

void RxEngine::reset(std::uint32_t fifo_bytes) {
    epoch_++;
    timeline_.cancel(pipeline_task_);
    for (DescriptorRing* ring : rings_) ring->reset();
    fifo_.reset(fifo_bytes);
    fifo_offsets_ = {};
    in_store_ = 0;
    again_ = false;
    decode();
    decode_receive_addresses(config_.filter, registers_);
    decode_filter_tables(config_.filter, registers_);
    decode_rss_key(config_.rss, registers_);
    for (std::uint32_t i = 0; i < RETA.count; i++) {
        decode_rss_entries(config_.rss, registers_, i);
    }
    for (std::uint32_t q = 0; q < kRxQueues; q++) {
        rings_[q]->restart(rx_geometry(registers_, q), registers_.get(RDH_RDH, q));
    }
}

bool RxEngine::may_run() const {
    return config_.filter.enabled && state_.bus_master;
}

bool RxEngine::listens() const {
    const bool connected = state_.link_up || state_.mac_loopback || state_.phy_loopback;
    return config_.filter.enabled && connected && state_.awake;
}

// --- a frame arrives ----------------------------------------------------------------------------

/// Who does not receive has room: it loses frames for another reason.
bool RxEngine::has_room(std::uint32_t wire_bytes) const {
    return !listens() || fifo_.has_room(wire_bytes);
}

/// The order of specification 7.1.
void RxEngine::receive(FramePtr frame) {
    const Picoseconds now_ps = timeline_.now_ps();
    const std::uint32_t wire_bytes = frame->wire_bytes();
    const PacketRef ref{frame->packet, frame->number};
    events::frame_arrive(events_, now_ps, ref, wire_bytes);
    if (!listens()) return drop(*frame, DropReason::kReceiverOff);

    count_seen(stats_, wire_bytes);
    const ReceiveVerdict verdict = judge_frame(config_.filter, *frame);
    count_verdict(stats_, verdict);
    if (verdict.pause) flow_control_.pause_received(verdict.pause_quanta, ref);
    if (!verdict.accepted) return drop(*frame, verdict.reason);

    if (!fifo_.admit(wire_bytes)) {
        counters_.overruns[static_cast<std::size_t>(what_holds_up())]++;
        drop(*frame, DropReason::kOverrun);
        causes_.raise(ICR_RXO.mask());
        return;
    }
    if (verdict.good() && !verdict.mac_control) count_received(stats_, *frame);
    counters_.frames++;
    counters_.bytes += wire_bytes;
    const bool tagged = vlan::is_tagged(frame->data(), frame->size_bytes(), config_.filter.vet);
    PacketLayout layout;
    RssResult rss;
    if (verdict.good()) {
        const std::uint32_t type_offset =
            ethernet::kTypeOffset + (tagged ? ethernet::kVlanTagBytes : 0);
        layout = locate_headers(config_.parsing, frame->data(), frame->size_bytes(), type_offset);
        if (config_.rss.hashes) rss = scale(config_.rss, layout);
    }
    events::frame_accept(events_, now_ps, ref, rss.queue, static_cast<std::uint64_t>(verdict.rule));
    Entry& entry = fifo_.push(wire_bytes, now_ps);
    entry.queue = rss.queue;
    entry.ready_ps = now_ps + pipeline_ps_;
    entry.report.rss = rss;
    fill_entry(entry, std::move(frame), verdict, tagged, layout);
    run();
}

/// What the FIFO waits for now.
RxEngine::HeldUpBy RxEngine::what_holds_up() {
    if (in_store_ == fifo_.size()) return HeldUpBy::kStore;
    if (fifo_.at(in_store_).ready_ps > timeline_.now_ps()) return HeldUpBy::kStore;
    const DescriptorRing& ring = *rings_[fifo_.at(in_store_).queue];
    return ring.stopped() || ring.untaken() < config_.slots ? HeldUpBy::kNoDescriptor
                                                            : HeldUpBy::kFetch;
}

void RxEngine::drop(const Frame& frame, DropReason reason) {
    counters_.drops[static_cast<std::size_t>(reason)]++;
    events::frame_drop(events_, timeline_, {frame.packet, frame.number},
                       static_cast<std::uint64_t>(reason), frame.wire_bytes());
}

/// The frame as it will lie in host memory, and what its descriptor will say.
void RxEngine::fill_entry(Entry& entry, FramePtr frame, const ReceiveVerdict& verdict, bool tagged,
                          const PacketLayout& layout) const {
    std::uint8_t* data = frame->data();
    std::uint32_t size = frame->size_bytes();
    // The FCS is that of the frame on the wire, tag included (specification 7.2).
    const std::uint32_t fcs = config_.strip_crc ? 0 : frame->fcs();
    RxReport& report = entry.report;
    report.time_stamped =
        frame->time_stamp && verdict.good() && times_ != nullptr && times_->stamp_received(*frame);
    if (tagged) {
        if (config_.strip_vlan) {
            report.vp = true;
            report.vlan = vlan::tag(data);
            data = vlan::strip(data);
            size -= ethernet::kVlanTagBytes;
        } else {
            report.vp = params_.u13_vp_without_vme;
        }
    }
    report.queue = entry.queue;
    report.pif = verdict.inexact;
    report.packet_sum = config_.checksum.packet_sum;
    report.crc_error = verdict.reason == DropReason::kCrcError ||
                       verdict.reason == DropReason::kFragment ||
                       verdict.reason == DropReason::kJabber;
    report.data_error = !verdict.good() && !report.crc_error;
    if (verdict.good()) {
        report.checksum = check_received(config_.checksum, layout, data, size);
    } else {
        report.checksum.ixsm = true;
    }
    const std::uint8_t* end = frame->data() + Frame::kCapacityBytes;
    if (!config_.strip_crc && end - (data + size) >= ethernet::kFcsBytes) {
        store_le32(data + size, fcs);
        size += ethernet::kFcsBytes;
    }
    entry.data = data;
    entry.store_bytes = size;
    entry.header_bytes = split_point(layout, data);
    entry.frame = std::move(frame);
}

/// Specification 5.8: the end of the TCP or UDP header, else of the IP header; 0 is no split.
/// Headers that do not fit into the buffer are found when it is there.
std::uint32_t RxEngine::split_point(const PacketLayout& layout, const std::uint8_t* data) const {
    if (config_.format != RxFormat::kPacketSplit) return 0;
    if (layout.ip == PacketLayout::Network::kNone) return 0;
    if (layout.fragment && !config_.split_fragments) return 0;
    return static_cast<std::uint32_t>(layout.payload - data);
}

// --- into host memory ---------------------------------------------------------------------------

void RxEngine::run() {
    // Ports without time complete while they are called: their news waits for the next round.
    again_ = true;
    if (running_) return;
    running_ = true;
    while (again_) {
        again_ = false;
        const bool runs = may_run();
        if (runs) store_frames();
        retire_stored();
        for (DescriptorRing* ring : rings_) {
            if (runs && !ring->idle()) ring->prefetch();
        }
    }
    running_ = false;
}

void RxEngine::store_frames() {
    while (in_store_ < fifo_.size()) {
        Entry& entry = fifo_.at(in_store_);
        if (entry.ready_ps > timeline_.now_ps()) {
            timeline_.schedule_by(pipeline_task_, entry.ready_ps);
            return;
        }
        const DescriptorRing& ring = *rings_[entry.queue];
        if (ring.available() < config_.slots) {
            if (ring.untaken() < config_.slots) wait_for_descriptor(entry);
            return;
        }
        const std::uint32_t position = fifo_.position(in_store_);
        const bool whole = config_.format == RxFormat::kPacketSplit ? store_split(entry, position)
                                                                    : store_next(entry, position);
        if (whole) in_store_++;
    }
}

/// Uses one descriptor; true when the entry needs no more of them.
bool RxEngine::store_next(Entry& entry, std::uint32_t position) {
    DescriptorRing& ring = *rings_[entry.queue];
    const std::uint64_t number = ring.next_number();
    std::uint8_t* descriptor = ring.bytes(number);
    DescriptorSlot& slot = ring.slot(number);
    const std::uint64_t address = rx_buffer_address(descriptor);
    const bool null = address == 0;  // Skipped with nothing but DD (specification 7.2).
    const std::uint32_t bytes =
        null ? 0 : std::min(config_.buffer_bytes, entry.store_bytes - entry.offset);
    const bool last = !null && entry.offset + bytes == entry.store_bytes;

    RxReport report = last ? entry.report : RxReport();
    report.queue = entry.queue;
    report.eop = last;
    report.length = bytes;
    write_rx_report(descriptor, config_.format, report);
    slot.frame_end = last;
    slot.about = {entry.frame->packet, entry.frame->number};
    const std::uint32_t before = ring.untaken();
    ring.take();
    ring.complete();
    registers_.set(RDH_RDH, ring.taken_index(), entry.queue);
    if (null) counters_.null_descriptors++;

    const std::uint32_t queue = entry.queue;
    entry.issued = last;
    entry.last_index = slot.index;
    write_data(entry, position, address, bytes);
    check_threshold(queue, before);
    write_back(queue, last);
    return last;
}

/// The same for a packet split descriptor: 32 bytes, a header buffer and three for data. What
/// follows the first descriptor of a frame leaves the header buffer empty.
bool RxEngine::store_split(Entry& entry, std::uint32_t position) {
    DescriptorRing& ring = *rings_[entry.queue];
    const std::uint64_t number = ring.next_number();
    std::uint8_t* const halves[] = {ring.bytes(number), ring.bytes(number + 1)};
    const SplitAddresses addresses = rx_split_addresses(halves[0], halves[1]);
    const bool first = entry.offset == 0;
    SplitReport split;
    split.split = first && entry.header_bytes > 0 && entry.header_bytes <= config_.split_bytes[0];
    split.header_bytes = split.split ? entry.header_bytes : 0;
    std::uint32_t left = entry.store_bytes - entry.offset;
    bool good = config_.split_bytes[0] > 0 && config_.split_bytes[1] > 0;
    for (std::uint32_t i = first ? 0 : 1; i < kSplitBuffers; i++) {
        const std::uint32_t room =
            i == 0 && split.split ? entry.header_bytes : config_.split_bytes[i];
        split.lengths[i] = std::min(room, left);
        left -= split.lengths[i];
        good = good && (split.lengths[i] == 0 || addresses[i] != 0);
    }
    if (!good) {  // A size of 0 in PSRCTL, or no buffer where one is needed.
        ring.fail(RingFault::kBadDescriptor);
        return false;
    }
    const bool last = left == 0;
    RxReport report = last ? entry.report : RxReport();
    report.queue = entry.queue;
    report.eop = last;
    report.length = split.lengths[0];
    write_rx_report(halves[0], config_.format, report);
    write_split_report(halves[1], split);
    const std::uint32_t queue = entry.queue;
    const std::uint32_t before = ring.untaken();
    for (std::uint32_t half = 0; half < config_.slots; half++) {
        DescriptorSlot& slot = ring.slot(number + half);
        slot.frame_end = last && half + 1 == config_.slots;
        slot.continues = half + 1 < config_.slots;
        slot.about = {entry.frame->packet, entry.frame->number};
        ring.take();
        ring.complete();
    }
    registers_.set(RDH_RDH, ring.taken_index(), queue);
    entry.issued = last;
    entry.last_index = ring.slot(number).index;
    for (std::uint32_t i = 0; i < kSplitBuffers; i++) {
        write_data(entry, position, addresses[i], split.lengths[i]);
    }
    check_threshold(queue, before);
    write_back(queue, last);
    return last;
}

/// The next bytes of the frame to a buffer.
void RxEngine::write_data(Entry& entry, std::uint32_t position, std::uint64_t address,
                          std::uint32_t size_bytes) {
    if (size_bytes == 0) return;
    DmaRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.kind = DmaKind::kRxData;
    request.tag = epoch_ << 16 | position;
    request.packet = entry.frame->packet;
    request.frame = entry.frame->number;
    const std::uint8_t* source = entry.data + entry.offset;
    entry.offset += size_bytes;
    entry.pending_writes++;
    dma_.write(request, source, *this);
}

/// Once per frame (specification 7.5).
void RxEngine::wait_for_descriptor(Entry& entry) {
    if (entry.waited) return;
    entry.waited = true;
    counters_.shortages++;
    stats_.count(Stat::kRNBC);
    if (!params_.u18_rxo_on_descriptor_shortage) return;
    causes_.raise(ICR_RXO.mask());
}

/// RXDMT0 when the free descriptors fall to the RDMTS fraction of the ring. What becomes of it in
/// MSI-X mode is the interrupt block's affair (specification 7.8, U17).
void RxEngine::check_threshold(std::uint32_t queue, std::uint32_t before) {
    const DescriptorRing& ring = *rings_[queue];
    const std::uint32_t threshold = ring.geometry().count() >> config_.threshold_shift;
    if (before <= threshold || ring.untaken() > threshold) return;
    causes_.raise(ICR_RXDMT0.mask());
}

/// Specification 5.9. What stays behind is flushed when RDTR or RADV expires.
void RxEngine::write_back(std::uint32_t queue, bool frame_end) {
    DescriptorRing& ring = *rings_[queue];
    if (ring.stopped()) return;  // Data may be missing: nothing more is reported as received.
    const std::uint32_t threshold = ring.thresholds().write_back;
    const bool at_once = frame_end && (config_.immediate || threshold == 0);
    if (at_once || (threshold > 0 && ring.unwritten() >= threshold)) ring.write_back();
}

void RxEngine::dma_complete(const DmaCompletion& completion) {
    if (completion.tag >> 16 != (epoch_ & 0xffff)) return;
    Entry& entry = fifo_.by_position(completion.tag & 0xffff);
    entry.pending_writes--;
    if (completion.status != DmaStatus::kOk) {
        entry.failed = true;
        rings_[entry.queue]->fail(RingFault::kData);
    }
    run();
}

/// Frames whose data is in host memory leave the FIFO.
void RxEngine::retire_stored() {
    while (in_store_ > 0 && fifo_.at(0).pending_writes == 0) {
        const Entry& entry = fifo_.at(0);
        assert(entry.issued);
        const Picoseconds now_ps = timeline_.now_ps();
        const std::uint32_t queue = entry.queue;
        if (entry.failed) {
            counters_.failed++;
        } else {
            counters_.stored++;
            events::frame_stored(events_, now_ps, {entry.frame->packet, entry.frame->number}, queue,
                                 entry.store_bytes, entry.last_index);
            causes_.rx_frame_stored(queue);
            raise_content_causes(entry);
        }
        in_store_--;
        fifo_.pop(now_ps);
    }
}

void RxEngine::raise_content_causes(const Entry& entry) {
    std::uint32_t causes = 0;
    if (entry.store_bytes < config_.small_packet_bytes) causes |= ICR_SRPD.mask();
    const ReceiveChecksum& content = entry.report.checksum;
    const bool ack = content.tcp_ack && !(config_.pure_ack_only && content.tcp_data);
    if (ack && config_.ack_cause) causes |= ICR_ACK.mask();
    if (causes != 0) causes_.raise(causes);
}

// --- descriptors --------------------------------------------------------------------------------

void RxEngine::descriptors_arrived(std::uint32_t) {
    run();
}

void RxEngine::written_back(std::uint32_t queue, const WrittenBack& what) {
    causes_.rx_written_back(queue, what.frames);
    run();
}

// Frames stay in the FIFO until it is full: they are counted as missed, not lost in silence.
void RxEngine::ring_stopped(std::uint32_t) {}

void RxEngine::flush_write_backs() {
    if (!state_.bus_master) return;
    for (DescriptorRing* ring : rings_) {
        if (!ring->stopped()) ring->write_back();
    }
}

bool RxEngine::write_backs_pending() const {
    return ring0_.unwritten() > 0 || ring1_.unwritten() > 0;
}

void RxEngine::visit_metrics(MetricVisitor& visitor) const {
    DescriptorRing::Counters sum;
    for (const DescriptorRing* ring : rings_) sum += ring->counters();
    visitor.metric("rx.frames", counters_.frames);
    visitor.metric("rx.bytes", counters_.bytes);
    visitor.metric("rx.stored_frames", counters_.stored);
    visitor.metric("rx.failed_frames", counters_.failed);
    visitor.metric("rx.descriptor_shortage_frames", counters_.shortages);
    visitor.metric("rx.null_descriptors", counters_.null_descriptors);
    visitor.metric("rx.fifo_peak_bytes", fifo_.space().peak_bytes());
    static constexpr std::string_view kHeldUpBy[] = {"store", "descriptor_fetch", "no_descriptor"};
    for (std::size_t i = 0; i < counters_.overruns.size(); i++) {
        visitor.metric(std::string("rx.overruns.").append(kHeldUpBy[i]).append("_frames"),
                       counters_.overruns[i]);
    }
    visit_ring_metrics(visitor, Direction::kRx, sum);
    for (std::size_t i = 1; i < counters_.drops.size(); i++) {
        const std::string reason = drop_reason_name(static_cast<DropReason>(i));
        visitor.metric("drops." + reason + "_frames", counters_.drops[i]);
    }
}

}  // namespace doorbell
