#include "testbench/scenario/decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/variables.hpp"

namespace doorbell::scenario {
namespace {

bool plain_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
}

/// A leaf of nested tables by its dotted name.
struct Leaf {
    std::string name;
    Position key_at;
    const ConfigNode* value;
};

void collect_leaves(const ConfigNode& table, const std::string& prefix, std::vector<Leaf>& leaves) {
    for (const ConfigEntry& entry : *table.as<ConfigNode::Table>()) {
        const std::string name = prefix + entry.key;
        if (entry.value->as<ConfigNode::Table>() != nullptr) {
            collect_leaves(*entry.value, name + ".", leaves);
        } else {
            leaves.push_back({name, entry.key_at, entry.value.get()});
        }
    }
}

std::vector<Leaf> leaves_of(const ConfigNode* table) {
    std::vector<Leaf> leaves;
    if (table != nullptr && table->as<ConfigNode::Table>() != nullptr) {
        collect_leaves(*table, "", leaves);
    }
    return leaves;
}

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
        common_nic_ = file.table("nic");
        common_settings_ = file.table("settings");
        for (const ConfigNode* node : file.tables("host")) decode_host(*node);
        for (const ConfigNode* node : file.tables("link")) decode_link(*node);
        for (const ConfigNode* node : file.tables("verify")) decode_verification(*node);
        for (const ConfigNode* node : file.tables("timeline")) decode_action(*node);
        std::stable_sort(scenario_.timeline.begin(), scenario_.timeline.end(),
                         [](const Action& a, const Action& b) { return a.at_ps < b.at_ps; });
        metrics_ = knowledge_.metrics(scenario_);
        for (const ConfigNode* node : file.tables("expect")) decode_expectation(*node);
        variables_.refuse_unused(diagnostics_);
        return std::move(scenario_);
    }

private:
    void decode_head(const ConfigNode* node) {
        if (node == nullptr) return;
        TableReader reader(node, "scenario", diagnostics_);
        reader.refuse_unknown();
        scenario_.name = name_of(reader);
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
                variables_.define("workload." + leaf.name, value, leaf.key_at);
            } else {
                diagnostics_.add(
                    leaf.value->at,
                    fmt::format("'{}' must be a string, a number or a boolean, this is "
                                "{}",
                                leaf.name, leaf.value->type_name()));
            }
        }
    }

    std::string name_of(TableReader& reader) {
        std::string name = reader.string("name");
        if (reader.has("name") && !plain_name(name)) {
            reader.error("name", fmt::format("\"{}\" is no name", name),
                         "a name has letters, digits, '_' and '-': it stands in metrics");
        }
        return name;
    }

    // --- hosts
    // ------------------------------------------------------------------------------------

    void decode_host(const ConfigNode& node) {
        TableReader reader(&node, "host", diagnostics_);
        reader.refuse_unknown();
        Host host;
        host.name = name_of(reader);
        for (const Host& other : scenario_.hosts) {
            if (other.name == host.name) {
                reader.error("name", fmt::format("there is another host '{}'", host.name));
            }
        }
        host.image = reader.string("image");
        std::string why;
        const ImageContents* image = knowledge_.image(host.image, why);
        if (image == nullptr) {
            reader.error("image", fmt::format("there is no guest image '{}'", host.image), why);
        }
        decode_nics(reader, host);
        decode_settings(common_settings_, image, host);
        decode_settings(reader.table("settings"), image, host);
        for (const ConfigNode* part : reader.tables("interface")) decode_interface(*part, host);
        for (const ConfigNode* part : reader.tables("route")) decode_route(*part, host);
        for (const ConfigNode* part : reader.tables("app")) decode_app(*part, image, host);
        scenario_.hosts.push_back(std::move(host));
    }

    void decode_nics(TableReader& reader, Host& host) {
        std::vector<Param> common;
        decode_params(common_nic_, common);
        const auto parts = reader.tables("nic");
        if (parts.empty()) host.nics.push_back(common);
        for (const ConfigNode* part : parts) {
            std::vector<Param> params = common;
            decode_params(part, params);
            host.nics.push_back(std::move(params));
        }
        if (host.nics.size() > 8) {
            reader.error("nic", fmt::format("host '{}' has {} NICs", host.name, host.nics.size()),
                         "a host has at most 8");
        }
    }

    void decode_params(const ConfigNode* table, std::vector<Param>& params) {
        for (const Leaf& leaf : leaves_of(table)) {
            ParamValue value;
            if (const auto* boolean = leaf.value->as<bool>()) {
                value = *boolean;
            } else if (const auto* integer = leaf.value->as<std::int64_t>()) {
                value = *integer;
            } else if (const auto* text = leaf.value->as<std::string>()) {
                value = *text;
            } else {
                diagnostics_.add(leaf.value->at, fmt::format("'{}' cannot be {}", leaf.name,
                                                             leaf.value->type_name()));
                continue;
            }
            if (!check_param(leaf, value)) continue;
            params.push_back({leaf.name, value});
        }
    }

    bool check_param(const Leaf& leaf, const ParamValue& value) {
        const auto known = knowledge_.nic_params();
        if (std::find(known.begin(), known.end(), leaf.name) == known.end()) {
            std::string help = suggestion(leaf.name, known);
            if (help.empty()) help = "`doorbell describe nic` lists them";
            diagnostics_.add(leaf.key_at, fmt::format("a NIC has no parameter '{}'", leaf.name), {},
                             help);
            return false;
        }
        const std::string wrong = knowledge_.check_nic_param(leaf.name, value);
        if (wrong.empty()) return true;
        diagnostics_.add(leaf.value->at, wrong);
        return false;
    }

    void decode_settings(const ConfigNode* table, const ImageContents* image, Host& host) {
        for (const Leaf& leaf : leaves_of(table)) {
            std::string value;
            if (!scalar_text(*leaf.value, value)) {
                diagnostics_.add(leaf.value->at, fmt::format("'{}' cannot be {}", leaf.name,
                                                             leaf.value->type_name()));
                continue;
            }
            if (image != nullptr && !known_by(image->settings, leaf.name)) {
                diagnostics_.add(
                    leaf.key_at,
                    fmt::format("the guest image '{}' has no setting '{}'", host.image, leaf.name),
                    {}, help_from(image->settings, leaf.name));
                continue;
            }
            host.settings.push_back({leaf.name, value});
        }
    }

    void decode_interface(const ConfigNode& node, Host& host) {
        TableReader reader(&node, "host.interface", diagnostics_);
        reader.refuse_unknown();
        Interface interface;
        interface.nic = narrow(reader.integer("nic"));
        if (interface.nic >= host.nics.size()) {
            reader.error("nic", fmt::format("host '{}' has no NIC {}", host.name, interface.nic),
                         fmt::format("it has {}, counted from 0", host.nics.size()));
        }
        const std::string address = reader.string("address");
        const std::string wrong = parse_network(address, interface.address, interface.prefix_bits);
        if (reader.has("address") && !wrong.empty()) {
            reader.error("address", fmt::format("\"{}\" is no address of an interface", address),
                         wrong, "for instance \"10.0.0.1/24\"");
        }
        interface.mtu_bytes = narrow(reader.integer("mtu_bytes"));
        host.interfaces.push_back(interface);
    }

    void decode_route(const ConfigNode& node, Host& host) {
        TableReader reader(&node, "host.route", diagnostics_);
        reader.refuse_unknown();
        Route route;
        const std::string to = reader.string("to");
        std::string wrong = parse_network(to, route.destination, route.prefix_bits);
        if (wrong.empty() && route.prefix_bits < 32 &&
            (route.destination << route.prefix_bits) != 0) {
            wrong = "the address has bits beyond its prefix";
        }
        if (reader.has("to") && !wrong.empty()) {
            reader.error("to", fmt::format("\"{}\" is no network", to), wrong,
                         "for instance \"10.1.0.0/16\"");
        }
        const std::string via = reader.string("via");
        if (!via.empty() && !parse_address(via, route.gateway)) {
            reader.error("via", fmt::format("\"{}\" is no IPv4 address", via));
        }
        route.interface = narrow(reader.integer("interface"));
        if (reader.has("interface") && route.interface >= host.interfaces.size()) {
            reader.error("interface",
                         fmt::format("host '{}' has no interface {}", host.name, route.interface),
                         fmt::format("it has {}, counted from 0", host.interfaces.size()));
        }
        route.metric = narrow(reader.integer("metric"));
        host.routes.push_back(route);
    }

    void decode_app(const ConfigNode& node, const ImageContents* image, Host& host) {
        TableReader reader(&node, "host.app", diagnostics_);
        reader.refuse_unknown();
        App app;
        app.start_ps = microseconds(unsigned_of(reader.integer("start_us")));
        app.background = reader.boolean("background");
        std::vector<std::string> words;
        const ConfigNode* run = reader.any("run");
        if (run != nullptr && !command_words(*run, words)) {
            reader.error("run", "this is no command",
                         "a program and its arguments: a line of words, or an array of strings");
        }
        for (const std::string& word : words) {
            app.argv.push_back(variables_.expand(word, run->at, diagnostics_));
        }
        if (image != nullptr && !app.argv.empty() && !known_by(image->apps, app.argv[0])) {
            reader.error(
                "run",
                fmt::format("the guest image '{}' has no program '{}'", host.image, app.argv[0]),
                {}, help_from(image->apps, app.argv[0]));
        }
        host.apps.push_back(std::move(app));
    }

    // --- links
    // ------------------------------------------------------------------------------------

    void decode_link(const ConfigNode& node) {
        TableReader reader(&node, "link", diagnostics_);
        reader.refuse_unknown();
        Link link;
        link.name =
            reader.has("name") ? name_of(reader) : fmt::format("wire{}", scenario_.links.size());
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
                diagnostics_.add(end.at, fmt::format("there is no NIC '{}'", link.end_names[i]), {},
                                 suggestion(link.end_names[i], nic_names()));
            } else if (!taken_.emplace(link.end_names[i], link.name).second) {
                diagnostics_.add(end.at,
                                 fmt::format("'{}' is already an end of '{}'", link.end_names[i],
                                             taken_[link.end_names[i]]),
                                 "a NIC has one port");
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

    // --- what happens and what is expected
    // --------------------------------------------------------

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
            reader.error("input", fmt::format("'{}' cannot be read", verification.input), wrong);
        }
        scenario_.verifications.push_back(std::move(verification));
    }

    void decode_action(const ConfigNode& node) {
        TableReader reader(&node, "timeline", diagnostics_);
        reader.refuse_unknown();
        Action action;
        action.at_ps = microseconds(unsigned_of(reader.integer("at_us")));
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
        expectation.times = reader.number("times");
        expectation.why = reader.string("why");
        if (reader.has("value") == reader.has("other")) {
            reader.error("metric", "an expectation needs either 'value' or 'other'");
        }
        if (reader.has("other")) expectation.limit = metric_of(reader, "other");
        if (const ConfigNode* value = reader.any("value"))
            decode_limit(reader, *value, expectation);
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
                reader.error("value", fmt::format("\"{}\" is no number", expanded));
            }
        } else {
            reader.error("value",
                         fmt::format("'value' must be a number that is not negative, "
                                     "this is {}",
                                     value.type_name()),
                         "metrics count upwards from 0");
        }
    }

    std::string metric_of(TableReader& reader, std::string_view key) {
        const std::string name = reader.string(key);
        if (!reader.has(key)) return name;
        const bool exists = std::any_of(metrics_.begin(), metrics_.end(),
                                        [&](const auto& metric) { return matches(name, metric); });
        if (!exists) {
            std::string help = suggestion(name, metrics_);
            if (help.empty()) help = "`doorbell describe metrics` lists them";
            reader.error(key, fmt::format("no run of this scenario has a metric '{}'", name), {},
                         help);
        }
        return name;
    }

    // --- small things
    // -----------------------------------------------------------------------------

    static std::uint64_t unsigned_of(std::int64_t value) {
        return static_cast<std::uint64_t>(value);
    }
    static std::uint32_t narrow(std::int64_t value) { return static_cast<std::uint32_t>(value); }

    static bool known_by(const std::vector<Documented>& list, const std::string& name) {
        return std::any_of(list.begin(), list.end(),
                           [&](const Documented& item) { return item.name == name; });
    }
    static std::string help_from(const std::vector<Documented>& list, const std::string& name) {
        std::vector<std::string> names;
        for (const Documented& item : list) names.push_back(item.name);
        const std::string help = suggestion(name, names);
        return help.empty() ? "`doorbell describe guest` lists them" : help;
    }

    std::vector<std::string> nic_names() const {
        std::vector<std::string> names;
        for (const Host& host : scenario_.hosts) {
            for (std::size_t i = 0; i < host.nics.size(); i++) {
                names.push_back(fmt::format("{}.nic{}", host.name, i));
            }
        }
        return names;
    }
    bool find_end(const std::string& name, LinkEnd& end) const {
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
    const ConfigNode* common_nic_ = nullptr;
    const ConfigNode* common_settings_ = nullptr;
    std::map<std::string, std::string> taken_;  ///< NIC to the link at its port.
    std::vector<std::string> metrics_;
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
