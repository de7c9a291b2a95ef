#include "testbench/cli/crash_note.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

#include "testbench/cli/guest_places.hpp"

namespace doorbell::cli {
namespace {

/// An address in this program's code, which plays the guest.
void code() {}

void abort_at(std::uint64_t now_ps, bool with_guest) {
    if (with_guest) note_guest("a", "default", reinterpret_cast<const void*>(&code));
    explain_crashes();
    note_simulated_time(now_ps);
    std::abort();
}

TEST(CrashNoteDeathTest, SaysTheTimeAndTheGuestThatCalled) {
    EXPECT_EXIT(abort_at(1'234'567'000'000, true), testing::KilledBySignal(SIGABRT),
                "crash: signal 6 after about 1234.567 ms of simulated time\n"
                "crash: probably called by the guest of host a, at 0x[0-9a-f]+ of its image\n");
}

TEST(CrashNoteDeathTest, NamesNoGuestWhenNoneIsOnTheStack) {
    EXPECT_EXIT(abort_at(0, false), testing::KilledBySignal(SIGABRT),
                "crash: signal 6 after about 0.000 ms of simulated time\n$");
}

}  // namespace
}  // namespace doorbell::cli
