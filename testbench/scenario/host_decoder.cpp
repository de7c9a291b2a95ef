#include "testbench/scenario/host_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/guest_syntax.hpp"
#include "testbench/scenario/table_reader.hpp"
#include "testbench/scenario/traffic_decoder.hpp"

namespace doorbell::scenario {
namespace {

std::uint32_t narrow(std::int64_t value) {
    return static_cast<std::uint32_t>(value);
}

const Documented* find_in(const std::vector<Documented>& list, const std::string& name) {
    const auto it = std::find_if(list.begin(), list.end(),
                                 [&](const Documented& item) { return item.name == name; });
    return it == list.end() ? nullptr : &*it;
}

bool known_by(const std::vector<Documented>& list, const std::string& name) {
    return find_in(list, name) != nullptr;
}

std::string arguments_of(const std::vector<Documented>& list, const std::string& name) {
    const Documented* item = find_in(list, name);
    return item == nullptr ? "" : item->arguments;
}

std::string help_from(const std::vector<Documented>& list, const std::string& name) {
    std::vector<std::string> names;
    for (const Documented& item : list) names.push_back(item.name);
    const std::string help = suggestion(name, names);
    return help.empty() ? "`doorbell describe guest` lists them" : help;
}

/// "nic1.driver.itr" sets for one NIC what "driver.itr" sets for all of them.
std::string setting_of_every_nic(const std::string& name, const Host& host) {
    const std::size_t dot = name.find('.');
    std::uint64_t nic = 0;
    const bool one = name.compare(0, 3, "nic") == 0 && dot != std::string::npos &&
                     parse_unsigned(std::string_view(name).substr(3, dot - 3), nic) &&
                     nic < host.nics.size() && name.compare(dot + 1, 7, "driver.") == 0;
    return one ? name.substr(dot + 1) : name;
}

}  // namespace

void refuse_evidence(const std::string& name, const std::string& out_folder,
                     const Knowledge& knowledge, const Position& at, Diagnostics& diagnostics) {
    const std::string file = knowledge.evidence_in(out_folder, name);
    if (file.empty()) return;
    diagnostics.add(at, fmt::format("'{}' is the run's own evidence", name),
                    fmt::format("the run writes {} itself", file), "another name");
}

HostDecoder::HostDecoder(const Knowledge& knowledge, Variables& variables,
                         const ConfigNode* common_nic, const ConfigNode* common_settings,
                         std::string out_folder, Diagnostics& diagnostics)
    : knowledge_(knowledge),
      variables_(variables),
      common_nic_(common_nic),
      common_settings_(common_settings),
      out_folder_(std::move(out_folder)),
      diagnostics_(diagnostics) {}

Host HostDecoder::decode(const ConfigNode& node, const std::vector<Host>& others) const {
    TableReader reader(&node, "host", diagnostics_);
    reader.refuse_unknown();
    Host host;
    host.name = reader.name();
    for (const Host& other : others) {
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
    Places places;
    decode_settings(common_settings_, image, host, places);
    decode_settings(reader.table("settings"), image, host, places);
    for (const ConfigNode* part : reader.tables("interface")) decode_interface(*part, host);
    for (const ConfigNode* part : reader.tables("route")) {
        decode_route(*part, host);
        places.routes.push_back(part->at);
    }
    for (const ConfigNode* part : reader.tables("app")) decode_app(*part, image, host, places);
    // What is wrong by itself would only be said again.
    if (image != nullptr && diagnostics_.empty()) ask_guest(node.at, host, places);
    return host;
}

std::vector<Param> HostDecoder::common_params() const {
    std::vector<Param> common;
    decode_params(common_nic_, common);
    return common;
}

void HostDecoder::decode_nics(TableReader& reader, Host& host) const {
    const std::vector<Param> common = common_params();
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

void HostDecoder::decode_params(const ConfigNode* table, std::vector<Param>& params) const {
    for (const Leaf& leaf : leaves_of(table)) {
        ParamValue value;
        if (const auto* boolean = leaf.value->as<bool>()) {
            value = *boolean;
        } else if (const auto* integer = leaf.value->as<std::int64_t>()) {
            value = *integer;
        } else if (const auto* text = leaf.value->as<std::string>()) {
            value = *text;
        } else {
            diagnostics_.add(leaf.value->at, fmt::format("'{}' must be {}, this is {}", leaf.name,
                                                         "a boolean, an integer or a string",
                                                         leaf.value->type_name()));
            continue;
        }
        if (!check_param(leaf, value)) continue;
        params.push_back({leaf.name, value});
    }
}

bool HostDecoder::check_param(const Leaf& leaf, const ParamValue& value) const {
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

void HostDecoder::decode_settings(const ConfigNode* table, const ImageContents* image, Host& host,
                                  Places& places) const {
    for (const Leaf& leaf : leaves_of(table)) {
        std::string value;
        if (!scalar_text(*leaf.value, value)) {
            diagnostics_.add(leaf.value->at, fmt::format("'{}' must be {}, this is {}", leaf.name,
                                                         "a string, a number or a boolean",
                                                         leaf.value->type_name()));
            continue;
        }
        value = variables_.expand(value, leaf.value->at, diagnostics_);
        const std::string known = setting_of_every_nic(leaf.name, host);
        if (image != nullptr && !known_by(image->settings, known)) {
            diagnostics_.add(
                leaf.key_at,
                fmt::format("the guest image '{}' has no setting '{}'", host.image, leaf.name), {},
                help_from(image->settings, leaf.name));
            continue;
        }
        if (image != nullptr) {
            const SyntaxMistake mistake =
                check_setting(leaf.name, value, arguments_of(image->settings, known));
            if (!mistake.what.empty()) {
                diagnostics_.add(leaf.value->at, mistake.what, mistake.why, mistake.help);
            }
        }
        places.settings.emplace_back(leaf.name, leaf.value->at);
        host.settings.push_back({leaf.name, value});
    }
}

void HostDecoder::decode_interface(const ConfigNode& node, Host& host) const {
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
        reader.error("address", fmt::format("\"{}\" is no address of an interface", address), wrong,
                     "for instance \"10.0.0.1/24\"");
    }
    for (const Interface& other : host.interfaces) {
        if (other.nic != interface.nic) continue;
        reader.error("nic", fmt::format("NIC {} of host '{}' has another interface", interface.nic,
                                        host.name));
    }
    interface.mtu_bytes = narrow(reader.integer("mtu_bytes"));
    host.interfaces.push_back(interface);
}

void HostDecoder::decode_route(const ConfigNode& node, Host& host) const {
    TableReader reader(&node, "host.route", diagnostics_);
    reader.refuse_unknown();
    Route route;
    const std::string to = reader.string("to");
    std::string wrong = parse_network(to, route.destination, route.prefix_bits);
    if (wrong.empty() && route.prefix_bits < 32 && (route.destination << route.prefix_bits) != 0) {
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

void HostDecoder::decode_app(const ConfigNode& node, const ImageContents* image, Host& host,
                             Places& places) const {
    TableReader reader(&node, "host.app", diagnostics_);
    reader.refuse_unknown();
    App app;
    app.start_ps = microseconds(static_cast<std::uint64_t>(reader.integer("start_us")));
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
    std::vector<Position> at;
    if (run != nullptr) at = command_places(*run, words);
    for (std::size_t i = 0; i < at.size(); i++) at[i] = variables_.definition(words[i], at[i]);
    if (image != nullptr && !app.argv.empty() && !known_by(image->apps, app.argv[0])) {
        reader.error(
            "run", fmt::format("the guest image '{}' has no program '{}'", host.image, app.argv[0]),
            {}, help_from(image->apps, app.argv[0]));
    } else if (image != nullptr && !app.argv.empty()) {
        const SyntaxMistake mistake =
            check_command(app.argv, arguments_of(image->apps, app.argv[0]));
        if (!mistake.what.empty()) {
            diagnostics_.add(mistake.word == 0 ? run->at : at[mistake.word], mistake.what,
                             mistake.why, mistake.help);
        }
    }
    if (!holds_when(reader, variables_, diagnostics_)) return;
    for (std::size_t i = 1; i < at.size(); i++) {
        refuse_evidence(app.argv[i], out_folder_, knowledge_, at[i], diagnostics_);
    }
    places.apps.push_back(std::move(at));
    host.apps.push_back(std::move(app));
}

/// The demands no value has by itself. Shown where the command line said something, else at the
/// likeliest cause; what nobody wrote is the image's own mistake and shows when it runs.
void HostDecoder::ask_guest(const Position& at, const Host& host, const Places& places) const {
    for (const GuestMistake& mistake : knowledge_.check_guest(host)) {
        std::vector<Position> written;
        if (mistake.app) {
            const std::vector<Position>& words = places.apps.at(*mistake.app);
            written.push_back(words.at(mistake.word.value_or(0)));
        }
        if (mistake.route) written.push_back(places.routes.at(*mistake.route));
        for (const std::string& setting : mistake.settings) {
            const std::string common = setting_of_every_nic(setting, host);
            // Who speaks of one NIC is heard before who speaks of all, and the last word counts.
            for (const std::string& name : {setting, common}) {
                const auto it = std::find_if(places.settings.rbegin(), places.settings.rend(),
                                             [&](const auto& s) { return s.first == name; });
                if (it == places.settings.rend()) continue;
                written.push_back(it->second);
                break;
            }
        }
        const bool placeless = !mistake.app && !mistake.route && mistake.settings.empty();
        if (placeless) written.push_back(at);
        if (written.empty()) continue;
        const auto typed =
            std::find_if(written.begin(), written.end(), [](const Position& position) {
                return position.source != nullptr && position.source->argument;
            });
        diagnostics_.add(typed == written.end() ? written.front() : *typed, mistake.what,
                         mistake.why);
    }
}

}  // namespace doorbell::scenario
