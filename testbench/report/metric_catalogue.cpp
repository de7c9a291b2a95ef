#include "testbench/report/metric_catalogue.hpp"

#include <fmt/format.h>

namespace doorbell::report {
namespace {

std::string replaced(std::string text, std::string_view placeholder, const std::string& value) {
    const std::size_t at = text.find(placeholder);
    return at == std::string::npos ? text : text.replace(at, placeholder.size(), value);
}

constexpr std::string_view kNic = "host.<h>.nic<i>.";

bool starts_with(const std::string& text, std::string_view start) {
    return text.compare(0, start.size(), start) == 0;
}

/// Lines an interrupt controller may have to count for: what it can give.
constexpr std::uint32_t kLines = 64;

bool has(const std::string& pattern, std::string_view placeholder) {
    return pattern.find(placeholder) != std::string::npos;
}

std::vector<std::string> numbers(std::uint32_t count) {
    std::vector<std::string> list;
    for (std::uint32_t i = 0; i < count; i++) list.push_back(std::to_string(i));
    return list;
}

/// One name for each value, or the pattern itself when it does not vary.
void expand(const std::string& pattern, std::string_view placeholder,
            const std::vector<std::string>& values, std::vector<std::string>& names) {
    if (!has(pattern, placeholder)) {
        names.push_back(pattern);
        return;
    }
    for (const std::string& value : values) names.push_back(replaced(pattern, placeholder, value));
}

/// What [measure] makes: of a direction only while it is measured.
bool measured(const RunShape& shape, const std::string& pattern) {
    if (has(pattern, "_ns.") && !shape.measures_latency) return false;
    if (pattern.compare(0, 8, "wire.tx.") == 0) return shape.measures_tx;
    if (pattern.compare(0, 8, "wire.rx.") == 0) return shape.measures_rx;
    return shape.measures_tx || shape.measures_rx;
}

void add_guest(const RunShape& shape, const RunShape::Host& host, std::vector<std::string>& names) {
    // Linux's softirq vectors, as in /proc/softirqs.
    static const std::vector<std::string> kVectors = {"hi",      "timer",    "net_tx",  "net_rx",
                                                      "block",   "irq_poll", "tasklet", "sched",
                                                      "hrtimer", "rcu"};
    const std::pair<std::string_view, std::vector<std::string>> placeholders[] = {
        {"<n>", numbers(host.nics)},
        {"<i>", numbers(host.apps)},
        {"<VECTOR>", kVectors},
        {"<NAME>", shape.statistics}};
    for (const MetricDescription& row : host.guest) {
        std::vector<std::string> list = {"host." + host.name + "." + row.pattern};
        for (const auto& [placeholder, values] : placeholders) {
            std::vector<std::string> longer;
            for (const std::string& pattern : list) expand(pattern, placeholder, values, longer);
            list = std::move(longer);
        }
        names.insert(names.end(), list.begin(), list.end());
    }
}

/// Whether a run has what does not vary.
bool has_row(const RunShape& shape, const std::string& pattern) {
    if (starts_with(pattern, "workload.")) return shape.verifies;
    for (const char* load : {"dma.", "discipline."}) {
        if (starts_with(pattern, load)) return shape.load + "." == load;
    }
    return true;
}

/// The device of a [dma] or [discipline] has a NIC's engine and link, which count as a NIC's.
void add_requester(const RunShape& shape, std::vector<std::string>& names) {
    if (shape.load.empty()) return;
    for (const MetricDescription& row : metric_catalogue()) {
        if (!starts_with(row.pattern, kNic)) continue;
        const std::string name = row.pattern.substr(kNic.size());
        if (starts_with(name, "dma.") || starts_with(name, "pcie.")) names.push_back(name);
    }
}

}  // namespace

std::vector<std::string> metric_names(const RunShape& shape) {
    std::vector<std::string> names;
    for (const MetricDescription& row : metric_catalogue()) {
        if (has(row.pattern, "<l>")) {
            expand(row.pattern, "<l>", shape.links, names);
        } else if (has(row.pattern, "<g>")) {
            expand(row.pattern, "<g>", shape.generators, names);
        } else if (has(row.pattern, "bound_by") || row.pattern.compare(0, 5, "wire.") == 0) {
            if (measured(shape, row.pattern)) names.push_back(row.pattern);
        } else if (has(row.pattern, "<h>")) {
            for (const RunShape::Host& host : shape.hosts) {
                const std::string pattern = replaced(row.pattern, "<h>", host.name);
                if (has(pattern, "<k>")) {
                    expand(pattern, "<k>", numbers(kLines), names);
                } else {
                    expand(pattern, "<i>", numbers(host.nics), names);
                }
            }
        } else if (has_row(shape, row.pattern)) {
            names.push_back(row.pattern);
        }
    }
    add_requester(shape, names);
    for (const RunShape::Host& host : shape.hosts) add_guest(shape, host, names);
    return names;
}

std::string metric_catalogue_text(const std::vector<MetricDescription>& guest) {
    std::string text =
        "Metrics of a run, as they stand in result.json and in [[expect]]. <h> is a host, <i> the\n"
        "number of a NIC, <k> an interrupt line, <l> a link, <g> a generator; then the unit, if a "
        "number alone "
        "does\n"
        "not say it. Counters count from the start of the run. A run of a [dma] or [discipline] "
        "has\n"
        "what begins so, and the dma.* and pcie.* of a NIC without \"host.<h>.nic<i>.\".\n\n";
    const auto add = [&](const std::string& name, const MetricDescription& row) {
        text += fmt::format("{:<50} {:<6} {}\n", name, row.unit, row.description);
    };
    for (const MetricDescription& row : metric_catalogue()) add(row.pattern, row);
    text +=
        "\nMetrics of the guest image. <n> is the number of a NIC, <i> of an application of the\n"
        "host, <VECTOR> a softirq, <NAME> a statistic by its datasheet name.\n\n";
    for (const MetricDescription& row : guest) add("host.<h>." + row.pattern, row);
    return text;
}

}  // namespace doorbell::report
