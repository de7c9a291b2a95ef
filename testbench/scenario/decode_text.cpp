#include "testbench/scenario/decode_text.hpp"

#include <charconv>
#include <cmath>
#include <cstdlib>

namespace doorbell::scenario {

bool parse_unsigned(std::string_view text, std::uint64_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

bool parse_real(const std::string& text, double& value) {
    char* end = nullptr;
    value = std::strtod(text.c_str(), &end);
    return !text.empty() && *end == '\0' && std::isfinite(value) && value >= 0;
}

bool parse_address(std::string_view text, std::uint32_t& address) {
    address = 0;
    for (int i = 0; i < 4; i++) {
        const std::size_t dot = i < 3 ? text.find('.') : text.size();
        if (dot == std::string_view::npos) return false;
        std::uint64_t octet = 0;
        if (dot > 3 || !parse_unsigned(text.substr(0, dot), octet) || octet > 255) return false;
        address = address << 8 | static_cast<std::uint32_t>(octet);
        text.remove_prefix(i < 3 ? dot + 1 : dot);
    }
    return text.empty();
}

std::string parse_network(std::string_view text, std::uint32_t& address,
                          std::uint32_t& prefix_bits) {
    const std::size_t slash = text.find('/');
    if (slash == std::string_view::npos) return "it has no prefix length";
    if (!parse_address(text.substr(0, slash), address)) return "that is no IPv4 address";
    std::uint64_t bits = 0;
    if (!parse_unsigned(text.substr(slash + 1), bits) || bits > 32) {
        return "a prefix has 0 to 32 bits";
    }
    prefix_bits = static_cast<std::uint32_t>(bits);
    return "";
}

bool command_words(const ConfigNode& node, std::vector<std::string>& words) {
    if (const auto* array = node.as<ConfigNode::Array>()) {
        for (const auto& element : *array) {
            const auto* text = element->as<std::string>();
            if (text == nullptr) {
                words.clear();
                return false;
            }
            words.push_back(*text);
        }
        return !words.empty();
    }
    const auto* line = node.as<std::string>();
    if (line == nullptr) return false;
    bool inside = false;
    char quote = '\0';
    for (const char c : *line) {
        if (quote != '\0') {
            if (c == quote) {
                quote = '\0';
            } else {
                words.back() += c;
            }
            continue;
        }
        const bool blank = c == ' ' || c == '\t' || c == '\n';
        if (!blank && !inside) words.emplace_back();
        inside = !blank;
        if (c == '\'' || c == '"') {
            quote = c;
        } else if (!blank) {
            words.back() += c;
        }
    }
    if (quote != '\0') words.clear();
    return !words.empty();
}

namespace {

/// The last line of a string that begins at `at`: toml++ gives a length to those of one line only.
std::size_t last_line(const Position& at) {
    const auto& lines = at.source->lines;
    if (at.length > 1) return at.line;
    const std::string delimiter(3, lines[at.line - 1][at.column - 1]);
    for (std::size_t line = at.line; line <= lines.size(); line++) {
        const std::size_t from = line == at.line ? at.column + 2 : 0;
        if (lines[line - 1].find(delimiter, from) != std::string::npos) return line;
    }
    return lines.size();
}

}  // namespace

std::vector<Position> command_places(const ConfigNode& node,
                                     const std::vector<std::string>& words) {
    std::vector<Position> places(words.size(), node.at);
    if (const auto* array = node.as<ConfigNode::Array>()) {
        for (std::size_t i = 0; i < words.size(); i++) places[i] = (*array)[i]->at;
        return places;
    }
    const SourceText* source = node.at.source;
    if (source == nullptr || node.at.line == 0 || node.at.line > source->lines.size())
        return places;
    if (node.at.column == 0 || node.at.column > source->lines[node.at.line - 1].size()) {
        return places;
    }
    // Words stand in the order of the text: each is looked for behind the one before.
    const std::size_t last = last_line(node.at);
    std::uint32_t line = node.at.line;
    std::size_t from = node.at.column - 1;
    for (std::size_t i = 0; i < words.size() && !words[i].empty(); i++) {
        std::size_t found = source->lines[line - 1].find(words[i], from);
        while (found == std::string::npos && line < last) {
            found = source->lines[line++].find(words[i]);
        }
        if (found == std::string::npos) return places;
        places[i] = {source, line, static_cast<std::uint32_t>(found + 1),
                     static_cast<std::uint32_t>(words[i].size())};
        from = found + words[i].size();
    }
    return places;
}

bool scalar_text(const ConfigNode& node, std::string& text) {
    if (const auto* string = node.as<std::string>()) {
        text = *string;
        return true;
    }
    if (node.as<ConfigNode::Table>() != nullptr || node.as<ConfigNode::Array>() != nullptr) {
        return false;
    }
    text = node.raw.empty() ? to_toml_value(node) : node.raw;
    return true;
}

bool matches(std::string_view pattern, std::string_view name) {
    // The last '*' takes what is left over; backtracking to it alone is enough.
    std::size_t p = 0;
    std::size_t n = 0;
    std::size_t star = std::string_view::npos;
    std::size_t star_n = 0;
    while (n < name.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            star_n = n;
        } else if (p < pattern.size() && pattern[p] == name[n]) {
            p++;
            n++;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            n = ++star_n;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') p++;
    return p == pattern.size();
}

}  // namespace doorbell::scenario
