#include "testbench/scenario/traffic_decoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "testbench/scenario/value_reader.hpp"

namespace doorbell::scenario {
namespace {

std::string trimmed(std::string text) {
    const auto blank = [](unsigned char c) { return std::isspace(c) != 0; };
    text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
    text.erase(std::find_if_not(text.rbegin(), text.rend(), blank).base(), text.end());
    return text;
}

std::vector<std::string> alternatives(std::string_view list) {
    std::vector<std::string> words;
    for (bool more = true; more;) {
        const std::size_t bar = list.find('|');
        words.push_back(trimmed(std::string(list.substr(0, bar))));
        more = bar != std::string_view::npos;
        if (more) list.remove_prefix(bar + 1);
    }
    return words;
}

/// "02:00:00:00:01:00".
bool parse_mac(const std::string& text, std::array<std::uint8_t, 6>& mac) {
    constexpr std::size_t kCharacters = 17;
    if (text.size() != kCharacters) return false;
    for (std::size_t i = 0; i < kCharacters; i++) {
        const auto c = static_cast<unsigned char>(text[i]);
        if (i % 3 == 2) {
            if (c != ':') return false;
            continue;
        }
        if (std::isxdigit(c) == 0) return false;
        const int digit = std::isdigit(c) != 0 ? c - '0' : std::tolower(c) - 'a' + 10;
        std::uint8_t& byte = mac[i / 3];
        byte = static_cast<std::uint8_t>(i % 3 == 0 ? digit << 4 : byte | digit);
    }
    return true;
}

}  // namespace

bool holds_when(TableReader& reader, Variables& variables, Diagnostics& diagnostics) {
    const std::string condition = reader.string("when");
    if (!reader.has("when")) return true;
    const std::string expanded = variables.expand(condition, reader.at("when"), diagnostics);
    const std::size_t at = expanded.find("==");
    if (at == std::string::npos) {
        reader.error("when", fmt::format("\"{}\" is no condition", condition),
                     "it says whether one word is another: \"${workload.direction} == tx|both\"");
        return true;
    }
    const auto left = alternatives(std::string_view(expanded).substr(0, at));
    const auto right = alternatives(std::string_view(expanded).substr(at + 2));
    return std::any_of(left.begin(), left.end(), [&](const std::string& word) {
        return std::find(right.begin(), right.end(), word) != right.end();
    });
}

void TrafficDecoder::decode_generator(const ConfigNode& node, Scenario& scenario) const {
    TableReader reader(&node, "generator", diagnostics_);
    reader.refuse_unknown();
    ValueReader values(reader, variables_, diagnostics_);
    Generator generator;
    generator.name =
        reader.has("name") ? reader.name() : fmt::format("gen{}", scenario.generators.size());
    const auto is_taken = [&](const auto& other) { return other.name == generator.name; };
    if (std::any_of(scenario.hosts.begin(), scenario.hosts.end(), is_taken) ||
        std::any_of(scenario.generators.begin(), scenario.generators.end(), is_taken)) {
        reader.error("name", fmt::format("there is another '{}'", generator.name),
                     "a link's end goes by the name of its host or generator");
    }
    wire::GeneratorParams& params = generator.params;
    params.size_bytes = static_cast<std::uint32_t>(values.count("size_bytes"));
    params.count = values.count("count");
    params.rate_fps = values.count("rate_fps");
    generator.rate_mbps = static_cast<std::uint32_t>(values.count("rate_mbps"));
    params.start_ps = microseconds(values.count("start_us"));
    params.vlan_tag = static_cast<std::uint16_t>(values.count("vlan_tag"));
    params.port = static_cast<std::uint16_t>(values.count("port"));
    const std::string to = values.text("to");
    if (reader.has("to")) {
        generator.has_destination = true;
        if (!parse_mac(to, params.to)) {
            values.error("to", fmt::format("\"{}\" is no MAC address", to),
                         "six bytes in hexadecimal: \"02:00:00:00:01:00\"");
        }
    }
    // It stays at its link's end, and takes what comes, but sends nothing.
    if (!holds_when(reader, variables_, diagnostics_)) params.count = 0;
    scenario.generators.push_back(std::move(generator));
}

void TrafficDecoder::decode_measure(const ConfigNode* node, Scenario& scenario) const {
    if (node == nullptr) return;
    TableReader reader(node, "measure", diagnostics_);
    reader.refuse_unknown();
    ValueReader values(reader, variables_, diagnostics_);
    Measure measure;
    const std::string nic = values.text("nic");
    bool found = false;
    for (std::uint32_t i = 0; i < scenario.links.size(); i++) {
        for (std::uint32_t end = 0; end < 2; end++) {
            const LinkEnd& place = scenario.links[i].ends[end];
            if (scenario.links[i].end_names[end] != nic || place.is_generator()) continue;
            found = true;
            measure.link = i;
            measure.end = end;
        }
    }
    if (!found && reader.has("nic")) {
        values.error("nic", fmt::format("no link leads to '{}'", nic),
                     "a NIC is measured by what crosses its link: \"a.nic0\"");
    }
    const std::string direction = values.text("direction");
    if (direction != "tx" && direction != "rx" && direction != "both") {
        values.error("direction", fmt::format("'direction' cannot be \"{}\"", direction),
                     "tx is what the NIC sends, rx what is sent to it, or both");
    }
    measure.tx = direction != "rx";
    measure.rx = direction != "tx";
    measure.warm_up_ps = microseconds(values.count("warm_up_us"));
    measure.frames = values.count("frames");
    measure.latency = reader.boolean("latency");
    scenario.measure = measure;
}

}  // namespace doorbell::scenario
