#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "testbench/cli/sweep/point_result.hpp"

namespace doorbell::cli {

/// How it is said how far a sweep is: not at all, on one line of a terminal that is written again
/// and again, or, where there is none, by a line from time to time.
enum class ProgressStyle : std::uint8_t { kNone, kTerminal, kLog };

/// Tells the user how a sweep goes, and a sentence that stays for each point that did not pass.
class SweepProgress {
public:
    SweepProgress(std::string name, std::size_t points, ProgressStyle style,
                  double log_interval_s = 60);
    ~SweepProgress();
    SweepProgress(const SweepProgress&) = delete;
    SweepProgress& operator=(const SweepProgress&) = delete;

    /// `replay`: the command that runs the point again.
    void ended(const SweepPoint& point, const PointEnd& end, const std::string& replay);
    /// What is waited for; shown at the end of the line.
    void note(const std::string& text);
    /// A sentence that stays.
    void say(const std::string& text);

    /// "3/8 points, 1 not passed, 0:12, about 0:20 left"
    [[nodiscard]] static std::string line_text(std::size_t done, std::size_t points,
                                               std::size_t bad, double elapsed_s);

private:
    void clear();
    void show();

    std::string name_;
    std::size_t points_;
    ProgressStyle style_;
    double log_interval_s_;
    double started_s_;
    double logged_s_;
    std::size_t done_ = 0;
    std::size_t bad_ = 0;
    std::string note_;
    bool shown_ = false;
};

}  // namespace doorbell::cli
