#include "testbench/cli/sweep/sweep_progress.hpp"

#include <fmt/format.h>

#include <iostream>

#include "testbench/cli/sweep/steady_time.hpp"
#include "testbench/cli/sweep/sweep_table.hpp"

namespace doorbell::cli {
namespace {

/// "0:07", "1:02:03"
std::string clock_text(double seconds) {
    const auto whole = static_cast<std::uint64_t>(seconds + 0.5);
    const std::uint64_t minutes = whole / 60;
    if (minutes < 60) return fmt::format("{}:{:02}", minutes, whole % 60);
    return fmt::format("{}:{:02}:{:02}", minutes / 60, minutes % 60, whole % 60);
}

}  // namespace

SweepProgress::SweepProgress(std::string name, std::size_t points, ProgressStyle style,
                             double log_interval_s)
    : name_(std::move(name)),
      points_(points),
      style_(style),
      log_interval_s_(log_interval_s),
      started_s_(now_s()),
      logged_s_(started_s_) {
    show();
}

SweepProgress::~SweepProgress() {
    clear();
}

std::string SweepProgress::line_text(std::size_t done, std::size_t points, std::size_t bad,
                                     double elapsed_s) {
    std::string text = fmt::format("{}/{} points", done, points);
    if (bad != 0) text += fmt::format(", {} not passed", bad);
    text += ", " + clock_text(elapsed_s);
    if (done != 0 && done < points) {
        const double each_s = elapsed_s / static_cast<double>(done);
        text +=
            fmt::format(", about {} left", clock_text(each_s * static_cast<double>(points - done)));
    }
    return text;
}

void SweepProgress::ended(const SweepPoint& point, const PointEnd& end, const std::string& replay) {
    done_++;
    const std::string verdict = verdict_text(end);
    if (verdict != "pass") {
        bad_++;
        std::string why = end.why;
        if (end.result) {
            const auto failures = end.result->result.value("failures", std::vector<std::string>());
            if (!failures.empty()) why = failures[0];
        }
        say(fmt::format("{}: {}: {}\n    {}", verdict, point.label(), why, replay));
    }
    show();
}

void SweepProgress::note(const std::string& text) {
    note_ = text;
    show();
}

void SweepProgress::say(const std::string& text) {
    clear();
    std::cerr << text << "\n";
}

void SweepProgress::clear() {
    if (shown_) std::cerr << "\r\x1b[K" << std::flush;
    shown_ = false;
}

void SweepProgress::show() {
    const double now = now_s();
    const bool logs = style_ == ProgressStyle::kLog && now - logged_s_ >= log_interval_s_;
    if (points_ == 0 || (style_ != ProgressStyle::kTerminal && !logs)) return;
    const std::string text = name_ + ": " + line_text(done_, points_, bad_, now - started_s_) +
                             (note_.empty() ? "" : "; " + note_);
    if (logs) {
        std::cerr << text << "\n";
        logged_s_ = now;
    } else {
        std::cerr << "\r\x1b[K" << text << std::flush;
        shown_ = true;
    }
}

}  // namespace doorbell::cli
