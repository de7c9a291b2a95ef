#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What Slurm's commands are asked and say: text only, nothing is run here.
namespace doorbell::cli {

/// A task of a job array, as Slurm reports it.
struct SlurmTask {
    std::string state;   ///< "RUNNING", "OUT_OF_MEMORY", ...
    std::string detail;  ///< Why it is pending, or how it ended; may be empty.
};
using SlurmTasks = std::map<std::uint32_t, SlurmTask>;  ///< By number in the array.

/// Whether a state is one after which nothing comes.
[[nodiscard]] bool has_ended(const std::string& state);
/// How a task ended, and what helps: "it took more memory than it was given (OUT_OF_MEMORY)".
[[nodiscard]] std::string end_text(const SlurmTask& task);

/// The job's number in what `sbatch --parsable` prints ("123" or "123;cluster"); empty when there
/// is none.
[[nodiscard]] std::string parse_job_id(const std::string& text);
/// Lines of `squeue --array --noheader --format=%K|%T|%r`; other lines are ignored.
[[nodiscard]] SlurmTasks parse_squeue(const std::string& text);
/// Lines of `sacct -X --array --noheader --parsable2 --format=JobID,State,ExitCode`.
[[nodiscard]] SlurmTasks parse_sacct(const std::string& text);
/// MaxArraySize in `scontrol show config`; 0 when it does not say.
[[nodiscard]] std::uint32_t parse_max_array_size(const std::string& text);

/// Points of each task: `per_task`, or as many as it takes to need no more than `most_tasks`.
[[nodiscard]] std::vector<std::vector<std::size_t>> split_into_tasks(std::size_t points,
                                                                     std::size_t per_task,
                                                                     std::size_t most_tasks);

/// A folder as `--output` wants it, where '%' begins a pattern.
[[nodiscard]] std::string output_pattern(const std::string& folder);

/// What of `--slurm-args` is no option, or one that the sweep has to set itself; empty when there
/// is none.
[[nodiscard]] std::string refused_argument(const std::vector<std::string>& words);

}  // namespace doorbell::cli
