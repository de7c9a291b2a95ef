#include "testbench/scenario/variables.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace doorbell::scenario {
namespace {

constexpr int kDeepest = 8;

}  // namespace

std::string Variables::expand(const std::string& text, const Position& at,
                              Diagnostics& diagnostics) {
    return expand(text, at, diagnostics, 0);
}

std::string Variables::expand(const std::string& text, const Position& at, Diagnostics& diagnostics,
                              int depth) {
    std::string result;
    std::size_t from = 0;
    for (;;) {
        const std::size_t start = text.find("${", from);
        if (start == std::string::npos) return result + text.substr(from);
        const std::size_t end = text.find('}', start);
        if (end == std::string::npos) {
            diagnostics.add(at, fmt::format("'{}' is not closed", text.substr(start)), {},
                            "a variable is written ${workload.KEY}");
            return result;
        }
        const std::string name = text.substr(start + 2, end - start - 2);
        result += text.substr(from, start - from);
        from = end + 1;
        const auto it = table_.find(name);
        if (it == table_.end()) {
            diagnostics.add(at, fmt::format("there is no variable '{}'", name), {},
                            suggestion(name, names()));
            continue;
        }
        used_.insert(name);
        if (depth == kDeepest) {
            diagnostics.add(at, fmt::format("the variable '{}' stands for itself", name));
            return result;
        }
        result += expand(it->second.value, it->second.at, diagnostics, depth + 1);
    }
}

Position Variables::origin(const std::string& text, const Position& at) const {
    return origin(text, at, 0);
}

Position Variables::origin(const std::string& text, const Position& at, int depth) const {
    const auto typed = [](const Position& p) { return p.source != nullptr && p.source->argument; };
    std::size_t start = depth > kDeepest ? std::string::npos : text.find("${");
    for (; start != std::string::npos; start = text.find("${", start + 2)) {
        const std::size_t end = text.find('}', start);
        if (end == std::string::npos) break;
        const auto it = table_.find(text.substr(start + 2, end - start - 2));
        if (it == table_.end()) continue;
        if (typed(it->second.value_at)) return it->second.value_at;
        const Position inner = origin(it->second.value, at, depth + 1);
        if (typed(inner)) return inner;
    }
    return at;
}

Position Variables::definition(const std::string& word, const Position& at) const {
    const Position typed = origin(word, at);
    const bool argument = typed.source != nullptr && typed.source->argument;
    return argument ? typed : definition(word, at, 0);
}

Position Variables::definition(const std::string& word, const Position& at, int depth) const {
    const bool one = word.compare(0, 2, "${") == 0 && word.find('}') == word.size() - 1;
    if (!one || depth > kDeepest) return at;
    const auto it = table_.find(word.substr(2, word.size() - 3));
    if (it == table_.end() || it->second.value_at.source == nullptr) return at;
    return definition(it->second.value, it->second.value_at, depth + 1);
}

void Variables::refuse_unused(Diagnostics& diagnostics) const {
    const auto typed = [](const auto& entry) {
        return entry.second.at.source != nullptr && entry.second.at.source->argument;
    };
    // A value that --set replaced may have been the only one that used another variable.
    const bool any_typed = std::any_of(table_.begin(), table_.end(), typed);
    for (const auto& entry : table_) {
        const auto& [name, variable] = entry;
        if (variable.at.source == nullptr || used_.count(name) != 0) continue;
        if (any_typed && !typed(entry)) continue;
        diagnostics.add(variable.at, fmt::format("nothing uses the variable '{}'", name),
                        "a variable stands as ${" + name +
                            "} in an application's arguments, in "
                            "[[verify]] or in [[expect]]",
                        suggestion(name, {used_.begin(), used_.end()}));
    }
}

std::vector<std::string> Variables::names() const {
    std::vector<std::string> names;
    for (const auto& [name, variable] : table_) names.push_back(name);
    return names;
}

}  // namespace doorbell::scenario
