#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "testbench/scenario/config_reader.hpp"
#include "testbench/scenario/decoder.hpp"
#include "testbench/scenario/sweep_axis.hpp"

namespace doorbell::scenario {

/// What the command line says of a file's sweep.
struct SweepChoice {
    std::vector<std::string> axes;  ///< Arguments of `--axis`; they multiply the runs.
    bool own = true;                ///< The file's own sweep counts.
};

/// A scenario file with what the command line changed in it, and the runs its sweep makes.
class ScenarioFile {
public:
    /// Reads the file, then applies the arguments of `--set` in their order. An axis of `choice`
    /// takes the place of the file's own for the same key, and is the outermost of all.
    ScenarioFile(const std::filesystem::path& path, const std::vector<std::string>& sets,
                 const SweepChoice& choice = {});
    /// The same from a text (tests).
    ScenarioFile(const std::string& text, const std::string& name,
                 const std::vector<std::string>& sets, const SweepChoice& choice = {});

    [[nodiscard]] const Diagnostics& diagnostics() const { return diagnostics_; }
    [[nodiscard]] bool good() const { return diagnostics_.empty() && root_ != nullptr; }

    /// Combinations of the sweep's values; 1 when there is none.
    [[nodiscard]] std::size_t points() const;
    /// Key to value of a point, as `--set` would be given; empty when there is no sweep.
    [[nodiscard]] std::vector<std::pair<std::string, std::string>> point(std::size_t index) const;

    /// One run. Mistakes go to `diagnostics` (which points into this object).
    [[nodiscard]] Scenario decode(std::size_t point, const RunSettings& run,
                                  const Knowledge& knowledge, Diagnostics& diagnostics) const;
    /// What a point runs, as a scenario file of its own.
    [[nodiscard]] std::unique_ptr<ConfigNode> resolved(std::size_t point) const;

private:
    struct Change {
        std::string key;
        Position at;
        const ConfigNode* value;
    };
    /// What varies together: each step is a list of changes. [sweep] has an axis for each key, in
    /// steps of one change; [[sweep]] is one axis, each table a step.
    struct Axis {
        std::vector<std::vector<Change>> steps;
    };
    void apply(const std::vector<std::string>& sets, const SweepChoice& choice);
    void read_sweep();
    void add_axes(const std::vector<std::string>& arguments, const std::vector<std::string>& sets);
    void limit_points(const Position& at);
    void read_axes(const ConfigNode& table);
    void read_steps(const ConfigNode::Array& tables);
    void forget(const std::string& key);
    [[nodiscard]] std::map<std::string, std::string> contents(
        const std::vector<Change>& step) const;
    /// The changes that make a point, and nothing of the others.
    [[nodiscard]] std::vector<Change> changes(std::size_t point) const;
    [[nodiscard]] std::unique_ptr<ConfigNode> at_point(std::size_t point,
                                                       Diagnostics& diagnostics) const;

    Sources sources_;
    Diagnostics diagnostics_;
    std::unique_ptr<ConfigNode> root_;
    std::unique_ptr<ConfigNode> sweep_;
    std::vector<SweepAxis> given_;  ///< Holds the values of the command line's axes.
    std::vector<Axis> axes_;
};

}  // namespace doorbell::scenario
