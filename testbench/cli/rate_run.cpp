#include "testbench/cli/rate_run.hpp"

#include <fmt/format.h>

#include <cstdint>
#include <utility>

#include "testbench/checks/bound.hpp"

namespace doorbell::cli {
namespace {

using report::MetricRegistry;

wire::RateMeterParams params_of(const scenario::Measure& measure, const scenario::Link& link) {
    wire::RateMeterParams params;
    params.ends = {measure.end == 0 ? measure.tx : measure.rx,
                   measure.end == 0 ? measure.rx : measure.tx};
    params.warmup_ps = measure.warm_up_ps;
    params.frames = measure.frames;
    params.rate_mbps = link.params.rate_mbps;
    return params;
}

double value_of(const MetricRegistry& metrics, const char* name) {
    const report::MetricValue* value = metrics.find(name);
    return value == nullptr ? 0 : report::real_of(*value);
}

void set_rate(MetricRegistry& metrics, const std::string& prefix,
              const wire::RateMeter::Rate& rate) {
    metrics.set(prefix + "frames", rate.frames);
    metrics.set(prefix + "start_gap_min_ps", rate.frames < 2 ? 0 : rate.gap_min_ps);
    metrics.set(prefix + "start_gap_max_ps", rate.gap_max_ps);
    metrics.set(prefix + "occupied", rate.occupancy());
}

void set_latency(MetricRegistry& metrics, const std::string& name,
                 const checks::JourneyMeter::Samples& samples) {
    metrics.set(name + ".samples", static_cast<std::uint64_t>(samples.count()));
    for (const auto& [quantile, per_mille] : {std::pair<const char*, std::uint32_t>{".min", 0},
                                              {".p50", 500},
                                              {".p95", 950},
                                              {".p999", 999},
                                              {".max", 1000}}) {
        metrics.set(name + quantile, static_cast<double>(samples.quantile(per_mille)) / 1e3);
    }
}

}  // namespace

RateRun::RateRun(const scenario::Measure& measure, const scenario::Link& about, wire::Link& link,
                 Timeline& timeline, Look look, checks::JourneyMeter* journey)
    : measure_(measure),
      nic_name_(about.end_names[measure.end]),
      look_(std::move(look)),
      journey_(journey),
      meter_(
          timeline, params_of(measure, about),
          [this, &timeline] {
              look_(before_.nic, before_.host);
              if (journey_ != nullptr) journey_->begin(timeline.now_ps());
          },
          [this, &timeline] {
              look_(after_.nic, after_.host);
              if (journey_ != nullptr) journey_->end(timeline.now_ps());
          }) {
    link.measure(&meter_);
}

double RateRun::change(MetricRegistry Counts::*whose, const char* name) const {
    return value_of(after_.*whose, name) - value_of(before_.*whose, name);
}

double RateRun::share(MetricRegistry Counts::*whose, const char* name) const {
    return change(whose, name) * 1e3 / static_cast<double>(meter_.end_ps() - meter_.begin_ps());
}

std::string RateRun::finish(MetricRegistry& metrics) const {
    const std::uint32_t rx_end = 1 - measure_.end;
    const wire::RateMeter::Rate& tx = meter_.rate(measure_.end);
    const wire::RateMeter::Rate& rx = meter_.rate(rx_end);
    if (!meter_.complete() || (measure_.tx && tx.frames < 2) || (measure_.rx && rx.frames < 2)) {
        return fmt::format(
            "[measure] of {} did not come to its end: {} frames sent and {} received, it wants {} "
            "of "
            "one of them, and frames of each beyond a warm-up of {} us",
            nic_name_, meter_.frames_seen(measure_.end), meter_.frames_seen(rx_end),
            measure_.frames, measure_.warm_up_ps / microseconds(1));
    }
    const auto nic = &Counts::nic;
    const auto count = [&](const char* name) {
        return static_cast<std::uint64_t>(change(nic, name));
    };
    checks::BoundEvidence e;
    e.pcie_upstream_busy = share(nic, "pcie.upstream.busy_ns");
    e.pcie_downstream_busy = share(nic, "pcie.downstream.busy_ns");
    e.cpu_busy = share(&Counts::host, "cpu.busy_ns");
    const double reads = change(nic, "dma.reads");
    e.tag_waits = reads > 0 ? change(nic, "dma.tag_waits") / reads : 0;
    e.tx.occupied = tx.occupancy();
    e.tx.waited_for_room = share(nic, "tx.room_wait_ns");
    const std::string stops = nic_name_.substr(nic_name_.find('.') + 1) + ".tx.queue_stops";
    e.tx.queue_stops = static_cast<std::uint64_t>(change(&Counts::host, stops.c_str()));
    e.rx.occupied = rx.occupancy();
    e.rx.frames = rx.frames;
    e.rx.lost_store = count("rx.overruns.store_frames");
    e.rx.lost_fetch = count("rx.overruns.descriptor_fetch_frames");
    e.rx.lost_no_descriptor = count("rx.overruns.no_descriptor_frames");

    metrics.set("wire.pcie_upstream_busy", e.pcie_upstream_busy);
    metrics.set("wire.pcie_downstream_busy", e.pcie_downstream_busy);
    metrics.set("wire.cpu_busy", e.cpu_busy);
    double least = 2;
    const auto judge = [&](const std::string& prefix, const wire::RateMeter::Rate& rate,
                           double kept, const std::string& bound) {
        set_rate(metrics, prefix, rate);
        const double frames_per_s = rate.frames_per_s() * kept;
        metrics.set(prefix + "frames_per_s", frames_per_s);
        metrics.set(prefix + "bound_by", bound);
        if (rate.occupancy() * kept >= least) return;
        least = rate.occupancy() * kept;
        metrics.set("wire.frames_per_s", frames_per_s);
        metrics.set("bound_by", bound);
    };
    if (measure_.tx) {
        judge("wire.tx.", tx, 1, checks::bound_of_tx(e));
        metrics.set("wire.tx.waited_for_wire", share(nic, "tx.wire_wait_ns"));
        metrics.set("wire.tx.waited_for_room", e.tx.waited_for_room);
    }
    if (measure_.rx) {
        const double lost = static_cast<double>(e.rx.lost());
        judge("wire.rx.", rx, 1 - lost / static_cast<double>(rx.frames), checks::bound_of_rx(e));
        metrics.set("wire.rx.lost_frames", e.rx.lost());
    }
    if (journey_ == nullptr) return "";
    journey_->finish();
    if (measure_.tx) {
        set_latency(metrics, "wire.tx.doorbell_to_done_ns", journey_->doorbell_to_done());
    }
    if (measure_.rx) {
        set_latency(metrics, "wire.rx.wire_to_done_ns", journey_->wire_to_done());
        set_latency(metrics, "wire.rx.wire_to_reader_ns", journey_->wire_to_reader());
    }
    return "";
}

}  // namespace doorbell::cli
