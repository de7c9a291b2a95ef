#include "testbench/cli/sweep/slurm_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <sstream>
#include <string_view>
#include <utility>

namespace doorbell::cli {
namespace {

/// States that go over into another (squeue(1), "JOB STATE CODES"); all others are the end.
constexpr std::array kStatesThatGoOn = {
    "PENDING",      "RUNNING",     "SUSPENDED",    "COMPLETING",   "CONFIGURING",
    "REQUEUED",     "REQUEUE_FED", "REQUEUE_HOLD", "RESIZING",     "SIGNALING",
    "SPECIAL_EXIT", "STAGE_OUT",   "STOPPED",      "RESV_DEL_HOLD"};

constexpr std::pair<const char*, const char*> kEnds[] = {
    {"OUT_OF_MEMORY", "it took more memory than it was given; --slurm-args '--mem=...' gives more"},
    {"TIMEOUT", "its time was up; --slurm-args '--time=...' gives more"},
    {"DEADLINE", "its deadline was over"},
    {"NODE_FAIL", "its node failed"},
    {"BOOT_FAIL", "its node did not start"},
    {"PREEMPTED", "another job took its place"},
    {"CANCELLED", "it was cancelled"},
};

std::vector<std::string> fields_of(const std::string& line) {
    std::vector<std::string> fields(1);
    for (const char c : line) {
        if (c == '|') {
            fields.emplace_back();
        } else {
            fields.back() += c;
        }
    }
    return fields;
}

bool parse_number(std::string_view text, std::uint32_t& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

/// "CANCELLED by 0" is CANCELLED; "CANCELLED+" is one that did not fit.
std::string plain_state(const std::string& state) {
    return state.substr(0, state.find_first_of(" +"));
}

}  // namespace

bool has_ended(const std::string& state) {
    return std::none_of(kStatesThatGoOn.begin(), kStatesThatGoOn.end(),
                        [&](const char* other) { return state == other; });
}

std::string end_text(const SlurmTask& task) {
    const std::string shown = task.detail.empty() ? task.state : task.state + ", " + task.detail;
    for (const auto& [state, text] : kEnds) {
        if (task.state == state) return std::string(text) + " (" + shown + ")";
    }
    return "it ended without a result (" + shown + ")";
}

std::string parse_job_id(const std::string& text) {
    std::istringstream lines(text);
    std::string found;
    for (std::string line; std::getline(lines, line);) {
        const std::string number = line.substr(0, line.find(';'));
        std::uint32_t ignored = 0;
        if (parse_number(number, ignored)) found = number;
    }
    return found;
}

SlurmTasks parse_squeue(const std::string& text) {
    SlurmTasks tasks;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::vector<std::string> fields = fields_of(line);
        std::uint32_t number = 0;
        if (fields.size() != 3 || !parse_number(fields[0], number)) continue;
        const std::string detail = fields[2] == "None" ? "" : fields[2];
        tasks[number] = {plain_state(fields[1]), detail};
    }
    return tasks;
}

SlurmTasks parse_sacct(const std::string& text) {
    SlurmTasks tasks;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::vector<std::string> fields = fields_of(line);
        const std::size_t under = fields[0].rfind('_');
        std::uint32_t number = 0;
        if (fields.size() != 3 || under == std::string::npos ||
            !parse_number(std::string_view(fields[0]).substr(under + 1), number)) {
            continue;
        }
        tasks[number] = {plain_state(fields[1]), "exit " + fields[2]};
    }
    return tasks;
}

std::uint32_t parse_max_array_size(const std::string& text) {
    constexpr std::string_view kKey = "MaxArraySize";
    std::size_t at = text.find(kKey);
    if (at == std::string::npos) return 0;
    at += kKey.size();
    while (at < text.size() && (text[at] == ' ' || text[at] == '=')) at++;
    std::size_t end = at;
    while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])) != 0) end++;
    std::uint32_t value = 0;
    return parse_number(std::string_view(text).substr(at, end - at), value) ? value : 0;
}

std::vector<std::vector<std::size_t>> split_into_tasks(std::size_t points, std::size_t per_task,
                                                       std::size_t most_tasks) {
    if (most_tasks != 0) per_task = std::max(per_task, (points + most_tasks - 1) / most_tasks);
    per_task = std::max<std::size_t>(per_task, 1);
    std::vector<std::vector<std::size_t>> tasks;
    for (std::size_t i = 0; i < points; i++) {
        if (i % per_task == 0) tasks.emplace_back();
        tasks.back().push_back(i);
    }
    return tasks;
}

std::string output_pattern(const std::string& folder) {
    std::string pattern;
    for (const char c : folder) pattern += c == '%' ? std::string("%%") : std::string(1, c);
    return pattern;
}

std::string refused_argument(const std::vector<std::string>& words) {
    // Another cluster's jobs are none of those that squeue tells about.
    constexpr std::string_view kRefused[] = {"--array",  "-a", "--parsable", "--wrap",
                                             "--chdir",  "-D", "--wait",     "-W",
                                             "--output", "-o", "--clusters", "-M"};
    constexpr std::size_t kShortest = 5;  // getopt_long(3) takes "--arr", too
    bool value_may_follow = false;
    for (const std::string& word : words) {
        if (word.empty() || word[0] != '-' || word == "--") {
            // A word that belongs to no option would be the script.
            if (!value_may_follow) return word;
            value_may_follow = false;
            continue;
        }
        const std::string name = word.substr(0, word.find('='));
        value_may_follow = name == word;
        for (const std::string_view refused : kRefused) {
            // "-a0-3" too: a short option and its value may be one word.
            const bool attached = refused.size() == 2 && name.compare(0, 2, refused) == 0;
            const bool cut = name.size() >= kShortest && refused.compare(0, name.size(), name) == 0;
            if (name == refused || attached || cut) return word;
        }
    }
    return "";
}

}  // namespace doorbell::cli
