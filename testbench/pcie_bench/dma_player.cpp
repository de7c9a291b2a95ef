#include "testbench/pcie_bench/dma_player.hpp"

#include <algorithm>
#include <cassert>

#include "hw/base/bits.hpp"

namespace doorbell::pcie_bench {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
/// A completion says which of a slot's two requests it is of.
constexpr std::uint32_t kWriteTag = std::uint32_t{1} << 31;
constexpr std::uint32_t kStampBytes = 8;
constexpr std::uint64_t kOffsetStream = 0x646d61;

std::uint64_t round_up(std::uint64_t bytes, std::uint64_t unit) {
    return (bytes + unit - 1) / unit * unit;
}

}  // namespace

Window::Window(const DmaLoad& load)
    : stride_bytes_(round_up(load.size_bytes, load.align_bytes)),
      page_bytes_(round_up(std::max(stride_bytes_, kPageBytes), kPageBytes)),
      per_page_(page_bytes_ / stride_bytes_) {
    assert(load.size_bytes >= 1 && load.window_bytes >= load.size_bytes);
    const std::uint64_t rest = load.window_bytes % page_bytes_;
    // The last place needs no room behind its transfer.
    const std::uint64_t in_rest =
        rest < load.size_bytes ? 0 : (rest - load.size_bytes) / stride_bytes_ + 1;
    places_ = load.window_bytes / page_bytes_ * per_page_ + std::min(in_rest, per_page_);
}

DmaPlayer::DmaPlayer(const DmaLoad& load, std::uint64_t seed, Timeline& timeline, DmaPort& dma,
                     std::uint64_t base)
    : load_(load),
      window_(load),
      timeline_(timeline),
      dma_(dma),
      base_(base),
      prng_(seed, kOffsetStream),
      latencies_(load.transfers),
      slots_(load.in_flight),
      buffers_(std::size_t{2} * load.in_flight * std::max(load.size_bytes, kStampBytes)),
      reads_(timeline, [this](const std::uint32_t& slot) { part_done(slot, true); }) {
    assert(load.in_flight >= 1 && load.transfers >= 1);
}

void DmaPlayer::start() {
    for (std::uint32_t slot = 0; slot < load_.in_flight; slot++) issue(slot);
}

void DmaPlayer::issue(std::uint32_t index) {
    Slot& slot = slots_[index];
    DmaRequest request;
    request.address = base_ + next_offset();
    request.size_bytes = load_.size_bytes;
    slot.issued_ps = timeline_.now_ps();
    slot.latency_ps = 0;
    slot.number = ++issued_;
    slot.parts = load_.kind == DmaKind::kBoth || load_.kind == DmaKind::kWriteRead ? 2 : 1;
    if (load_.kind != DmaKind::kRead) {
        store_le64(source_of(index), slot.number);
        request.kind = doorbell::DmaKind::kRxData;
        request.tag = index | kWriteTag;
        dma_.write(request, source_of(index), *this);
    }
    // A read passes no write, so that of a pair the write goes first; where both run for their
    // bandwidth, they go to places of their own.
    if (load_.kind == DmaKind::kWrite) return;
    if (load_.kind == DmaKind::kBoth) request.address = base_ + next_offset();
    request.kind = doorbell::DmaKind::kTxData;
    request.tag = index;
    dma_.read(request, target_of(index), *this);
}

void DmaPlayer::dma_complete(const DmaCompletion& completion) {
    const std::uint32_t slot = completion.tag & ~kWriteTag;
    if (completion.status != DmaStatus::kOk) failed_++;
    if ((completion.tag & kWriteTag) != 0) {
        part_done(slot, load_.kind == DmaKind::kWrite);
    } else {
        if (completion.status == DmaStatus::kOk) check_read(slot);
        reads_.send(completion.done_ps, slot);
    }
}

/// What a write and read brings back is its own write, or one behind it.
void DmaPlayer::check_read(std::uint32_t slot) {
    if (load_.kind != DmaKind::kWriteRead || load_.size_bytes < kStampBytes) return;
    if (load_le64(target_of(slot)) < slots_[slot].number) stale_++;
}

/// `timed`: the part whose end is the end of the latency.
void DmaPlayer::part_done(std::uint32_t index, bool timed) {
    Slot& slot = slots_[index];
    if (timed) slot.latency_ps = timeline_.now_ps() - slot.issued_ps;
    if (--slot.parts > 0) return;
    if (finished()) return;
    done(slot);
    if (!finished()) issue(index);
}

void DmaPlayer::done(const Slot& slot) {
    done_++;
    if (done_ > load_.warm_up) latencies_.add(slot.latency_ps);
    if (done_ == load_.warm_up) measured_from_ps_ = timeline_.now_ps();
    if (finished()) measured_to_ps_ = timeline_.now_ps();
}

std::uint64_t DmaPlayer::next_offset() {
    if (load_.order == DmaOrder::kRandom) return window_.offset(prng_.below(window_.places()));
    const std::uint64_t place = next_place_;
    next_place_ = (next_place_ + 1) % window_.places();
    return window_.offset(place);
}

std::uint8_t* DmaPlayer::source_of(std::uint32_t slot) {
    const std::size_t size = std::max(load_.size_bytes, kStampBytes);
    return &buffers_[std::size_t{2} * slot * size];
}

std::uint8_t* DmaPlayer::target_of(std::uint32_t slot) {
    return source_of(slot) + std::max(load_.size_bytes, kStampBytes);
}

double DmaPlayer::goodput_gbps() const {
    if (!finished() || measured_to_ps_ == measured_from_ps_) return 0;
    const double bits =
        8.0 * static_cast<double>(load_.size_bytes) * static_cast<double>(load_.transfers);
    return bits * 1'000 / static_cast<double>(measured_to_ps_ - measured_from_ps_);
}

void DmaPlayer::visit_metrics(MetricVisitor& visitor) const {
    const auto ns = [](Picoseconds ps) { return static_cast<double>(ps) / 1'000; };
    const double gbps = goodput_gbps();
    visitor.metric("dma.transfers", latencies_.count());
    visitor.metric("dma.failed_transfers", failed_);
    visitor.metric("dma.stale_reads", stale_);
    visitor.metric_real("dma.goodput_gbps", gbps);
    visitor.metric_real("dma.transfers_per_s", gbps * 1e9 / 8 / load_.size_bytes);
    visitor.metric_real("dma.latency_ns.min", ns(latencies_.quantile(0)));
    visitor.metric_real("dma.latency_ns.p50", ns(latencies_.quantile(500)));
    visitor.metric_real("dma.latency_ns.p95", ns(latencies_.quantile(950)));
    visitor.metric_real("dma.latency_ns.p999", ns(latencies_.quantile(999)));
    visitor.metric_real("dma.latency_ns.max", ns(latencies_.quantile(1000)));
}

}  // namespace doorbell::pcie_bench
