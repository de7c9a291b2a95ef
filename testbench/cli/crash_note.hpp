#pragma once

#include <cstdint>

namespace doorbell::cli {

/// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT leave a line on stderr before they end
/// us as ever: the simulated time, and the guest whose code ran or called. A signal that another (a
/// sanitizer) handles stays with it.
void explain_crashes();

/// Where the simulation stands, for that line.
void note_simulated_time(std::uint64_t now_ps);

}  // namespace doorbell::cli
