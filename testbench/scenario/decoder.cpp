#include "testbench/scenario/decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <map>
#include <utility>

#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/host_decoder.hpp"
#include "testbench/scenario/load_decoder.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/traffic_decoder.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {
namespace {

/// Metrics that end so are words, all others are numbers.
constexpr std::string_view kWordEnd = "bound_by";

class Decoder {
public:
    Decoder(const ConfigNode& root, const RunSettings& run, const Knowledge& knowledge,
            Diagnostics& diagnostics)
        : root_(root), run_(run), knowledge_(knowledge), diagnostics_(diagnostics) {}

    Scenario decode() {
        TableReader file(&root_, "", diagnostics_);
        file.refuse_unknown();
        decode_head(file.table("scenario"));
        define_variables(file.table("workload"));
        const HostDecoder hosts(knowledge_, variables_, file.table("nic"), file.table("settings"),
                                run_.out_folder, diagnostics_);
        for (const ConfigNode* node : file.tables("host")) {
            scenario_.hosts.push_back(hosts.decode(*node, scenario_.hosts));
        }
        const TrafficDecoder traffic(variables_, diagnostics_);
        for (const ConfigNode* node : file.tables("generator")) {
            traffic.decode_generator(*node, scenario_);
        }
        LoadDecoder(variables_, diagnostics_).decode(file, hosts, scenario_);
        for (const ConfigNode* node : file.tables("link")) decode_link(*node);
        refuse_loose_generators(file);
        traffic.decode_measure(file.table("measure"), scenario_);
        for (const ConfigNode* node : file.tables("verify")) decode_verification(*node);
        refuse_overwriting();
        for (const ConfigNode* node : file.tables("timeline")) decode_action(*node);
        std::stable_sort(scenario_.timeline.begin(), scenario_.timeline.end(),
                         [](const Action& a, const Action& b) { return a.at_ps < b.at_ps; });
        metrics_ = knowledge_.metrics(scenario_);
        // An image that cannot be had has no metrics that could be missed: that it cannot is
        // enough.
        metrics_known_ =
            std::all_of(scenario_.hosts.begin(), scenario_.hosts.end(), [this](const Host& host) {
                std::string why;
                return knowledge_.image(host.image, why) != nullptr;
            });
        for (const ConfigNode* node : file.tables("expect")) decode_expectation(*node);
        if (const ConfigNode* head = file.table("scenario")) refuse_emptiness(head->at);
        variables_.refuse_unused(diagnostics_);
        return std::move(scenario_);
    }

private:
    void decode_head(const ConfigNode* node) {
        if (node == nullptr) return;
        TableReader reader(node, "scenario", diagnostics_);
        reader.refuse_unknown();
        scenario_.name = reader.name();
        scenario_.description = reader.string("description");
        scenario_.timeout_ps = milliseconds(unsigned_of(reader.integer("timeout_ms")));
        scenario_.drain_ps = microseconds(unsigned_of(reader.integer("drain_us")));
    }

    void define_variables(const ConfigNode* table) {
        variables_.define("out", run_.out_folder);
        variables_.define("seed", std::to_string(run_.seed));
        for (const Leaf& leaf : leaves_of(table)) {
            std::string value;
            if (scalar_text(*leaf.value, value)) {
                variables_.define("workload." + leaf.name, value, leaf.key_at, leaf.value->at);
            } else {
                diagnostics_.add(
                    leaf.value->at,
                    fmt::format("'{}' must be a string, a number or a boolean, this is "
                                "{}",
                                leaf.name, leaf.value->type_name()));
            }
        }
    }

    // --- what proves nothing ---

    /// A run in which nothing can happen, or of which nothing is asked, would count as a pass.
    void refuse_emptiness(const Position& at) {
        if (scenario_.expectations.empty() && scenario_.verifications.empty()) {
            const char* help =
                "an [[expect]], for instance metric = \"host.*.app.*.errors\" and "
                "value = 0, or a [[verify]]";
            diagnostics_.add(at, "the scenario expects nothing",
                             "whatever its run did would be a pass",
                             scenario_.load ? "an [[expect]]" : help);
        }
        if (scenario_.load) return;
        if (scenario_.hosts.empty()) {
            diagnostics_.add(at, "the scenario has no host", "nothing could run",
                             "a [[host]]; or, without a guest, a [dma] or a [discipline]");
            return;
        }
        if (scenario_.links.empty()) {
            diagnostics_.add(
                at, "the scenario links nothing", "no frame could leave its NIC",
                "a [[link]], for instance ends = [\"a.nic0\", \"b.nic0\"]; a cable can "
                "be out from the beginning: [[timeline]] with at_us = 0");
        }
        if (!ends_with_apps() && !ends_with_generators()) refuse_idleness(at);
    }

    /// Whether the run lasts until an application has ended.
    [[nodiscard]] bool ends_with_apps() const {
        return std::any_of(scenario_.hosts.begin(), scenario_.hosts.end(), [](const Host& host) {
            return std::any_of(host.apps.begin(), host.apps.end(),
                               [](const App& app) { return !app.background; });
        });
    }

    [[nodiscard]] bool ends_with_generators() const {
        return std::any_of(scenario_.generators.begin(), scenario_.generators.end(),
                           [](const Generator& generator) { return generator.params.count > 0; });
    }

    void refuse_loose_generators(TableReader& file) {
        const auto nodes = file.tables("generator");
        for (std::size_t i = 0; i < scenario_.generators.size() && i < nodes.size(); i++) {
            const std::string& name = scenario_.generators[i].name;
            if (taken_.count(name) != 0) continue;
            diagnostics_.add(
                nodes[i]->at, fmt::format("no link leads to generator '{}'", name),
                "its frames could go nowhere",
                fmt::format("a [[link]], for instance ends = [\"a.nic0\", \"{}\"]", name));
        }
    }

    /// Without an application that is waited for, a run lasts scenario.drain_us.
    void refuse_idleness(const Position& at) {
        if (actions_at_.empty()) {
            diagnostics_.add(at, "the scenario runs nothing",
                             "a run ends when the last [[host.app]] without background has ended, "
                             "and there is none",
                             "a [[host.app]] or, for scenario.drain_us, a [[timeline]]");
        }
        for (const auto& [time_ps, place] : actions_at_) {
            if (time_ps < scenario_.drain_ps) continue;
            diagnostics_.add(place, "the run has ended before",
                             fmt::format("without a [[host.app]] that it waits for it lasts "
                                         "scenario.drain_us, {} us",
                                         scenario_.drain_ps / microseconds(1)));
        }
    }

    // --- links ---

    void decode_link(const ConfigNode& node) {
        TableReader reader(&node, "link", diagnostics_);
        reader.refuse_unknown();
        Link link;
        link.name =
            reader.has("name") ? reader.name() : fmt::format("wire{}", scenario_.links.size());
        for (const Link& other : scenario_.links) {
            if (other.name == link.name) {
                reader.error("name", fmt::format("there is another link '{}'", link.name));
            }
        }
        decode_ends(reader, link);
        link.params.rate_mbps = narrow(reader.integer("rate_mbps"));
        link.params.propagation_ps = nanoseconds(unsigned_of(reader.integer("propagation_ns")));
        if (const ConfigNode* faults = reader.table("faults")) {
            TableReader both(faults, "link.faults", diagnostics_);
            both.refuse_unknown();
            decode_faults(both, link.params.faults[0]);
            link.params.faults[1] = link.params.faults[0];
            decode_direction(both, "forward", link.params.faults[0]);
            decode_direction(both, "backward", link.params.faults[1]);
        }
        scenario_.links.push_back(std::move(link));
    }

    void decode_ends(TableReader& reader, Link& link) {
        const ConfigNode* node = reader.any("ends");
        if (node == nullptr) return;
        const auto* array = node->as<ConfigNode::Array>();
        if (array == nullptr || array->size() != 2) {
            reader.error("ends", "a link has two ends", "for instance [\"a.nic0\", \"b.nic0\"]");
            return;
        }
        for (std::size_t i = 0; i < 2; i++) {
            const ConfigNode& end = *(*array)[i];
            const auto* text = end.as<std::string>();
            link.end_names[i] = text == nullptr ? "" : *text;
            if (!find_end(link.end_names[i], link.ends[i])) {
                const char* no_such = scenario_.generators.empty()
                                          ? "there is no NIC '{}'"
                                          : "there is no NIC or generator '{}'";
                diagnostics_.add(end.at, fmt::format(fmt::runtime(no_such), link.end_names[i]), {},
                                 suggestion(link.end_names[i], nic_names()));
            } else if (!taken_.emplace(link.end_names[i], link.name).second) {
                diagnostics_.add(end.at,
                                 fmt::format("'{}' is already an end of '{}'", link.end_names[i],
                                             taken_[link.end_names[i]]),
                                 "a NIC has one port");
            } else if (i == 1) {
                refuse_equal_addresses(end, link);
            }
        }
    }

    /// Two stations on one wire cannot have one address: ARP would find whoever answers first.
    void refuse_equal_addresses(const ConfigNode& end, const Link& link) {
        if (scenario_.hosts.empty() || taken_.count(link.end_names[0]) == 0) return;
        if (link.ends[0].is_generator() || link.ends[1].is_generator()) return;
        for (const Interface& a : scenario_.hosts[link.ends[0].host].interfaces) {
            for (const Interface& b : scenario_.hosts[link.ends[1].host].interfaces) {
                if (a.nic != link.ends[0].nic || b.nic != link.ends[1].nic) continue;
                if (a.address != b.address) continue;
                diagnostics_.add(
                    end.at,
                    fmt::format("'{}' and '{}' have the same address {}.{}.{}.{}",
                                link.end_names[0], link.end_names[1], a.address >> 24,
                                a.address >> 16 & 255, a.address >> 8 & 255, a.address & 255),
                    "the two ends of a link are two stations");
            }
        }
    }

    static void decode_faults(TableReader& reader, wire::FaultParams& faults) {
        decode_change(reader).apply(faults);
    }

    void decode_direction(TableReader& both, std::string_view key, wire::FaultParams& faults) {
        const ConfigNode* table = both.table(key);
        if (table == nullptr) return;
        const std::string section = fmt::format("link.faults.{}", key);
        TableReader reader(table, section, diagnostics_);
        reader.refuse_unknown();
        decode_faults(reader, faults);
    }

    static FaultChange decode_change(TableReader& reader) {
        const auto rate = [&](std::string_view key) -> std::optional<std::uint32_t> {
            const auto value = reader.optional_integer(key);
            return value ? std::optional<std::uint32_t>(narrow(*value)) : std::nullopt;
        };
        FaultChange change;
        change.loss_ppm = rate("loss_ppm");
        change.duplicate_ppm = rate("duplicate_ppm");
        change.reorder_ppm = rate("reorder_ppm");
        change.corrupt_ppm = rate("corrupt_ppm");
        change.delay_ppm = rate("delay_ppm");
        if (const auto limit = reader.optional_integer("delay_limit_ns")) {
            change.delay_limit_ns = unsigned_of(*limit);
        }
        return change;
    }

    // --- what happens and what is expected ---

    void decode_verification(const ConfigNode& node) {
        TableReader reader(&node, "verify", diagnostics_);
        reader.refuse_unknown();
        Verification verification;
        verification.input =
            variables_.expand(reader.string("input"), reader.at("input"), diagnostics_);
        verification.output =
            variables_.expand(reader.string("output"), reader.at("output"), diagnostics_);
        const std::string wrong = knowledge_.check_input(verification.input);
        if (reader.has("input") && !wrong.empty()) {
            diagnostics_.add(variables_.origin(reader.string("input"), reader.at("input")),
                             fmt::format("'{}' cannot be read", verification.input), wrong);
        }
        const Position at = variables_.origin(reader.string("output"), reader.at("output"));
        // The run's own folder is made later, but no folder in it.
        const auto output = std::filesystem::path(verification.output).lexically_normal();
        const bool own =
            output.parent_path() == std::filesystem::path(run_.out_folder).lexically_normal();
        const std::string refused = own ? "" : knowledge_.check_output(verification.output);
        if (reader.has("output") && !refused.empty()) {
            diagnostics_.add(at, fmt::format("'{}' cannot be written", verification.output),
                             refused);
        }
        output_at_.push_back(at);
        for (const auto& [key, name] :
             {std::pair("input", verification.input), std::pair("output", verification.output)}) {
            refuse_evidence(name, run_.out_folder, knowledge_,
                            variables_.definition(reader.string(key), reader.at(key)),
                            diagnostics_);
        }
        scenario_.verifications.push_back(std::move(verification));
    }

    /// An output is emptied before its input is read: the user's file would be gone.
    void refuse_overwriting() {
        for (std::size_t i = 0; i < output_at_.size(); i++) {
            const std::string& output = scenario_.verifications[i].output;
            for (const Verification& other : scenario_.verifications) {
                if (!knowledge_.same_file(other.input, output)) continue;
                diagnostics_.add(output_at_[i],
                                 fmt::format("'{}' is the input '{}'", output, other.input),
                                 "the run would overwrite it before it is read");
            }
        }
    }

    void decode_action(const ConfigNode& node) {
        TableReader reader(&node, "timeline", diagnostics_);
        reader.refuse_unknown();
        Action action;
        action.at_ps = microseconds(unsigned_of(reader.integer("at_us")));
        actions_at_.emplace_back(action.at_ps, reader.at("at_us"));
        const std::string kind = reader.string("action");
        action.kind = kind == "cable_in"    ? ActionKind::kCableIn
                      : kind == "cable_out" ? ActionKind::kCableOut
                                            : ActionKind::kFaults;
        const std::string name = reader.string("link");
        std::vector<std::string> names;
        for (const Link& link : scenario_.links) names.push_back(link.name);
        const auto it = std::find(names.begin(), names.end(), name);
        if (it != names.end()) {
            action.link = static_cast<std::uint32_t>(it - names.begin());
        } else if (reader.has("link")) {
            reader.error("link", fmt::format("there is no link '{}'", name), {},
                         suggestion(name, names));
        }
        const std::string direction = reader.string("direction");
        action.forward = direction != "backward";
        action.backward = direction != "forward";
        action.faults = decode_change(reader);
        scenario_.timeline.push_back(action);
    }

    void decode_expectation(const ConfigNode& node) {
        TableReader reader(&node, "expect", diagnostics_);
        reader.refuse_unknown();
        Expectation expectation;
        expectation.metric = metric_of(reader, "metric");
        expectation.op = reader.string("op");
        expectation.times = times_of(reader);
        expectation.why = reader.string("why");
        if (reader.has("value") == reader.has("other")) {
            reader.error("metric", "an expectation needs either 'value' or 'other'");
        }
        if (reader.has("other")) expectation.limit = metric_of(reader, "other");
        if (is_word(expectation.metric)) return decode_word(reader, std::move(expectation));
        if (const ConfigNode* value = reader.any("value"))
            decode_limit(reader, *value, expectation);
        scenario_.expectations.push_back(std::move(expectation));
    }

    static bool is_word(const std::string& metric) {
        return metric.find('*') == std::string::npos && metric.size() >= kWordEnd.size() &&
               metric.compare(metric.size() - kWordEnd.size(), kWordEnd.size(), kWordEnd) == 0;
    }

    /// What bounds a rate is a word: it is one or it is another.
    void decode_word(TableReader& reader, Expectation expectation) {
        const ConfigNode* value = reader.any("value");
        const auto* text = value == nullptr ? nullptr : value->as<std::string>();
        if (expectation.op != "==" && expectation.op != "!=") {
            reader.error("op", fmt::format("'{}' compares no words", expectation.op),
                         fmt::format("{} is a word, not a number: == or !=", expectation.metric));
        }
        if (text == nullptr) {
            reader.error("value", fmt::format("{} is a word", expectation.metric),
                         "for instance value = \"wire\"");
        } else {
            expectation.word = variables_.expand(*text, value->at, diagnostics_);
        }
        scenario_.expectations.push_back(std::move(expectation));
    }

    void decode_limit(TableReader& reader, const ConfigNode& value, Expectation& expectation) {
        if (const auto* integer = value.as<std::int64_t>(); integer != nullptr && *integer >= 0) {
            expectation.limit = unsigned_of(*integer);
        } else if (const auto* real = value.as<double>()) {
            expectation.limit = *real;
        } else if (const auto* text = value.as<std::string>()) {
            const std::string expanded = variables_.expand(*text, value.at, diagnostics_);
            std::uint64_t whole = 0;
            double number = 0;
            if (parse_unsigned(expanded, whole)) {
                expectation.limit = whole;
            } else if (parse_real(expanded, number)) {
                expectation.limit = number;
            } else {
                diagnostics_.add(variables_.origin(*text, value.at),
                                 fmt::format("\"{}\" is no number", expanded));
            }
        } else {
            reader.error("value",
                         fmt::format("'value' must be a number that is not negative, "
                                     "this is {}",
                                     value.type_name()),
                         "metrics count upwards from 0");
        }
    }

    double times_of(TableReader& reader) {
        const ConfigNode* node = reader.any("times");
        const auto* text = node == nullptr ? nullptr : node->as<std::string>();
        if (text == nullptr) return reader.number("times");
        const std::string expanded = variables_.expand(*text, node->at, diagnostics_);
        double number = 1;
        if (!parse_real(expanded, number)) {
            diagnostics_.add(variables_.origin(*text, node->at),
                             fmt::format("\"{}\" is no number", expanded));
        }
        return number;
    }

    std::string metric_of(TableReader& reader, std::string_view key) {
        const std::string name = reader.string(key);
        if (!reader.has(key)) return name;
        const bool exists = std::any_of(metrics_.begin(), metrics_.end(),
                                        [&](const auto& metric) { return matches(name, metric); });
        if (!exists && metrics_known_) {
            std::string help = suggestion(name, metrics_);
            if (help.empty()) help = "`doorbell describe metrics` lists them";
            reader.error(key, fmt::format("no run of this scenario has a metric '{}'", name), {},
                         help);
        }
        return name;
    }

    // --- small things ---

    static std::uint64_t unsigned_of(std::int64_t value) {
        return static_cast<std::uint64_t>(value);
    }
    static std::uint32_t narrow(std::int64_t value) { return static_cast<std::uint32_t>(value); }

    std::vector<std::string> nic_names() const {
        std::vector<std::string> names;
        for (const Host& host : scenario_.hosts) {
            for (std::size_t i = 0; i < host.nics.size(); i++) {
                names.push_back(fmt::format("{}.nic{}", host.name, i));
            }
        }
        for (const Generator& generator : scenario_.generators) names.push_back(generator.name);
        return names;
    }
    bool find_end(const std::string& name, LinkEnd& end) const {
        for (std::uint32_t g = 0; g < scenario_.generators.size(); g++) {
            if (name != scenario_.generators[g].name) continue;
            end.generator = g;
            return true;
        }
        for (std::uint32_t h = 0; h < scenario_.hosts.size(); h++) {
            for (std::uint32_t n = 0; n < scenario_.hosts[h].nics.size(); n++) {
                if (name != fmt::format("{}.nic{}", scenario_.hosts[h].name, n)) continue;
                end = {h, n};
                return true;
            }
        }
        return false;
    }

    const ConfigNode& root_;
    const RunSettings& run_;
    const Knowledge& knowledge_;
    Diagnostics& diagnostics_;
    Variables variables_;
    std::map<std::string, std::string> taken_;  ///< NIC to the link at its port.
    std::vector<std::string> metrics_;
    bool metrics_known_ = true;
    std::vector<Position> output_at_;  ///< Of each verification.
    std::vector<std::pair<Picoseconds, Position>> actions_at_;
    Scenario scenario_;
};

}  // namespace

Scenario decode(const ConfigNode& root, const RunSettings& run, const Knowledge& knowledge,
                Diagnostics& diagnostics) {
    return Decoder(root, run, knowledge, diagnostics).decode();
}

void FaultChange::apply(wire::FaultParams& faults) const {
    faults.loss_ppm = loss_ppm.value_or(faults.loss_ppm);
    faults.duplicate_ppm = duplicate_ppm.value_or(faults.duplicate_ppm);
    faults.reorder_ppm = reorder_ppm.value_or(faults.reorder_ppm);
    faults.corrupt_ppm = corrupt_ppm.value_or(faults.corrupt_ppm);
    faults.delay_ppm = delay_ppm.value_or(faults.delay_ppm);
    faults.delay_limit_ns = delay_limit_ns.value_or(faults.delay_limit_ns);
}

std::string Expectation::text() const {
    if (word) return fmt::format("{} {} {}", metric, op, *word);
    if (const auto* other = std::get_if<std::string>(&limit)) {
        const std::string factor = times == 1 ? "" : fmt::format("{} * ", times);
        return fmt::format("{} {} {}{}", metric, op, factor, *other);
    }
    if (const auto* real = std::get_if<double>(&limit)) {
        return fmt::format("{} {} {}", metric, op, *real);
    }
    return fmt::format("{} {} {}", metric, op, std::get<std::uint64_t>(limit));
}

}  // namespace doorbell::scenario
