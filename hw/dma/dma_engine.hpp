#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "hw/base/device_state.hpp"
#include "hw/base/dma_fault.hpp"
#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/host_port.hpp"
#include "hw/base/loan_pool.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/pcie_port.hpp"
#include "hw/base/request_ring.hpp"
#include "hw/base/timeline.hpp"

namespace doorbell {

/// Whose read leaves next when several blocks of the chip wait for tags or credits.
enum class DmaArbitration : std::uint8_t {
    kInOrder,     ///< Who asked first, whoever it is: one queue.
    kRoundRobin,  ///< The clients in turn, one read each; each client's own stay in order.
};

struct DmaParams {
    /// What a requester may have under way with tags of 10 bits, whose upper two must not both be
    /// clear; 32 with those of 5 bits that the 82574L has, 256 with extended tags of 8 (PCIe 4.0,
    /// 2.2.6.2).
    static constexpr std::uint32_t kMaxReadTags = 768;
    /// Outstanding read requests (TCTL.MULR). Each MRRS piece of a read takes one: 8 keep two full
    /// frames of three pieces under way, and a descriptor fetch of each direction besides, which
    /// covers the latency of a Gen1 x1 link (spec section 12: multiple outstanding reads).
    std::uint32_t read_tags = 8;
    /// A read that is never answered ends after this time (spec section 12: 50 us to 50 ms).
    Picoseconds completion_timeout_ps = milliseconds(10);
    /// Posted writes and messages submitted at one instant (a burst: data, write-back, interrupt)
    /// become visible together, when the last of them has arrived, in order. Saves process
    /// activations; visible to software only as a write that it sees up to a burst later. Off:
    /// each at its own arrival.
    bool coalesce_posted_writes = true;
    /// Every request of a read (each MRRS piece) is sampled at its own time, and takes and frees
    /// its tag by itself: a task each. Off: a read is sampled when memory has the data of its last
    /// request, with one task, and has all its tags until all of it is here; its completions come
    /// when they would. A read of more requests than there are tags or credits has a task for each
    /// in any case. Makes a difference to reads longer than the MRRS only.
    bool task_per_request = false;
    DmaArbitration arbitration = DmaArbitration::kInOrder;
};

/// Moves bytes between the NIC and host memory over a timed PCIe link. Reads go out as tags are
/// free, cross the link, meet memory when its latency has passed (one task, and there the client
/// is called) and come back over the completion direction. Writes, messages and INTx changes are
/// one posted queue: visible in order, whatever happens to each of them.
class DmaEngine final : public DmaPort {
public:
    DmaEngine(const DmaParams& params, Timeline& timeline, HostPort& host, PciePort& link,
              const DeviceState& state, EventPort events);
    ~DmaEngine() override;
    DmaEngine(const DmaEngine&) = delete;
    DmaEngine& operator=(const DmaEngine&) = delete;

    void read(const DmaRequest& request, std::uint8_t* target, DmaClient& client) override;
    void write(const DmaRequest& request, const std::uint8_t* source, DmaClient& client) override;
    void message(std::uint64_t address, std::uint32_t data) override;
    void interrupt_pin(bool asserted) override;
    /// Without bus mastering, what has not left is held and does not count.
    [[nodiscard]] std::uint32_t outstanding() const override {
        if (state_.bus_master) return outstanding_;
        const bool first_has_left = leaving_ != nullptr && leaving_under_way();
        return outstanding_ - waiting_reads_ - held_.size() + (first_has_left ? 1 : 0);
    }
    void device_state_changed() override {
        release_held_writes();
        pump_reads();
    }

    /// A new epoch: every request is forgotten, nobody is called any more. Only the level of INTA
    /// survives: if the host has not seen the last change yet, it still will.
    void reset();

    /// Makes every posted write that has arrived by now visible at once, in the middle of a burst
    /// as well. For the completion of a register read, which pushes the writes before it.
    void push_posted_writes();

    void set_error_listener(DmaErrorListener* listener) { error_listener_ = listener; }
    /// Faults of tests and scenarios; nullptr: none.
    void set_fault_hook(DmaFaultHook* hook) { fault_hook_ = hook; }

    void visit_metrics(MetricVisitor& visitor) const;

private:
    struct PendingRead {
        DmaRequest request;
        std::uint8_t* target;
        DmaClient* client;
    };
    enum class PostedKind : std::uint8_t { kWrite, kMessage, kPin };
    struct Posted {
        DmaRequest request;
        const std::uint8_t* source;
        DmaClient* client;
        std::uint32_t data;  ///< Of a message; of a pin change its level.
        PostedKind kind;
        DmaStatus status;  ///< Decided on submission: another than kOk moves nothing.
        Picoseconds submitted_ps;
        Picoseconds arrival_ps;
    };
    struct HeldWrite {
        DmaRequest request;
        const std::uint8_t* source;
        DmaClient* client;
    };
    struct ReadSlot;
    struct SplitRead;
    /// Reads that wait for each other: all, or those of one client.
    struct ReadQueue {
        const DmaClient* client;
        RequestRing<PendingRead> reads;
    };

    [[nodiscard]] std::uint32_t queue_of(const DmaClient& client);
    [[nodiscard]] std::uint32_t next_queue(std::uint32_t queue) const {
        return queue + 1 < queues_.size() ? queue + 1 : 0;
    }
    void pump_reads();
    [[nodiscard]] bool issue(const PendingRead& pending);
    [[nodiscard]] bool issue_whole(const PendingRead& pending, std::uint32_t requests);
    [[nodiscard, gnu::noinline]] bool issue_requests(const PendingRead& pending);
    [[nodiscard]] bool leaving_under_way() const;
    // The steps of a read. Reads in one piece, the usual ones, run through them without a call.
    [[nodiscard, gnu::always_inline]] inline bool may_leave(std::uint32_t requests,
                                                            Picoseconds now_ps);
    [[gnu::noinline]] void look_again(std::uint32_t requests, Picoseconds credits_ps,
                                      Picoseconds now_ps);
    [[gnu::always_inline]] inline void leave(const DmaRequest& request, Picoseconds now_ps);
    [[gnu::always_inline]] inline void send(const PendingRead& pending, std::uint32_t requests,
                                            DmaStatus status, SplitRead* part_of,
                                            Picoseconds now_ps);
    void read_ready(ReadSlot& slot);
    [[gnu::noinline]] void request_complete(SplitRead& read, const DmaCompletion& completion);
    [[gnu::always_inline]] inline void complete(const PendingRead& pending,
                                                DmaCompletion& completion);

    void issue(const DmaRequest& request, const std::uint8_t* source, DmaClient& client);
    void release_held_writes();
    Posted& post(PostedKind kind, Picoseconds arrival_ps);
    [[nodiscard]] bool joins(const Posted& entry, const Posted& burst) const;
    [[nodiscard]] Picoseconds first_burst_visible_ps() const;
    void deliver(const Posted& entry);

    [[nodiscard]] DmaStatus judge(DmaOperation operation, const DmaRequest& request);
    void submitted();
    void count(DmaStatus status);

    DmaParams params_;
    Timeline& timeline_;
    HostPort& host_;
    PciePort& link_;
    const DeviceState& state_;
    EventPort events_;
    DmaFaultHook* fault_hook_ = nullptr;
    DmaErrorListener* error_listener_ = nullptr;

    std::vector<ReadQueue> queues_;
    std::uint32_t turn_ = 0;                        ///< The queue whose first read leaves next.
    std::uint32_t waiting_reads_ = 0;               ///< In all queues.
    std::vector<std::unique_ptr<ReadSlot>> slots_;  ///< As many as tags, made once.
    std::vector<ReadSlot*> free_slots_;
    /// Reads of which each request has a task of its own, while any of those is under way.
    std::vector<std::unique_ptr<SplitRead>> split_reads_;
    std::vector<SplitRead*> free_split_reads_;
    SplitRead* leaving_ = nullptr;  ///< The read whose turn it is, when a part of it has left.
    const Picoseconds delivery_ps_per_byte_;
    const std::uint32_t most_at_once_;  ///< Requests: for more there are no tags or credits.
    LoanPool tags_;
    Task tags_free_task_;

    RequestRing<HeldWrite> held_;
    RequestRing<Posted> posted_;
    Picoseconds last_visible_ps_ = 0;
    bool delivering_ = false;
    Task posted_task_;

    std::uint32_t epoch_ = 0;
    std::uint32_t outstanding_ = 0;
    bool pin_requested_ = false;
    bool pin_delivered_ = false;

    struct Counters {
        std::uint64_t reads = 0;
        std::uint64_t read_bytes = 0;
        std::uint64_t writes = 0;
        std::uint64_t write_bytes = 0;
        std::uint64_t messages = 0;
        std::uint64_t unsupported = 0;
        std::uint64_t unsent_messages = 0;
        std::uint64_t timeouts = 0;
        std::uint64_t tag_waits = 0;
        std::uint64_t peak_outstanding = 0;
        std::uint64_t dropped_by_reset = 0;
    } counters_;
};

}  // namespace doorbell
