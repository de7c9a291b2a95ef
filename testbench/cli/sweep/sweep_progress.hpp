#pragma once

#include <cstddef>
#include <string>

#include "testbench/cli/sweep/point_result.hpp"

namespace doorbell::cli {

/// Tells the user how a sweep goes: a line on the terminal that is written again and again, and one
/// that stays for each point that did not pass.
class SweepProgress {
public:
    /// `line`: whether stderr can take the line that is rewritten.
    SweepProgress(std::string name, std::size_t points, bool line);
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
    bool line_;
    double started_s_;
    std::size_t done_ = 0;
    std::size_t bad_ = 0;
    std::string note_;
    bool shown_ = false;
};

}  // namespace doorbell::cli
