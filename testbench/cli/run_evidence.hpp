#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "hw/base/event_port.hpp"
#include "hw/base/timeline.hpp"
#include "testbench/cli/run_options.hpp"
#include "testbench/report/event_stream.hpp"
#include "testbench/report/host_capture.hpp"
#include "testbench/report/run_result.hpp"
#include "testbench/report/wire_capture.hpp"

namespace doorbell::cli {

struct EvidenceOptions {
    std::filesystem::path folder;
    Capture capture = Capture::kWire;
    Trace trace = Trace::kNone;
    bool hash = false;
};

/// Listeners of the event stream and of the wire, as the user asked for them.
class RunEvidence {
public:
    RunEvidence(EventHub& hub, const Timeline& timeline, const EvidenceOptions& options);

    /// nullptr when there is none.
    [[nodiscard]] report::WireCapture* capture() { return capture_.get(); }
    [[nodiscard]] report::HostCapture* host_capture() { return host_capture_.get(); }

    /// Closes the files and enters them, and the hash, into the result.
    void finish(report::RunResult& result);

private:
    [[nodiscard]] std::vector<EventListener*> listeners() const;

    EventHub& hub_;
    std::unique_ptr<report::WireCapture> capture_;
    std::unique_ptr<report::HostCapture> host_capture_;
    std::unique_ptr<report::EventTrace> trace_;
    std::unique_ptr<report::EventTraceJson> json_;
    std::unique_ptr<report::EventHash> hash_;
};

}  // namespace doorbell::cli
