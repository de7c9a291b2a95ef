#include "testbench/scenario/guest_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdint>

#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/diagnostic.hpp"

namespace doorbell::scenario {
namespace {

std::vector<std::string> split(std::string_view text, char separator) {
    std::vector<std::string> parts(1);
    for (const char c : text) {
        if (c == separator) {
            parts.emplace_back();
        } else {
            parts.back() += c;
        }
    }
    return parts;
}

bool contains(const std::vector<std::string>& list, const std::string& word) {
    return std::find(list.begin(), list.end(), word) != list.end();
}

struct Range {
    std::uint64_t minimum = 0;
    std::uint64_t maximum = UINT64_MAX;  ///< Not said: no limit.
    std::uint64_t step = 1;
};

bool parse_range(std::string_view syntax, Range& range) {
    const std::size_t dots = syntax.find("..");
    if (dots == std::string_view::npos) return false;
    const std::size_t comma = syntax.find(", by ");
    const bool stepped = comma != std::string_view::npos;
    if (stepped && !parse_unsigned(syntax.substr(comma + 5), range.step)) return false;
    const std::string_view maximum =
        syntax.substr(dots + 2, stepped ? comma - dots - 2 : std::string_view::npos);
    return parse_unsigned(syntax.substr(0, dots), range.minimum) &&
           (maximum.empty() || parse_unsigned(maximum, range.maximum)) && range.step > 0;
}

bool is_mac(const std::string& text) {
    const auto parts = split(text, ':');
    return parts.size() == 6 && std::all_of(parts.begin(), parts.end(), [](const auto& part) {
               return part.size() == 2 && std::all_of(part.begin(), part.end(), [](char c) {
                          return std::isxdigit(static_cast<unsigned char>(c)) != 0;
                      });
           });
}

struct Option {
    std::string name;
    std::string type;
    bool required = false;
    int alternative = 0;  ///< In parentheses, from 1; 0: none.
};

std::vector<Option> parse_synopsis(std::string_view synopsis) {
    std::vector<Option> options;
    int depth = 0;
    int alternative = 0;
    std::string word;
    const auto finish = [&] {
        if (word == "|") {
            alternative += alternative == 0 ? 0 : 1;
        } else if (word.compare(0, 2, "--") == 0) {
            options.push_back({word, "", depth == 0, alternative});
        } else if (!word.empty() && !options.empty() && options.back().type.empty()) {
            options.back().type = word;
        }
        word.clear();
    };
    for (const char c : synopsis) {
        const bool opens = c == '[' || c == '(';
        const bool closes = c == ']' || c == ')';
        if (!opens && !closes && c != ' ') {
            word += c;
            continue;
        }
        finish();
        depth += opens ? 1 : closes ? -1 : 0;
        if (c == '(') alternative = 1;
        if (c == ')') alternative = 0;
    }
    finish();
    return options;
}

/// "N:1..100" is a number of a range, "BYTES" any number.
SyntaxMistake check_number(const std::string& option, const std::string& value,
                           std::string_view text) {
    std::uint64_t number = 0;
    Range range;
    const bool ranged = parse_range(text, range);
    const std::string takes = ranged ? fmt::format("it takes {}", text) : "";
    if (!parse_unsigned(value, number)) {
        return {fmt::format("'{}' must be a whole number, not '{}'", option, value), takes, ""};
    }
    if (number >= range.minimum && number <= range.maximum) return {};
    const std::uint64_t nearest = number < range.minimum ? range.minimum : range.maximum;
    return {fmt::format("'{}' cannot be {}", option, value), takes,
            fmt::format("the nearest is {}", nearest)};
}

/// What the value should have been; empty when it is that.
std::string wrong_type(const std::string& type, const std::string& value) {
    std::uint64_t number = 0;
    std::uint32_t address = 0;
    const bool whole = parse_unsigned(value, number);
    if (type == "PORT" && (!whole || number == 0 || number > 65535)) return "a port, 1..65535";
    if (type == "ADDRESS" && !parse_address(value, address)) return "an IPv4 address";
    if (type == "MAC" && !is_mac(value)) return "a MAC address, as in 02:00:00:00:01:00";
    if (type.find('|') != std::string::npos && !contains(split(type, '|'), value)) {
        return "one of " + type;
    }
    return "";
}

SyntaxMistake check_value(const Option& option, const std::string& value) {
    const std::string unit = option.type.substr(0, option.type.find(':'));
    for (const char* counts : {"N", "BYTES", "MSS", "TAG"}) {
        if (unit != counts) continue;
        return check_number(
            option.name, value,
            std::string_view(option.type).substr(std::min(unit.size() + 1, option.type.size())));
    }
    const std::string wanted = wrong_type(option.type, value);
    if (wanted.empty()) return {};
    return {fmt::format("'{}' must be {}, not '{}'", option.name, wanted, value), "", ""};
}

/// One of the alternatives as a whole, and nothing of the others.
bool one_alternative(const std::vector<Option>& options, const std::vector<std::string>& words,
                     std::string& alternatives) {
    int whole = 0;
    bool others = false;
    for (int n = 1;; n++) {
        std::size_t wanted = 0;
        std::size_t found = 0;
        for (const Option& option : options) {
            if (option.alternative != n) continue;
            alternatives += (wanted > 0 ? " "
                             : n > 1    ? " or "
                                        : "") +
                            option.name + " " + option.type;
            wanted++;
            found += contains(words, option.name) ? 1 : 0;
        }
        if (wanted == 0) return n == 1 || (whole == 1 && !others);
        whole += found == wanted ? 1 : 0;
        others |= found > 0 && found < wanted;
    }
}

SyntaxMistake check_presence(const std::vector<Option>& options,
                             const std::vector<std::string>& words, std::string_view synopsis) {
    const std::string usage = fmt::format("{} {}", words[0], synopsis);
    for (const Option& option : options) {
        if (option.required && !contains(words, option.name)) {
            return {fmt::format("{} needs '{} {}'", words[0], option.name, option.type), "", usage};
        }
    }
    std::string alternatives;
    if (one_alternative(options, words, alternatives)) return {};
    return {fmt::format("{} needs either {}", words[0], alternatives), "", usage};
}

}  // namespace

SyntaxMistake check_setting(const std::string& name, const std::string& value,
                            std::string_view syntax) {
    const std::string what = fmt::format("'{}' cannot be {}", name, value);
    Range range;
    if (parse_range(syntax, range)) {
        std::uint64_t number = 0;
        if (parse_unsigned(value, number) && number >= range.minimum && number <= range.maximum &&
            number % range.step == 0) {
            return {};
        }
        return {what, fmt::format("it takes {}", syntax), ""};
    }
    if (syntax.find('|') == std::string_view::npos) return {};
    const auto choices = split(syntax, '|');
    if (contains(choices, value)) return {};
    return {what, "", suggestion(value, choices)};
}

SyntaxMistake check_command(const std::vector<std::string>& words, std::string_view synopsis) {
    const std::vector<Option> options = parse_synopsis(synopsis);
    std::vector<std::string> names;
    for (const Option& option : options) names.push_back(option.name);
    std::vector<std::string> seen = {words[0]};
    for (std::size_t i = 1; i < words.size(); i += 2) {
        const auto option = std::find_if(options.begin(), options.end(),
                                         [&](const Option& o) { return o.name == words[i]; });
        if (option == options.end()) {
            return {fmt::format("{} has no argument '{}'", words[0], words[i]), "",
                    suggestion(words[i], names), i};
        }
        if (contains(seen, words[i])) {
            return {fmt::format("'{}' is given twice", words[i]), "", "", i};
        }
        seen.push_back(words[i]);
        if (i + 1 == words.size()) {
            return {fmt::format("'{}' needs a value: {}", words[i], option->type), "", "", i};
        }
        SyntaxMistake mistake = check_value(*option, words[i + 1]);
        mistake.word = i + 1;
        if (!mistake.what.empty()) return mistake;
    }
    return check_presence(options, seen, synopsis);
}

}  // namespace doorbell::scenario
