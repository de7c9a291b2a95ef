#include "testbench/scenario/scenario_file.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "testbench/scenario/decode_text.hpp"

namespace doorbell::scenario {
namespace {

constexpr std::size_t kMostPoints = 10'000;

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

ScenarioFile::ScenarioFile(const std::filesystem::path& path, const std::vector<std::string>& sets)
    : root_(read_toml_file(path, sources_, diagnostics_)) {
    apply(sets);
}

ScenarioFile::ScenarioFile(const std::string& text, const std::string& name,
                           const std::vector<std::string>& sets)
    : root_(read_toml_text(text, name, sources_, diagnostics_)) {
    apply(sets);
}

void ScenarioFile::apply(const std::vector<std::string>& sets) {
    if (root_ == nullptr) return;
    sweep_ = take_key(*root_, "sweep");
    read_sweep();
    for (const std::string& set : sets) {
        apply_set(*root_, set, sources_, diagnostics_);
        // Who sets a swept key wants that value only.
        const std::string key = set.substr(0, set.find('='));
        axes_.erase(std::remove_if(axes_.begin(), axes_.end(),
                                   [&](const Axis& axis) { return axis.key == key; }),
                    axes_.end());
    }
}

void ScenarioFile::read_sweep() {
    if (sweep_ == nullptr) return;
    if (sweep_->as<ConfigNode::Table>() == nullptr) {
        diagnostics_.add(sweep_->at,
                         fmt::format("[sweep] must be a table, this is {}", sweep_->type_name()));
        return;
    }
    std::vector<std::pair<std::string, const ConfigNode*>> open = {{"", sweep_.get()}};
    while (!open.empty()) {
        const auto [prefix, table] = open.back();
        open.pop_back();
        for (const ConfigEntry& entry : *table->as<ConfigNode::Table>()) {
            const std::string key = prefix + entry.key;
            if (entry.value->as<ConfigNode::Table>() != nullptr) {
                open.emplace_back(key + ".", entry.value.get());
                continue;
            }
            const auto* array = entry.value->as<ConfigNode::Array>();
            if (array == nullptr || array->empty()) {
                diagnostics_.add(entry.value->at,
                                 fmt::format("the sweep of '{}' must be a list of values", key));
                continue;
            }
            Axis axis{key, entry.key_at, {}};
            for (const auto& value : *array) axis.values.push_back(value.get());
            axes_.push_back(std::move(axis));
        }
    }
    std::sort(axes_.begin(), axes_.end(),
              [](const Axis& a, const Axis& b) { return a.at.line < b.at.line; });
    std::size_t count = 1;
    for (const Axis& axis : axes_) {
        count *= axis.values.size();
        if (count <= kMostPoints) continue;
        diagnostics_.add(axis.at, fmt::format("the sweep makes more than {} runs", kMostPoints));
        axes_.clear();
        return;
    }
}

std::size_t ScenarioFile::points() const {
    std::size_t count = 1;
    for (const Axis& axis : axes_) count *= axis.values.size();
    return count;
}

std::vector<std::pair<std::string, std::string>> ScenarioFile::point(std::size_t index) const {
    std::vector<std::pair<std::string, std::string>> settings;
    std::size_t stride = points();
    for (const Axis& axis : axes_) {
        stride /= axis.values.size();
        const ConfigNode& value = *axis.values[index / stride % axis.values.size()];
        std::string text;
        if (!scalar_text(value, text)) text = to_toml_value(value);
        settings.emplace_back(axis.key, text);
    }
    return settings;
}

std::unique_ptr<ConfigNode> ScenarioFile::at_point(std::size_t point,
                                                   Diagnostics& diagnostics) const {
    std::unique_ptr<ConfigNode> root = root_->clone();
    std::size_t stride = points();
    for (const Axis& axis : axes_) {
        stride /= axis.values.size();
        apply_value(*root, axis.key, axis.at, *axis.values[point / stride % axis.values.size()],
                    diagnostics);
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
