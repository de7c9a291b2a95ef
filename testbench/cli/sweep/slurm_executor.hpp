#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "testbench/cli/sweep/point_result.hpp"
#include "testbench/cli/sweep/slurm_text.hpp"
#include "testbench/cli/sweep/sweep_progress.hpp"

namespace doorbell::cli {

/// Hands points of a sweep to Slurm as a job array and collects what they leave. Slurm decides what
/// runs when and where; the file system is shared between here and its nodes. Each submission has a
/// folder of its own (slurm/001: plan.json, task.sh, job.json, a log for each task), so that a
/// later sweep in the same folder finds the jobs that are still at work, and waits for those
/// instead of submitting their points again. A job that stands in no job.json, since we were killed
/// when it had been submitted, is nobody's: its tasks end at once.
class SlurmExecutor {
public:
    SlurmExecutor(const SweepPlan& plan, const SweepOptions& options, const ProgramPaths& paths,
                  SweepProgress& progress);

    using Ended = std::function<void(const SweepPoint&, const PointEnd&)>;
    /// Submits what is not with Slurm yet, and waits unless told not to. False after an error,
    /// which was said. Points that are still with Slurm are reported with `pending`.
    [[nodiscard]] bool run(const std::vector<const SweepPoint*>& points, const Ended& ended);

    /// Jobs that were submitted from a sweep's folder and not collected to their end.
    [[nodiscard]] static std::vector<std::string> open_jobs(const std::filesystem::path& out);

private:
    struct Submission {
        std::filesystem::path folder;
        std::string job;
        std::map<std::string, std::uint32_t> tasks;  ///< By identity of a point.
        std::map<std::string, SweepPoint> points;    ///< By the name of their folder.
        SlurmTasks states;                           ///< As last heard.
        [[nodiscard]] bool at_work() const;
        [[nodiscard]] bool is_over() const;
    };
    struct Waiting {
        const SweepPoint* point;
        Submission* with;
        std::uint32_t task;
        double dead_since_s = 0;  ///< 0: its task has not ended, as far as is known.
    };

    [[nodiscard]] bool commands_are_there() const;
    [[nodiscard]] bool load_submissions();
    [[nodiscard]] bool load(const std::filesystem::path& folder, const std::string& job);
    [[nodiscard]] bool find_those_at_work(const std::vector<const SweepPoint*>& points,
                                          std::vector<const SweepPoint*>& rest);
    [[nodiscard]] bool submit(const std::vector<const SweepPoint*>& points);
    void wait(const Ended& ended);
    /// Asks Slurm anew; false, and why, when it does not answer.
    [[nodiscard]] bool ask(Submission& submission, std::string& why) const;
    void collect(const Ended& ended);
    void judge(double now_s, const Ended& ended);
    void note_states();
    void close(const Submission& submission) const;
    [[nodiscard]] std::string end_of(Submission& submission, std::uint32_t task) const;

    const SweepPlan& plan_;
    const SweepOptions& options_;
    const ProgramPaths& paths_;
    SweepProgress& progress_;
    std::filesystem::path root_;  ///< OUT/slurm
    std::map<std::string, Submission> submissions_;
    std::vector<Waiting> waiting_;
};

/// One task of the array, on the node it was given: runs its points. Returns the exit code.
[[nodiscard]] int sweep_task_command(const SweepTaskOptions& options, const ProgramPaths& paths);

}  // namespace doorbell::cli
