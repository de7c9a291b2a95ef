#include "testbench/report/metric_catalogue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "testbench/wire/link.hpp"

namespace doorbell::report {
namespace {

using testing::Contains;
using testing::Not;

RunShape two_hosts() {
    RunShape shape;
    shape.hosts = {{"a", 2, 1, {{"app.<i>.bytes", "", ""}, {"nic<n>.stats.<NAME>", "", ""}}},
                   {"b", 1, 2, {{"softirq.<VECTOR>_ns", "", ""}, {"tcp.goodput_bps", "", ""}}}};
    shape.links = {"wire0", "wire1"};
    shape.statistics = {"GPRC", "TPT"};
    return shape;
}

TEST(MetricCatalogueTest, PlaceholdersStandForWhatTheRunHas) {
    const auto names = metric_names(two_hosts());
    for (const char* name :
         {"host.a.nic1.tx.frames", "host.b.nic0.irq.lsc", "link.wire1.forward.drops.loss",
          "host.a.app.0.bytes", "host.a.nic1.stats.TPT", "host.b.softirq.net_rx_ns",
          "host.b.tcp.goodput_bps", "run.simulated_ns"}) {
        EXPECT_THAT(names, Contains(name));
    }
    for (const char* name : {"host.b.nic1.tx.frames", "host.a.app.1.bytes", "host.b.app.0.bytes",
                             "host.a.tcp.goodput_bps", "link.wire2.forward.frames"}) {
        EXPECT_THAT(names, Not(Contains(name)));
    }
    for (const std::string& name : names) EXPECT_EQ(name.find('<'), std::string::npos) << name;
}

TEST(MetricCatalogueTest, TheWorkloadIsMeasuredOnlyWhenSomethingIsVerified) {
    RunShape shape = two_hosts();
    EXPECT_THAT(metric_names(shape), Not(Contains("workload.identical")));
    shape.verifies = true;
    EXPECT_THAT(metric_names(shape), Contains("workload.identical"));
}

TEST(MetricCatalogueTest, ADirectionsLatenciesAreThereWhenTheyAreMeasured) {
    RunShape shape = two_hosts();
    shape.measures_rx = true;
    EXPECT_THAT(metric_names(shape), Contains("wire.rx.lost_frames"));
    EXPECT_THAT(metric_names(shape), Not(Contains("wire.rx.wire_to_done_ns.p50")));
    shape.measures_latency = true;
    EXPECT_THAT(metric_names(shape), Contains("wire.rx.wire_to_done_ns.p50"));
    EXPECT_THAT(metric_names(shape), Contains("wire.rx.wire_to_reader_ns.samples"));
    EXPECT_THAT(metric_names(shape), Not(Contains("wire.tx.doorbell_to_done_ns.p50")));
    shape = two_hosts();
    shape.load = "dma";
    EXPECT_THAT(metric_names(shape), Contains("dma.latency_ns.p50"));
}

TEST(MetricCatalogueTest, ADeviceInsteadOfHostsHasItsOwnMetricsAndThoseOfALinkAndAnEngine) {
    RunShape shape;
    shape.load = "dma";
    const auto names = metric_names(shape);
    for (const char* name : {"dma.goodput_gbps", "dma.latency_ns.p999", "dma.tag_waits",
                             "dma.failed.timeout", "pcie.upstream.tlps", "run.simulated_ns"}) {
        EXPECT_THAT(names, Contains(name));
    }
    EXPECT_THAT(names, Not(Contains("discipline.gbps")));
    shape.load = "discipline";
    EXPECT_THAT(metric_names(shape), Contains("discipline.gbps"));
    EXPECT_THAT(metric_names(shape), Contains("dma.tag_waits"));
    EXPECT_THAT(metric_names(shape), Not(Contains("dma.goodput_gbps")));
    EXPECT_THAT(metric_names(two_hosts()), Not(Contains("discipline.gbps")));
    EXPECT_THAT(metric_names(two_hosts()), Not(Contains("dma.goodput_gbps")));
}

TEST(MetricCatalogueTest, NoNameStandsTwiceAndEachIsDescribed) {
    std::set<std::string> seen;
    for (const MetricDescription& row : metric_catalogue()) {
        EXPECT_TRUE(seen.insert(row.pattern).second) << row.pattern;
        EXPECT_FALSE(row.description.empty()) << row.pattern;
    }
}

class Names final : public MetricVisitor {
public:
    void metric(std::string_view name, std::uint64_t) override {
        list.emplace("link.<l>." + std::string(name));
    }
    void metric_real(std::string_view name, double) override { list.emplace(name); }
    std::set<std::string> list;
};

TEST(MetricCatalogueTest, DocumentsExactlyWhatALinkCounts) {
    ManualTimeline timeline;
    FramePool pool;
    const wire::Link link(timeline, pool, {}, {}, 1, 0);
    Names counted;
    link.visit_metrics(counted);
    std::set<std::string> documented;
    for (const MetricDescription& row : metric_catalogue()) {
        if (row.pattern.compare(0, 5, "link.") == 0) documented.insert(row.pattern);
    }
    EXPECT_EQ(counted.list, documented);
}

}  // namespace
}  // namespace doorbell::report
