#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "hw/base/dma_port.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell::test {

/// Host memory in an array behind a DMA port with simple timing: a read samples after a latency and
/// is in the device after its bytes have crossed; writes become visible in order. Everything can be
/// made to complete within the call, and the Nth operation to fail.
class FakeDma final : public DmaPort {
public:
    static constexpr std::uint64_t kBase = 0x1'2340'0000;
    static constexpr std::uint32_t kBytes = 4u << 20;

    explicit FakeDma(ManualTimeline& timeline)
        : timeline_(timeline), memory_(kBytes, 0), task_([this] { run(); }) {}
    ~FakeDma() override { timeline_.cancel(task_); }

    bool immediate = false;
    Picoseconds read_latency_ps = nanoseconds(600);
    Picoseconds write_latency_ps = nanoseconds(300);
    Picoseconds byte_ps = 4'000;  // 250 MB/s, a Gen1 lane
    /// Number (from 1) of the operation that fails; 0: none.
    std::uint64_t fail_at = 0;
    std::uint64_t operations = 0;
    std::optional<DmaKind> failed;  ///< What kind of operation that was.
    std::map<DmaKind, std::uint64_t> requests;
    /// Where descriptors were written back, in order.
    std::vector<std::uint64_t> write_backs;

    [[nodiscard]] std::uint8_t* at(std::uint64_t address) {
        assert(address >= kBase && address < kBase + kBytes);
        return memory_.data() + (address - kBase);
    }
    /// The identity of a range of bytes: given by the host, or left by the device.
    void name(std::uint64_t address, std::uint32_t size_bytes, std::uint64_t packet) {
        names_[address] = {size_bytes, packet};
    }
    [[nodiscard]] std::uint64_t name_of(std::uint64_t address) const {
        auto after = names_.upper_bound(address);
        if (after == names_.begin()) return 0;
        const auto& [start, named] = *--after;
        return address - start < named.size_bytes ? named.packet : 0;
    }

    void read(const DmaRequest& request, std::uint8_t* target, DmaClient& client) override {
        submit({request, target, nullptr, &client, next_status(request)});
    }
    void write(const DmaRequest& request, const std::uint8_t* source, DmaClient& client) override {
        if (request.kind == DmaKind::kWriteBack) write_backs.push_back(request.address);
        submit({request, nullptr, source, &client, next_status(request)});
    }
    void message(std::uint64_t, std::uint32_t) override {}
    void interrupt_pin(bool) override {}
    [[nodiscard]] std::uint32_t outstanding() const override { return outstanding_; }

    void reset() {
        queue_.clear();
        outstanding_ = 0;
        timeline_.cancel(task_);
    }

private:
    struct Pending {
        DmaRequest request;
        std::uint8_t* target;
        const std::uint8_t* source;
        DmaClient* client;
        DmaStatus status;
    };

    DmaStatus next_status(const DmaRequest& request) {
        operations++;
        requests[request.kind]++;
        const bool mapped = request.address >= kBase && request.address < kBase + kBytes &&
                            request.size_bytes <= kBase + kBytes - request.address;
        const bool good = mapped && operations != fail_at;
        if (operations == fail_at) failed = request.kind;
        return good ? DmaStatus::kOk : DmaStatus::kUnsupportedRequest;
    }
    void submit(const Pending& pending) {
        outstanding_++;
        if (immediate) return finish(pending);
        Picoseconds due = timeline_.now_ps();
        if (pending.target != nullptr) {
            due += read_latency_ps;
        } else {
            due = std::max(due + write_latency_ps, last_write_ps_);
            last_write_ps_ = due;
        }
        queue_.emplace(due, pending);
        timeline_.schedule_by(task_, queue_.begin()->first);
    }
    void run() {
        while (!queue_.empty() && queue_.begin()->first <= timeline_.now_ps()) {
            const Pending pending = queue_.begin()->second;
            queue_.erase(queue_.begin());
            finish(pending);
        }
        if (!queue_.empty()) timeline_.schedule_by(task_, queue_.begin()->first);
    }
    void finish(const Pending& pending) {
        const DmaRequest& request = pending.request;
        DmaCompletion completion;
        completion.tag = request.tag;
        completion.status = pending.status;
        completion.done_ps = timeline_.now_ps();
        if (pending.status == DmaStatus::kOk && pending.target != nullptr) {
            std::memcpy(pending.target, at(request.address), request.size_bytes);
            completion.packet = name_of(request.address);
        } else if (pending.status == DmaStatus::kOk) {
            std::memcpy(at(request.address), pending.source, request.size_bytes);
            if (request.kind == DmaKind::kRxData)
                name(request.address, request.size_bytes, request.packet);
        }
        if (pending.target != nullptr && !immediate) {
            link_free_ps_ =
                std::max(link_free_ps_, timeline_.now_ps()) + request.size_bytes * byte_ps;
            completion.done_ps = link_free_ps_;
        }
        outstanding_--;
        pending.client->dma_complete(completion);
    }

    ManualTimeline& timeline_;
    std::vector<std::uint8_t> memory_;
    struct Named {
        std::uint32_t size_bytes;
        std::uint64_t packet;
    };
    std::map<std::uint64_t, Named> names_;
    std::multimap<Picoseconds, Pending> queue_;
    Picoseconds last_write_ps_ = 0;
    Picoseconds link_free_ps_ = 0;
    std::uint32_t outstanding_ = 0;
    Task task_;
};

}  // namespace doorbell::test
