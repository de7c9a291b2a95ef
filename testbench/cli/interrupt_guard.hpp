#pragma once

#include <signal.h>

namespace doorbell::cli {

/// While it lives, SIGINT and SIGTERM are noted instead of ending us. One within another notes for
/// both: what came before it is not forgotten.
class InterruptGuard {
public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    /// The signal that came since the outermost guard was made; 0 when none did.
    [[nodiscard]] static int signal();

private:
    struct sigaction old_interrupt_ {};
    struct sigaction old_terminate_ {};
};

}  // namespace doorbell::cli
