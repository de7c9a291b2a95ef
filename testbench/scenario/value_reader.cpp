#include "testbench/scenario/value_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace doorbell::scenario {
namespace {

bool parse_signed(const std::string& text, std::int64_t& value) {
    const char* end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && stopped == end;
}

std::vector<std::string> split(std::string_view choices) {
    std::vector<std::string> list;
    while (!choices.empty()) {
        const std::string_view one = choices.substr(0, choices.find('|'));
        list.emplace_back(one);
        choices.remove_prefix(std::min(choices.size(), one.size() + 1));
    }
    return list;
}

}  // namespace

const std::string* ValueReader::written(std::string_view key) const {
    const ConfigNode* node = reader_.has(key) ? reader_.any(key) : nullptr;
    return node == nullptr ? nullptr : node->as<std::string>();
}

std::int64_t ValueReader::integer(std::string_view key) {
    const std::string* text = written(key);
    if (text == nullptr) return reader_.integer(key);
    const SchemaKey& row = schema_key(reader_.section(), key);
    const std::string expanded = variables_.expand(*text, reader_.at(key), diagnostics_);
    std::int64_t value = 0;
    if (!parse_signed(expanded, value)) {
        error(key, fmt::format("'{}' must be an integer, not \"{}\"", key, expanded),
              std::string(row.description));
    } else if (value < row.minimum || value > row.maximum) {
        error(key, fmt::format("'{}' cannot be {}", key, value),
              fmt::format("it must be {}..{}", row.minimum, row.maximum));
    } else {
        return value;
    }
    return std::clamp(value, row.minimum, row.maximum);
}

std::string ValueReader::text(std::string_view key) {
    return variables_.expand(reader_.string(key), reader_.at(key), diagnostics_);
}

std::string ValueReader::choice(std::string_view key) {
    const std::string* text = written(key);
    if (text == nullptr || text->find("${") == std::string::npos) return reader_.string(key);
    const std::vector<std::string> choices = split(schema_key(reader_.section(), key).choices);
    std::string expanded = variables_.expand(*text, reader_.at(key), diagnostics_);
    if (std::find(choices.begin(), choices.end(), expanded) == choices.end()) {
        error(key, fmt::format("'{}' cannot be \"{}\"", key, expanded), {},
              suggestion(expanded, choices));
    }
    return expanded;
}

Position ValueReader::at(std::string_view key) const {
    const std::string* text = written(key);
    return text == nullptr ? reader_.at(key) : variables_.definition(*text, reader_.at(key));
}

void ValueReader::error(std::string_view key, std::string what, std::string why, std::string help) {
    diagnostics_.add(at(key), std::move(what), std::move(why), std::move(help));
}

}  // namespace doorbell::scenario
