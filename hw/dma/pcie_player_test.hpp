#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/timeline.hpp"
#include "hw/dma/dma_engine.hpp"
#include "hw/pcie/pcie_link.hpp"

/// Plays transfers through a real DmaEngine and PcieLink, the way pcie-bench's device does.
namespace doorbell::pcie_test {

/// Memory everywhere, that keeps nothing.
class AnyHost final : public HostPort {
public:
    DmaStatus read(std::uint64_t, std::uint8_t*, std::uint32_t, std::uint64_t&) override {
        return DmaStatus::kOk;
    }
    DmaStatus write(std::uint64_t address, const std::uint8_t*, std::uint32_t,
                    std::uint64_t) override {
        seen.push_back(address);
        return DmaStatus::kOk;
    }
    void message(std::uint64_t address, std::uint32_t) override { seen.push_back(address); }
    void interrupt_pin(bool) override {}
    std::vector<std::uint64_t> seen;  ///< Addresses of what was written, in order.
};

inline PcieLinkParams gen3_x8() {
    PcieLinkParams params;
    params.generation = 3;
    params.lanes = 8;
    params.max_payload_bytes = 256;
    params.max_read_request_bytes = 512;
    return params;
}

struct Transfer {
    Picoseconds start_ps = 0;
    bool read = false;
    std::uint64_t address = 0;
    std::uint32_t size_bytes = 0;
};

/// A device: engine and link on a timeline of its own.
struct Device final : DmaClient {
    explicit Device(const PcieLinkParams& link_params, std::uint32_t tags = 32,
                    std::uint64_t seed = 1, bool task_per_request = true)
        : link(link_params, seed),
          engine(engine_params(tags, task_per_request), timeline, host, link, state, {}) {
        state.bus_master = true;
    }
    static DmaParams engine_params(std::uint32_t tags, bool task_per_request) {
        DmaParams params;
        params.read_tags = tags;
        params.coalesce_posted_writes = false;
        params.task_per_request = task_per_request;
        return params;
    }

    void submit(const Transfer& transfer, std::uint32_t tag = 0) {
        DmaRequest request;
        request.address = transfer.address;
        request.size_bytes = transfer.size_bytes;
        request.tag = tag;
        if (transfer.read) {
            engine.read(request, bytes.data(), *this);
        } else {
            engine.write(request, bytes.data(), *this);
        }
    }
    void dma_complete(const DmaCompletion& completion) override {
        if (on_complete) on_complete(completion);
    }
    /// How long one transfer takes that is alone.
    Picoseconds latency_ps(const Transfer& transfer) {
        Picoseconds done_ps = 0;
        const Picoseconds start_ps = timeline.now_ps();
        on_complete = [&](const DmaCompletion& completion) { done_ps = completion.done_ps; };
        submit(transfer);
        timeline.settle();
        timeline.advance_until(done_ps);
        return done_ps - start_ps;
    }
    /// When each of the transfers, in the order of their starts, has come to its end.
    std::vector<Picoseconds> play(const std::vector<Transfer>& transfers) {
        std::vector<Picoseconds> done(transfers.size());
        on_complete = [&](const DmaCompletion& completion) {
            done[completion.tag] = completion.done_ps;
        };
        for (std::size_t i = 0; i < transfers.size(); i++) {
            timeline.advance_until(transfers[i].start_ps);
            submit(transfers[i], static_cast<std::uint32_t>(i));
        }
        timeline.settle(~std::uint64_t{0});
        return done;
    }
    std::map<std::string, std::uint64_t> metrics() const {
        struct Collector final : MetricVisitor {
            void metric(std::string_view name, std::uint64_t value) override {
                values[std::string(name)] = value;
            }
            void metric_real(std::string_view, double) override {}
            std::map<std::string, std::uint64_t> values;
        } collector;
        link.visit_metrics(collector);
        engine.visit_metrics(collector);
        return collector.values;
    }

    ManualTimeline timeline;
    AnyHost host;
    PcieLink link;
    DeviceState state;
    DmaEngine engine;
    std::function<void(const DmaCompletion&)> on_complete;
    std::vector<std::uint8_t> bytes = std::vector<std::uint8_t>(64 * 1024);
};

}  // namespace doorbell::pcie_test
