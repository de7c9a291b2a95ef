#include "testbench/pcie_bench/descriptor_queue.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "hw/base/generated/events.hpp"

namespace doorbell::pcie_bench {
namespace {

/// On the chip, as a latency of 700 ns wants them: 128 single ones at 40 Gb/s in frames of 64
/// bytes, or a batch in use, one ready and one under way.
constexpr std::uint32_t kStoredDescriptors = 128;
constexpr std::uint32_t kBatches = 3;
constexpr std::uint32_t kWriteBackTag = std::uint32_t{1} << 31;
constexpr std::uint64_t kMessageAddress = 0xFEE00000;

}  // namespace

DescriptorQueue::DescriptorQueue(Direction direction, const DirectionRules& rules,
                                 const RingPlace& ring, Timeline& timeline, DmaPort& dma,
                                 EventPort events, std::function<void()> fetched,
                                 std::function<void()> written_back)
    : direction_(direction),
      rules_(rules),
      ring_(ring),
      timeline_(timeline),
      dma_(dma),
      events_(events),
      fetched_call_(std::move(fetched)),
      written_back_call_(std::move(written_back)),
      fetches_(std::max(kBatches, kStoredDescriptors / rules.fetch)),
      shadow_(std::size_t{ring.length} * kDescriptorBytes),
      arrivals_(timeline, [this](const std::uint32_t& place) { arrived(place); }) {
    assert(rules.write_back_every == 0 || ring.length % rules.write_back_every == 0);
    for (Fetch& fetch : fetches_) fetch.bytes.resize(std::size_t{rules.fetch} * kDescriptorBytes);
}

void DescriptorQueue::tail(std::uint32_t position) {
    tail_ += (position + ring_.length - ring_.position(tail_)) % ring_.length;
    events::doorbell(events_, timeline_, {}, static_cast<std::uint64_t>(direction_), 0, position,
                     tail_ - fetched_);
    fetch();
}

/// Whole batches; what is less only when nothing is on the chip or on its way to it.
void DescriptorQueue::fetch() {
    while (next_fetch_ - oldest_fetch_ < fetches_.size()) {
        const std::uint64_t available = tail_ - fetched_;
        const bool starved = next_fetch_ == oldest_fetch_;
        if (available < (starved ? 1 : rules_.fetch)) return;
        const std::uint32_t to_end = ring_.length - ring_.position(fetched_);
        Fetch& fetch = fetch_at(next_fetch_);
        fetch.first = fetched_;
        fetch.count = std::min<std::uint32_t>(
            to_end, static_cast<std::uint32_t>(std::min<std::uint64_t>(available, rules_.fetch)));
        fetch.arrived = false;
        fetched_ += fetch.count;
        DmaRequest request;
        request.address = ring_.descriptor(fetch.first);
        request.size_bytes = fetch.count * kDescriptorBytes;
        request.kind = doorbell::DmaKind::kDescriptorFetch;
        request.tag = static_cast<std::uint32_t>(next_fetch_ % fetches_.size());
        next_fetch_++;
        dma_.read(request, fetch.bytes.data(), *this);
    }
}

void DescriptorQueue::dma_complete(const DmaCompletion& completion) {
    assert(completion.status == DmaStatus::kOk && "the ring is in host memory");
    if (completion.tag == kWriteBackTag) return written_back_call_();
    arrivals_.send(completion.done_ps, completion.tag);
}

/// Answers may overtake each other; descriptors are used in order.
void DescriptorQueue::arrived(std::uint32_t place) {
    fetches_[place].arrived = true;
    if (has_descriptor()) fetched_call_();
}

bool DescriptorQueue::has_descriptor() const {
    return next_fetch_ != oldest_fetch_ && fetches_[oldest_fetch_ % fetches_.size()].arrived;
}

Descriptor DescriptorQueue::take() {
    assert(has_descriptor());
    const Fetch& fetch = fetch_at(oldest_fetch_);
    const Descriptor descriptor =
        Descriptor::load(&fetch.bytes[(taken_ - fetch.first) * kDescriptorBytes]);
    descriptor.store(&shadow_[std::size_t{ring_.position(taken_)} * kDescriptorBytes]);
    taken_++;
    if (taken_ == fetch.first + fetch.count) {
        oldest_fetch_++;
        this->fetch();
    }
    return descriptor;
}

void DescriptorQueue::complete(std::uint32_t length) {
    assert(completed_ < taken_);
    std::uint8_t* bytes = &shadow_[std::size_t{ring_.position(completed_)} * kDescriptorBytes];
    Descriptor descriptor = Descriptor::load(bytes);
    descriptor.length = length;
    descriptor.done = true;
    descriptor.store(bytes);
    completed_++;
    if (rules_.write_back_every != 0 && completed_ % rules_.write_back_every == 0) write_back();
    if (rules_.interrupt_every != 0 && completed_ % rules_.interrupt_every == 0) {
        dma_.message(kMessageAddress, static_cast<std::uint32_t>(direction_));
    }
}

void DescriptorQueue::write_back() {
    const std::uint64_t first = completed_ - rules_.write_back_every;
    DmaRequest request;
    request.address = ring_.descriptor(first);
    request.size_bytes = rules_.write_back_every * kDescriptorBytes;
    request.kind = doorbell::DmaKind::kWriteBack;
    request.tag = kWriteBackTag;
    dma_.write(request, &shadow_[std::size_t{ring_.position(first)} * kDescriptorBytes], *this);
}

}  // namespace doorbell::pcie_bench
