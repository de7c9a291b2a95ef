#pragma once

#include <cstdint>
#include <string>

namespace doorbell::cli {

/// From now on SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGABRT leave a line on stderr before they end
/// us as ever: the simulated time, and the guest whose code ran or called. A signal that another (a
/// sanitizer) handles stays with it.
void explain_crashes();

/// Where the simulation stands, for that line.
void note_simulated_time(std::uint64_t now_ps);

/// `code` is an address in the guest image of `host`. At most 16 hosts are kept.
void note_guest(const std::string& host, const void* code);

}  // namespace doorbell::cli
