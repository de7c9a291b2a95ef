#include "testbench/scenario/config_node.hpp"

#include <fmt/format.h>

#include <cmath>

namespace doorbell::scenario {
namespace {

bool bare(std::string_view key) {
    if (key.empty()) return false;
    for (const char c : key) {
        const bool fits = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (!fits) return false;
    }
    return true;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            result += '\\';
            result += c;
        } else if (byte < 0x20 || byte == 0x7f) {
            result += fmt::format("\\u{:04x}", byte);
        } else {
            result += c;
        }
    }
    return result + '"';
}

std::string key_text(std::string_view key) {
    return bare(key) ? std::string(key) : quoted(key);
}

bool is_array_of_tables(const ConfigNode& node) {
    const auto* array = node.as<ConfigNode::Array>();
    if (array == nullptr || array->empty()) return false;
    for (const auto& element : *array) {
        if (element->as<ConfigNode::Table>() == nullptr) return false;
    }
    return true;
}

void write_table(const ConfigNode::Table& table, const std::string& path, std::string& text) {
    for (const ConfigEntry& entry : table) {
        const bool own_section =
            entry.value->as<ConfigNode::Table>() != nullptr || is_array_of_tables(*entry.value);
        if (own_section) continue;
        text += fmt::format("{} = {}\n", key_text(entry.key), to_toml_value(*entry.value));
    }
    for (const ConfigEntry& entry : table) {
        const std::string name = path + key_text(entry.key);
        if (const auto* inner = entry.value->as<ConfigNode::Table>()) {
            text += fmt::format("\n[{}]\n", name);
            write_table(*inner, name + ".", text);
        } else if (is_array_of_tables(*entry.value)) {
            for (const auto& element : *entry.value->as<ConfigNode::Array>()) {
                text += fmt::format("\n[[{}]]\n", name);
                write_table(*element->as<ConfigNode::Table>(), name + ".", text);
            }
        }
    }
}

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

}  // namespace

const ConfigNode* ConfigNode::find(std::string_view key) const {
    return const_cast<ConfigNode*>(this)->find(key);
}

ConfigNode* ConfigNode::find(std::string_view key) {
    auto* table = as<Table>();
    if (table == nullptr) return nullptr;
    for (ConfigEntry& entry : *table) {
        if (entry.key == key) return entry.value.get();
    }
    return nullptr;
}

ConfigNode& ConfigNode::set(std::string_view key, Position key_at,
                            std::unique_ptr<ConfigNode> node) {
    auto& table = std::get<Table>(value);
    for (ConfigEntry& entry : table) {
        if (entry.key != key) continue;
        entry.key_at = key_at;
        entry.value = std::move(node);
        return *entry.value;
    }
    table.push_back({std::string(key), key_at, std::move(node)});
    return *table.back().value;
}

const char* ConfigNode::type_name() const {
    static constexpr const char* kNames[] = {"a table",    "an array", "a string",
                                             "an integer", "a number", "a boolean"};
    return kNames[value.index()];
}

std::unique_ptr<ConfigNode> ConfigNode::clone() const {
    auto copy = std::make_unique<ConfigNode>();
    copy->at = at;
    copy->raw = raw;
    if (const auto* table = as<Table>()) {
        Table entries;
        for (const ConfigEntry& entry : *table) {
            entries.push_back({entry.key, entry.key_at, entry.value->clone()});
        }
        copy->value = std::move(entries);
    } else if (const auto* array = as<Array>()) {
        Array elements;
        for (const auto& element : *array) elements.push_back(element->clone());
        copy->value = std::move(elements);
    } else if (const auto* text = as<std::string>()) {
        copy->value = *text;
    } else if (const auto* integer = as<std::int64_t>()) {
        copy->value = *integer;
    } else if (const auto* real = as<double>()) {
        copy->value = *real;
    } else {
        copy->value = *as<bool>();
    }
    return copy;
}

std::vector<Leaf> leaves_of(const ConfigNode* table) {
    std::vector<Leaf> leaves;
    if (table != nullptr && table->as<ConfigNode::Table>() != nullptr) {
        collect_leaves(*table, "", leaves);
    }
    return leaves;
}

std::string comma_list(const std::vector<std::string>& parts) {
    std::string text;
    for (const std::string& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

std::string to_toml_value(const ConfigNode& node) {
    if (const auto* text = node.as<std::string>()) return quoted(*text);
    if (const auto* integer = node.as<std::int64_t>()) return std::to_string(*integer);
    if (const auto* boolean = node.as<bool>()) return *boolean ? "true" : "false";
    if (const auto* real = node.as<double>()) {
        if (std::isnan(*real)) return "nan";
        if (std::isinf(*real)) return *real > 0 ? "inf" : "-inf";
        const std::string digits = fmt::format("{}", *real);
        return digits.find_first_of(".e") == std::string::npos ? digits + ".0" : digits;
    }
    std::vector<std::string> parts;
    if (const auto* array = node.as<ConfigNode::Array>()) {
        for (const auto& element : *array) parts.push_back(to_toml_value(*element));
        return fmt::format("[{}]", comma_list(parts));
    }
    for (const ConfigEntry& entry : *node.as<ConfigNode::Table>()) {
        parts.push_back(key_text(entry.key) + " = " + to_toml_value(*entry.value));
    }
    return fmt::format("{{ {} }}", comma_list(parts));
}

std::string to_toml(const ConfigNode& root) {
    std::string text;
    write_table(std::get<ConfigNode::Table>(root.value), "", text);
    return text;
}

}  // namespace doorbell::scenario
