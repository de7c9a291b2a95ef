#pragma once

#include <cstdint>
#include <string_view>

namespace doorbell {

/// Metrics are not listeners: blocks count, and a visitor pulls the counters at the end of a run.
/// Names are stable and end in their unit; the caller puts the prefix ("host.a.nic0.") in front.
class MetricVisitor {
public:
    virtual ~MetricVisitor() = default;
    virtual void metric(std::string_view name, std::uint64_t value) = 0;
    virtual void metric_real(std::string_view name, double value) = 0;
};

}  // namespace doorbell
