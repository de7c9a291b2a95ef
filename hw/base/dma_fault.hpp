#pragma once

#include <cstdint>

#include "hw/base/dma_port.hpp"

/// Faults on the DMA path, for tests and scenarios: fail the Nth request, for every N.
namespace doorbell {

enum class DmaOperation : std::uint8_t { kRead = 0, kWrite = 1, kMessage = 2 };

/// Asked once for each request when the engine puts it on the link. Another answer than `kOk` is
/// the fate of the request: nothing is moved; a lost message just never arrives.
class DmaFaultHook {
public:
    virtual ~DmaFaultHook() = default;
    [[nodiscard]] virtual DmaStatus judge(DmaOperation operation, const DmaRequest& request) = 0;
};

/// Fails one request, the `nth` (from 1), and counts them all.
class FailNthDma final : public DmaFaultHook {
public:
    explicit FailNthDma(std::uint64_t nth, DmaStatus status = DmaStatus::kUnsupportedRequest)
        : nth_(nth), status_(status) {}

    [[nodiscard]] DmaStatus judge(DmaOperation operation, const DmaRequest& request) override {
        if (++seen_ != nth_) return DmaStatus::kOk;
        fired_ = true;
        operation_ = operation;
        request_ = request;
        return status_;
    }
    [[nodiscard]] bool fired() const { return fired_; }
    [[nodiscard]] std::uint64_t seen() const { return seen_; }
    /// What was failed; meaningful once fired.
    [[nodiscard]] DmaOperation operation() const { return operation_; }
    [[nodiscard]] const DmaRequest& request() const { return request_; }

private:
    std::uint64_t nth_;
    DmaStatus status_;
    std::uint64_t seen_ = 0;
    bool fired_ = false;
    DmaOperation operation_ = DmaOperation::kRead;
    DmaRequest request_;
};

/// Runs `experiment(FailNthDma&)` once for each N until one run ends without reaching its Nth
/// request; returns how many requests could be failed. The experiment builds everything anew, puts
/// the hook into the engine, and checks that nothing is lost, doubled or stuck. `limit` bounds an
/// experiment that never comes to an end by itself.
template <typename Experiment>
std::uint64_t fail_every_dma(Experiment&& experiment,
                             DmaStatus status = DmaStatus::kUnsupportedRequest,
                             std::uint64_t limit = 100'000) {
    for (std::uint64_t nth = 1; nth <= limit; nth++) {
        FailNthDma hook(nth, status);
        experiment(hook);
        if (!hook.fired()) return nth - 1;
    }
    return limit;
}

}  // namespace doorbell
