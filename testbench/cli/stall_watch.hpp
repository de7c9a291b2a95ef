#pragma once

#include <cstdint>

/// A guest that never gives the CPU back hangs a run: its code takes no simulated time, so no
/// timeout of the scenario's ever comes. Once a second of the host's time the run looks whether
/// simulated time moves; when it does not, a line on stderr says who is to blame.
namespace doorbell::cli {

/// When a stall is worth a line: after 5 seconds, then at intervals that double.
class StallRule {
public:
    static constexpr unsigned kFirst_s = 5;

    /// Once a second, with what should move. 0, or for how many seconds it has not.
    unsigned tick(std::uint64_t progress) {
        if (progress != progress_) {
            *this = StallRule();
            progress_ = progress;
            return 0;
        }
        stalled_s_++;
        if (stalled_s_ < next_s_) return 0;
        next_s_ *= 2;
        return stalled_s_;
    }

private:
    std::uint64_t progress_ = ~std::uint64_t{0};
    unsigned stalled_s_ = 0;
    unsigned next_s_ = kFirst_s;
};

struct StallWatchOptions {
    std::uint64_t (*now_ps)() = nullptr;  ///< Simulated time, from a signal handler.
    void (*keep_evidence)() = nullptr;    ///< Called when nothing of ours is under way.
    bool clear_line = false;              ///< A progress line may stand on stderr.
};

/// While it lives, SIGALRM is ours. Seconds are those of a timer that a stopped process (Ctrl-Z, a
/// debugger) does not see.
class StallWatch {
public:
    explicit StallWatch(const StallWatchOptions& options);
    ~StallWatch();
    StallWatch(const StallWatch&) = delete;
    StallWatch& operator=(const StallWatch&) = delete;
};

}  // namespace doorbell::cli
