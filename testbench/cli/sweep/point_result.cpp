#include "testbench/cli/sweep/point_result.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <type_traits>

#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/child_result.hpp"
#include "testbench/cli/sweep/steady_time.hpp"
#include "testbench/cli/whole_file.hpp"

namespace doorbell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kStamp = "point.json";
constexpr const char* kResult = "result.json";
constexpr const char* kLog = "run.log";

std::string host_name() {
    char name[256] = "";
    return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

/// Returns why it could not be written.
std::string write_stamp(const SweepPoint& point, const std::map<std::string, std::string>& read,
                        double wall_s) {
    const json stamp = {{"identity", point.identity},
                        {"read", read},
                        {"result", digest_of(read_whole_file(point.run.folder / kResult))},
                        {"host", host_name()},
                        {"wall_s", wall_s}};
    return write_whole_file(point.run.folder / kStamp, stamp.dump(2) + "\n");
}

/// A text or number of a stamp, which may be damaged.
template <typename T>
T field_of(const json& object, const char* name) {
    const auto found = object.find(name);
    T value{};
    if constexpr (std::is_arithmetic_v<T>) {
        if (found != object.end() && found->is_number()) value = found->get<T>();
    } else {
        if (found != object.end() && found->is_string()) value = found->get<T>();
    }
    return value;
}

/// Whether what a run read is what it would read now.
bool read_the_same(const json& stamp, const SweepPoint& point) {
    const auto read = stamp.find("read");
    if (read == stamp.end() || !read->is_object()) return false;
    for (const auto& [name, digest] : read->items()) {
        const auto word = point.words.find(name);
        if (word == point.words.end() || digest != word->second) return false;
    }
    return true;
}

/// Empty when the folder is ready for the point.
std::string prepare(const SweepPoint& point) {
    std::error_code error;
    fs::create_directories(point.run.folder, error);
    for (const char* name : {kStamp, kLog}) {
        if (!error) fs::remove(point.run.folder / name, error);
    }
    for (const char* name : kEvidenceFiles) {
        if (!error) fs::remove(point.run.folder / name, error);
    }
    return error ? fmt::format("its folder '{}' cannot be used: {}", point.run.folder.string(),
                               error.message())
                 : "";
}

class Runner {
public:
    Runner(const SweepPlan& plan, const std::vector<const SweepPoint*>& points,
           const ProgramPaths& paths)
        : plan_(plan),
          points_(points),
          paths_(paths),
          started_s_(points.size()),
          refused_(points.size()),
          before_(points.size()) {}

    bool starting(std::size_t i) {
        const SweepPoint& point = *points_[i];
        const std::string changed = changed_file(plan_, point, digests_);
        refused_[i] = changed.empty() ? prepare(point) : say_changed(changed);
        started_s_[i] = now_s();
        for (const auto& [word, ignored] : point.words) {
            before_[i][word] = FileDigests::state(word);
        }
        return refused_[i].empty();
    }

    PointEnd end(std::size_t i, const ChildEnd& end) {
        const SweepPoint& point = *points_[i];
        if (!refused_[i].empty()) return {std::nullopt, refused_[i]};
        if (end.withheld) return {std::nullopt, "not started: interrupted"};
        if (!end.started) return {std::nullopt, not_started_text(end)};
        if (end.signal == SIGINT || end.signal == SIGTERM) {
            return {std::nullopt, fmt::format("interrupted by {}", end.text())};
        }
        PointResult result;
        result.result = child_result(point.run, end, plan_.options_of(point), paths_);
        result.host = host_name();
        result.wall_s = now_s() - started_s_[i];
        std::string changed = changed_file(plan_, point, digests_);
        std::map<std::string, std::string> read;
        for (const auto& [word, planned] : point.words) {
            // What changed meanwhile is what the run, or one beside it, wrote.
            if (FileDigests::state(word) != before_[i].at(word)) continue;
            if (digests_.digest(word) != planned) changed = word;
            read[word] = planned;
        }
        if (!changed.empty()) return {std::nullopt, say_changed(changed)};
        const std::string why = write_stamp(point, read, result.wall_s);
        if (why.empty()) return {result, ""};
        return {std::nullopt, fmt::format("'{}' cannot be written: {}",
                                          (point.run.folder / kStamp).string(), why)};
    }

private:
    static std::string say_changed(const std::string& file) {
        return fmt::format("'{}' is another than when the sweep was planned; run it again", file);
    }

    const SweepPlan& plan_;
    const std::vector<const SweepPoint*>& points_;
    const ProgramPaths& paths_;
    FileDigests digests_;
    std::vector<double> started_s_;
    std::vector<std::string> refused_;
    std::vector<std::map<std::string, std::string>> before_;  ///< States of the points' words.
};

}  // namespace

std::optional<PointResult> read_result(const SweepPoint& point) {
    const json stamp = json::parse(read_whole_file(point.run.folder / kStamp), nullptr, false);
    if (!stamp.is_object() || field_of<std::string>(stamp, "identity") != point.identity ||
        !read_the_same(stamp, point)) {
        return std::nullopt;
    }
    const std::string text = read_whole_file(point.run.folder / kResult);
    if (field_of<std::string>(stamp, "result") != digest_of(text)) return std::nullopt;
    PointResult result;
    result.result = json::parse(text, nullptr, false);
    if (!result.result.is_object()) return std::nullopt;
    result.host = field_of<std::string>(stamp, "host");
    result.wall_s = field_of<double>(stamp, "wall_s");
    return result;
}

bool is_final(const PointResult& result) {
    const report::Verdict verdict = verdict_of(result.result);
    return verdict == report::Verdict::kPass || verdict == report::Verdict::kFail;
}

void forget_result(const SweepPoint& point) {
    std::error_code ignored;
    fs::remove(point.run.folder / kStamp, ignored);
}

int run_points(const SweepPlan& plan, const std::vector<const SweepPoint*>& points,
               const ProgramPaths& paths, unsigned jobs,
               const std::function<void(const SweepPoint&, const PointEnd&)>& ended) {
    std::vector<std::vector<std::string>> commands;
    for (const SweepPoint* point : points) {
        RunOptions options = plan.options_of(*point);
        options.verbosity = -1;
        commands.push_back(child_command(point->run, options, paths));
    }
    Runner runner(plan, points, paths);
    return run_children(
        commands, jobs,
        [&](std::size_t i, const ChildEnd& end) { ended(*points[i], runner.end(i, end)); },
        [&](std::size_t i) { return runner.starting(i); },
        [&](std::size_t i) { return (points[i]->run.folder / kLog).string(); });
}

}  // namespace doorbell::cli
