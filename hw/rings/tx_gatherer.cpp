#include "hw/rings/tx_gatherer.hpp"

#include <algorithm>
#include <cassert>

#include "hw/mac/ethernet.hpp"

namespace doorbell {

TxGatherer::TxGatherer(std::array<DescriptorRing*, kTxQueues> rings, TxFifo& fifo,
                       FramePool& frames, Timeline& timeline, DmaPort& dma, StatsPort& stats,
                       const TxConfig& config, bool context_per_queue, Listener& listener)
    : rings_(rings),
      fifo_(fifo),
      frames_(frames),
      timeline_(timeline),
      dma_(dma),
      stats_(stats),
      config_(config),
      context_per_queue_(context_per_queue),
      listener_(listener) {
    reset();
}

void TxGatherer::reset() {
    epoch_++;
    contexts_ = {};
    for (TsoHeader& header : headers_) header = TsoHeader();
    open_ = OpenPacket();
    queue_ = 0;
    packets_left_ = 0;
    descriptor_offset_ = 0;
    blocked_bytes_ = 0;
    for (std::uint32_t i = 0; i < kReads; i++) free_reads_[i] = static_cast<std::uint8_t>(i);
    free_read_count_ = kReads;
}

void TxGatherer::gather(const std::array<bool, kTxQueues>& may_run) {
    // A packet in the making that found no room finds none before as much is free.
    const std::uint32_t q = open_.queue;
    const bool waits = open_.active && may_run[q] && rings_[q]->available() > 0;
    if (waits && blocked_bytes_ > fifo_.space().free_bytes()) return;
    blocked_bytes_ = 0;
    while (choose_queue(may_run) && step() == Progress::kDone) {
    }
}

/// Weighted round robin (specification 6.4): TARC.COUNT packets of a queue, then the other if it
/// has work. A packet once begun is gathered to its end: the FIFO is one.
bool TxGatherer::choose_queue(const std::array<bool, kTxQueues>& may_run) {
    const auto has_work = [&](std::uint32_t q) { return may_run[q] && rings_[q]->available() > 0; };
    if (open_.active) return has_work(open_.queue);
    const std::uint32_t other = 1 - queue_;
    if (packets_left_ > 0 && has_work(queue_)) return true;
    if (has_work(other)) {
        queue_ = other;
    } else if (!has_work(queue_)) {
        return false;
    }
    packets_left_ = std::max(1u, config_.queues[queue_].burst);
    return true;
}

/// Takes one descriptor, or as much of it as is possible now.
TxGatherer::Progress TxGatherer::step() {
    const TxWords words = TxWords::load(ring().bytes(ring().next_number()));
    switch (format(words)) {
        case TxFormat::kUnknown:
            return fail(RingFault::kBadDescriptor);
        case TxFormat::kContext:
            context() = decode_context(words);
            finish_descriptor(words);
            return Progress::kDone;
        case TxFormat::kLegacy:
        case TxFormat::kData:
            break;
    }
    const TxBuffer buffer = decode_buffer(words);
    if (!open_.active) {
        const Progress begun = begin(buffer);
        if (begun != Progress::kDone) return begun;
    }
    open_.what.time_stamp = open_.what.time_stamp || buffer.time_stamp;
    const Progress gathered = open_.tso ? gather_segments(buffer) : gather_plain(buffer);
    if (gathered != Progress::kDone) return gathered;
    if (buffer.eop) finish_packet();
    finish_descriptor(words);
    return Progress::kDone;
}

// --- a packet -----------------------------------------------------------------------------------

/// POPTS, VLE and the tag of the first descriptor are those of the packet (specification 5.4).
TxGatherer::Progress TxGatherer::begin(const TxBuffer& buffer) {
    open_ = OpenPacket();
    open_.queue = queue_;
    open_.tso = buffer.tse;
    TxInstructions& what = open_.what;
    what.pad = config_.pad;
    what.vet = config_.vet;
    what.insert_tag = config_.vlan && buffer.vle;
    what.tag = buffer.tag;
    what.insert_ip = buffer.ixsm;
    what.insert_l4 = buffer.txsm;
    what.context = context();
    open_.headroom = what.insert_tag ? ethernet::kVlanTagBytes : 0;
    const Progress begun = open_.tso ? begin_segmentation() : open_entry(0);
    open_.active = begun == Progress::kDone;
    return begun;
}

TxGatherer::Progress TxGatherer::begin_segmentation() {
    const TxContext& context = open_.what.context;
    if (context.mss == 0 || context.hdrlen + context.mss > kMaximumBytes) {
        stats_.count(Stat::kTSCTFC);
        return fail(RingFault::kBadContext);
    }
    for (TsoHeader& header : headers_) {
        if (header.users > 0 || header.pending_reads > 0) continue;
        header = TsoHeader();
        header.wanted_bytes = context.hdrlen;
        header.users = 1;
        open_.header = &header;
        return Progress::kDone;
    }
    return Progress::kBlocked;
}

TxGatherer::Progress TxGatherer::gather_plain(const TxBuffer& buffer) {
    TxEntry& entry = fifo_.by_position(open_.entry);
    const std::uint32_t total = entry.gathered_bytes + buffer.length;
    const Progress reserved = reserve(entry, total);
    if (reserved != Progress::kDone) return reserved;
    if (buffer.length > 0) {
        if (free_read_count_ == 0) return Progress::kBlocked;
        std::uint8_t* target = entry.frame->data() + entry.headroom + entry.gathered_bytes;
        entry.gathered_bytes = total;
        const Progress issued = read(buffer.address, buffer.length, target, open_.entry, nullptr);
        if (issued != Progress::kDone) return issued;
    }
    if (buffer.eop) close_plain(buffer);
    return Progress::kDone;
}

/// IFCS, and IC of legacy packets, are those of the last descriptor; so is VLE of legacy packets
/// (specification 5.2).
void TxGatherer::close_plain(const TxBuffer& buffer) {
    TxEntry& entry = fifo_.by_position(open_.entry);
    entry.what = open_.what;
    entry.what.append_fcs = buffer.ifcs;
    if (buffer.legacy) {
        entry.what.insert_legacy = buffer.ic;
        entry.what.cso = buffer.cso;
        entry.what.css = buffer.css;
        if (buffer.vle && config_.vlan) {
            entry.what.insert_tag = true;
            entry.what.tag = buffer.tag;
        }
    }
    entry.closed = true;
    entry.dead = entry.gathered_bytes == 0;  // Descriptors without data: completed, nothing sent.
}

// --- segmentation -------------------------------------------------------------------------------

/// The descriptors are one stream: HDRLEN bytes of header, then payload that is cut every MSS
/// bytes. A full segment is closed when more payload comes or the packet ends, so that the last one
/// is known without trusting PAYLEN.
TxGatherer::Progress TxGatherer::gather_segments(const TxBuffer& buffer) {
    const std::uint32_t mss = open_.what.context.mss;
    while (descriptor_offset_ < buffer.length) {
        if (free_read_count_ == 0) return Progress::kBlocked;
        if (open_.header->gathered_bytes < open_.header->wanted_bytes) {
            const Progress issued = gather_header(buffer);
            if (issued != Progress::kDone) return issued;
            continue;
        }
        if (open_.entry != kNoEntry && fifo_.by_position(open_.entry).gathered_bytes == mss) {
            close_segment(false);
        }
        if (open_.entry == kNoEntry) {
            const Progress opened = open_entry(open_.header->wanted_bytes + mss);
            if (opened != Progress::kDone) return opened;
        }
        TxEntry& entry = fifo_.by_position(open_.entry);
        const std::uint32_t bytes =
            std::min(buffer.length - descriptor_offset_, mss - entry.gathered_bytes);
        std::uint8_t* target = entry.frame->data() + entry.headroom + open_.header->wanted_bytes +
                               entry.gathered_bytes;
        const std::uint64_t address = buffer.address + descriptor_offset_;
        entry.gathered_bytes += bytes;
        descriptor_offset_ += bytes;
        const Progress issued = read(address, bytes, target, open_.entry, nullptr);
        if (issued != Progress::kDone) return issued;
    }
    if (!buffer.eop) return Progress::kDone;
    if (open_.entry == kNoEntry) {  // No payload at all: the header goes out alone.
        const Progress opened = open_entry(open_.header->wanted_bytes);
        if (opened != Progress::kDone) return opened;
    }
    close_segment(true);
    counters_.tso_packets++;
    stats_.count(Stat::kTSCTC);
    return Progress::kDone;
}

TxGatherer::Progress TxGatherer::gather_header(const TxBuffer& buffer) {
    TsoHeader& header = *open_.header;
    const std::uint32_t bytes =
        std::min(buffer.length - descriptor_offset_, header.wanted_bytes - header.gathered_bytes);
    std::uint8_t* target = header.bytes.data() + header.gathered_bytes;
    const std::uint64_t address = buffer.address + descriptor_offset_;
    header.gathered_bytes += bytes;
    descriptor_offset_ += bytes;
    return read(address, bytes, target, kNoEntry, &header);
}

void TxGatherer::close_segment(bool last) {
    TxEntry& entry = fifo_.by_position(open_.entry);
    entry.what = open_.what;
    entry.segment.header_bytes = open_.header->gathered_bytes;
    entry.segment.index = open_.segments;
    entry.segment.last = last;
    // A packet that ends within its header and is empty altogether sends nothing.
    entry.dead = entry.dead || open_.header->gathered_bytes + entry.gathered_bytes == 0;
    entry.closed = true;
    if (!entry.dead) counters_.tso_segments++;
    open_.segments++;
    open_.entry = kNoEntry;
}

// --- room, reads, ends --------------------------------------------------------------------------

TxGatherer::Progress TxGatherer::open_entry(std::uint32_t body_bytes) {
    if (fifo_.full()) {
        blocked_bytes_ = 1;
        return Progress::kBlocked;
    }
    TxEntry& entry = fifo_.prepare();
    entry.queue = queue_;
    entry.headroom = open_.headroom;
    const Progress reserved = reserve(entry, body_bytes);
    if (reserved != Progress::kDone) return reserved;
    entry.frame = frames_.take();
    entry.header = open_.header;
    if (entry.header != nullptr) entry.header->users++;
    open_.entry = fifo_.push();
    return Progress::kDone;
}

/// Makes the entry's room in the packet buffer fit `body_bytes`.
TxGatherer::Progress TxGatherer::reserve(TxEntry& entry, std::uint32_t body_bytes) {
    const std::uint32_t wanted =
        packet_buffer_bytes(body_bytes + entry.headroom + ethernet::kFcsBytes);
    if (body_bytes > kMaximumBytes || wanted > fifo_.space().capacity_bytes()) {
        return fail(RingFault::kTooLong);
    }
    if (wanted <= entry.reserved_bytes) return Progress::kDone;
    const std::uint32_t more = wanted - entry.reserved_bytes;
    if (!fifo_.space().reserve(more, timeline_.now_ps())) {
        blocked_bytes_ = more;
        return Progress::kBlocked;
    }
    entry.reserved_bytes = wanted;
    return Progress::kDone;
}

TxGatherer::Progress TxGatherer::read(std::uint64_t address, std::uint32_t size_bytes,
                                      std::uint8_t* target, std::uint32_t entry,
                                      TsoHeader* header) {
    assert(free_read_count_ > 0);
    const std::uint32_t index = free_reads_[--free_read_count_];
    const std::uint64_t descriptor = ring().next_number();
    reads_[index] = {entry, header, queue_, ring().generation(), descriptor};
    ring().slot(descriptor).pending_reads++;
    if (header != nullptr) {
        header->pending_reads++;
    } else {
        fifo_.by_position(entry).pending_reads++;
    }
    DmaRequest request;
    request.address = address;
    request.size_bytes = size_bytes;
    request.kind = DmaKind::kTxData;
    request.tag = epoch_ << 8 | index;
    dma_.read(request, target, *this);
    // A port without time may have completed already, and failed: the packet is gone then.
    return ring().stopped() ? Progress::kFault : Progress::kDone;
}

void TxGatherer::finish_packet() {
    if (open_.header != nullptr) open_.header->users--;
    open_.active = false;
    packets_left_--;
}

void TxGatherer::finish_descriptor(const TxWords& words) {
    DescriptorSlot& slot = ring().slot(ring().next_number());
    slot.reports = rs(words) || config_.report_every;
    slot.delayed = ide(words);
    slot.issued = true;
    slot.landed_ps = std::max(slot.landed_ps, timeline_.now_ps());
    descriptor_offset_ = 0;
    ring().take();
}

TxGatherer::Progress TxGatherer::fail(RingFault fault) {
    ring().fail(fault);  // Its owner abandons the open packet.
    return Progress::kFault;
}

// --- what does not come to an end ---------------------------------------------------------------

void TxGatherer::abandon_open(std::uint32_t queue) {
    if (queue == queue_) descriptor_offset_ = 0;
    if (!open_.active || open_.queue != queue) return;
    if (open_.entry != kNoEntry) {
        TxEntry& entry = fifo_.by_position(open_.entry);
        entry.dead = true;
        entry.closed = true;
    }
    if (open_.header != nullptr) open_.header->users--;
    open_ = OpenPacket();
    packets_left_ = 0;
}

void TxGatherer::abandon_unfinished(std::uint32_t queue) {
    abandon_open(queue);
    for (std::uint32_t age = fifo_.sent(); age < fifo_.size(); age++) {
        TxEntry& entry = fifo_.at(age);
        if (entry.queue == queue && !entry.complete()) entry.dead = true;
    }
}

/// A frame that cannot be read is not sent, nor is anything of its queue behind it: the driver
/// would find their descriptors unfinished and send them again.
void TxGatherer::drop_failed(const Read& read) {
    bool reached = false;
    for (std::uint32_t age = fifo_.sent(); age < fifo_.size(); age++) {
        TxEntry& entry = fifo_.at(age);
        reached = reached || fifo_.position(age) == read.entry ||
                  (read.header != nullptr && entry.header == read.header);
        if (reached && entry.queue == read.queue) entry.dead = true;
    }
}

void TxGatherer::release_header(TxEntry& entry) {
    if (entry.header == nullptr) return;
    entry.header->users--;
    entry.header = nullptr;
}

void TxGatherer::dma_complete(const DmaCompletion& completion) {
    if (completion.tag >> 8 != (epoch_ & 0xffffff)) return;
    const std::uint32_t index = completion.tag & 0xff;
    const Read done = reads_[index];
    free_reads_[free_read_count_++] = static_cast<std::uint8_t>(index);

    DescriptorRing& from = *rings_[done.queue];
    const bool current = done.generation == from.generation();
    if (current) {
        DescriptorSlot& slot = from.slot(done.descriptor);
        slot.pending_reads--;
        slot.landed_ps = std::max(slot.landed_ps, completion.done_ps);
        if (slot.about.packet == 0) slot.about.packet = completion.packet;
    }
    if (done.header != nullptr) {
        done.header->pending_reads--;
        done.header->ready_ps = std::max(done.header->ready_ps, completion.done_ps);
    } else {
        TxEntry& entry = fifo_.by_position(done.entry);
        entry.pending_reads--;
        entry.ready_ps = std::max(entry.ready_ps, completion.done_ps);
        if (entry.frame->packet == 0) entry.frame->packet = completion.packet;
    }
    if (completion.status != DmaStatus::kOk) {
        if (current) {
            from.slot(done.descriptor).pending_reads++;  // It never lands.
            from.fail(RingFault::kData);
        }
        drop_failed(done);
    }
    listener_.data_arrived();
}

}  // namespace doorbell
