#include "testbench/pcie_bench/discipline_player.hpp"

#include <algorithm>
#include <cassert>
#include <string_view>

#include "hw/base/generated/events.hpp"
#include "hw/regs/generated/i82574l_regs.hpp"
#include "testbench/pcie_bench/formula.hpp"

namespace doorbell::pcie_bench {
namespace {

constexpr std::uint32_t kWriteTag = std::uint32_t{1} << 31;
constexpr std::uint32_t kRegisterBytes = 4;
constexpr std::uint32_t kPreambleAndGapBytes = 20;
constexpr std::uint64_t kPageBytes = 4096;

std::uint64_t ring_bytes(const DisciplineLoad& load) {
    return (std::uint64_t{load.ring_descriptors} * kDescriptorBytes + kPageBytes - 1) / kPageBytes *
           kPageBytes;
}

RingPlace ring_of(const DisciplineLoad& load, Direction direction) {
    const std::uint64_t buffers = std::uint64_t{load.ring_descriptors} * RingPlace::kBufferBytes;
    const std::uint64_t base =
        HostMemory::kBase + static_cast<std::uint64_t>(direction) * (ring_bytes(load) + buffers);
    return {base, base + ring_bytes(load), load.ring_descriptors};
}

/// Tail and head registers as the 82574L has them, for the event stream.
std::uint32_t offset_of_tail(Direction direction) {
    return direction == Direction::kTx ? regs::i82574l::TDT.offset : regs::i82574l::RDT.offset;
}
std::uint32_t offset_of_head(Direction direction) {
    return direction == Direction::kTx ? regs::i82574l::TDH.offset : regs::i82574l::RDH.offset;
}

}  // namespace

std::uint64_t DisciplinePlayer::memory_bytes(const DisciplineLoad& load) {
    const std::uint64_t buffers = std::uint64_t{load.ring_descriptors} * RingPlace::kBufferBytes;
    return 2 * (ring_bytes(load) + buffers);
}

DisciplinePlayer::DisciplinePlayer(const DisciplineLoad& load, Timeline& timeline,
                                   HostMemory& memory, Requester& device, EventPort events)
    : load_(load),
      timeline_(timeline),
      device_(device),
      events_(events),
      tx_driver_(Direction::kTx, rules_of(load.discipline).tx, ring_of(load, Direction::kTx),
                 load.data_bytes(), memory, *this),
      rx_driver_(Direction::kRx, rules_of(load.discipline).rx, ring_of(load, Direction::kRx),
                 load.data_bytes(), memory, *this),
      tx_(
          Direction::kTx, rules_of(load.discipline).tx, ring_of(load, Direction::kTx), timeline,
          device.dma(), events, [this] { read_frames(); }, [this] { tx_driver_.memory_changed(); }),
      rx_(
          Direction::kRx, rules_of(load.discipline).rx, ring_of(load, Direction::kRx), timeline,
          device.dma(), events, [this] { write_frames(); },
          [this] { rx_driver_.memory_changed(); }),
      tail_writes_(timeline,
                   [this](const TailWrite& write) {
                       events::register_write(events_, timeline_, {}, 0,
                                              offset_of_tail(write.direction), write.tail);
                       queue(write.direction).tail(write.tail);
                   }),
      head_reads_(timeline, [this](const HeadRead& read) { head_looked_up(read); }),
      heads_(timeline,
             [this](const HeadRead& read) { driver(read.direction).head(read.head, read.covers); }),
      buffer_(std::size_t{load.buffer_frames} * load.data_bytes()),
      there_(load.buffer_frames),
      reads_(timeline, [this](const std::uint32_t& place) { frame_read(place); }),
      wire_(timeline, [this](const std::uint64_t&) { frame_left(); }) {
    assert(load.data_bytes() <= RingPlace::kBufferBytes);
    memory.on_message([this](std::uint32_t direction) {
        interrupts_++;
        driver(static_cast<Direction>(direction)).interrupt();
    });
}

void DisciplinePlayer::start() {
    if (load_.warm_up == 0) begin_ = mark();
    rx_driver_.start();
    tx_driver_.start();
}

// --- the driver's way to the registers, over the link ---

void DisciplinePlayer::write_tail(Direction direction, std::uint32_t tail) {
    tails_++;
    tail_writes_.send(device_.link().posted_write_down(kRegisterBytes, timeline_.now_ps()),
                      {direction, tail});
}

void DisciplinePlayer::read_head(Direction direction, std::uint64_t covers) {
    heads_read_++;
    head_reads_.send(device_.link().register_read_ready(timeline_.now_ps()),
                     {direction, 0, covers});
}

void DisciplinePlayer::head_looked_up(HeadRead read) {
    read.head = queue(read.direction).head();
    events::register_read(events_, timeline_, {}, 0, offset_of_head(read.direction), read.head);
    heads_.send(device_.link().register_completion_arrival(kRegisterBytes, timeline_.now_ps()),
                read);
}

// --- a frame: out of host memory, round the wire, into host memory ---

void DisciplinePlayer::read_frames() {
    while (tx_.has_descriptor() && reading_ - received_ < load_.buffer_frames) {
        const Descriptor descriptor = tx_.take();
        DmaRequest request;
        request.address = descriptor.buffer;
        request.size_bytes = descriptor.length;
        request.kind = doorbell::DmaKind::kTxData;
        request.tag = place(reading_);
        std::uint8_t* target = bytes_of(reading_);
        there_[place(reading_)] = false;
        reading_++;
        device_.dma().read(request, target, *this);
    }
}

void DisciplinePlayer::dma_complete(const DmaCompletion& completion) {
    assert(completion.status == DmaStatus::kOk && "buffers are in host memory");
    if ((completion.tag & kWriteTag) != 0) return frame_received();
    reads_.send(completion.done_ps, completion.tag);
}

/// Answers may overtake each other; frames leave in order, one behind the other.
void DisciplinePlayer::frame_read(std::uint32_t where) {
    there_[where] = true;
    while (sending_ < reading_ && there_[place(sending_)]) {
        sending_++;
        if (load_.wire_mbps == 0) {
            frame_left();
            continue;
        }
        const std::uint64_t bits = std::uint64_t{load_.frame_bytes + kPreambleAndGapBytes} * 8;
        wire_free_ps_ =
            std::max(wire_free_ps_, timeline_.now_ps()) + bits * microseconds(1) / load_.wire_mbps;
        wire_.send(wire_free_ps_, sending_);
    }
}

void DisciplinePlayer::frame_left() {
    left_++;
    tx_.complete(load_.data_bytes());
    write_frames();
}

void DisciplinePlayer::write_frames() {
    while (written_ < left_ && rx_.has_descriptor()) {
        const Descriptor descriptor = rx_.take();
        DmaRequest request;
        request.address = descriptor.buffer;
        request.size_bytes = load_.data_bytes();
        request.kind = doorbell::DmaKind::kRxData;
        request.tag = kWriteTag;
        std::uint8_t* source = bytes_of(written_);
        written_++;
        device_.dma().write(request, source, *this);
        rx_.complete(load_.data_bytes());
    }
}

/// A frame is in host memory, and its place in the packet buffer free.
void DisciplinePlayer::frame_received() {
    if (finished()) return;
    received_++;
    if (received_ == load_.warm_up) begin_ = mark();
    if (finished()) {
        end_ = mark();
        tx_driver_.stop();
        rx_driver_.stop();
        return;
    }
    read_frames();
}

// --- what was measured ---

DisciplinePlayer::Mark DisciplinePlayer::mark() const {
    class Counters final : public MetricVisitor {
    public:
        explicit Counters(Mark& mark) : mark_(mark) {}
        void metric(std::string_view name, std::uint64_t value) override {
            if (name == "pcie.upstream.bytes") mark_.upstream_bytes = value;
            if (name == "pcie.downstream.bytes") mark_.downstream_bytes = value;
            if (name == "pcie.upstream.busy_ns") mark_.upstream_busy_ns = value;
            if (name == "pcie.downstream.busy_ns") mark_.downstream_busy_ns = value;
        }
        void metric_real(std::string_view, double) override {}

    private:
        Mark& mark_;
    };
    Mark mark;
    mark.time_ps = timeline_.now_ps();
    mark.sent = left_;
    mark.received = received_;
    Counters counters(mark);
    device_.link().visit_metrics(counters);
    return mark;
}

double DisciplinePlayer::gbps(std::uint64_t frames) const {
    if (!finished() || end_.time_ps == begin_.time_ps) return 0;
    const double bits = 8.0 * load_.data_bytes() * static_cast<double>(frames);
    return bits * 1'000 / static_cast<double>(end_.time_ps - begin_.time_ps);
}

double DisciplinePlayer::discipline_gbps() const {
    return std::min(rx_gbps(), tx_gbps());
}

bool DisciplinePlayer::keeps_up() const {
    constexpr double kNearlyAll = 0.999;
    return load_.wire_mbps != 0 && discipline_gbps() >= kNearlyAll * wire_gbps(load_);
}

void DisciplinePlayer::visit_metrics(MetricVisitor& visitor) const {
    const PcieLinkParams& link = device_.link().params();
    const double frames = static_cast<double>(end_.received - begin_.received);
    const double elapsed_ns = static_cast<double>(end_.time_ps - begin_.time_ps) / 1'000;
    const auto ratio = [](std::uint64_t from, std::uint64_t to, double of) {
        return of > 0 ? static_cast<double>(to - from) / of : 0;
    };
    const bool measured = finished();
    visitor.metric_real("discipline.gbps", discipline_gbps());
    visitor.metric_real("discipline.tx_gbps", tx_gbps());
    visitor.metric_real("discipline.rx_gbps", rx_gbps());
    visitor.metric_real("discipline.formula_gbps", pcie_bench::discipline_gbps(load_, link));
    visitor.metric_real("discipline.wire_gbps", wire_gbps(load_));
    visitor.metric("discipline.keeps_up", keeps_up() ? 1 : 0);
    visitor.metric_real("discipline.frames_per_s",
                        discipline_gbps() * 1e9 / 8 / load_.data_bytes());
    visitor.metric("discipline.frames", measured ? end_.received - begin_.received : 0);
    visitor.metric("discipline.misdelivered_frames", misdelivered());
    visitor.metric("discipline.tail_writes", tails_);
    visitor.metric("discipline.head_reads", heads_read_);
    visitor.metric("discipline.interrupts", interrupts_);
    const double of_frames = measured ? frames : 0;
    const double of_time = measured ? elapsed_ns : 0;
    visitor.metric_real("discipline.upstream_bytes_per_frame",
                        ratio(begin_.upstream_bytes, end_.upstream_bytes, of_frames));
    visitor.metric_real("discipline.downstream_bytes_per_frame",
                        ratio(begin_.downstream_bytes, end_.downstream_bytes, of_frames));
    visitor.metric_real("discipline.upstream_busy",
                        ratio(begin_.upstream_busy_ns, end_.upstream_busy_ns, of_time));
    visitor.metric_real("discipline.downstream_busy",
                        ratio(begin_.downstream_busy_ns, end_.downstream_busy_ns, of_time));
}

}  // namespace doorbell::pcie_bench
