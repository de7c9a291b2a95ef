#include <fmt/format.h>

#include <iostream>

#include "hw/base/generated/events.hpp"
#include "hw/nic/nic_params.hpp"
#include "testbench/cli/commands.hpp"
#include "testbench/cli/program_knowledge.hpp"
#include "testbench/report/metric_catalogue.hpp"
#include "testbench/scenario/scenario_file.hpp"
#include "testbench/scenario/schema.hpp"

namespace doorbell::cli {
namespace {

std::string address_text(std::uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 0xff, address >> 8 & 0xff,
                       address & 0xff);
}

void describe_nic() {
    std::cout << "Parameters of a NIC: in [nic] for all, in [[host.nic]] for one, with --set "
                 "nic.NAME=VALUE.\n";
    const NicParams defaults;
    for (const NicParam& param : nic_param_table()) {
        std::string range;
        if (param.kind == NicParamKind::kInteger) {
            range = fmt::format("{}..{}", param.minimum, param.maximum);
        } else if (param.kind == NicParamKind::kPowerOfTwo) {
            range = fmt::format("a power of two, {}..{}", param.minimum, param.maximum);
        } else if (param.kind == NicParamKind::kChoice) {
            range = param.choices;
        } else if (param.kind == NicParamKind::kBoolean) {
            range = "true|false";
        } else {
            range = "MAC address";
        }
        if (!param.unit.empty()) range += fmt::format(" {}", param.unit);
        std::cout << fmt::format("\n{}  ({}, default {})\n    {}\n", param.name, range,
                                 to_string(get_nic_param(defaults, param)), param.description);
    }
}

int describe_guest(const ProgramPaths& paths) {
    const ProgramKnowledge knowledge(paths, ".");
    std::string why;
    const scenario::ImageContents* image = knowledge.image("default", why);
    if (image == nullptr) {
        std::cerr << fmt::format("error: the default guest image cannot be loaded: {}\n", why);
        return 2;
    }
    std::cout << "Programs of the default guest image, for [[host.app]]:\n";
    for (const scenario::Documented& app : image->apps) {
        std::cout << fmt::format("\n{} {}\n    {}\n", app.name, app.arguments, app.description);
    }
    std::cout << "\nIts settings: in [settings] for all hosts, in [host.settings] for one, with "
                 "--set settings.NAME=VALUE.\n";
    for (const scenario::Documented& setting : image->settings) {
        std::cout << fmt::format("\n{}  ({}, default {})\n    {}\n", setting.name,
                                 setting.arguments, setting.fallback, setting.description);
    }
    return 0;
}

void describe_events() {
    std::cout << "Events of the stream (--trace), with their arguments.\n\n";
    for (const EventDescription* e = events::kSchema; e->name != nullptr; e++) {
        std::string arguments;
        for (const char* argument : e->args) {
            if (argument != nullptr)
                arguments += (arguments.empty() ? "" : ", ") + std::string(argument);
        }
        std::cout << fmt::format("{:>3} {}({})\n    {}\n", e->code, e->name, arguments,
                                 e->description);
    }
}

void describe_host(const scenario::Host& host) {
    std::cout << fmt::format("\nhost {}: {} NIC{}, image {}\n", host.name, host.nics.size(),
                             host.nics.size() == 1 ? "" : "s", host.image);
    for (const scenario::Interface& i : host.interfaces) {
        std::cout << fmt::format("  nic{} {}/{} mtu {}\n", i.nic, address_text(i.address),
                                 i.prefix_bits, i.mtu_bytes);
    }
    for (const scenario::Route& r : host.routes) {
        std::cout << fmt::format("  route {}/{} via {}\n", address_text(r.destination),
                                 r.prefix_bits,
                                 r.gateway == 0 ? "its interface" : address_text(r.gateway));
    }
    for (const scenario::Setting& s : host.settings) {
        std::cout << fmt::format("  setting {} = {}\n", s.name, s.value);
    }
    for (const scenario::App& app : host.apps) {
        std::string line;
        for (const std::string& word : app.argv) line += " " + shell_quoted(word);
        std::cout << fmt::format("  at {} us{}:{}\n", app.start_ps / 1'000'000,
                                 app.background ? ", in the background" : "", line);
    }
}

void describe_link(const scenario::Link& link) {
    std::cout << fmt::format("\nlink {}: {} to {}, {} Mb/s, {} ns\n", link.name, link.end_names[0],
                             link.end_names[1], link.params.rate_mbps,
                             link.params.propagation_ps / 1000);
    static constexpr const char* kDirections[] = {"forward", "backward"};
    for (std::size_t d = 0; d < 2; d++) {
        const wire::FaultParams& f = link.params.faults[d];
        const std::pair<const char*, std::uint32_t> rates[] = {{"lost", f.loss_ppm},
                                                               {"duplicated", f.duplicate_ppm},
                                                               {"reordered", f.reorder_ppm},
                                                               {"corrupted", f.corrupt_ppm},
                                                               {"delayed", f.delay_ppm}};
        for (const auto& [what, ppm] : rates) {
            if (ppm != 0) {
                std::cout << fmt::format("  {}: {:.4g} % {}\n", kDirections[d], ppm / 1e4, what);
            }
        }
    }
}

int describe_scenario(const ProgramPaths& paths, const std::string& name,
                      const std::vector<std::string>& sets) {
    const std::filesystem::path path = scenario_path(paths, name);
    if (!std::filesystem::exists(path)) {
        auto topics = shipped_scenarios(paths);
        for (const char* topic : {"scenario", "metrics", "nic", "guest", "events"}) {
            topics.emplace_back(topic);
        }
        std::cerr << fmt::format("error: nothing is called '{}'\n", name);
        const std::string help = scenario::suggestion(name, topics);
        if (!help.empty()) std::cerr << "      = help: " << help << "\n";
        return 2;
    }
    const scenario::ScenarioFile file(path, sets);
    const ProgramKnowledge knowledge(paths, path.parent_path());
    scenario::Diagnostics diagnostics;
    scenario::Scenario s;
    if (file.good()) s = file.decode(0, {"out/" + name, 1}, knowledge, diagnostics);
    if (!file.good() || !diagnostics.empty()) {
        std::cerr << file.diagnostics().text() << diagnostics.text();
        return 2;
    }
    std::cout << s.name << ": " << s.description << "\n";
    if (file.points() > 1) {
        std::cout << fmt::format("\na sweep of {} runs; this is the first:", file.points());
        for (const auto& [key, value] : file.point(0)) std::cout << " " << key << "=" << value;
        std::cout << "\n";
    }
    for (const scenario::Host& host : s.hosts) describe_host(host);
    for (const scenario::Link& link : s.links) describe_link(link);
    static constexpr const char* kActions[] = {"the cable out", "the cable in", "other faults"};
    for (const scenario::Action& action : s.timeline) {
        std::cout << fmt::format("\nat {} us: {} of {}", action.at_ps / 1'000'000,
                                 kActions[static_cast<int>(action.kind)],
                                 s.links[action.link].name);
    }
    if (!s.timeline.empty()) std::cout << "\n";
    std::cout << "\nexpected:\n";
    for (const scenario::Verification& v : s.verifications) {
        std::cout << fmt::format("  {} equals {}\n", v.output, v.input);
    }
    for (const scenario::Expectation& e : s.expectations) {
        std::cout << "  " << e.text() << (e.why.empty() ? "" : "  (" + e.why + ")") << "\n";
    }
    return 0;
}

}  // namespace

int describe_command(const ProgramPaths& paths, const std::string& topic,
                     const std::vector<std::string>& sets) {
    if (topic == "scenario") {
        std::cout << scenario::schema_text();
    } else if (topic == "metrics") {
        const ProgramKnowledge knowledge(paths, ".");
        std::cout << report::metric_catalogue_text(knowledge.guest_metrics("default"));
    } else if (topic == "nic") {
        describe_nic();
    } else if (topic == "guest") {
        return describe_guest(paths);
    } else if (topic == "events") {
        describe_events();
    } else {
        return describe_scenario(paths, topic, sets);
    }
    return 0;
}

}  // namespace doorbell::cli
