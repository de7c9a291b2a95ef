#include "testbench/cli/child_processes.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <map>

extern char** environ;

namespace doorbell::cli {
namespace {

volatile sig_atomic_t interrupted = 0;

void note_interrupt(int signal_number) {
    interrupted = signal_number;
}

/// While it lives, an interrupt of ours is noted instead of ending us.
class InterruptGuard {
public:
    InterruptGuard() {
        interrupted = 0;
        struct sigaction action {};
        action.sa_handler = note_interrupt;
        sigaction(SIGINT, &action, &old_interrupt_);
        sigaction(SIGTERM, &action, &old_terminate_);
    }
    ~InterruptGuard() {
        sigaction(SIGINT, &old_interrupt_, nullptr);
        sigaction(SIGTERM, &old_terminate_, nullptr);
    }
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

private:
    struct sigaction old_interrupt_ {};
    struct sigaction old_terminate_ {};
};

pid_t spawn(const std::vector<std::string>& command) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    pid_t pid = -1;
    return posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) == 0 ? pid : -1;
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
                 const std::function<bool(std::size_t)>& starting) {
    const InterruptGuard guard;
    std::map<pid_t, std::size_t> running;
    std::size_t next = 0;
    bool passed_on = false;
    while (next < commands.size() || !running.empty()) {
        while (next < commands.size() && running.size() < jobs && interrupted == 0) {
            const bool wanted = !starting || starting(next);
            const pid_t pid = wanted ? spawn(commands[next]) : -1;
            if (pid < 0) {
                ended(next++, ChildEnd{});
            } else {
                running[pid] = next++;
            }
        }
        if (interrupted != 0 && !passed_on) {
            passed_on = true;
            for (const auto& [pid, index] : running) kill(pid, interrupted);
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
    return interrupted;
}

}  // namespace doorbell::cli
