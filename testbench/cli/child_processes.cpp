#include "testbench/cli/child_processes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "testbench/cli/interrupt_guard.hpp"

extern char** environ;

namespace doorbell::cli {
namespace {

pid_t spawn(const std::vector<std::string>& command, const std::string& log) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    if (!log.empty()) {
        constexpr mode_t kMode = 0666;
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, log.c_str(),
                                         O_WRONLY | O_CREAT | O_TRUNC, kMode);
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
    }
    pid_t pid = -1;
    const int error = posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? pid : -1;
}

ChildEnd end_of(int status) {
    ChildEnd end;
    end.started = true;
    if (WIFEXITED(status)) end.exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) end.signal = WTERMSIG(status);
    return end;
}

}  // namespace

std::string ChildEnd::text() const {
    if (!started) return "was not started";
    if (signal != 0) return fmt::format("signal {} ({})", signal, strsignal(signal));
    return fmt::format("exit {}", exit_code);
}

int run_children(const std::vector<std::vector<std::string>>& commands, unsigned jobs,
                 const std::function<void(std::size_t, const ChildEnd&)>& ended,
                 const std::function<bool(std::size_t)>& starting,
                 const std::function<std::string(std::size_t)>& log) {
    const InterruptGuard guard;
    std::map<pid_t, std::size_t> running;
    std::size_t next = 0;
    bool passed_on = false;
    while (next < commands.size() || !running.empty()) {
        while (next < commands.size() && running.size() < jobs && InterruptGuard::signal() == 0) {
            const bool wanted = !starting || starting(next);
            const pid_t pid = wanted ? spawn(commands[next], log ? log(next) : "") : -1;
            if (pid < 0) {
                ended(next++, ChildEnd{});
            } else {
                running[pid] = next++;
            }
        }
        if (InterruptGuard::signal() != 0 && !passed_on) {
            passed_on = true;
            for (const auto& [pid, index] : running) kill(pid, InterruptGuard::signal());
        }
        if (running.empty()) {
            ChildEnd withheld;
            withheld.withheld = true;
            for (; next < commands.size(); next++) ended(next, withheld);
            break;
        }
        int status = 0;
        const pid_t pid = waitpid(-1, &status, 0);
        const auto child = running.find(pid);
        if (child == running.end()) continue;  // interrupted by a signal
        const std::size_t index = child->second;
        running.erase(child);
        ended(index, end_of(status));
    }
    return InterruptGuard::signal();
}

}  // namespace doorbell::cli
