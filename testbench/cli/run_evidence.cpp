#include "testbench/cli/run_evidence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace doorbell::cli {
namespace {

using report::RunResult;
using report::Verdict;

constexpr const char* kCaptureFile = "wire.pcapng";
constexpr const char* kTraceFile = "events.trace";
constexpr const char* kJsonTraceFile = "events.jsonl";

void keep(RunResult& result, const char* kind, const char* file, bool whole, int error) {
    result.artifacts[kind] = file;
    if (whole) return;
    result.verdict = std::max(result.verdict, Verdict::kError);
    result.failures.push_back(
        fmt::format("{} could not be written: {}", file, std::strerror(error)));
}

}  // namespace

RunEvidence::RunEvidence(EventHub& hub, const Timeline& timeline, const EvidenceOptions& options)
    : hub_(hub) {
    if (options.capture != Capture::kNone) {
        capture_ = std::make_unique<report::WireCapture>(
            options.folder / kCaptureFile, timeline,
            "doorbell: every frame stands here at both ends of its link, which TCP analysis takes "
            "for retransmissions; for one end: tshark -r wire.pcapng -w a.pcapng -Y "
            "'frame.interface_name==\"a.nic0\"'");
    }
    if (options.capture == Capture::kAll) {
        host_capture_ = std::make_unique<report::HostCapture>(*capture_, hub);
    }
    if (options.trace == Trace::kBinary) {
        trace_ = std::make_unique<report::EventTrace>(options.folder / kTraceFile, hub);
    }
    if (options.trace == Trace::kJson) {
        json_ = std::make_unique<report::EventTraceJson>(options.folder / kJsonTraceFile, hub);
    }
    if (options.hash || options.trace != Trace::kNone) {
        hash_ = std::make_unique<report::EventHash>(hub);
    }
    for (EventListener* listener : listeners()) hub_.attach(*listener);
}

std::vector<EventListener*> RunEvidence::listeners() const {
    std::vector<EventListener*> list;
    if (host_capture_) list.push_back(host_capture_.get());
    if (hash_) list.push_back(hash_.get());
    if (trace_) list.push_back(trace_.get());
    if (json_) list.push_back(json_.get());
    return list;
}

void RunEvidence::finish(RunResult& result) {
    for (EventListener* listener : listeners()) hub_.detach(*listener);
    if (hash_) result.trace_hash = hash_->digest();
    if (capture_) keep(result, "capture", kCaptureFile, capture_->close(), capture_->error());
    if (trace_) keep(result, "trace", kTraceFile, trace_->close(), trace_->error());
    if (json_) keep(result, "trace", kJsonTraceFile, json_->close(), json_->error());
}

}  // namespace doorbell::cli
