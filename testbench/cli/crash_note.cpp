#include "testbench/cli/crash_note.hpp"

#include <link.h>
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace doorbell::cli {
namespace {

struct Guest {
    std::array<char, 64> host{};
    std::uintptr_t base = 0;  ///< What addr2line counts from.
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
};

constexpr std::size_t kMostStackWords = 512;
constexpr std::size_t kHandlerStackBytes = 64 * 1024;

// A handler may look at nothing else.
std::array<Guest, 16> guests;
std::size_t guest_count = 0;
volatile std::uint64_t simulated_ps = 0;
std::array<char, kHandlerStackBytes> handler_stack;

const Guest* guest_of(std::uintptr_t address) {
    for (std::size_t i = 0; i < guest_count; i++) {
        if (address >= guests[i].begin && address < guests[i].end) return &guests[i];
    }
    return nullptr;
}

/// Whatever stands on the stack, between objects as well.
__attribute__((noinline, no_sanitize("address"))) std::uintptr_t word_at(std::uintptr_t address) {
    return *reinterpret_cast<const std::uintptr_t*>(address);
}

void say(const char* text, int length) {
    // Nobody is left who could do anything about an error.
    if (length > 0 && write(STDERR_FILENO, text, static_cast<std::size_t>(length)) < 0) return;
}

void say_guest(std::uintptr_t address, const char* how) {
    const Guest* guest = guest_of(address);
    std::array<char, 256> line{};
    say(line.data(),
        std::snprintf(line.data(), line.size(),
                      "crash: %s the guest of host %s, at 0x%jx of its image\n", how,
                      guest->host.data(), static_cast<std::uintmax_t>(address - guest->base)));
}

void on_crash(int signal_number, siginfo_t*, void* context) {
    std::array<char, 256> line{};
    const std::uint64_t us = simulated_ps / 1'000'000;
    say(line.data(), std::snprintf(line.data(), line.size(),
                                   "crash: signal %d after about %ju.%03ju ms of simulated time\n",
                                   signal_number, static_cast<std::uintmax_t>(us / 1000),
                                   static_cast<std::uintmax_t>(us % 1000)));
#if defined(__x86_64__)
    const auto* registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
    const auto program_counter = static_cast<std::uintptr_t>(registers[REG_RIP]);
    const auto stack = static_cast<std::uintptr_t>(registers[REG_RSP]) & ~std::uintptr_t{7};
    if (guest_of(program_counter) != nullptr) {
        say_guest(program_counter, "in");
    } else {
        // The innermost word of the stack that looks like a return into a guest. Should the stack
        // end before, a second fault ends us as the first would have.
        for (std::size_t i = 0; i < kMostStackWords; i++) {
            const std::uintptr_t word = word_at(stack + i * sizeof(std::uintptr_t));
            if (guest_of(word) == nullptr) continue;
            say_guest(word, "probably called by");
            break;
        }
    }
#else
    (void)context;
#endif
    raise(signal_number);  // SA_RESETHAND: the end it always had
}

int find_object(dl_phdr_info* info, std::size_t, void* data) {
    auto& guest = *static_cast<Guest*>(data);
    const std::uintptr_t code = guest.begin;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const auto& part = info->dlpi_phdr[i];
        const std::uintptr_t begin = info->dlpi_addr + part.p_vaddr;
        if (part.p_type != PT_LOAD || code < begin || code >= begin + part.p_memsz) continue;
        guest.base = info->dlpi_addr;
        guest.begin = begin;
        guest.end = begin + part.p_memsz;
        return 1;
    }
    return 0;
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

void note_guest(const std::string& host, const void* code) {
    if (guest_count == guests.size()) return;
    Guest guest;
    host.copy(guest.host.data(), guest.host.size() - 1);
    guest.begin = reinterpret_cast<std::uintptr_t>(code);
    if (dl_iterate_phdr(find_object, &guest) != 0) guests[guest_count++] = guest;
}

}  // namespace doorbell::cli
