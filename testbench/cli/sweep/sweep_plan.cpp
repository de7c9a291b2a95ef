#include "testbench/cli/sweep/sweep_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <iostream>
#include <iterator>
#include <set>

#include "testbench/cli/program_knowledge.hpp"
#include "testbench/scenario/decode_text.hpp"
#include "testbench/scenario/scenario_file.hpp"

namespace doorbell::cli {
namespace {

using nlohmann::json;

/// Changes whenever what a point leaves in its folder, or how it is run, does.
constexpr int kPointVersion = 2;
constexpr std::size_t kLongestFolder = 120;

bool is_below(const std::filesystem::path& folder, const std::filesystem::path& file) {
    const auto inner = file.lexically_normal();
    const auto outer = folder.lexically_normal();
    return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first ==
           outer.end();
}

std::string settings_text(const std::vector<std::pair<std::string, std::string>>& settings,
                          std::uint64_t seed, char between) {
    std::string text;
    for (const auto& [key, value] : settings) text += key + "=" + value + between;
    return text + fmt::format("seed={}", seed);
}

/// The catalogue with '*' for what varies in a name: hosts, numbers, what a guest image counts.
std::vector<report::MetricDescription> metric_texts(const ProgramKnowledge& knowledge,
                                                    const std::set<std::string>& images) {
    std::vector<report::MetricDescription> rows = report::metric_catalogue();
    for (const std::string& image : images) {
        for (report::MetricDescription row : knowledge.guest_metrics(image)) {
            row.pattern.insert(0, "host.<h>.");
            rows.push_back(std::move(row));
        }
    }
    for (report::MetricDescription& row : rows) {
        std::size_t open = 0;
        while ((open = row.pattern.find('<')) != std::string::npos) {
            row.pattern.replace(open, row.pattern.find('>', open) + 1 - open, "*");
        }
    }
    return rows;
}

class Planner {
public:
    Planner(const SweepOptions& options, const ProgramPaths& paths, std::filesystem::path file)
        : options_(options),
          paths_(paths),
          file_(std::move(file)),
          knowledge_(paths, file_.parent_path()),
          unknown_(options.metrics) {}

    std::optional<SweepPlan> plan() {
        const scenario::ScenarioFile read(file_, options_.run.sets, options_.run.sweep);
        if (!read.good()) {
            std::cerr << read.diagnostics().text();
            return std::nullopt;
        }
        if (read.points() * options_.seeds > scenario::kMostSweepPoints) {
            std::cerr << fmt::format("error: {} points with {} seeds make more than {} runs\n",
                                     read.points(), options_.seeds, scenario::kMostSweepPoints);
            return std::nullopt;
        }
        const std::uint64_t last = options_.run.seed + (options_.seeds - 1);
        if (last < options_.run.seed) {
            std::cerr << fmt::format("error: {} seeds from {} on go beyond 2^64\n", options_.seeds,
                                     options_.run.seed);
            return std::nullopt;
        }
        plan_.run = options_.run;
        for (std::size_t point = 0; point < read.points(); point++) {
            if (!add(read, point)) return std::nullopt;
        }
        for (const std::string& file : files_) plan_.digests[file] = digests_.digest(file);
        plan_.metric_texts = metric_texts(knowledge_, images_);
        if (!choose_metrics()) return std::nullopt;
        return std::move(plan_);
    }

private:
    bool add(const scenario::ScenarioFile& read, std::size_t point) {
        const auto settings = read.point(point);
        for (const auto& [key, value] : settings) {
            if (std::find(plan_.axes.begin(), plan_.axes.end(), key) == plan_.axes.end()) {
                plan_.axes.push_back(key);
            }
        }
        for (std::uint64_t i = 0; i < options_.seeds; i++) {
            SweepPoint planned;
            planned.seed = options_.run.seed + i;
            planned.run = {options_.scenario, plan_.name, file_, {}, point, settings};
            if (!decode(read, planned)) return false;
            // What the user wrote twice would be one folder, and is one run.
            if (!folders_.insert(planned.run.folder.string()).second) continue;
            plan_.points.push_back(std::move(planned));
        }
        return true;
    }

    bool decode(const scenario::ScenarioFile& read, SweepPoint& planned) {
        const std::size_t point = planned.run.point;
        if (plan_.name.empty()) {
            scenario::Diagnostics first;
            plan_.name = read.decode(point, {"out", planned.seed}, knowledge_, first).name;
            plan_.out = options_.run.out.empty()
                            ? std::filesystem::path("out") / "sweep" / plan_.name
                            : std::filesystem::path(options_.run.out);
        }
        planned.run.name = plan_.name;
        planned.run.folder =
            plan_.out / "points" / point_folder(planned.run.point_settings, planned.seed);
        scenario::Diagnostics diagnostics;
        const scenario::Scenario scenario = read.decode(
            point, {planned.run.folder.string(), planned.seed}, knowledge_, diagnostics);
        if (!diagnostics.empty()) {
            std::cerr << diagnostics.text();
            return false;
        }
        identify(planned, scenario, scenario::to_toml(*read.resolved(point)));
        note_metrics(scenario);
        return claim_outputs(planned, scenario);
    }

    /// Points run beside each other, and what one leaves must not be taken for another's.
    bool claim_outputs(const SweepPoint& planned, const scenario::Scenario& scenario) {
        for (const scenario::Verification& verification : scenario.verifications) {
            const std::filesystem::path file(verification.output);
            // /dev/null and pipes keep nothing.
            std::error_code error;
            if (std::filesystem::is_other(std::filesystem::status(file, error))) continue;
            const std::string place = std::filesystem::weakly_canonical(file, error).string();
            const auto [owner, is_new] = outputs_.emplace(place, planned.label());
            if (is_new || owner->second == planned.label()) continue;
            std::cerr << fmt::format(
                "error: two points would write '{}': {}, and {}\n"
                "      = help: '${{out}}' is the folder of a point: \"${{out}}/{}\"\n",
                verification.output, owner->second, planned.label(), file.filename().string());
            return false;
        }
        return true;
    }

    /// The identity is of what the run is, not of where it is written or how that is spelt.
    void identify(SweepPoint& planned, const scenario::Scenario& scenario,
                  const std::string& resolved) {
        std::string text =
            fmt::format("point {}\nseed {}\ncapture {}\ntrace {}\nhash {}\n", kPointVersion,
                        planned.seed, static_cast<int>(options_.run.capture),
                        static_cast<int>(options_.run.trace), options_.run.hash);
        const auto depend = [&](const char* role, const std::string& file) {
            text += fmt::format("{} {}\n", role, digests_.digest(file));
            planned.files.push_back(file);
            files_.insert(file);
        };
        depend("program", paths_.executable.string());
        for (const scenario::Host& host : scenario.hosts) {
            images_.insert(host.image);
            depend("image", image_path(paths_, host.image, file_.parent_path()).string());
        }
        std::set<std::string> outputs;
        for (const scenario::Verification& verification : scenario.verifications) {
            outputs.insert(verification.output);
            if (!digests_.digest(verification.input).empty()) depend("input", verification.input);
        }
        for (const scenario::Host& host : scenario.hosts) {
            for (const scenario::App& app : host.apps) {
                for (const std::string& word : app.argv) {
                    const bool own =
                        outputs.count(word) != 0 || is_below(plan_.out / "points", word);
                    if (!own && word[0] != '-') planned.words[word] = digests_.digest(word);
                }
            }
        }
        planned.identity = digest_of(text + resolved);
        // Not its text, of which comments are part; but nobody may change it meanwhile.
        planned.files.push_back(file_.string());
        files_.insert(file_.string());
    }

    void note_metrics(const scenario::Scenario& scenario) {
        const auto note = [](std::vector<std::string>& list, const std::string& name) {
            if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
        };
        for (const scenario::Expectation& expectation : scenario.expectations) {
            note(expected_, expectation.metric);
            const auto* other = std::get_if<std::string>(&expectation.limit);
            if (other != nullptr) note(expected_, *other);
        }
        // Points may have metrics that others do not have.
        if (!first_ && unknown_.empty()) return;
        const std::vector<std::string> names = knowledge_.metrics(scenario);
        const auto known = [&](const std::string& pattern) {
            return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
                return scenario::matches(pattern, name);
            });
        };
        unknown_.erase(std::remove_if(unknown_.begin(), unknown_.end(), known), unknown_.end());
        if (first_) names_ = names;
        first_ = false;
    }

    bool choose_metrics() {
        bool good = true;
        for (const std::string& pattern : unknown_) {
            std::cerr << fmt::format("error: no run of '{}' has a metric '{}'\n", plan_.name,
                                     pattern);
            const std::string help = scenario::suggestion(pattern, names_);
            std::cerr << "      = help: "
                      << (help.empty() || help.size() > 200
                              ? "`doorbell describe metrics` lists them; '*' stands for anything"
                              : help)
                      << "\n";
            good = false;
        }
        plan_.metrics = options_.metrics.empty() ? default_metrics() : options_.metrics;
        return good;
    }

    /// What the expectations name one by one. A pattern mostly stands for what must be nothing, in
    /// many places, and the verdict says whether it was.
    [[nodiscard]] std::vector<std::string> default_metrics() const {
        std::vector<std::string> names;
        std::copy_if(expected_.begin(), expected_.end(), std::back_inserter(names),
                     [](const std::string& name) { return name.find('*') == std::string::npos; });
        return names.empty() ? expected_ : names;
    }

    const SweepOptions& options_;
    const ProgramPaths& paths_;
    std::filesystem::path file_;
    ProgramKnowledge knowledge_;
    FileDigests digests_;
    SweepPlan plan_;
    std::set<std::string> folders_, files_, images_;
    std::map<std::string, std::string> outputs_;  ///< Which point writes them.
    std::vector<std::string> names_, expected_;
    std::vector<std::string> unknown_;  ///< Patterns of metrics that no point so far has.
    bool first_ = true;
};

json to_json(const RunOptions& run) {
    return {{"sets", run.sets},
            {"axes", run.sweep.axes},
            {"own_sweep", run.sweep.own},
            {"capture", static_cast<int>(run.capture)},
            {"trace", static_cast<int>(run.trace)},
            {"hash", run.hash}};
}

}  // namespace

std::string SweepPoint::label() const {
    return settings_text(run.point_settings, seed, ' ');
}

RunOptions SweepPlan::options_of(const SweepPoint& point) const {
    RunOptions options = run;
    options.seed = point.seed;
    return options;
}

const report::MetricDescription* SweepPlan::describe(const std::string& metric) const {
    const auto dots = [](const std::string& text) {
        return std::count(text.begin(), text.end(), '.');
    };
    for (const report::MetricDescription& row : metric_texts) {
        if (dots(row.pattern) == dots(metric) && scenario::matches(row.pattern, metric)) {
            return &row;
        }
    }
    return nullptr;
}

std::optional<SweepPlan> plan_sweep(const SweepOptions& options, const ProgramPaths& paths) {
    const std::filesystem::path file = find_scenario(paths, options.scenario);
    if (file.empty()) return std::nullopt;
    return Planner(options, paths, file).plan();
}

std::string point_folder(const std::vector<std::pair<std::string, std::string>>& settings,
                         std::uint64_t seed) {
    const std::string text = settings_text(settings, seed, ',');
    std::string name = text;
    for (char& c : name) {
        const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                           std::string_view("_-.=,:+").find(c) != std::string_view::npos;
        if (!plain) c = '_';
    }
    if (name.size() > kLongestFolder) name.resize(kLongestFolder);
    if (name != text) name += "~" + digest_of(text).substr(0, 12);
    return name;
}

std::string changed_file(const SweepPlan& plan, const SweepPoint& point, FileDigests& digests) {
    for (const std::string& file : point.files) {
        const auto planned = plan.digests.find(file);
        if (planned == plan.digests.end() || digests.digest(file) != planned->second) return file;
    }
    return "";
}

json to_json(const SweepPlan& plan, const std::vector<const SweepPoint*>& points) {
    json list = json::array();
    for (const SweepPoint* point : points) {
        list.push_back({{"scenario", point->run.scenario},
                        {"file", point->run.file.string()},
                        {"folder", point->run.folder.string()},
                        {"point", point->run.point},
                        {"settings", point->run.point_settings},
                        {"seed", point->seed},
                        {"identity", point->identity},
                        {"words", point->words},
                        {"files", point->files}});
    }
    return {{"name", plan.name},
            {"run", to_json(plan.run)},
            {"digests", plan.digests},
            {"points", list}};
}

SweepPlan plan_from_json(const json& from) {
    SweepPlan plan;
    plan.name = from.at("name");
    const json& run = from.at("run");
    plan.run.sets = run.at("sets").get<std::vector<std::string>>();
    plan.run.sweep.axes = run.at("axes").get<std::vector<std::string>>();
    plan.run.sweep.own = run.at("own_sweep");
    plan.run.capture = static_cast<Capture>(run.at("capture").get<int>());
    plan.run.trace = static_cast<Trace>(run.at("trace").get<int>());
    plan.run.hash = run.at("hash");
    plan.run.verbosity = -1;
    plan.digests = from.at("digests").get<std::map<std::string, std::string>>();
    for (const json& row : from.at("points")) {
        SweepPoint point;
        point.run = {row.at("scenario"),
                     plan.name,
                     row.at("file").get<std::string>(),
                     row.at("folder").get<std::string>(),
                     row.at("point"),
                     row.at("settings").get<decltype(point.run.point_settings)>()};
        point.seed = row.at("seed");
        point.identity = row.at("identity");
        point.words = row.at("words").get<decltype(point.words)>();
        point.files = row.at("files").get<std::vector<std::string>>();
        plan.points.push_back(std::move(point));
    }
    return plan;
}

}  // namespace doorbell::cli
