#include "testbench/cli/simulation_module.hpp"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <exception>
#include <numeric>
#include <systemc>
#include <vector>

#include "hw/base/simulation_clock_module.hpp"
#include "hw/base/timeline_module.hpp"
#include "hw/nic/nic_module.hpp"
#include "testbench/checks/expectations.hpp"
#include "testbench/checks/file_comparison.hpp"
#include "testbench/checks/journey_meter.hpp"
#include "testbench/cli/crash_note.hpp"
#include "testbench/cli/guest_places.hpp"
#include "testbench/cli/host_config.hpp"
#include "testbench/cli/load_run.hpp"
#include "testbench/cli/rate_run.hpp"
#include "testbench/cli/run_evidence.hpp"
#include "testbench/cli/stall_watch.hpp"
#include "testbench/host/host_module.hpp"
#include "testbench/report/buffered_file.hpp"
#include "testbench/report/log.hpp"
#include "testbench/wire/link.hpp"
#include "testbench/wire/traffic_generator.hpp"

namespace doorbell::cli {
namespace {

using report::RunResult;
using report::Verdict;

/// How often a run looks up from simulating. The end of a run is on this grid.
constexpr Picoseconds kSlice = microseconds(100);

/// Numbers of frames are unique in a run: each NIC counts from a multiple of this.
constexpr std::uint64_t kFramesPerNic = std::uint64_t{1} << 40;
/// Packets of generators, far from 0; those of guests are hashes.
constexpr std::uint64_t kGeneratorPackets = std::uint64_t{1} << 63;

std::uint64_t cpu_time_ns() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u +
           static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t simulated_time_ps() {
    return sc_core::sc_time_stamp().value();
}

log::Level level_of(int guest_level) {
    switch (guest_level) {
        case GUEST_LOG_ERROR:
            return log::Level::kError;
        case GUEST_LOG_WARN:
            return log::Level::kWarn;
        case GUEST_LOG_INFO:
            return log::Level::kInfo;
        default:
            return log::Level::kDebug;
    }
}

}  // namespace

struct Simulation::System {
    System(const scenario::Scenario& what, const SimulationOptions& how, const ProgramPaths& paths)
        : scenario(what), options(how) {
        for (const scenario::Host& host : scenario.hosts) add_host(host, paths);
        for (const scenario::Link& link : scenario.links) add_link(link);
        if (scenario.measure) add_measure(*scenario.measure);
        if (scenario.load) add_load();
        for (const scenario::Action& action : scenario.timeline) add_action(action);
        // Without a wire there is nothing to capture.
        const Capture capture = scenario.links.empty() ? Capture::kNone : options.capture;
        evidence = std::make_unique<RunEvidence>(
            hub, timeline, EvidenceOptions{options.folder, capture, options.trace, options.hash});
        connect_capture();
        separate_islands();
    }
    ~System() {
        for (const auto& task : actions) timeline.cancel(*task);
    }

    void add_host(const scenario::Host& host, const ProgramPaths& paths) {
        const std::size_t index = hosts.size();
        HostParams params;
        params.image.path = image_path(paths, host.image, options.scenario_folder).string();
        params.seed = options.seed;
        params.stream = index;
        params.nic_count = static_cast<std::uint32_t>(host.nics.size());
        params.config = guest_config_of(host);
        params.log = [this, name = host.name](int level, const std::string& text) {
            log::write(level_of(level),
                       fmt::format("[{:.6f} ms] {}: {}",
                                   static_cast<double>(timeline.now_ps()) / 1e9, name, text));
        };
        hosts.push_back(std::make_unique<HostModule>(host.name.c_str(), params,
                                                     EventPort(hub, hub.add_source(host.name))));
        for (std::uint32_t i = 0; i < host.nics.size(); i++) add_nic(host, i);
    }

    void add_nic(const scenario::Host& host, std::uint32_t index) {
        NicParams params;
        // Locally administered, the host counted from 1: 02:00:00:00:01:00 is the first NIC of the
        // first host. A scenario may say otherwise.
        params.nvm.mac_address = {0x02,
                                  0,
                                  0,
                                  0,
                                  static_cast<std::uint8_t>(hosts.size()),
                                  static_cast<std::uint8_t>(index)};
        for (const scenario::Param& param : host.nics[index]) {
            const std::string wrong = set_nic_param(params, param.name, param.value);
            assert(wrong.empty() && "the decoder has checked it");
        }
        const std::uint64_t number = nic_count++;
        params.seed = options.seed * 0x9e3779b97f4a7c15u + number;
        params.rings.first_frame_number = number * kFramesPerNic;
        const std::string name = fmt::format("{}.nic{}", host.name, index);
        nics.emplace_back();
        nics.back().host = hosts.size() - 1;
        nics.back().index = index;
        nics.back().module =
            std::make_unique<NicModule>(fmt::format("{}_nic{}", host.name, index).c_str(), frames,
                                        EventPort(hub, hub.add_source(name)), params);
        plug(*nics.back().module, hosts.back()->slot(index));
    }

    static void plug(NicModule& nic, HostSlotModule& slot) {
        slot.config_socket.bind(nic.config_socket);
        slot.bar0_socket.bind(nic.bar0_socket);
        slot.bar2_socket.bind(nic.bar2_socket);
        slot.bar3_socket.bind(nic.bar3_socket);
        nic.host_socket.bind(slot.host_socket);
        nic.inta.bind(slot.inta_export);
    }

    void add_link(const scenario::Link& link) {
        NicModule* ends[2] = {};
        std::array<Timeline*, 2> timelines = {&timeline, &timeline};
        for (std::uint32_t i = 0; i < 2; i++) {
            if (link.ends[i].host == kOutsideHost || link.ends[i].is_generator()) continue;
            ends[i] = &nic_at(link.ends[i]);
            timelines[i] = &ends[i]->timeline();
        }
        // A generator costs no activations of its own: it lives on the timeline of its NIC.
        for (std::uint32_t i = 0; i < 2; i++) {
            if (ends[1 - i] != nullptr && link.ends[i].is_generator()) {
                timelines[i] = timelines[1 - i];
            }
        }
        links.push_back(std::make_unique<wire::Link>(
            timelines, frames, EventPort(hub, hub.add_source(link.name)), link.params, options.seed,
            static_cast<std::uint32_t>(links.size())));
        for (std::uint32_t i = 0; i < 2; i++) {
            if (link.ends[i].is_generator()) continue;
            if (ends[i] == nullptr) {
                outside = links.back().get();
                outside_end = i;
                continue;
            }
            links.back()->attach(i, ends[i]->endpoint());
            ends[i]->bind(links.back()->port(i));
        }
        for (std::uint32_t i = 0; i < 2; i++) {
            if (link.ends[i].is_generator()) add_generator(link, i, *timelines[i], ends[1 - i]);
        }
    }

    void add_generator(const scenario::Link& about, std::uint32_t end, Timeline& its_timeline,
                       NicModule* other) {
        const std::uint32_t number = about.ends[end].generator;
        const scenario::Generator& generator = scenario.generators[number];
        wire::GeneratorParams params = generator.params;
        params.rate_mbps = generator.rate_mbps != 0 ? generator.rate_mbps : about.params.rate_mbps;
        // Locally administered, as the hosts' NICs, which never have 01 here.
        params.from = {0x02, 0, 0, 1, 0, static_cast<std::uint8_t>(number)};
        if (!generator.has_destination) {
            params.to = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
            if (other != nullptr) params.to = other->nic().params().nvm.mac_address;
        }
        params.first_frame_number = nic_count++ * kFramesPerNic;
        if (scenario.measure && scenario.measure->latency) {
            params.first_packet = kGeneratorPackets + params.first_frame_number;
        }
        wire::Link& link = *links.back();
        generators.push_back({generator.name, std::make_unique<wire::TrafficGenerator>(
                                                  its_timeline, frames, params)});
        wire::TrafficGenerator& made = *generators.back().traffic;
        link.attach(end, made);
        // Two generators: each listens from the beginning.
        made.connect(link.port(end), other != nullptr ? other->endpoint()
                                                      : static_cast<const EthernetEndpoint&>(made));
    }

    void add_measure(const scenario::Measure& measure) {
        const scenario::Link& about = scenario.links[measure.link];
        const scenario::LinkEnd& end = about.ends[measure.end];
        if (measure.latency) {
            journey = std::make_unique<checks::JourneyMeter>(
                source_of(about.end_names[measure.end]), source_of(scenario.hosts[end.host].name));
            hub.attach(*journey);
        }
        rate_run = std::make_unique<RateRun>(
            measure, about, *links[measure.link], timeline,
            [this, end](report::MetricRegistry& nic, report::MetricRegistry& host) {
                auto of_nic = nic.under("");
                nic_at(end).visit_metrics(of_nic);
                auto of_host = host.under("");
                hosts[end.host]->visit_metrics(of_host);
            },
            journey.get());
    }

    [[nodiscard]] std::uint16_t source_of(const std::string& name) const {
        const auto& names = hub.sources();
        return static_cast<std::uint16_t>(std::find(names.begin(), names.end(), name) -
                                          names.begin());
    }

    void add_load() {
        load_timeline = std::make_unique<TimelineModule>("requester", TimelineModule::Pace::kAhead);
        load = std::make_unique<LoadRun>(scenario, options.seed, *load_timeline,
                                         EventPort(hub, hub.add_source("requester")));
    }

    NicModule& nic_at(const scenario::LinkEnd& end) {
        for (Nic& nic : nics) {
            if (nic.host == end.host && nic.index == end.nic) return *nic.module;
        }
        assert(false && "the decoder has checked it");
        return *nics.front().module;
    }

    void connect_capture() {
        if (evidence->capture() == nullptr) return;
        for (std::size_t i = 0; i < links.size(); i++) {
            links[i]->tap(&evidence->capture()->add_link(scenario.links[i].end_names,
                                                         scenario.links[i].params.rate_mbps));
        }
        if (evidence->host_capture() == nullptr) return;
        for (Nic& nic : nics) {
            nic.module->nic().listen_at_border(&evidence->host_capture()->add_nic(
                fmt::format("{}.nic{}", scenario.hosts[nic.host].name, nic.index),
                nic.module->nic()));
        }
    }

    /// Hosts that no row of cables connects cannot meet: each such group may run ahead of the
    /// others, unless somebody listens to the order of events or the group touches the scenario.
    void separate_islands() {
        if (hub.active() || evidence->capture() != nullptr || load) return;
        constexpr std::size_t kShared = 0;
        std::vector<std::size_t> island_of(hosts.size());
        std::iota(island_of.begin(), island_of.end(), kShared + 1);
        for (std::size_t i = 0; i < links.size(); i++) {
            std::vector<std::size_t> ends;
            for (const scenario::LinkEnd& end : scenario.links[i].ends) {
                // A generator lives on the timeline of its NIC.
                if (end.is_generator()) continue;
                ends.push_back(end.host == kOutsideHost ? kShared : island_of[end.host]);
            }
            // Its meter sets itself tasks on the scenario's timeline.
            if (scenario.measure && scenario.measure->link == i) ends.push_back(kShared);
            for (const std::size_t end : ends) {
                std::replace(island_of.begin(), island_of.end(), end,
                             *std::min_element(ends.begin(), ends.end()));
            }
        }
        std::vector<std::vector<TimelineModule*>> islands(hosts.size() + 1);
        for (std::size_t h = 0; h < hosts.size(); h++) {
            std::vector<TimelineModule*>& members = islands[island_of[h]];
            members.push_back(&hosts[h]->timeline());
            for (Nic& nic : nics) {
                if (nic.host == h) members.push_back(&nic.module->timeline());
            }
        }
        islands[kShared].clear();
        const auto empty = std::count(islands.begin(), islands.end(), islands[kShared]);
        // One alone has nobody to run ahead of.
        if (islands.size() - static_cast<std::size_t>(empty) < 2) return;
        TimelineModule::separate(islands);
    }

    void add_action(const scenario::Action& action) {
        actions.push_back(std::make_unique<Task>([this, &action] { act(action); }));
    }

    void act(const scenario::Action& action) {
        wire::Link& link = *links[action.link];
        if (action.kind == scenario::ActionKind::kFaults) {
            for (std::uint32_t direction = 0; direction < 2; direction++) {
                if (!(direction == 0 ? action.forward : action.backward)) continue;
                wire::FaultParams faults = link.faults(direction);
                action.faults.apply(faults);
                link.set_faults(direction, faults);
            }
        } else {
            link.plug(action.kind == scenario::ActionKind::kCableIn);
        }
    }

    // --- the run ---

    void start() {
        // Our hosts read the time of a timeline, never the kernel's, when a device calls them.
        clock.let_devices_run_ahead();
        clock.start();
        for (std::size_t i = 0; i < actions.size(); i++) {
            timeline.schedule(*actions[i], scenario.timeline[i].at_ps);
        }
        for (const auto& host : hosts) host->start();
        for (const Generator& generator : generators) generator.traffic->start();
        if (load) load->start();
    }

    void simulate(RunResult& result) {
        start();
        Picoseconds end_ps = kNever;
        while (!clock.stopped() && clock.now_ps() < end_ps) {
            if (any_panicked()) return;
            if (end_ps == kNever && apps_done() && (!load || load->finished())) {
                end_ps = clock.now_ps() + scenario.drain_ps;
                continue;
            }
            if (end_ps == kNever && !may_go_on(result)) return;
            const Picoseconds limit = std::min(end_ps, scenario.timeout_ps);
            const Picoseconds grid = (clock.now_ps() / kSlice + 1) * kSlice;
            // Over a stretch in which nothing happens in one step.
            const Picoseconds next = clock.next_event_time();
            const Picoseconds jump = next == kNever ? limit : (next + kSlice - 1) / kSlice * kSlice;
            clock.advance_until(std::min(std::max(grid, jump), std::max(limit, clock.now_ps())));
            if (end_ps != kNever && clock.now_ps() >= limit) break;
            note_simulated_time(clock.now_ps());
            if (options.progress) options.progress(clock.now_ps());
        }
    }

    /// False, with the reason, when the applications will not end or have had their time.
    bool may_go_on(RunResult& result) {
        const bool deadlock = clock.next_event_time() == kNever;
        if (!deadlock && clock.now_ps() < scenario.timeout_ps) return true;
        result.verdict = deadlock ? Verdict::kBroken : Verdict::kFail;
        result.failures.push_back(fmt::format(
            "{} after {} ms of simulated time; still running: {}",
            deadlock ? "nothing will ever happen again" : "the time is up",
            static_cast<double>(clock.now_ps()) / 1e9, load ? load->running() : running_apps()));
        return false;
    }

    [[nodiscard]] bool apps_done() const {
        for (const Generator& generator : generators) {
            if (!generator.traffic->done()) return false;
        }
        for (std::size_t h = 0; h < hosts.size(); h++) {
            const auto& statuses = hosts[h]->statuses();
            for (std::size_t a = 0; a < statuses.size(); a++) {
                if (!scenario.hosts[h].apps[a].background && !statuses[a]) return false;
            }
        }
        return true;
    }

    [[nodiscard]] bool any_panicked() const {
        return std::any_of(hosts.begin(), hosts.end(),
                           [](const auto& host) { return host->panicked(); });
    }

    [[nodiscard]] std::string running_apps() const {
        std::string list;
        for (std::size_t h = 0; h < hosts.size(); h++) {
            for (std::size_t a = 0; a < hosts[h]->statuses().size(); a++) {
                const scenario::App& app = scenario.hosts[h].apps[a];
                if (app.background || hosts[h]->statuses()[a]) continue;
                list += (list.empty() ? "" : ", ") +
                        fmt::format("{} on {}", app.argv[0], scenario.hosts[h].name);
            }
        }
        for (const Generator& generator : generators) {
            if (generator.traffic->done()) continue;
            list += (list.empty() ? "generator " : ", generator ") + generator.name;
        }
        return list;
    }

    // --- what it leaves ---

    void judge(RunResult& result) {
        for (std::size_t h = 0; h < hosts.size(); h++) {
            for (const std::string& error : hosts[h]->file_errors()) {
                fail(result, Verdict::kError,
                     fmt::format("a file of {}: {}", scenario.hosts[h].name, error));
            }
        }
        for (std::size_t h = 0; h < hosts.size(); h++) {
            const std::string& name = scenario.hosts[h].name;
            if (hosts[h]->panicked()) {
                fail(result, Verdict::kBroken,
                     fmt::format("the guest of {} panicked: {}", name, hosts[h]->panic_text()));
            }
            const auto& statuses = hosts[h]->statuses();
            for (std::size_t a = 0; a < statuses.size(); a++) {
                if (!statuses[a] || *statuses[a] == 0) continue;
                fail(result, Verdict::kFail,
                     fmt::format("{} on {} ended with status {}", scenario.hosts[h].apps[a].argv[0],
                                 name, *statuses[a]));
            }
        }
        // Our own model must not send faster than its wire.
        for (std::size_t i = 0; i < links.size(); i++) {
            for (const char* direction : {"forward", "backward"}) {
                const auto* drops = result.metrics.find(
                    fmt::format("link.{}.{}.drops.rate", scenario.links[i].name, direction));
                if (drops != nullptr && std::get<std::uint64_t>(*drops) != 0) {
                    fail(result, Verdict::kBroken,
                         fmt::format("a NIC sent faster than {} carries", scenario.links[i].name));
                }
            }
        }
    }

    void verify(RunResult& result) {
        if (scenario.verifications.empty()) return;
        bool identical = true;
        std::uint64_t bytes = 0;
        for (const scenario::Verification& v : scenario.verifications) {
            const auto comparison = checks::compare_files(v.input, v.output, options.seed);
            bytes += comparison.equal_bytes;
            if (comparison.identical) continue;
            identical = false;
            fail(result, Verdict::kFail, comparison.difference);
        }
        result.metrics.set("workload.identical", std::uint64_t{identical});
        result.metrics.set("workload.bytes", bytes);
    }

    void collect(RunResult& result) {
        for (std::size_t h = 0; h < hosts.size(); h++) {
            auto visitor = result.metrics.under(fmt::format("host.{}.", scenario.hosts[h].name));
            hosts[h]->visit_metrics(visitor);
            for (const char* table : {"route", "arp", "softirqs", "sockets", "interfaces"}) {
                if (auto text = hosts[h]->show(table)) {
                    result.tables[scenario.hosts[h].name][table] = *text;
                }
            }
        }
        for (const Nic& nic : nics) {
            auto visitor = result.metrics.under(
                fmt::format("host.{}.nic{}.", scenario.hosts[nic.host].name, nic.index));
            nic.module->visit_metrics(visitor);
        }
        for (std::size_t i = 0; i < links.size(); i++) {
            auto visitor = result.metrics.under(fmt::format("link.{}.", scenario.links[i].name));
            links[i]->visit_metrics(visitor);
        }
        for (const Generator& generator : generators) {
            auto visitor = result.metrics.under(fmt::format("generator.{}.", generator.name));
            generator.traffic->visit_metrics(visitor);
        }
        if (rate_run) {
            const std::string wrong = rate_run->finish(result.metrics);
            if (!wrong.empty()) fail(result, Verdict::kFail, wrong);
        }
        if (load) {
            auto visitor = result.metrics.under("");
            load->visit_metrics(visitor);
        }
        result.simulated_ns = clock.now_ps() / 1000;
        result.kernel_events = timeline.agenda_activations();
        for (const Nic& nic : nics) result.kernel_events += nic.module->thread_resumptions();
        for (const auto& host : hosts) result.kernel_events += host->kernel_events();
        result.metrics.set("run.simulated_ns", result.simulated_ns);
        result.metrics.set("run.kernel_events", result.kernel_events);
    }

    void expect(RunResult& result) {
        result.expectations = checks::evaluate(scenario.expectations, result.metrics);
        for (const report::ExpectationResult& e : result.expectations) {
            if (e.passed) continue;
            fail(result, Verdict::kFail,
                 fmt::format("expected {}, it is {}", e.text,
                             e.actual ? report::to_string(*e.actual) : "not a metric of this run"));
        }
    }

    static void fail(RunResult& result, Verdict verdict, std::string why) {
        result.verdict = std::max(result.verdict, verdict);
        result.failures.push_back(std::move(why));
    }

    struct Nic {
        std::size_t host = 0;
        std::uint32_t index = 0;
        std::unique_ptr<NicModule> module;
    };
    struct Generator {
        std::string name;
        std::unique_ptr<wire::TrafficGenerator> traffic;
    };

    // Frames go back to their pool from everything below it.
    const scenario::Scenario& scenario;
    const SimulationOptions& options;
    FramePool frames;
    EventHub hub;
    SimulationClock clock;
    TimelineModule timeline{"scenario"};
    std::vector<std::unique_ptr<HostModule>> hosts;
    std::vector<Nic> nics;
    std::uint64_t nic_count = 0;
    std::vector<std::unique_ptr<wire::Link>> links;
    std::vector<Generator> generators;
    std::unique_ptr<checks::JourneyMeter> journey;
    std::unique_ptr<RateRun> rate_run;
    wire::Link* outside = nullptr;  ///< The link with an end that no host of ours has.
    std::uint32_t outside_end = 0;
    std::unique_ptr<TimelineModule> load_timeline;
    std::unique_ptr<LoadRun> load;
    std::vector<std::unique_ptr<Task>> actions;
    std::unique_ptr<RunEvidence> evidence;
};

Simulation::Simulation(const scenario::Scenario& scenario, const SimulationOptions& options,
                       const ProgramPaths& paths)
    : system_(std::make_unique<System>(scenario, options, paths)) {}

Simulation::~Simulation() = default;

void Simulation::run(RunResult& result) {
    System& s = *system_;
    result.seed = s.options.seed;
    result.verdict = Verdict::kPass;
    for (const auto& host : s.hosts) {
        if (host->error().empty()) continue;
        System::fail(result, Verdict::kError, host->error());
        return;
    }
    const std::uint64_t started_ns = cpu_time_ns();
    try {
        for (std::size_t h = 0; h < s.hosts.size(); h++) {
            note_guest(s.scenario.hosts[h].name, s.scenario.hosts[h].image, s.hosts[h]->code());
        }
        explain_crashes();
        const StallWatch watch({simulated_time_ps, report::BufferedFile::flush_all,
                                static_cast<bool>(s.options.progress)});
        s.simulate(result);
    } catch (const std::exception& error) {
        System::fail(
            result, Verdict::kBroken,
            fmt::format("the model broke at {} ns: {}", s.clock.now_ps() / 1000, error.what()));
    }
    result.host_cpu_ns = cpu_time_ns() - started_ns;
    s.collect(result);
    s.evidence->finish(result);
    s.judge(result);
    s.verify(result);
    s.expect(result);
}

// --- led by a foreign clock
// -----------------------------------------------------------------------

std::string Simulation::start() {
    for (const auto& host : system_->hosts) {
        if (!host->error().empty()) return host->error();
    }
    system_->start();
    return "";
}

Picoseconds Simulation::next_event_time() const {
    return system_->clock.next_event_time();
}

void Simulation::advance_until(Picoseconds until_ps) {
    system_->clock.advance_until(until_ps);
}

EthernetPort& Simulation::outside_port() {
    assert(system_->outside != nullptr);
    return system_->outside->port(system_->outside_end);
}

void Simulation::attach_outside(EthernetEndpoint& endpoint) {
    assert(system_->outside != nullptr);
    system_->outside->attach(system_->outside_end, endpoint);
}

std::string Simulation::panic_text() const {
    for (const auto& host : system_->hosts) {
        if (host->panicked()) return host->panic_text();
    }
    return "";
}

void Simulation::visit_metrics(MetricVisitor& visitor) const {
    if (system_->outside != nullptr) system_->outside->visit_metrics(visitor);
}

}  // namespace doorbell::cli
