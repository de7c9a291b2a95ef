#include "testbench/scenario/table_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

namespace doorbell::scenario {
namespace {

std::vector<std::string> split_choices(std::string_view choices) {
    std::vector<std::string> list(1);
    for (const char c : choices) {
        if (c == '|') {
            list.emplace_back();
        } else {
            list.back() += c;
        }
    }
    return list;
}

bool plain_name(const std::string& name) {
    return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
}

}  // namespace

TableReader::TableReader(const ConfigNode* table, std::string_view section,
                         Diagnostics& diagnostics)
    : table_(table), section_(section), diagnostics_(diagnostics) {
    if (table_ != nullptr && table_->as<ConfigNode::Table>() == nullptr) {
        diagnostics_.add(table_->at,
                         fmt::format("{} must be a table, this is {}",
                                     schema_section(section).heading, table_->type_name()));
        table_ = nullptr;
    }
}

const ConfigNode* TableReader::take(std::string_view key, bool& reported) {
    const SchemaKey& row = schema_key(section_, key);
    const ConfigNode* node = table_ == nullptr ? nullptr : table_->find(key);
    if (node == nullptr && row.fallback == nullptr && table_ != nullptr) {
        diagnostics_.add(at(), fmt::format("{} needs '{}'", schema_section(section_).heading, key),
                         std::string(row.description));
        reported = true;
    }
    return node;
}

void TableReader::wrong_type(const ConfigNode& node, std::string_view key, const char* wanted) {
    diagnostics_.add(node.at,
                     fmt::format("'{}' must be {}, this is {}", key, wanted, node.type_name()),
                     std::string(schema_key(section_, key).description));
}

std::string TableReader::string(std::string_view key) {
    const SchemaKey& row = schema_key(section_, key);
    const std::string fallback = row.fallback == nullptr ? "" : row.fallback;
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    if (node == nullptr) return fallback;
    const auto* text = node->as<std::string>();
    if (text == nullptr) {
        wrong_type(*node, key, "a string");
        return fallback;
    }
    if (!row.choices.empty()) {
        const auto choices = split_choices(row.choices);
        if (std::find(choices.begin(), choices.end(), *text) == choices.end()) {
            diagnostics_.add(node->at, fmt::format("'{}' cannot be \"{}\"", key, *text), {},
                             suggestion(*text, choices));
            return fallback;
        }
    }
    return *text;
}

std::string TableReader::name() {
    std::string text = string("name");
    if (has("name") && !plain_name(text)) {
        error("name", fmt::format("\"{}\" is no name", text),
              "a name has letters, digits, '_' and '-': it stands in metrics");
    }
    return text;
}

std::optional<std::int64_t> TableReader::optional_integer(std::string_view key) {
    const SchemaKey& row = schema_key(section_, key);
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    if (node == nullptr) return std::nullopt;
    const auto* value = node->as<std::int64_t>();
    if (value == nullptr) {
        wrong_type(*node, key, "an integer");
        return std::nullopt;
    }
    if (*value < row.minimum || *value > row.maximum) {
        diagnostics_.add(node->at, fmt::format("'{}' cannot be {}", key, *value),
                         fmt::format("it must be {}..{}", row.minimum, row.maximum));
        return std::nullopt;
    }
    return *value;
}

std::int64_t TableReader::integer(std::string_view key) {
    const SchemaKey& row = schema_key(section_, key);
    const auto value = optional_integer(key);
    if (value) return *value;
    return row.fallback == nullptr ? row.minimum : std::strtoll(row.fallback, nullptr, 10);
}

double TableReader::number(std::string_view key) {
    const SchemaKey& row = schema_key(section_, key);
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    if (node != nullptr) {
        if (const auto* real = node->as<double>()) return *real;
        if (const auto* integer = node->as<std::int64_t>()) return static_cast<double>(*integer);
        wrong_type(*node, key, "a number");
    }
    return row.fallback == nullptr ? 0 : std::strtod(row.fallback, nullptr);
}

bool TableReader::boolean(std::string_view key) {
    const SchemaKey& row = schema_key(section_, key);
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    if (node != nullptr) {
        if (const auto* value = node->as<bool>()) return *value;
        wrong_type(*node, key, "true or false");
    }
    return row.fallback != nullptr && std::string_view(row.fallback) == "true";
}

const ConfigNode* TableReader::table(std::string_view key) {
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    if (node != nullptr && node->as<ConfigNode::Table>() == nullptr) {
        wrong_type(*node, key, "a table");
        return nullptr;
    }
    return node;
}

std::vector<const ConfigNode*> TableReader::tables(std::string_view key) {
    bool reported = false;
    const ConfigNode* node = take(key, reported);
    std::vector<const ConfigNode*> list;
    if (node == nullptr) return list;
    const auto* array = node->as<ConfigNode::Array>();
    if (array == nullptr) {
        const std::string heading =
            section_.empty() ? fmt::format("[[{}]]", key) : fmt::format("[[{}.{}]]", section_, key);
        wrong_type(*node, key, ("an array of tables, written " + heading).c_str());
        return list;
    }
    for (const auto& element : *array) {
        if (element->as<ConfigNode::Table>() == nullptr) {
            wrong_type(*element, key, "an array of tables");
        } else {
            list.push_back(element.get());
        }
    }
    return list;
}

const ConfigNode* TableReader::any(std::string_view key) {
    bool reported = false;
    return take(key, reported);
}

bool TableReader::has(std::string_view key) const {
    return table_ != nullptr && table_->find(key) != nullptr;
}

Position TableReader::at(std::string_view key) const {
    const ConfigNode* node = table_ == nullptr ? nullptr : table_->find(key);
    return node == nullptr ? at() : node->at;
}

Position TableReader::at() const {
    return table_ == nullptr ? Position{} : table_->at;
}

void TableReader::error(std::string_view key, std::string what, std::string why, std::string help) {
    diagnostics_.add(at(key), std::move(what), std::move(why), std::move(help));
}

void TableReader::refuse_unknown() {
    if (table_ == nullptr) return;
    const auto known = keys_of(section_);
    for (const ConfigEntry& entry : *table_->as<ConfigNode::Table>()) {
        if (std::find(known.begin(), known.end(), entry.key) != known.end()) continue;
        diagnostics_.add(
            entry.key_at,
            fmt::format("unknown key '{}' in {}", entry.key, schema_section(section_).heading), {},
            suggestion(entry.key, known));
    }
}

}  // namespace doorbell::scenario
