#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Every metric a run can have, documented. An expectation may only name one of these, and a test
/// holds a real run against the list.
namespace doorbell::report {

struct MetricDescription {
    /// <h> a host, <i> a NIC's number, <k> an interrupt line, <l> a link, <g> a generator; nothing
    /// else varies.
    /// "dma.", "discipline.", "wire." and "workload." begin what only some runs have.
    std::string pattern;
    std::string unit;
    std::string description;
};

[[nodiscard]] const std::vector<MetricDescription>& metric_catalogue();

/// What a run is made of: what the placeholders stand for.
struct RunShape {
    struct Host {
        std::string name;
        std::uint32_t nics = 1;
        std::uint32_t apps = 0;
        /// What the host's guest image counts, without "host.<h>.": <n> a NIC's number, <i> an
        /// application's, <VECTOR> a softirq, <NAME> a statistic of the chip.
        std::vector<MetricDescription> guest;
    };
    std::vector<Host> hosts;
    std::vector<std::string> links;
    std::vector<std::string> generators;
    bool measures_tx = false;
    bool measures_rx = false;
    bool measures_latency = false;
    /// A device instead of hosts: "dma", "discipline", or "".
    std::string load;
    bool verifies = false;
    std::vector<std::string> statistics;  ///< Datasheet names.
};
/// All metrics of such a run, in the order of the catalogue.
[[nodiscard]] std::vector<std::string> metric_names(const RunShape& shape);

/// The whole catalogue, and what a guest image adds, as text.
[[nodiscard]] std::string metric_catalogue_text(const std::vector<MetricDescription>& guest);

}  // namespace doorbell::report
