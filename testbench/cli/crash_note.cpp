#include "testbench/cli/crash_note.hpp"

#include <signal.h>

#include <array>
#include <cstdio>

#include "testbench/cli/guest_places.hpp"

namespace doorbell::cli {
namespace {

constexpr std::size_t kHandlerStackBytes = 64 * 1024;

// A handler may look at nothing else.
volatile std::uint64_t simulated_ps = 0;
std::array<char, kHandlerStackBytes> handler_stack;

void on_crash(int signal_number, siginfo_t*, void* context) {
    std::array<char, 256> line{};
    const std::uint64_t us = simulated_ps / 1'000'000;
    say_to_stderr(line.data(),
                  std::snprintf(line.data(), line.size(),
                                "crash: signal %d after about %ju.%03ju ms of simulated time\n",
                                signal_number, static_cast<std::uintmax_t>(us / 1000),
                                static_cast<std::uintmax_t>(us % 1000)));
    // Should the stack end before a guest is found, a second fault ends us as the first would have.
    const GuestCode code = guest_code_of(context);
    if (code.place != nullptr) {
        say_to_stderr(line.data(), std::snprintf(line.data(), line.size(),
                                                 "crash: %s the guest of host %s, at 0x%jx of its "
                                                 "image\n",
                                                 code.innermost ? "in" : "probably called by",
                                                 code.place->host.data(),
                                                 static_cast<std::uintmax_t>(code.address)));
    }
    raise(signal_number);  // SA_RESETHAND: the end it always had
}

}  // namespace

void explain_crashes() {
    // Of its own, since a stack that is full is one of the ways to crash.
    stack_t old_stack{};
    sigaltstack(nullptr, &old_stack);
    if ((old_stack.ss_flags & SS_DISABLE) != 0) {
        stack_t stack{};
        stack.ss_sp = handler_stack.data();
        stack.ss_size = handler_stack.size();
        sigaltstack(&stack, nullptr);
    }
    for (const int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}) {
        struct sigaction old {};
        sigaction(number, nullptr, &old);
        if ((old.sa_flags & SA_SIGINFO) != 0 || old.sa_handler != SIG_DFL) continue;
        struct sigaction action {};
        action.sa_sigaction = on_crash;
        action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND);
        sigaction(number, &action, nullptr);
    }
}

void note_simulated_time(std::uint64_t now_ps) {
    simulated_ps = now_ps;
}

}  // namespace doorbell::cli
