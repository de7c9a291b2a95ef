#include "testbench/cli/sweep/sweep_command.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iostream>

#include "testbench/cli/child_processes.hpp"
#include "testbench/cli/interrupt_guard.hpp"
#include "testbench/cli/sweep/slurm_executor.hpp"
#include "testbench/cli/sweep/sweep_plots.hpp"
#include "testbench/cli/sweep/sweep_progress.hpp"
#include "testbench/cli/sweep/sweep_table.hpp"
#include "testbench/cli/terminal.hpp"
#include "testbench/cli/whole_file.hpp"

namespace doorbell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using report::Verdict;

constexpr int kError = static_cast<int>(Verdict::kError);
/// A longer table is for programs: it stands in the file.
constexpr std::size_t kRowsShown = 40;

/// CPUs this process may use.
unsigned cpu_count() {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return static_cast<unsigned>(std::max(CPU_COUNT(&set), 1));
}

/// Nobody else sweeps into the folder while it lives.
class FolderLock {
public:
    explicit FolderLock(const fs::path& folder) {
        std::error_code error;
        fs::create_directories(folder, error);
        if (error) {
            why_ = fmt::format("cannot make the folder '{}': {}", folder.string(), error.message());
            return;
        }
        const fs::path file = folder / ".lock";
        descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (descriptor_ < 0) {
            why_ = fmt::format("'{}' cannot be written: {}", file.string(), std::strerror(errno));
        } else if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
            why_ = fmt::format("another sweep is at work in '{}'", folder.string());
        }
    }
    ~FolderLock() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    FolderLock(const FolderLock&) = delete;
    FolderLock& operator=(const FolderLock&) = delete;
    /// Empty when the folder is ours.
    [[nodiscard]] const std::string& why_not() const { return why_; }

private:
    int descriptor_ = -1;
    std::string why_;
};

/// Options that do nothing with this executor; empty when there is none.
std::string idle_option(const SweepOptions& options) {
    if (options.executor == Executor::kSlurm) return options.jobs != 0 ? "--jobs" : "";
    if (!options.slurm_args.empty()) return "--slurm-args";
    if (options.points_per_task != 1) return "--points-per-task";
    return options.no_wait ? "--no-wait" : "";
}

class Sweep {
public:
    Sweep(const SweepOptions& options, const ProgramPaths& paths, const SweepPlan& plan)
        : options_(options), paths_(paths), plan_(plan) {
        outcome_.ends.resize(plan.points.size());
        for (std::size_t i = 0; i < plan.points.size(); i++) {
            index_[&plan.points[i]] = i;
            auto result = options.fresh ? std::nullopt : read_result(plan.points[i]);
            if (result && is_final(*result)) {
                outcome_.ends[i].result = std::move(result);
            } else {
                outcome_.ends[i].why = "not run yet";
                missing_.push_back(&plan.points[i]);
            }
        }
        kept_ = plan.points.size() - missing_.size();
    }

    int dry_run() const {
        json list = json::array();
        for (std::size_t i = 0; i < plan_.points.size(); i++) {
            const SweepPoint& point = plan_.points[i];
            const bool kept = outcome_.ends[i].result.has_value();
            if (options_.run.format == Format::kText) {
                std::cout << fmt::format("{:<4} {}\n", kept ? "kept" : "run", point.label());
                continue;
            }
            list.push_back({{"settings", point.run.point_settings},
                            {"seed", point.seed},
                            {"identity", point.identity},
                            {"folder", point.run.folder.string()},
                            {"kept", kept},
                            {"replay", replay_of(point)}});
        }
        if (options_.run.format == Format::kJson) std::cout << list.dump(2) << "\n";
        if (options_.run.format == Format::kText) {
            std::cout << fmt::format("{} points, {} to run; columns: {}\n", plan_.points.size(),
                                     missing_.size(), scenario::comma_list(plan_.metrics));
        }
        return 0;
    }

    int run() {
        const InterruptGuard guard;
        bool good = true;
        {
            const ProgressStyle style = options_.run.verbosity < 0   ? ProgressStyle::kNone
                                        : is_terminal(STDERR_FILENO) ? ProgressStyle::kTerminal
                                                                     : ProgressStyle::kLog;
            SweepProgress progress(plan_.name, missing_.size(), style);
            const auto ended = [&](const SweepPoint& point, const PointEnd& end) {
                outcome_.ends[index_.at(&point)] = end;
                // What an interrupt kept from ending is said once, for all.
                const bool quiet = end.pending || (!end.result && InterruptGuard::signal() != 0);
                if (!quiet) progress.ended(point, end, replay_of(point));
            };
            if (options_.executor == Executor::kSlurm) {
                if (!missing_.empty()) {
                    SlurmExecutor slurm(plan_, options_, paths_, progress);
                    good = slurm.run(missing_, ended);
                }
            } else if (const auto open = SlurmExecutor::open_jobs(plan_.out);
                       !open.empty() && !missing_.empty()) {
                std::cerr << fmt::format(
                    "error: points of this sweep may still be at work with Slurm (job {})\n"
                    "      = help: collect them with --executor slurm; or scancel, and remove "
                    "'{}'\n",
                    open[0], (plan_.out / "slurm").string());
                good = false;
            } else {
                const unsigned jobs = options_.jobs == 0 ? cpu_count() : options_.jobs;
                (void)run_points(plan_, missing_, paths_, jobs, ended);
            }
        }
        if (good) return report();
        const int interrupted = InterruptGuard::signal();
        return interrupted != 0 ? interrupted_exit_code(interrupted) : kError;
    }

private:
    [[nodiscard]] std::string replay_of(const SweepPoint& point) const {
        return replay_command(point.run, plan_.options_of(point), paths_);
    }

    int report() {
        const SweepTable table(plan_, outcome_, paths_);
        const json whole = table.to_json();
        const std::string text = whole.dump(2) + "\n";
        std::error_code ignored;
        // Plots of another table are none of this one's.
        if (text != read_whole_file(plan_.out / "sweep.json")) {
            fs::remove_all(plan_.out / "plots", ignored);
        }
        bool good = write_or_say(plan_.out / "sweep.csv", table.csv()) &&
                    write_or_say(plan_.out / "sweep.json", text) &&
                    write_or_say(plan_.out / "host_times.csv", table.host_csv());
        PlotEnd plots;
        if (good && InterruptGuard::signal() == 0) {
            plots = draw_plots(options_.plots, paths_, plan_.out);
            good = plots.good;
        }
        const int interrupted = InterruptGuard::signal();
        if (options_.run.format == Format::kJson) {
            std::cout << whole.dump(2) << "\n";
        } else {
            say(table, plots);
        }
        const std::size_t pending = table.verdicts()["pending"];
        if (pending != 0) {
            std::cerr << fmt::format("{} points are with Slurm; to collect them: {}\n", pending,
                                     options_.command_line);
        }
        if (interrupted != 0) {
            const std::size_t left = table.verdicts()["missing"] + pending;
            std::cerr << fmt::format("interrupted: {} of {} points have a result; to go on: {}\n",
                                     plan_.points.size() - left, plan_.points.size(),
                                     options_.command_line);
            return interrupted_exit_code(interrupted);
        }
        return std::max(static_cast<int>(table.worst()), good ? 0 : kError);
    }

    void say(const SweepTable& table, const PlotEnd& plots) const {
        std::string counts;
        for (const auto& [verdict, count] : table.verdicts()) {
            counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count, verdict);
        }
        const std::string kept = kept_ == 0 ? "" : fmt::format(" ({} kept from before)", kept_);
        std::cout << fmt::format("sweep of {}: {} points: {}{}\n", plan_.name, plan_.points.size(),
                                 counts, kept);
        if (options_.run.verbosity < 0) return;
        std::cout << table.text(kRowsShown)
                  << fmt::format("table: {} (and sweep.json; host_times.csv)\n",
                                 (plan_.out / "sweep.csv").string());
        if (!plots.text.empty()) std::cout << plots.text << "\n";
    }

    const SweepOptions& options_;
    const ProgramPaths& paths_;
    const SweepPlan& plan_;
    SweepOutcome outcome_;
    std::map<const SweepPoint*, std::size_t> index_;
    std::vector<const SweepPoint*> missing_;
    std::size_t kept_ = 0;
};

}  // namespace

int sweep_command(const SweepOptions& options, const ProgramPaths& paths) {
    const std::string idle = idle_option(options);
    if (!idle.empty()) {
        const bool slurm = options.executor == Executor::kSlurm;
        std::cerr << fmt::format(
            "error: {} says nothing {} --executor slurm\n{}", idle, slurm ? "with" : "without",
            slurm ? "      = help: a task runs as many points at a time as it has CPUs: "
                    "--slurm-args '--cpus-per-task=N'\n"
                  : "");
        return kError;
    }
    const std::optional<SweepPlan> plan = plan_sweep(options, paths);
    if (!plan) return kError;
    if (options.dry_run) return Sweep(options, paths, *plan).dry_run();
    const FolderLock lock(plan->out);
    if (!lock.why_not().empty()) {
        std::cerr << "error: " << lock.why_not() << "\n";
        return kError;
    }
    return Sweep(options, paths, *plan).run();
}

}  // namespace doorbell::cli
