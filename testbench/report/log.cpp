#include "testbench/report/log.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace doorbell::log {
namespace {

spdlog::level::level_enum to_spdlog(Level level) {
    switch (level) {
        case Level::kError:
            return spdlog::level::err;
        case Level::kWarn:
            return spdlog::level::warn;
        case Level::kInfo:
            return spdlog::level::info;
        case Level::kDebug:
            return spdlog::level::debug;
    }
    return spdlog::level::err;
}

// No wall clock in a line: the time that matters is simulated and stands in the text.
spdlog::logger& logger() {
    static const std::shared_ptr<spdlog::logger> instance = [] {
        auto made = spdlog::stderr_color_mt("doorbell");
        made->set_pattern("%^%l%$: %v");
        made->set_level(spdlog::level::warn);
        return made;
    }();
    return *instance;
}

}  // namespace

void set_level(Level level) {
    logger().set_level(to_spdlog(level));
}

bool shown(Level level) {
    return logger().should_log(to_spdlog(level));
}

void write(Level level, std::string_view text) {
    logger().log(to_spdlog(level), "{}", text);
}

}  // namespace doorbell::log
