#include "testbench/scenario/diagnostic.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace doorbell::scenario {
namespace {

std::string place(const Position& at) {
    if (at.source == nullptr) return "";
    if (at.source->argument) return fmt::format("{}:{}: ", at.source->name, at.column);
    if (at.line == 0) return at.source->name + ": ";
    return fmt::format("{}:{}:{}: ", at.source->name, at.line, at.column);
}

/// The line with a caret under the place; tabs are kept so that the caret stands right.
std::string excerpt(const Position& at) {
    if (at.source == nullptr || at.line == 0 || at.line > at.source->lines.size()) return "";
    const std::string& line = at.source->lines[at.line - 1];
    const std::string number = at.source->argument ? "" : std::to_string(at.line);
    std::string marker;
    for (std::size_t i = 0; i + 1 < at.column && i < line.size(); i++) {
        // One column a character, not a byte: continuation bytes of UTF-8 take none.
        if ((static_cast<unsigned char>(line[i]) & 0xc0) == 0x80) continue;
        marker += line[i] == '\t' ? '\t' : ' ';
    }
    marker += '^';
    marker.append(at.length > 1 ? at.length - 1 : 0, '~');
    return fmt::format(" {:>4} | {}\n      | {}\n", number, line, marker);
}

}  // namespace

std::string to_string(const Diagnostic& d) {
    std::string text = fmt::format("{}error: {}\n{}", place(d.at), d.what, excerpt(d.at));
    if (!d.why.empty()) text += fmt::format("      = {}\n", d.why);
    if (!d.help.empty()) text += fmt::format("      = help: {}\n", d.help);
    return text;
}

void Diagnostics::add(Position at, std::string what, std::string why, std::string help) {
    for (const Diagnostic& d : list_) {
        if (d.at.source == at.source && d.at.line == at.line && d.at.column == at.column &&
            d.what == what) {
            return;
        }
    }
    list_.push_back({at, std::move(what), std::move(why), std::move(help)});
}

std::string Diagnostics::text() const {
    std::string text;
    for (const Diagnostic& d : list_) text += to_string(d);
    return text;
}

// Optimal string alignment: Levenshtein's distance with swaps of neighbours.
std::size_t edit_distance(std::string_view a, std::string_view b) {
    const std::size_t width = b.size() + 1;
    std::vector<std::size_t> rows(3 * width);
    std::size_t* before = rows.data();
    std::size_t* above = before + width;
    std::size_t* row = above + width;
    for (std::size_t j = 0; j < width; j++) above[j] = j;
    for (std::size_t i = 1; i <= a.size(); i++) {
        row[0] = i;
        for (std::size_t j = 1; j < width; j++) {
            const std::size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + cost});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = std::min(row[j], before[j - 2] + 1);
            }
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

std::string closest(std::string_view word, const std::vector<std::string>& candidates) {
    std::string best;
    std::size_t best_distance = word.size();
    for (const std::string& candidate : candidates) {
        // What both have in front, up to a dot, says nothing about likeness.
        const std::size_t differs = static_cast<std::size_t>(
            std::mismatch(word.begin(), word.end(), candidate.begin(), candidate.end()).first -
            word.begin());
        const std::size_t dot = word.rfind('.', differs);
        const std::size_t common = dot == std::string_view::npos || dot >= differs ? 0 : dot + 1;
        const std::size_t limit = std::max<std::size_t>(1, (word.size() - common) / 3);
        const std::size_t distance = edit_distance(word, candidate);
        if (distance <= limit && distance < best_distance) {
            best = candidate;
            best_distance = distance;
        }
    }
    return best;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& candidates) {
    const std::string best = closest(word, candidates);
    if (!best.empty()) return fmt::format("did you mean '{}'?", best);
    if (candidates.empty() || candidates.size() > 24) return "";
    return "one of: " + comma_list(candidates);
}

}  // namespace doorbell::scenario
