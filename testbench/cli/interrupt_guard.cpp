#include "testbench/cli/interrupt_guard.hpp"

namespace doorbell::cli {
namespace {

volatile sig_atomic_t noted = 0;
int guards = 0;

void note_signal(int number) {
    noted = number;
}

}  // namespace

InterruptGuard::InterruptGuard() {
    if (guards++ == 0) noted = 0;
    struct sigaction action {};
    action.sa_handler = note_signal;
    sigaction(SIGINT, &action, &old_interrupt_);
    sigaction(SIGTERM, &action, &old_terminate_);
}

InterruptGuard::~InterruptGuard() {
    guards--;
    sigaction(SIGINT, &old_interrupt_, nullptr);
    sigaction(SIGTERM, &old_terminate_, nullptr);
}

int InterruptGuard::signal() {
    return noted;
}

}  // namespace doorbell::cli
