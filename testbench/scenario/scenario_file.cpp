#include "testbench/scenario/scenario_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "testbench/scenario/decode_text.hpp"

namespace doorbell::scenario {
namespace {

std::unique_ptr<ConfigNode> take_key(ConfigNode& root, std::string_view key) {
    auto& table = *root.as<ConfigNode::Table>();
    for (auto it = table.begin(); it != table.end(); ++it) {
        if (it->key != key) continue;
        std::unique_ptr<ConfigNode> value = std::move(it->value);
        table.erase(it);
        return value;
    }
    return nullptr;
}

}  // namespace

ScenarioFile::ScenarioFile(const std::filesystem::path& path, const std::vector<std::string>& sets,
                           const SweepChoice& choice)
    : root_(read_toml_file(path, sources_, diagnostics_)) {
    apply(sets, choice);
}

ScenarioFile::ScenarioFile(const std::string& text, const std::string& name,
                           const std::vector<std::string>& sets, const SweepChoice& choice)
    : root_(read_toml_text(text, name, sources_, diagnostics_)) {
    apply(sets, choice);
}

void ScenarioFile::apply(const std::vector<std::string>& sets, const SweepChoice& choice) {
    if (root_ == nullptr) return;
    sweep_ = take_key(*root_, "sweep");
    if (choice.own) read_sweep();
    for (const std::string& set : sets) {
        apply_set(*root_, set, sources_, diagnostics_);
        forget(set.substr(0, set.find('=')));
        // The file's own sweep was taken out above: this one came with the argument.
        if (const auto late = take_key(*root_, "sweep")) {
            diagnostics_.add(late->at, "a sweep cannot be set",
                             "it stands in the scenario file; --set gives a key one value");
        }
    }
    add_axes(choice.axes, sets);
}

/// The command line's axes come first, in its order: the last key varies fastest.
void ScenarioFile::add_axes(const std::vector<std::string>& arguments,
                            const std::vector<std::string>& sets) {
    std::map<std::string, std::string> taken;  // plain key to who has it
    for (const std::string& set : sets) {
        taken.emplace(plain_key(*root_, set.substr(0, set.find('='))), "--set " + set);
    }
    std::size_t first = 0;
    for (const std::string& argument : arguments) {
        given_.push_back(read_axis(argument, sources_, diagnostics_));
        const SweepAxis& axis = given_.back();
        if (axis.values.empty()) continue;
        const auto [owner, mine] = taken.emplace(plain_key(*root_, axis.key), "--axis " + argument);
        if (!mine) {
            diagnostics_.add(axis.key_at, fmt::format("'{}' cannot be an axis", axis.key),
                             fmt::format("{} gives it its values", owner->second));
            continue;
        }
        forget(axis.key);
        Axis steps;
        for (const auto& value : axis.values) {
            steps.steps.push_back({{axis.key, axis.key_at, value.get()}});
        }
        axes_.insert(axes_.begin() + static_cast<std::ptrdiff_t>(first++), std::move(steps));
        limit_points(axis.key_at);
        if (axes_.empty()) return;
    }
}

/// What a step changes, in no order.
std::map<std::string, std::string> ScenarioFile::contents(const std::vector<Change>& step) const {
    std::map<std::string, std::string> contents;
    for (const Change& change : step) {
        contents[plain_key(*root_, change.key)] = to_toml_value(*change.value);
    }
    return contents;
}

/// Who sets a swept key wants that value only, and no run twice that differed only in this key.
void ScenarioFile::forget(const std::string& key) {
    const std::string plain = plain_key(*root_, key);
    for (Axis& axis : axes_) {
        bool changed = false;
        for (std::vector<Change>& step : axis.steps) {
            const auto rest = std::remove_if(step.begin(), step.end(), [&](const Change& change) {
                return plain_key(*root_, change.key) == plain;
            });
            changed |= rest != step.end();
            step.erase(rest, step.end());
        }
        if (!changed) continue;
        std::set<std::map<std::string, std::string>> seen;
        axis.steps.erase(
            std::remove_if(axis.steps.begin(), axis.steps.end(),
                           [&](const auto& step) { return !seen.insert(contents(step)).second; }),
            axis.steps.end());
    }
    axes_.erase(std::remove_if(axes_.begin(), axes_.end(),
                               [](const Axis& axis) {
                                   return std::all_of(
                                       axis.steps.begin(), axis.steps.end(),
                                       [](const auto& step) { return step.empty(); });
                               }),
                axes_.end());
}

void ScenarioFile::read_sweep() {
    if (sweep_ == nullptr) return;
    if (const auto* tables = sweep_->as<ConfigNode::Array>()) {
        read_steps(*tables);
    } else if (sweep_->as<ConfigNode::Table>() != nullptr) {
        read_axes(*sweep_);
    } else {
        diagnostics_.add(sweep_->at,
                         fmt::format("[sweep] must be a table, this is {}", sweep_->type_name()));
    }
    limit_points(sweep_->at);
}

void ScenarioFile::limit_points(const Position& at) {
    std::size_t count = 1;
    for (const Axis& axis : axes_) {
        count *= axis.steps.size();
        if (count <= kMostSweepPoints) continue;
        diagnostics_.add(at, fmt::format("the sweep makes more than {} runs", kMostSweepPoints));
        axes_.clear();
        return;
    }
}

void ScenarioFile::read_axes(const ConfigNode& table) {
    for (const Leaf& leaf : leaves_of(&table)) {
        const auto* array = leaf.value->as<ConfigNode::Array>();
        if (array == nullptr || array->empty()) {
            diagnostics_.add(leaf.value->at,
                             fmt::format("the sweep of '{}' must be a list of values", leaf.name));
            continue;
        }
        Axis axis;
        for (const auto& value : *array) {
            axis.steps.push_back({{leaf.name, leaf.key_at, value.get()}});
        }
        axes_.push_back(std::move(axis));
    }
}

void ScenarioFile::read_steps(const ConfigNode::Array& tables) {
    Axis axis;
    for (const auto& table : tables) {
        std::vector<Change> step;
        for (const Leaf& leaf : leaves_of(table.get())) {
            step.push_back({leaf.name, leaf.key_at, leaf.value});
        }
        if (step.empty()) diagnostics_.add(table->at, "a step of the sweep changes nothing");
        axis.steps.push_back(std::move(step));
    }
    axes_.push_back(std::move(axis));
}

std::size_t ScenarioFile::points() const {
    std::size_t count = 1;
    for (const Axis& axis : axes_) count *= axis.steps.size();
    return count;
}

std::vector<ScenarioFile::Change> ScenarioFile::changes(std::size_t point) const {
    std::vector<Change> list;
    std::size_t stride = points();
    for (const Axis& axis : axes_) {
        stride /= axis.steps.size();
        const auto& step = axis.steps[point / stride % axis.steps.size()];
        list.insert(list.end(), step.begin(), step.end());
    }
    return list;
}

std::vector<std::pair<std::string, std::string>> ScenarioFile::point(std::size_t index) const {
    std::vector<std::pair<std::string, std::string>> settings;
    for (const Change& change : changes(index)) {
        std::string text;
        if (!scalar_text(*change.value, text)) text = to_toml_value(*change.value);
        settings.emplace_back(change.key, text);
    }
    return settings;
}

std::unique_ptr<ConfigNode> ScenarioFile::at_point(std::size_t point,
                                                   Diagnostics& diagnostics) const {
    std::unique_ptr<ConfigNode> root = root_->clone();
    for (const Change& change : changes(point)) {
        apply_value(*root, change.key, change.at, *change.value, diagnostics);
    }
    return root;
}

Scenario ScenarioFile::decode(std::size_t point, const RunSettings& run, const Knowledge& knowledge,
                              Diagnostics& diagnostics) const {
    const std::unique_ptr<ConfigNode> root = at_point(point, diagnostics);
    return scenario::decode(*root, run, knowledge, diagnostics);
}

std::unique_ptr<ConfigNode> ScenarioFile::resolved(std::size_t point) const {
    Diagnostics ignored;
    return at_point(point, ignored);
}

}  // namespace doorbell::scenario
