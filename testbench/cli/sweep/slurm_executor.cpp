#include "testbench/cli/sweep/slurm_executor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iostream>
#include <set>
#include <sstream>

#include "testbench/cli/child_result.hpp"
#include "testbench/cli/interrupt_guard.hpp"
#include "testbench/cli/sweep/steady_time.hpp"
#include "testbench/cli/whole_file.hpp"
#include "testbench/scenario/decode_text.hpp"

extern char** environ;

namespace doorbell::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPlan = "plan.json";
constexpr const char* kJob = "job.json";
constexpr const char* kScript = "task.sh";
constexpr double kFirstQuestion_s = 1;
constexpr double kRarestQuestion_s = 15;
/// A file system shared over a network shows late what a task wrote at its end.
constexpr double kGrace_s = 3;
/// So many folders of points are looked into in a second.
constexpr double kLooks_per_s = 2000;
/// Slurm's own default of MaxArraySize.
constexpr std::uint32_t kUsualArray = 1001;

/// Ends early when a signal comes.
void sleep_s(double seconds) {
    const auto whole = static_cast<time_t>(seconds);
    const timespec time{whole, static_cast<long>((seconds - static_cast<double>(whole)) * 1e9)};
    nanosleep(&time, nullptr);
}

struct Said {
    int code = -1;
    std::string text;  ///< What the command printed, errors included.
};

enum class Interrupt : std::uint8_t { kEnds, kWaits };

/// Runs a command, in a process group of its own: an interrupt from the terminal is for us.
Said ask_command(const std::vector<std::string>& words, Interrupt interrupt = Interrupt::kEnds) {
    Said said;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return {said.code, std::strerror(errno)};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    std::vector<char*> argv;
    for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = -1;
    const int error = posix_spawnp(&pid, argv[0], &actions, &attributes, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    std::array<char, 4096> buffer{};
    ssize_t size = 0;
    while (error == 0 && ((size = read(ends[0], buffer.data(), buffer.size())) > 0 ||
                          (size < 0 && errno == EINTR))) {
        if (size > 0) said.text.append(buffer.data(), static_cast<std::size_t>(size));
        if (interrupt == Interrupt::kEnds && InterruptGuard::signal() != 0) kill(-pid, SIGTERM);
    }
    close(ends[0]);
    if (error != 0) return {said.code, words[0] + ": " + std::strerror(error)};
    int status = 0;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    said.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return said;
}

std::string one_line(std::string text) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

std::string last_line(const fs::path& file) {
    std::ifstream stream(file);
    std::string last;
    for (std::string line; std::getline(stream, line);) {
        if (!line.empty()) last = line;
    }
    return last;
}

json read_json(const fs::path& file) {
    std::ifstream stream(file);
    return json::parse(stream, nullptr, false);
}

struct Job {
    std::string number;  ///< Empty: none was noted.
    bool ended = false;
};

Job read_job(const fs::path& submission) {
    const json text = read_json(submission / kJob);
    Job job;
    if (!text.is_object()) return job;
    const auto number = text.find("job");
    if (number != text.end() && number->is_string()) job.number = *number;
    job.ended = text.find("ended") != text.end();
    return job;
}

bool in_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    std::istringstream folders(path == nullptr ? "" : path);
    std::error_code error;
    for (std::string folder; std::getline(folders, folder, ':');) {
        if (fs::exists(fs::path(folder) / program, error)) return true;
    }
    return false;
}

std::vector<std::string> words_of(const std::string& line) {
    std::vector<std::string> words;
    (void)scenario::command_words(scenario::ConfigNode(line, {}), words);
    return words;
}

/// What a task runs. Environment and folder are those of the user's, whatever `--export` says.
std::string script_text(const ProgramPaths& paths, const fs::path& plan) {
    std::string text =
        "#!/bin/sh\n# A task of a job array of `doorbell sweep`: some of the points.\n";
    const std::pair<const char*, std::string> environment[] = {
        {"DOORBELL_SCENARIOS", fs::absolute(paths.scenarios).string()},
        {"DOORBELL_IMAGES", fs::absolute(paths.images).string()},
        {"DOORBELL_COMMAND", paths.command}};
    for (const auto& [name, value] : environment) {
        text += fmt::format("export {}={}\n", name, shell_quoted(value));
    }
    text += fmt::format("cd {} || exit 2\n", shell_quoted(fs::current_path().string()));
    text += fmt::format("exec {} sweep-task {}\n", shell_quoted(paths.executable.string()),
                        shell_quoted(fs::absolute(plan).string()));
    return text;
}

}  // namespace

SlurmExecutor::SlurmExecutor(const SweepPlan& plan, const SweepOptions& options,
                             const ProgramPaths& paths, SweepProgress& progress)
    : plan_(plan),
      options_(options),
      paths_(paths),
      progress_(progress),
      root_(plan.out / "slurm") {}

bool SlurmExecutor::Submission::at_work() const {
    return std::any_of(states.begin(), states.end(),
                       [](const auto& task) { return !has_ended(task.second.state); });
}

bool SlurmExecutor::run(const std::vector<const SweepPoint*>& points, const Ended& ended) {
    if (!commands_are_there() || !load_submissions()) return false;
    std::vector<const SweepPoint*> rest;
    if (!find_those_at_work(points, rest)) return false;
    if (InterruptGuard::signal() != 0) return true;
    if (!rest.empty() && !submit(rest)) return false;
    if (options_.no_wait) {
        collect(ended);
    } else {
        wait(ended);
    }
    for (const Waiting& waiting : waiting_) {
        PointEnd end;
        end.why = fmt::format("with Slurm: task {} of job {}", waiting.task, waiting.with->job);
        end.pending = true;
        ended(*waiting.point, end);
    }
    for (const auto& [job, submission] : submissions_) {
        if (submission.is_over()) close(submission);
    }
    return true;
}

bool SlurmExecutor::commands_are_there() const {
    for (const char* program : {"sbatch", "squeue"}) {
        if (in_path(program)) continue;
        std::cerr << fmt::format(
            "error: there is no '{}' in PATH, which --executor slurm submits with\n"
            "      = help: run it where jobs are submitted (Debian has the commands in "
            "slurm-client), or without --executor slurm on this machine alone\n",
            program);
        return false;
    }
    const std::string refused = refused_argument(words_of(options_.slurm_args));
    if (refused.empty()) return true;
    std::cerr << fmt::format(
        "error: '{}' cannot be given with --slurm-args: {}\n", refused,
        refused[0] == '-' && refused != "--" ? "the sweep sets it" : "it is no option of sbatch");
    return false;
}

/// Every point has a result, or its task has ended: Slurm may take a while to see an end.
bool SlurmExecutor::Submission::is_over() const {
    return std::all_of(points.begin(), points.end(), [&](const auto& entry) {
        const auto state = states.find(tasks.at(entry.second.identity));
        return state == states.end() || has_ended(state->second.state) || read_result(entry.second);
    });
}

std::vector<std::string> SlurmExecutor::open_jobs(const std::filesystem::path& out) {
    std::vector<std::string> jobs;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(out / "slurm", error)) {
        const Job job = read_job(entry.path());
        if (!job.number.empty() && !job.ended) jobs.push_back(job.number);
    }
    return jobs;
}

/// Those of which Slurm may still have tasks.
bool SlurmExecutor::load_submissions() {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(root_, error)) {
        const Job job = read_job(entry.path());
        if (job.number.empty() || job.ended) continue;
        try {
            if (!load(entry.path(), job.number)) return false;
        } catch (const json::exception& damage) {
            std::cerr << fmt::format(
                "error: '{}' is no plan of a sweep: {}\n"
                "      = help: end its job with: scancel {}, and remove '{}'\n",
                (entry.path() / kPlan).string(), damage.what(), job.number, entry.path().string());
            return false;
        }
    }
    return true;
}

bool SlurmExecutor::load(const fs::path& folder, const std::string& job) {
    const json text = read_json(folder / kPlan);
    const SweepPlan planned = plan_from_json(text);
    Submission submission;
    submission.folder = folder;
    submission.job = job;
    const json& tasks = text.at("tasks");
    for (std::uint32_t task = 0; task < tasks.size(); task++) {
        for (const json& index : tasks[task]) {
            SweepPoint point = planned.points.at(index.get<std::size_t>());
            // However the sweep's folder was named when they were submitted.
            const fs::path name = point.run.folder.filename();
            point.run.folder = plan_.out / "points" / name;
            submission.tasks[point.identity] = task;
            submission.points[name.string()] = std::move(point);
        }
    }
    std::string why;
    if (!ask(submission, why)) {
        std::cerr << fmt::format(
            "error: Slurm does not say how job {} goes, which has points of this sweep: {}\n", job,
            why);
        return false;
    }
    submissions_[job] = std::move(submission);
    return true;
}

/// Sorts the points: those with tasks that are at work are waited for, the rest is to be submitted.
bool SlurmExecutor::find_those_at_work(const std::vector<const SweepPoint*>& points,
                                       std::vector<const SweepPoint*>& rest) {
    for (const auto& entry : submissions_) {
        const Submission& submission = entry.second;
        if (!submission.at_work()) continue;
        const bool other_plan = std::any_of(points.begin(), points.end(), [&](const auto* point) {
            const auto known = submission.points.find(point->run.folder.filename().string());
            return known != submission.points.end() && known->second.identity != point->identity;
        });
        if (!other_plan && !options_.fresh) continue;
        std::cerr << fmt::format(
            "error: job {} is still at work in '{}', with points as they were {}\n"
            "      = help: wait for it, or end it with: scancel {}\n",
            submission.job, plan_.out.string(),
            other_plan ? "before scenario or program changed" : "until now", submission.job);
        return false;
    }
    std::set<std::pair<std::string, std::uint32_t>> said;
    for (const SweepPoint* point : points) {
        bool at_work = false;
        for (auto& [job, submission] : submissions_) {
            const auto task = submission.tasks.find(point->identity);
            if (task == submission.tasks.end()) continue;
            const auto state = submission.states.find(task->second);
            const bool going = state != submission.states.end() && !has_ended(state->second.state);
            // It may have ended since the results were read.
            const auto result = read_result(*point);
            if (going || (result && is_final(*result) && !options_.fresh)) {
                waiting_.push_back({point, &submission, task->second});
                at_work = true;
                break;
            }
            if (said.emplace(job, task->second).second && !result) {
                progress_.say(end_of(submission, task->second));
            }
        }
        if (!at_work) rest.push_back(point);
    }
    return true;
}

bool SlurmExecutor::submit(const std::vector<const SweepPoint*>& points) {
    const std::uint32_t limit =
        parse_max_array_size(ask_command({"scontrol", "show", "config"}).text);
    const auto tasks =
        split_into_tasks(points.size(), options_.points_per_task, limit == 0 ? kUsualArray : limit);
    if (tasks[0].size() > options_.points_per_task) {
        progress_.say(fmt::format("{} points a task: an array of this Slurm has {} tasks at most",
                                  tasks[0].size(), limit == 0 ? kUsualArray : limit));
    }
    std::error_code error;
    Submission submission;
    for (int number = 1; submission.folder.empty(); number++) {
        const fs::path folder = root_ / fmt::format("{:03}", number);
        if (fs::exists(folder, error)) continue;
        if (!fs::create_directories(folder, error)) {
            std::cerr << fmt::format("error: cannot make the folder '{}': {}\n", folder.string(),
                                     error.message());
            return false;
        }
        submission.folder = folder;
    }
    json plan = to_json(plan_, points);
    plan["tasks"] = tasks;
    if (!write_or_say(submission.folder / kPlan, plan.dump(1) + "\n") ||
        !write_or_say(submission.folder / kScript,
                      script_text(paths_, submission.folder / kPlan))) {
        return false;
    }
    // A result of before must not be taken for the one that is to come.
    for (const SweepPoint* point : points) forget_result(*point);

    std::vector<std::string> command = {"sbatch", "--job-name=doorbell-" + plan_.name};
    for (const std::string& word : words_of(options_.slurm_args)) command.push_back(word);
    // What comes last counts.
    for (const std::string& word :
         {std::string("--parsable"), fmt::format("--array=0-{}", tasks.size() - 1),
          "--output=" + output_pattern(fs::absolute(submission.folder).string()) + "/task-%a.log",
          fs::absolute(submission.folder / kScript).string()}) {
        command.push_back(word);
    }
    // Ended by an interrupt, it might have submitted a job that it does not tell us.
    const Said said = ask_command(command, Interrupt::kWaits);
    submission.job = parse_job_id(said.text);
    if (said.code != 0 || submission.job.empty()) {
        std::cerr << fmt::format("error: sbatch did not take the job array: {}\n",
                                 one_line(said.text));
        fs::remove_all(submission.folder, error);
        return false;
    }
    if (!write_or_say(submission.folder / kJob, json{{"job", submission.job}}.dump(1) + "\n")) {
        std::cerr << fmt::format("      = help: scancel {}\n", submission.job);
        return false;
    }
    Submission& kept = submissions_[submission.job] = std::move(submission);
    for (std::uint32_t task = 0; task < tasks.size(); task++) {
        kept.states[task] = {"PENDING", ""};
        for (const std::size_t index : tasks[task]) {
            kept.tasks[points[index]->identity] = task;
            kept.points[points[index]->run.folder.filename().string()] = *points[index];
            waiting_.push_back({points[index], &kept, task});
        }
    }
    progress_.say(
        fmt::format("job {}: {} points in {} tasks", kept.job, points.size(), tasks.size()));
    return true;
}

void SlurmExecutor::wait(const Ended& ended) {
    double interval_s = kFirstQuestion_s;
    double next_s = now_s() + interval_s;
    while (true) {
        collect(ended);
        if (waiting_.empty() || InterruptGuard::signal() != 0) return;
        if (now_s() >= next_s) {
            std::set<Submission*> with;
            for (const Waiting& waiting : waiting_) with.insert(waiting.with);
            bool heard = true;
            for (Submission* submission : with) {
                std::string why;
                if (ask(*submission, why)) continue;
                heard = false;
                progress_.note("Slurm does not answer: " + why);
            }
            if (heard) {
                note_states();
                judge(now_s(), ended);
            }
            interval_s = std::min(interval_s * 1.2, kRarestQuestion_s);
            next_s = now_s() + interval_s;
        }
        sleep_s(std::max(0.3, static_cast<double>(waiting_.size()) / kLooks_per_s));
    }
}

bool SlurmExecutor::ask(Submission& submission, std::string& why) const {
    const Said said = ask_command({"squeue", "--array", "--noheader", "--states=all",
                                   "--format=%K|%T|%r", "--jobs=" + submission.job});
    if (said.code != 0 && said.text.find("Invalid job id") == std::string::npos) {
        why = one_line(said.text);
        return false;
    }
    // What Slurm forgets after a while (MinJobAge) keeps the state it was last seen in, if that was
    // an end.
    SlurmTasks heard = said.code == 0 ? parse_squeue(said.text) : SlurmTasks();
    for (const auto& [task, state] : submission.states) {
        if (has_ended(state.state)) heard.emplace(task, state);
    }
    submission.states = std::move(heard);
    return true;
}

void SlurmExecutor::collect(const Ended& ended) {
    const auto there = [&](const Waiting& waiting) {
        PointEnd end;
        end.result = read_result(*waiting.point);
        if (!end.result) return false;
        ended(*waiting.point, end);
        return true;
    };
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), there), waiting_.end());
}

/// Points whose task has ended, and whose result does not come.
void SlurmExecutor::judge(double now, const Ended& ended) {
    const auto dead = [&](Waiting& waiting) {
        const auto state = waiting.with->states.find(waiting.task);
        if (state != waiting.with->states.end() && !has_ended(state->second.state)) {
            waiting.dead_since_s = 0;
            return false;
        }
        if (waiting.dead_since_s == 0) waiting.dead_since_s = now;
        if (now - waiting.dead_since_s < kGrace_s) return false;
        PointEnd end;
        end.result = read_result(*waiting.point);
        if (!end.result) end.why = end_of(*waiting.with, waiting.task);
        ended(*waiting.point, end);
        return true;
    };
    waiting_.erase(std::remove_if(waiting_.begin(), waiting_.end(), dead), waiting_.end());
}

void SlurmExecutor::note_states() {
    std::map<std::string, std::size_t> counts;
    for (const Waiting& waiting : waiting_) {
        const auto state = waiting.with->states.find(waiting.task);
        if (state == waiting.with->states.end()) continue;
        const bool pending = state->second.state == "PENDING" && !state->second.detail.empty();
        counts[state->second.state + (pending ? " (" + state->second.detail + ")" : "")]++;
    }
    std::string text;
    for (const auto& [state, count] : counts) {
        text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, state);
    }
    progress_.note(text);
}

void SlurmExecutor::close(const Submission& submission) const {
    (void)write_or_say(submission.folder / kJob,
                       json{{"job", submission.job}, {"ended", true}}.dump(1) + "\n");
}

std::string SlurmExecutor::end_of(Submission& submission, std::uint32_t task) const {
    if (submission.states.count(task) == 0 && in_path("sacct")) {
        const Said said =
            ask_command({"sacct", "-X", "--array", "--noheader", "--parsable2",
                         "--format=JobID,State,ExitCode", "--jobs=" + submission.job});
        if (said.code == 0) submission.states.merge(parse_sacct(said.text));
    }
    const auto state = submission.states.find(task);
    const fs::path log = submission.folder / fmt::format("task-{}.log", task);
    std::string text = fmt::format("task {} of job {}: ", task, submission.job);
    text += state == submission.states.end() ? "Slurm knows no more of it, and it left no result"
                                             : end_text(state->second);
    const std::string last = last_line(log);
    if (!last.empty()) text += fmt::format("; the end of {}: {}", log.string(), last);
    return text;
}

namespace {

/// Whether the sweep knows of this job. It notes it when sbatch has returned, which may be later
/// than a task starts.
bool is_noted(const fs::path& submission, const std::string& job, double patience_s) {
    constexpr double kStep_s = 0.1;
    for (double waited_s = 0; waited_s < patience_s; waited_s += kStep_s) {
        if (read_job(submission).number == job) return true;
        sleep_s(kStep_s);
    }
    return false;
}

}  // namespace

int sweep_task_command(const SweepTaskOptions& options, const ProgramPaths& paths) {
    constexpr int kUsage = 2;
    const char* number = std::getenv("SLURM_ARRAY_TASK_ID");
    const char* job = std::getenv("SLURM_ARRAY_JOB_ID");
    const char* cpus = std::getenv("SLURM_CPUS_PER_TASK");
    std::uint64_t task = 0;
    std::uint64_t jobs = 1;
    if (number == nullptr || job == nullptr || !scenario::parse_unsigned(number, task)) {
        std::cerr << "error: sweep-task is what a task of a Slurm job array runs; this is none\n";
        return kUsage;
    }
    if (cpus != nullptr) (void)scenario::parse_unsigned(cpus, jobs);
    SweepPlan plan;
    std::vector<const SweepPoint*> points;
    try {
        const json text = read_json(options.plan);
        plan = plan_from_json(text);
        for (const json& index : text.at("tasks").at(task)) {
            const SweepPoint& point = plan.points.at(index.get<std::size_t>());
            // A task that Slurm started again goes on where it was.
            if (!read_result(point)) points.push_back(&point);
        }
    } catch (const std::exception& damage) {
        std::cerr << fmt::format("error: '{}' is no plan of a sweep with a task {}: {}\n",
                                 options.plan, task, damage.what());
        return kUsage;
    }
    if (!is_noted(fs::path(options.plan).parent_path(), job, options.patience_s)) {
        std::cerr << fmt::format(
            "error: the sweep that submitted job {} was ended before it noted that: nobody would "
            "collect it, and it may have been submitted again\n",
            job);
        return kUsage;
    }
    report::Verdict worst = report::Verdict::kPass;
    const auto ended = [&](const SweepPoint& point, const PointEnd& end) {
        worst =
            std::max(worst, end.result ? verdict_of(end.result->result) : report::Verdict::kError);
        std::cout << fmt::format("{}: {}\n", point.label(),
                                 end.result ? end.result->result.value("verdict", "") : end.why)
                  << std::flush;
    };
    const int interrupted = run_points(
        plan, points, paths, static_cast<unsigned>(std::max<std::uint64_t>(jobs, 1)), ended);
    return interrupted != 0 ? interrupted_exit_code(interrupted) : static_cast<int>(worst);
}

}  // namespace doorbell::cli
