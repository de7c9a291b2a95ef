#pragma once

#include <cstdint>
#include <string>

#include "testbench/cli/run_options.hpp"

namespace doorbell::cli {

[[nodiscard]] bool is_terminal(int descriptor);
/// kAuto: colour on a terminal, unless NO_COLOR (no-color.org) is set.
[[nodiscard]] bool use_colour(Colour wish, int descriptor);

/// One line on stderr that is rewritten as a long run goes on; nothing unless stderr is a terminal.
class ProgressLine {
public:
    explicit ProgressLine(std::string label);
    ~ProgressLine();
    ProgressLine(const ProgressLine&) = delete;
    ProgressLine& operator=(const ProgressLine&) = delete;
    /// Shows something at most a few times a second.
    void update(std::uint64_t simulated_ps);

private:
    std::string label_;
    double started_s_;
    double shown_s_ = 0;
    bool anything_shown_ = false;
};

}  // namespace doorbell::cli
