#pragma once

#include <functional>
#include <string>

#include "hw/base/timeline.hpp"
#include "testbench/checks/journey_meter.hpp"
#include "testbench/report/run_result.hpp"
#include "testbench/scenario/scenario.hpp"
#include "testbench/wire/rate_meter.hpp"

namespace doorbell::cli {

/// The [measure] of a run: the rate of a link while it lasts, what the model counted at its
/// beginning and at its end, and what bounded it in between.
class RateRun {
public:
    /// Collects the metrics of the measured NIC (without prefix) and of its host.
    using Look = std::function<void(report::MetricRegistry& nic, report::MetricRegistry& host)>;

    RateRun(const scenario::Measure& measure, const scenario::Link& about, wire::Link& link,
            Timeline& timeline, Look look, checks::JourneyMeter* journey = nullptr);

    /// Sets wire.* and bound_by; or says why there is none of them.
    [[nodiscard]] std::string finish(report::MetricRegistry& metrics) const;

private:
    struct Counts {
        report::MetricRegistry nic;
        report::MetricRegistry host;
    };
    [[nodiscard]] double change(report::MetricRegistry Counts::*whose, const char* name) const;
    [[nodiscard]] double share(report::MetricRegistry Counts::*whose, const char* name) const;

    const scenario::Measure measure_;
    const std::string nic_name_;
    Look look_;
    checks::JourneyMeter* journey_;  ///< nullptr: latencies are not measured.
    Counts before_;
    Counts after_;
    wire::RateMeter meter_;
};

}  // namespace doorbell::cli
