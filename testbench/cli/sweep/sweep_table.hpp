#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "testbench/cli/program_paths.hpp"
#include "testbench/cli/sweep/point_result.hpp"
#include "testbench/cli/sweep/sweep_plan.hpp"
#include "testbench/report/run_result.hpp"

namespace doorbell::cli {

/// How the points of a sweep ended: those with a result, and for the others why there is none.
struct SweepOutcome {
    std::vector<PointEnd> ends;  ///< One for each point of the plan, in its order.
};

/// The table of a sweep: a row for each point, in the order of the plan. It is the same however
/// and wherever the points ran: nothing of the host stands in it.
class SweepTable {
public:
    SweepTable(const SweepPlan& plan, const SweepOutcome& outcome, const ProgramPaths& paths);

    /// RFC 4180: axes, seed, verdict, metrics, [trace_hash,] folder. A metric a point does not have
    /// is an empty field.
    [[nodiscard]] std::string csv() const;
    /// The same with units, failures and replay commands.
    [[nodiscard]] nlohmann::json to_json() const;
    /// Axes, seed, verdict and metrics in columns, for people; at most `rows` of them.
    [[nodiscard]] std::string text(std::size_t rows) const;
    /// Where each point ran and how long it took: no two sweeps have the same.
    [[nodiscard]] std::string host_csv() const;

    /// Names of the metrics that are columns.
    [[nodiscard]] const std::vector<std::string>& metrics() const { return metrics_; }
    [[nodiscard]] std::map<std::string, std::size_t> verdicts() const;
    /// Of all points; one without a result is an error, one still to come
    /// does not count.
    [[nodiscard]] report::Verdict worst() const;

private:
    using Row = std::vector<std::string>;
    [[nodiscard]] Row header() const;
    [[nodiscard]] Row row(std::size_t i) const;
    [[nodiscard]] std::vector<std::string> failures(std::size_t i) const;

    const SweepPlan& plan_;
    const SweepOutcome& outcome_;
    const ProgramPaths& paths_;
    std::vector<std::string> metrics_;
};

/// The verdict in the table: the run's, "missing", or "pending" when it is still to come.
[[nodiscard]] std::string verdict_text(const PointEnd& end);
/// A field as RFC 4180 wants it.
[[nodiscard]] std::string csv_field(const std::string& text);

}  // namespace doorbell::cli
