#pragma once

#include <fmt/format.h>

#include <string_view>
#include <utility>

/// The one header of ours through which the testbench speaks to its user's terminal (stderr).
/// spdlog is behind it; nothing else knows. The model never logs: it reports events.
namespace doorbell::log {

enum class Level : int { kError = 0, kWarn = 1, kInfo = 2, kDebug = 3 };

/// What is shown: kWarn by default, kInfo with -v, kDebug with -vv, kError with -q.
void set_level(Level level);
[[nodiscard]] bool shown(Level level);
void write(Level level, std::string_view text);

template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
    write(Level::kError, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
    if (shown(Level::kWarn)) write(Level::kWarn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
    if (shown(Level::kInfo)) write(Level::kInfo, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
    if (shown(Level::kDebug)) {
        write(Level::kDebug, fmt::format(format, std::forward<Args>(args)...));
    }
}

}  // namespace doorbell::log
