#pragma once

#include <array>
#include <cstdint>
#include <string>

/// Where in memory the images of the guests lie, for who looks at a process from a signal handler:
/// nothing here allocates or locks once the run has begun.
namespace doorbell::cli {

struct GuestPlace {
    std::array<char, 64> host{};
    std::array<char, 64> image{};
    std::uintptr_t base = 0;  ///< What addr2line counts from.
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

/// `code` is an address in the guest image of `host`. At most 16 hosts are kept.
void note_guest(const std::string& host, const std::string& image, const void* code);

/// nullptr: no such host.
[[nodiscard]] const GuestPlace* place_of_host(const char* host);

/// Where a signal found its thread in a guest.
struct GuestCode {
    const GuestPlace* place = nullptr;  ///< nullptr: in none, and called by none it seems.
    std::uintptr_t address = 0;         ///< In its image.
    bool innermost = false;  ///< The guest's code itself; otherwise it probably called what ran.
};
/// `context` is what a handler with SA_SIGINFO gets.
[[nodiscard]] GuestCode guest_code_of(void* context);

/// Writes a line to stderr, whatever state the process is in.
void say_to_stderr(const char* text, int length);

}  // namespace doorbell::cli
