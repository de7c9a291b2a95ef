#include "testbench/cli/host_wire_module.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "testbench/cli/program_knowledge.hpp"
#include "testbench/cli/simulation_module.hpp"
#include "testbench/scenario/scenario_file.hpp"
#include "testbench/wire/far_side_base.hpp"
#include "testbench/wire/wire_spec.hpp"

namespace doorbell::cli {
namespace {

class HostWire final : public wire::FarSideBase {
public:
    HostWire(scenario::Scenario scenario, const SimulationOptions& options,
             const ProgramPaths& paths, const wire::FarSideContext& context)
        : FarSideBase(context),
          scenario_(std::move(scenario)),
          options_(options),
          simulation_(scenario_, options_, paths),
          end_(*this),
          step_([this] { step(); }) {}
    ~HostWire() override { context_.timeline.cancel(step_); }

    [[nodiscard]] std::string start() {
        simulation_.attach_outside(end_);
        const std::string problem = simulation_.start();
        if (problem.empty()) step();
        return problem;
    }

    void advertise(const LinkAbilities& abilities) override {
        bring_up_to_date();
        simulation_.outside_port().advertise(abilities);
        schedule();
    }
    void before_wait(std::vector<pollfd>&, int&) override {}
    void after_wait(const pollfd*, std::size_t) override { hand_over(); }
    void flush() override { hand_over(); }
    [[nodiscard]] std::string description() const override {
        std::string names;
        for (const scenario::Host& host : scenario_.hosts) {
            names += (names.empty() ? "" : ", ") + host.name;
        }
        return fmt::format("the simulated hosts of {} ({})", scenario_.name, names);
    }
    void visit_metrics(MetricVisitor& visitor) const override {
        FarSideBase::visit_metrics(visitor);
        simulation_.visit_metrics(visitor);
    }

protected:
    void send(FramePtr frame, Picoseconds start_ps, Picoseconds end_ps) override {
        bring_up_to_date();
        simulation_.outside_port().transmit(std::move(frame), start_ps, end_ps);
        schedule();
    }
    /// The cable has a rate, and the hosts want what a cable carries.
    [[nodiscard]] WireOffloads outward_offloads() const override { return {}; }
    [[nodiscard]] PauseEnds pause_ends() const override { return PauseEnds::kBeyond; }
    [[nodiscard]] bool carries_damage() const override { return true; }
    [[nodiscard]] LinkAbilities first_offer() const override { return partner_; }

private:
    /// The end of the simulated cable at which the served NIC is.
    class End final : public EthernetEndpoint {
    public:
        explicit End(HostWire& owner) : owner_(owner) {}
        void receive(FramePtr frame, Picoseconds, Picoseconds) override { owner_.arrived(*frame); }
        void partner(const LinkAbilities& abilities) override {
            owner_.partner_ = abilities;
            owner_.partner_news_ = true;
        }

    private:
        HostWire& owner_;
    };

    /// Frames belong to the pool of the simulation, which does not outlive this.
    void arrived(const Frame& frame) { arrive(frames().copy(frame), Padding::kAsItIs); }

    /// Something happens among the hosts.
    void step() {
        bring_up_to_date();
        hand_over();
        schedule();
    }
    /// May be called from within the NIC, so that what comes of it waits.
    void bring_up_to_date() {
        if (stepping_) return;
        stepping_ = true;
        simulation_.advance_until(context_.timeline.now_ps());
        stepping_ = false;
    }
    void hand_over() {
        if (partner_news_) {
            partner_news_ = false;
            offer(partner_);
        }
        deliver();
        if (said_ || simulation_.panic_text().empty()) return;
        said_ = true;
        say("a simulated host has panicked: " + simulation_.panic_text());
    }
    void schedule() {
        const Picoseconds next_ps = simulation_.next_event_time();
        if (next_ps == kNever) return;
        context_.timeline.schedule_by(step_, std::max(next_ps, context_.timeline.now_ps()));
    }

    const scenario::Scenario scenario_;
    const SimulationOptions options_;
    Simulation simulation_;
    End end_;
    LinkAbilities partner_;
    Task step_;
    bool stepping_ = false;
    bool partner_news_ = false;
    bool said_ = false;
};

/// The scenario without a host, whose end of its first link is outside. "" or what is wrong.
std::string leave_out(scenario::Scenario& scenario, const std::string& name) {
    std::string names;
    std::uint32_t left_out = 0;
    const auto count = static_cast<std::uint32_t>(scenario.hosts.size());
    for (; left_out < count; left_out++) {
        if (name.empty() || scenario.hosts[left_out].name == name) break;
        names += (names.empty() ? "" : ", ") + scenario.hosts[left_out].name;
    }
    if (left_out == count) {
        return fmt::format("{} has no host '{}'; its hosts: {}", scenario.name, name, names);
    }
    const auto is_there = [&](const scenario::LinkEnd& end) {
        return !end.is_generator() && end.host == left_out;
    };
    std::vector<scenario::Link> kept;
    bool outside = false;
    for (const scenario::Link& link : scenario.links) {
        const bool touches = is_there(link.ends[0]) || is_there(link.ends[1]);
        if (touches && (outside || (is_there(link.ends[0]) && is_there(link.ends[1])))) continue;
        outside = outside || touches;
        kept.push_back(link);
        for (scenario::LinkEnd& end : kept.back().ends) {
            if (end.is_generator()) continue;
            if (is_there(end)) {
                end.host = kOutsideHost;
            } else if (end.host > left_out) {
                end.host--;
            }
        }
    }
    if (!outside) return fmt::format("no link of {} leads to that host", scenario.name);
    scenario.hosts.erase(scenario.hosts.begin() + left_out);
    scenario.links = std::move(kept);
    scenario.verifications.clear();
    scenario.expectations.clear();
    scenario.measure.reset();
    scenario.timeline.clear();  // Of a run with an end.
    return "";
}

std::string read_options(const wire::WireSpec& spec, std::string& scenario, std::string& host) {
    if (spec.storage.empty() || spec.storage.front().empty()) {
        return "host: it has no scenario: write host:SCENARIO, for example host:ping; the "
               "scenarios: doorbell list";
    }
    scenario = spec.storage.front();
    for (std::size_t i = 1; i < spec.options.size(); i++) {
        const wire::WireOption& option = spec.options[i];
        if (option.key != "for" || !option.has_value) {
            return option_place(spec, option) + "there is none of that name; accepted: for=HOST";
        }
        host = std::string(option.value);
    }
    return "";
}

wire::MadeFarSide refuse(std::string why) {
    while (!why.empty() && why.back() == '\n') why.pop_back();
    return {nullptr, std::move(why)};
}

/// Mistakes in the scenario. Who prints this begins with "error:" already.
wire::MadeFarSide refuse(const scenario::Diagnostics& diagnostics) {
    constexpr std::string_view kLabel = "error: ";
    std::string text = diagnostics.text();
    const std::size_t label = text.find(kLabel);
    if (label != std::string::npos) text.erase(label, kLabel.size());
    return refuse("host: " + text);
}

}  // namespace

bool is_host_wire(std::string_view spec) {
    return wire::parse_wire_spec(spec).kind == "host";
}

wire::MadeFarSide open_host_wire(std::string_view text, const ProgramPaths& paths,
                                 const wire::FarSideContext& context) {
    const wire::WireSpec spec = wire::parse_wire_spec(text);
    std::string name;
    std::string host;
    std::string problem = read_options(spec, name, host);
    if (!problem.empty()) return refuse(problem);

    const std::filesystem::path path = scenario_path(paths, name);
    const scenario::ScenarioFile file(path, {});
    if (!file.good()) return refuse(file.diagnostics());
    const ProgramKnowledge knowledge(paths, path.parent_path());
    scenario::Diagnostics diagnostics;
    SimulationOptions options;
    options.folder = std::filesystem::temp_directory_path();
    options.scenario_folder = path.parent_path();
    options.capture = Capture::kNone;
    scenario::Scenario scenario =
        file.decode(0, {options.folder, options.seed}, knowledge, diagnostics);
    if (!diagnostics.empty()) return refuse(diagnostics);
    problem = leave_out(scenario, host);
    if (!problem.empty()) return refuse("host: " + problem);

    auto side = std::make_unique<HostWire>(std::move(scenario), options, paths, context);
    problem = side->start();
    if (!problem.empty()) return refuse("host: " + problem);
    return {std::move(side), ""};
}

}  // namespace doorbell::cli
