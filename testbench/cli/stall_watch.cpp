#include "testbench/cli/stall_watch.hpp"

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "testbench/cli/guest_places.hpp"
#include "testbench/host/running_guest.hpp"

namespace doorbell::cli {
namespace {

// A handler may look at nothing else.
StallWatchOptions watch;
StallRule rule;
bool evidence_kept = false;

/// The guest kernel's contexts, in a reader's words; threads go by their name.
int describe_thread(char* text, std::size_t size, const char* thread) {
    if (std::strcmp(thread, "hardirq") == 0) {
        return std::snprintf(text, size, "in an interrupt handler");
    }
    if (std::strcmp(thread, "softirq") == 0 || std::strcmp(thread, "ksoftirqd") == 0) {
        return std::snprintf(text, size, "in the driver's poll or another softirq");
    }
    return std::snprintf(text, size, "in thread %s", thread);
}

void say_stall(unsigned seconds, const RunningGuest& guest, const GuestCode& code) {
    std::array<char, 96> where{};
    std::array<char, 512> line{};
    const GuestPlace* place = guest.host == nullptr ? code.place : place_of_host(guest.host);
    if (guest.thread != nullptr) {
        describe_thread(where.data(), where.size(), guest.thread);
    } else {
        std::snprintf(where.data(), where.size(), "in an interrupt handler");
    }
    int length = std::snprintf(line.data(), line.size(), "%s", watch.clear_line ? "\r\x1b[K" : "");
    const auto add = [&](auto... what) {
        const auto at = static_cast<std::size_t>(length);
        if (at < line.size()) length += std::snprintf(&line[at], line.size() - at, what...);
    };
    if (place == nullptr) {
        add("%s", "stall: the model has not come back");
    } else {
        add("stall: the guest of host %s (image %s) has not come back", place->host.data(),
            place->image.data());
    }
    const std::uint64_t ns = watch.now_ps() / 1000;
    add(" for %u s of the host's time, at %ju.%06ju ms of simulated time", seconds,
        static_cast<std::uintmax_t>(ns / 1'000'000), static_cast<std::uintmax_t>(ns % 1'000'000));
    if (place != nullptr) add(": %s", where.data());
    if (code.place != nullptr) {
        add(", %s 0x%jx of the image", code.innermost ? "at" : "called from about",
            static_cast<std::uintmax_t>(code.address));
    }
    add("; Ctrl-C ends it and keeps the evidence, gdb -p %d looks into it\n",
        static_cast<int>(getpid()));
    const int most = static_cast<int>(line.size()) - 1;
    if (length > most) {
        length = most;
        line[line.size() - 2] = '\n';
    }
    say_to_stderr(line.data(), length);
}

void on_second(int, siginfo_t*, void* context) {
    const int error = errno;
    const unsigned stalled_s = rule.tick(watch.now_ps());
    if (stalled_s != 0) {
        const RunningGuest guest = running_guest::get();
        const bool in_guest = guest.host != nullptr || guest.in_handler;
        // Without a guest on the stack, looking for one could leave it.
        const GuestCode code = in_guest ? guest_code_of(context) : GuestCode{};
        // In the guest's own code nothing of ours is half done.
        if (code.innermost && !evidence_kept && watch.keep_evidence != nullptr) {
            watch.keep_evidence();
            evidence_kept = true;
        }
        say_stall(stalled_s, guest, code);
    }
    errno = error;
}

void set_timer(int seconds) {
    struct itimerval timer {};
    timer.it_interval.tv_sec = seconds;
    timer.it_value.tv_sec = seconds;
    setitimer(ITIMER_REAL, &timer, nullptr);
}

}  // namespace

StallWatch::StallWatch(const StallWatchOptions& options) {
    watch = options;
    rule = StallRule();
    evidence_kept = false;
    struct sigaction action {};
    action.sa_sigaction = on_second;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESTART);
    sigaction(SIGALRM, &action, nullptr);
    set_timer(1);
}

StallWatch::~StallWatch() {
    set_timer(0);
    signal(SIGALRM, SIG_IGN);
}

}  // namespace doorbell::cli
