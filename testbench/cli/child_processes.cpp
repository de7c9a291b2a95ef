#include "testbench/cli/child_processes.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "testbench/cli/interrupt_guard.hpp"

namespace doorbell::cli {
namespace {

/// What a child reports that could not become the command.
struct Failure {
    int error;
    bool is_of_log;
};

/// In the child: only what is safe between fork and exec.
[[noreturn]] void become(char* const* argv, const char* log, const sigset_t& mask, pid_t parent,
                         int report) {
    constexpr mode_t kMode = 0666;
    constexpr int kNotStarted = 127;
    // Who is killed cannot stop its children: they must not go on, and write, beside those of the
    // next who comes into the same folder.
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(kNotStarted);
    for (const int number : {SIGINT, SIGTERM}) (void)signal(number, SIG_DFL);
    Failure failure{0, *log != '\0'};
    if (failure.is_of_log) {
        const int file = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
        failure.is_of_log =
            file < 0 || dup2(file, STDOUT_FILENO) < 0 || dup2(STDOUT_FILENO, STDERR_FILENO) < 0;
    }
    if (!failure.is_of_log) {
        (void)sigprocmask(SIG_SETMASK, &mask, nullptr);
        execv(argv[0], argv);
    }
    failure.error = errno;
    (void)!write(report, &failure, sizeof failure);
    _exit(kNotStarted);
}

/// -1, and why, when the command could not be started.
pid_t spawn(const std::vector<std::string>& command, const std::string& log, std::string& why) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0) {
        why = std::strerror(errno);
        return -1;
    }
    // A signal must not be noted in the child by our handler, and be lost.
    sigset_t all;
    sigset_t mask;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &mask);
    const pid_t parent = getpid();
    const pid_t pid = fork();
    if (pid == 0) become(argv.data(), log.c_str(), mask, parent, report[1]);
    if (pid < 0) why = std::strerror(errno);
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    close(report[1]);
    Failure failure{};
    ssize_t size = -1;
    // The other end is closed when it is the command.
    do size = read(report[0], &failure, sizeof failure);
    while (size < 0 && errno == EINTR);
    close(report[0]);
    if (pid < 0 || size != sizeof failure) return pid;
    why = fmt::format("'{}' cannot be {}: {}", failure.is_of_log ? log : command[0],
                      failure.is_of_log ? "written" : "run", std::strerror(failure.error));
    int ignored = 0;
    while (waitpid(pid, &ignored, 0) < 0 && errno == EINTR) {
    }
    return -1;
}

void nothing(int) {}

/// Waits until a child has ended or, with `for_signals`, one of ours has come: then it is 0.
pid_t wait_for_child(int& status, bool for_signals) {
    // Blocked but while we wait: one that comes before we do would else go unseen until a child
    // ends.
    sigset_t watched;
    sigset_t before;
    sigemptyset(&watched);
    for (const int number : {SIGINT, SIGTERM, SIGCHLD}) sigaddset(&watched, number);
    sigprocmask(SIG_BLOCK, &watched, &before);
    struct sigaction awake {};
    struct sigaction old {};
    awake.sa_handler = nothing;  // without one, the end of a child would not end the wait
    sigaction(SIGCHLD, &awake, &old);
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) == 0 &&
           !(for_signals && InterruptGuard::signal() != 0)) {
        sigset_t awaited = before;
        sigdelset(&awaited, SIGCHLD);
        (void)ppoll(nullptr, 0, nullptr, &awaited);
    }
    sigaction(SIGCHLD, &old, nullptr);
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return pid;
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
            ChildEnd not_started;
            const pid_t pid =
                wanted ? spawn(commands[next], log ? log(next) : "", not_started.why) : -1;
            if (pid < 0) {
                ended(next++, not_started);
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
        const auto child = running.find(wait_for_child(status, !passed_on));
        if (child == running.end()) continue;  // there is a signal to pass on
        const std::size_t index = child->second;
        running.erase(child);
        ended(index, end_of(status));
    }
    return InterruptGuard::signal();
}

}  // namespace doorbell::cli
