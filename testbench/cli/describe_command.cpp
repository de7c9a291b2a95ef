#include <fmt/format.h>

#include <algorithm>
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

/// The images that `--set host.<h>.image=NAME` names, the default one when there is none. Nothing,
/// and an error, for what says nothing about an image.
std::vector<std::string> images_of(const std::string& topic, const std::vector<std::string>& sets) {
    std::vector<std::string> images;
    for (const std::string& set : sets) {
        const std::string key = set.substr(0, set.find('='));
        const std::size_t behind_host = key.find('.', 5);
        const bool names_image = key.compare(0, 5, "host.") == 0 &&
                                 behind_host != std::string::npos &&
                                 key.substr(behind_host) == ".image" && key.size() < set.size();
        if (!names_image) {
            std::cerr << fmt::format(
                "error: '{}' says nothing about {}\n      = help: --set host.<h>.image=NAME\n", set,
                topic);
            return {};
        }
        std::string image = set.substr(key.size() + 1);
        if (std::find(images.begin(), images.end(), image) == images.end()) {
            images.push_back(std::move(image));
        }
    }
    if (images.empty()) images.emplace_back("default");
    return images;
}

int describe_image(const ProgramKnowledge& knowledge, const std::string& name) {
    std::string why;
    const scenario::ImageContents* image = knowledge.image(name, why);
    if (image == nullptr) {
        std::cerr << fmt::format("error: the guest image '{}' cannot be loaded: {}\n", name, why);
        return 2;
    }
    std::cout << fmt::format("Programs of the guest image '{}', for [[host.app]]:\n", name);
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

int describe_guest(const ProgramPaths& paths, const std::vector<std::string>& sets) {
    const ProgramKnowledge knowledge(paths, ".");
    int code = 2;
    for (const std::string& name : images_of("the guest", sets)) {
        if (code = describe_image(knowledge, name); code != 0) return code;
    }
    return code;
}

int describe_metrics(const ProgramPaths& paths, const std::vector<std::string>& sets) {
    const ProgramKnowledge knowledge(paths, ".");
    int code = 2;
    for (const std::string& name : images_of("metrics", sets)) {
        std::string why;
        if (knowledge.image(name, why) == nullptr) {
            std::cerr << fmt::format("error: the guest image '{}' cannot be loaded: {}\n", name,
                                     why);
            return 2;
        }
        std::cout << report::metric_catalogue_text(knowledge.guest_metrics(name));
        code = 0;
    }
    return code;
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

void describe_generator(const scenario::Generator& generator) {
    const wire::GeneratorParams& p = generator.params;
    if (p.count == 0) {
        std::cout << fmt::format("\ngenerator {}: takes what comes\n", generator.name);
        return;
    }
    const std::string rate =
        p.rate_fps == 0 ? "back to back" : fmt::format("{} a second", p.rate_fps);
    std::cout << fmt::format("\ngenerator {}: {} frames of {} bytes, {}, from {} us\n",
                             generator.name, p.count, p.size_bytes, rate, p.start_ps / 1'000'000);
}

void describe_measure(const scenario::Scenario& s) {
    const scenario::Measure& m = *s.measure;
    std::cout << fmt::format("\nmeasured: what {} {}, from {} us to {} frames\n",
                             s.links[m.link].end_names[m.end],
                             m.tx && m.rx ? "sends and receives"
                             : m.tx       ? "sends"
                                          : "receives",
                             m.warm_up_ps / 1'000'000, m.frames);
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

void describe_load(const scenario::Scenario& s) {
    if (const auto* dma = std::get_if<pcie_bench::DmaLoad>(&*s.load)) {
        static constexpr const char* kKinds[] = {"reads", "writes", "reads and writes at once",
                                                 "writes, each read again"};
        std::cout << fmt::format(
            "\ndma: {} of {} bytes, at {} places of {} bytes, {} under way; {} after a warm-up of "
            "{}\n",
            kKinds[static_cast<int>(dma->kind)], dma->size_bytes,
            dma->order == pcie_bench::DmaOrder::kRandom ? "random" : "sequential",
            dma->window_bytes, dma->in_flight, dma->transfers, dma->warm_up);
    } else {
        const auto& discipline = std::get<pcie_bench::DisciplineLoad>(*s.load);
        static constexpr const char* kDrivers[] = {"simple", "kernel", "dpdk"};
        std::cout << fmt::format(
            "\ndiscipline {}: frames of {} bytes, {}, rings of {}, a buffer of {} frames; {} after "
            "a warm-up of {}\n",
            kDrivers[static_cast<int>(discipline.discipline)], discipline.frame_bytes,
            discipline.wire_mbps == 0 ? "a wire without limit"
                                      : fmt::format("{} Mb/s", discipline.wire_mbps),
            discipline.ring_descriptors, discipline.buffer_frames, discipline.frames,
            discipline.warm_up);
    }
    for (const scenario::Param& param : s.load_params) {
        std::cout << fmt::format("  {} = {}\n", param.name, to_string(param.value));
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
    for (const scenario::Generator& generator : s.generators) describe_generator(generator);
    for (const scenario::Link& link : s.links) describe_link(link);
    if (s.measure) describe_measure(s);
    if (s.load) describe_load(s);
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
    const bool fixed = topic == "scenario" || topic == "nic" || topic == "events";
    if (fixed && !sets.empty()) {
        std::cerr << fmt::format("error: '{}' says nothing about {}: it takes no --set\n", sets[0],
                                 topic);
        return 2;
    }
    if (topic == "scenario") {
        std::cout << scenario::schema_text();
    } else if (topic == "metrics") {
        return describe_metrics(paths, sets);
    } else if (topic == "guest") {
        return describe_guest(paths, sets);
    } else if (topic == "nic") {
        describe_nic();
    } else if (topic == "events") {
        describe_events();
    } else {
        return describe_scenario(paths, topic, sets);
    }
    return 0;
}

}  // namespace doorbell::cli
