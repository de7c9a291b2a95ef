#include "testbench/cli/sweep/sweep_table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "testbench/cli/child_result.hpp"
#include "testbench/scenario/decode_text.hpp"

namespace doorbell::cli {
namespace {

using nlohmann::json;
using report::Verdict;

constexpr const char* kMissing = "missing";
constexpr const char* kPending = "pending";

/// A number as result.json has it: what comes back is the same.
std::string number_text(const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string csv_line(const std::vector<std::string>& fields) {
    std::string line;
    for (std::size_t i = 0; i < fields.size(); i++) {
        line += (i == 0 ? "" : ",") + csv_field(fields[i]);
    }
    return line + "\r\n";
}

std::string setting_of(const SweepPoint& point, const std::string& key) {
    for (const auto& [name, value] : point.run.point_settings) {
        if (name == key) return value;
    }
    return "";
}

bool has_pattern(const std::string& name) {
    return name.find('*') != std::string::npos;
}

}  // namespace

std::string verdict_text(const PointEnd& end) {
    if (end.result) return end.result->result.value("verdict", "broken");
    return end.pending ? kPending : kMissing;
}

std::string csv_field(const std::string& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
    std::string quoted = "\"";
    for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
    return quoted + "\"";
}

SweepTable::SweepTable(const SweepPlan& plan, const SweepOutcome& outcome,
                       const ProgramPaths& paths)
    : plan_(plan), outcome_(outcome), paths_(paths) {
    // In the order in which they were asked for; those of one pattern in that of their names. A
    // name that no run has keeps its column: it was asked for.
    for (const std::string& pattern : plan.metrics) {
        std::vector<std::string> names;
        if (!has_pattern(pattern)) names.push_back(pattern);
        for (const PointEnd& end : outcome.ends) {
            if (!end.result || !has_pattern(pattern)) continue;
            for (const auto& [name, value] : end.result->result["metrics"].items()) {
                if (scenario::matches(pattern, name)) names.push_back(name);
            }
        }
        std::sort(names.begin(), names.end());
        for (const std::string& name : names) {
            if (std::find(metrics_.begin(), metrics_.end(), name) == metrics_.end()) {
                metrics_.push_back(name);
            }
        }
    }
}

SweepTable::Row SweepTable::header() const {
    Row row = plan_.axes;
    row.emplace_back("seed");
    row.emplace_back("verdict");
    row.insert(row.end(), metrics_.begin(), metrics_.end());
    if (plan_.run.hash) row.emplace_back("trace_hash");
    return row;
}

SweepTable::Row SweepTable::row(std::size_t i) const {
    const SweepPoint& point = plan_.points[i];
    const PointEnd& end = outcome_.ends[i];
    Row row;
    for (const std::string& key : plan_.axes) row.push_back(setting_of(point, key));
    row.push_back(std::to_string(point.seed));
    row.push_back(verdict_text(end));
    const json none;
    const json& result = end.result ? end.result->result : none;
    for (const std::string& name : metrics_) {
        const auto metrics = result.find("metrics");
        const bool there = metrics != result.end() && metrics->contains(name);
        row.push_back(there ? number_text((*metrics)[name]) : "");
    }
    if (plan_.run.hash) {
        const auto hash = result.find("trace_hash");
        row.push_back(hash != result.end() && hash->is_string() ? hash->get<std::string>() : "");
    }
    return row;
}

std::vector<std::string> SweepTable::failures(std::size_t i) const {
    const PointEnd& end = outcome_.ends[i];
    if (!end.result) return {end.why};
    auto list = end.result->result.value("failures", std::vector<std::string>());
    // The folder's place is the sweep's, not the run's.
    const std::string folder = plan_.points[i].run.folder.string();
    for (std::string& failure : list) {
        std::size_t at = 0;
        while ((at = failure.find(folder, at)) != std::string::npos) {
            failure.replace(at, folder.size(), "${out}");
        }
    }
    return list;
}

std::string SweepTable::csv() const {
    Row head = header();
    head.emplace_back("folder");
    std::string text = csv_line(head);
    for (std::size_t i = 0; i < plan_.points.size(); i++) {
        Row fields = row(i);
        fields.push_back(plan_.points[i].run.folder.lexically_relative(plan_.out).string());
        text += csv_line(fields);
    }
    return text;
}

std::string SweepTable::host_csv() const {
    Row head = plan_.axes;
    for (const char* name : {"seed", "host", "host_cpu_ns", "wall_s"}) head.emplace_back(name);
    std::string text = csv_line(head);
    for (std::size_t i = 0; i < plan_.points.size(); i++) {
        const SweepPoint& point = plan_.points[i];
        Row fields;
        for (const std::string& key : plan_.axes) fields.push_back(setting_of(point, key));
        fields.push_back(std::to_string(point.seed));
        if (const auto& result = outcome_.ends[i].result) {
            fields.push_back(result->host);
            fields.push_back(std::to_string(result->result.value("host_cpu_ns", std::uint64_t{0})));
            fields.push_back(fmt::format("{:.3f}", result->wall_s));
        } else {
            fields.resize(head.size());
        }
        text += csv_line(fields);
    }
    return text;
}

json SweepTable::to_json() const {
    json columns = json::array();
    for (const std::string& name : metrics_) {
        const report::MetricDescription* row = plan_.describe(name);
        columns.push_back({{"name", name},
                           {"unit", row == nullptr ? "" : row->unit},
                           {"description", row == nullptr ? "" : row->description}});
    }
    json points = json::array();
    for (std::size_t i = 0; i < plan_.points.size(); i++) {
        const SweepPoint& point = plan_.points[i];
        json metrics = json::object();
        json entry = {
            {"settings", std::map<std::string, std::string>(point.run.point_settings.begin(),
                                                            point.run.point_settings.end())},
            {"seed", point.seed},
            {"verdict", verdict_text(outcome_.ends[i])},
            {"failures", failures(i)},
            {"identity", point.identity},
            {"folder", point.run.folder.lexically_relative(plan_.out).string()},
            {"replay", replay_command(point.run, plan_.options_of(point), paths_)}};
        if (const auto& result = outcome_.ends[i].result) {
            for (const std::string& name : metrics_) {
                const auto all = result->result.find("metrics");
                if (all != result->result.end() && all->contains(name)) {
                    metrics[name] = (*all)[name];
                }
            }
            if (plan_.run.hash) {
                entry["trace_hash"] = result->result.value("trace_hash", json());
            }
        }
        entry["metrics"] = metrics;
        points.push_back(std::move(entry));
    }
    return {{"scenario", plan_.name}, {"set", plan_.run.sets}, {"axes", plan_.axes},
            {"metrics", columns},     {"points", points},      {"verdicts", verdicts()}};
}

std::string SweepTable::text(std::size_t rows) const {
    std::vector<Row> lines = {header()};
    for (std::size_t i = 0; i < std::min(rows, plan_.points.size()); i++) lines.push_back(row(i));
    std::vector<std::size_t> widths(lines[0].size());
    for (const Row& line : lines) {
        for (std::size_t c = 0; c < line.size(); c++)
            widths[c] = std::max(widths[c], line[c].size());
    }
    std::string text;
    for (const Row& line : lines) {
        std::string shown;
        for (std::size_t c = 0; c < line.size(); c++) {
            shown += fmt::format("{}{:>{}}", c == 0 ? "" : "  ", line[c], widths[c]);
        }
        text += shown + "\n";
    }
    if (plan_.points.size() > rows) {
        text += fmt::format("... {} more\n", plan_.points.size() - rows);
    }
    return text;
}

std::map<std::string, std::size_t> SweepTable::verdicts() const {
    std::map<std::string, std::size_t> counts;
    for (const PointEnd& end : outcome_.ends) counts[verdict_text(end)]++;
    return counts;
}

Verdict SweepTable::worst() const {
    Verdict worst = Verdict::kPass;
    for (const PointEnd& end : outcome_.ends) {
        if (end.pending) continue;
        worst = std::max(worst, end.result ? verdict_of(end.result->result) : Verdict::kError);
    }
    return worst;
}

}  // namespace doorbell::cli
