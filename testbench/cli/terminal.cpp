#include "testbench/cli/terminal.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>

namespace doorbell::cli {
namespace {

constexpr double kFirst_s = 1.0;
constexpr double kEvery_s = 0.25;

double wall_clock_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace

bool is_terminal(int descriptor) {
    return isatty(descriptor) != 0;
}

bool use_colour(Colour wish, int descriptor) {
    if (wish != Colour::kAuto) return wish == Colour::kAlways;
    const char* no_colour = std::getenv("NO_COLOR");
    return is_terminal(descriptor) && (no_colour == nullptr || *no_colour == '\0');
}

ProgressLine::ProgressLine(std::string label)
    : label_(std::move(label)), started_s_(wall_clock_s()) {}

ProgressLine::~ProgressLine() {
    if (anything_shown_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::update(std::uint64_t simulated_ps) {
    const double elapsed_s = wall_clock_s() - started_s_;
    if (elapsed_s < kFirst_s || elapsed_s - shown_s_ < kEvery_s) return;
    shown_s_ = elapsed_s;
    anything_shown_ = true;
    const double simulated_ms = static_cast<double>(simulated_ps) / 1e9;
    const std::string line =
        fmt::format("\r\x1b[K{}: {:.1f} ms simulated, {:.0f} s, {:.2f} times real time", label_,
                    simulated_ms, elapsed_s, simulated_ms / 1000 / elapsed_s);
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
}

}  // namespace doorbell::cli
