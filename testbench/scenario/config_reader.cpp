#include "testbench/scenario/config_reader.hpp"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

namespace doorbell::scenario {
namespace {

std::vector<std::string> split_lines(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream stream(text);
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty() && line.back() == '\r') line.pop_back();
        lines.push_back(line);
    }
    return lines;
}

/// Turns toml++'s tree into ours. toml++ sorts the keys of a table; the places they were written at
/// give back the order of writing.
class Converter {
public:
    explicit Converter(const SourceText& source) : source_(source) {}

    std::unique_ptr<ConfigNode> convert(const toml::node& node) const {
        auto result = std::make_unique<ConfigNode>();
        result->at = position(node.source());
        if (const auto* table = node.as_table()) {
            result->value = convert_table(*table);
        } else if (const auto* array = node.as_array()) {
            ConfigNode::Array elements;
            for (const toml::node& element : *array) elements.push_back(convert(element));
            result->value = std::move(elements);
        } else if (const auto* text = node.as_string()) {
            result->value = text->get();
        } else if (const auto* integer = node.as_integer()) {
            result->value = integer->get();
        } else if (const auto* real = node.as_floating_point()) {
            result->value = real->get();
        } else if (const auto* boolean = node.as_boolean()) {
            result->value = boolean->get();
        } else {
            // No key of ours is a date or a time: as a string it is refused wherever it stands.
            std::ostringstream moment;
            if (const auto* date = node.as_date()) moment << date->get();
            if (const auto* time = node.as_time()) moment << time->get();
            if (const auto* both = node.as_date_time()) moment << both->get();
            result->value = moment.str();
        }
        return result;
    }

private:
    ConfigNode::Table convert_table(const toml::table& table) const {
        ConfigNode::Table entries;
        for (const auto& [key, value] : table) {
            Position at = position(key.source());
            at.length = static_cast<std::uint32_t>(key.str().size());
            entries.push_back({std::string(key.str()), at, convert(value)});
        }
        std::stable_sort(
            entries.begin(), entries.end(), [](const ConfigEntry& a, const ConfigEntry& b) {
                return a.key_at.line != b.key_at.line ? a.key_at.line < b.key_at.line
                                                      : a.key_at.column < b.key_at.column;
            });
        return entries;
    }

    Position position(const toml::source_region& region) const {
        Position at{&source_, region.begin.line, region.begin.column, 1};
        if (region.end.line == region.begin.line && region.end.column > region.begin.column) {
            at.length = region.end.column - region.begin.column;
        }
        return at;
    }

    const SourceText& source_;
};

/// Where a dotted path leads, made on the way where it is missing.
class PathWalker {
public:
    PathWalker(ConfigNode& root, Position at, Diagnostics& diagnostics)
        : node_(&root), at_(at), diagnostics_(diagnostics) {}

    /// Goes to the table that holds the last segment; false after a diagnostic.
    bool walk(const std::vector<std::string>& segments) {
        for (std::size_t i = 0; i + 1 < segments.size(); i++) {
            at_.length = static_cast<std::uint32_t>(segments[i].size());
            if (!step(segments[i])) return false;
            at_.column += at_.length + 1;
        }
        at_.length = static_cast<std::uint32_t>(segments.back().size());
        if (node_->as<ConfigNode::Table>() != nullptr) return true;
        diagnostics_.add(at_, fmt::format("there is nothing inside {} to set with '{}'",
                                          node_->type_name(), segments.back()));
        return false;
    }
    [[nodiscard]] ConfigNode& table() const { return *node_; }
    [[nodiscard]] const Position& at() const { return at_; }

private:
    bool step(const std::string& segment) {
        if (auto* array = node_->as<ConfigNode::Array>()) return select(*array, segment);
        if (node_->as<ConfigNode::Table>() == nullptr) {
            diagnostics_.add(at_, fmt::format("there is nothing inside {}", node_->type_name()));
            return false;
        }
        // "nic0" of a host is element 0 of its array "nic".
        if (in_host_ && is_nic(segment)) return step("nic") && step(segment.substr(3));
        ConfigNode* next = node_->find(segment);
        if (next == nullptr) {
            auto made = std::make_unique<ConfigNode>(ConfigNode::Table{}, at_);
            if (in_host_ && segment == "nic") made->value = ConfigNode::Array{};
            next = &node_->set(segment, at_, std::move(made));
        }
        node_ = next;
        key_ = in_host_ ? "host." + segment : segment;
        in_host_ = false;
        return true;
    }

public:
    /// A link without a name has the one the decoder gives it.
    static std::string name_of(const ConfigNode& element, const std::string& key, std::size_t i) {
        const ConfigNode* named = element.find("name");
        const auto* text = named == nullptr ? nullptr : named->as<std::string>();
        const char* stem = key == "link" ? "wire" : key == "generator" ? "gen" : "";
        return text != nullptr ? *text : stem + std::to_string(i);
    }
    static bool is_nic(const std::string& segment) {
        return segment.size() > 3 && segment.compare(0, 3, "nic") == 0 &&
               std::all_of(segment.begin() + 3, segment.end(),
                           [](unsigned char c) { return std::isdigit(c) != 0; });
    }

private:
    /// The element of an array of tables that a segment names, or numbers.
    bool select(ConfigNode::Array& array, const std::string& segment) {
        std::vector<std::string> names;
        for (std::size_t i = 0; i < array.size(); i++) {
            const std::string name = name_of(*array[i], key_, i);
            if (name == segment || std::to_string(i) == segment) {
                in_host_ = key_ == "host";
                node_ = array[i].get();
                return true;
            }
            names.push_back(name);
        }
        // The one NIC that a host has when nothing is said of it.
        if (key_ == "host.nic" && array.empty() && segment == "0") {
            array.push_back(std::make_unique<ConfigNode>(ConfigNode::Table{}, at_));
            node_ = array.back().get();
            return true;
        }
        diagnostics_.add(at_, fmt::format("there is no '{}' in the scenario", segment), {},
                         suggestion(segment, names));
        return false;
    }

    ConfigNode* node_;
    Position at_;
    Diagnostics& diagnostics_;
    std::string key_;       ///< The key that led to `node_`.
    bool in_host_ = false;  ///< `node_` is an element of [[host]].
};

std::vector<std::string> split_path(const std::string& path) {
    std::vector<std::string> segments(1);
    for (const char c : path) {
        if (c == '.') {
            segments.emplace_back();
        } else {
            segments.back() += c;
        }
    }
    return segments;
}

void put(ConfigNode& root, const std::string& path, const Position& path_at,
         std::unique_ptr<ConfigNode> value, Diagnostics& diagnostics) {
    const std::vector<std::string> segments = split_path(path);
    Position at = path_at;
    for (const std::string& segment : segments) {
        if (segment.empty()) {
            diagnostics.add(at, fmt::format("'{}' is not a path of keys", path),
                            "it has an empty part");
            return;
        }
        at.column += static_cast<std::uint32_t>(segment.size()) + 1;
    }
    PathWalker walker(root, path_at, diagnostics);
    if (walker.walk(segments)) {
        walker.table().set(segments.back(), walker.at(), std::move(value));
    }
}

}  // namespace

std::unique_ptr<ConfigNode> read_toml_file(const std::filesystem::path& path, Sources& sources,
                                           Diagnostics& diagnostics) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    const bool folder = std::filesystem::is_directory(path);
    // An empty file leaves `text` failed, but not bad.
    if (file && !folder) text << file.rdbuf();
    if (!file.is_open() || folder || text.bad()) {
        sources.push_back({path.string(), false, {}});
        diagnostics.add({&sources.back(), 0, 0, 1}, "the scenario cannot be read",
                        folder ? "it is a folder" : std::strerror(errno));
        return nullptr;
    }
    return read_toml_text(text.str(), path.string(), sources, diagnostics);
}

std::unique_ptr<ConfigNode> read_toml_text(const std::string& text, const std::string& name,
                                           Sources& sources, Diagnostics& diagnostics) {
    sources.push_back({name, false, split_lines(text)});
    const SourceText& source = sources.back();
    try {
        const toml::table table = toml::parse(text, name);
        return Converter(source).convert(table);
    } catch (const toml::parse_error& error) {
        const auto& begin = error.source().begin;
        diagnostics.add({&source, begin.line, begin.column, 1}, "this is not TOML",
                        std::string(error.description()));
        return nullptr;
    }
}

std::unique_ptr<ConfigNode> value_of_argument(const std::string& text, const Position& at) {
    std::unique_ptr<ConfigNode> value;
    // The same width in front, so that columns are the argument's.
    const std::string document = "x" + std::string(std::max(at.column, 3u) - 3, ' ') + "=" + text;
    try {
        const toml::table parsed = toml::parse(document);
        const toml::node* node = parsed.get("x");
        const bool plain = node->is_date() || node->is_time() || node->is_date_time();
        if (parsed.size() == 1 && !plain) value = Converter(*at.source).convert(*node);
    } catch (const toml::parse_error&) {
    }
    if (value == nullptr) value = std::make_unique<ConfigNode>(text, at);
    value->at = at;
    value->raw = text;
    return value;
}

void apply_set(ConfigNode& root, const std::string& argument, Sources& sources,
               Diagnostics& diagnostics) {
    sources.push_back({"--set " + argument, true, {argument}});
    const SourceText& source = sources.back();
    const std::size_t equals = argument.find('=');
    if (equals == std::string::npos || equals == 0) {
        diagnostics.add({&source, 1, 1, static_cast<std::uint32_t>(argument.size())},
                        "--set needs KEY=VALUE", {}, "for instance workload.bytes=1000000");
        return;
    }
    const std::string text = argument.substr(equals + 1);
    const Position at{&source, 1, static_cast<std::uint32_t>(equals + 2),
                      static_cast<std::uint32_t>(std::max<std::size_t>(text.size(), 1))};
    put(root, argument.substr(0, equals), {&source, 1, 1, 1}, value_of_argument(text, at),
        diagnostics);
}

std::string plain_key(const ConfigNode& root, const std::string& path) {
    const std::vector<std::string> segments = split_path(path);
    std::string plain;
    for (std::size_t i = 0; i < segments.size(); i++) {
        std::string segment = segments[i];
        const bool named = i == 1 && (segments[0] == "host" || segments[0] == "link" ||
                                      segments[0] == "generator");
        const ConfigNode* list = named ? root.find(segments[0]) : nullptr;
        const auto* array = list == nullptr ? nullptr : list->as<ConfigNode::Array>();
        for (std::size_t n = 0; array != nullptr && n < array->size(); n++) {
            if (PathWalker::name_of(*(*array)[n], segments[0], n) == segments[i]) {
                segment = std::to_string(n);
            }
        }
        if (i == 2 && segments[0] == "host" && PathWalker::is_nic(segment)) segment.insert(3, ".");
        plain += (plain.empty() ? "" : ".") + segment;
    }
    return plain;
}

void apply_value(ConfigNode& root, const std::string& path, const Position& path_at,
                 const ConfigNode& value, Diagnostics& diagnostics) {
    put(root, path, path_at, value.clone(), diagnostics);
}

}  // namespace doorbell::scenario
