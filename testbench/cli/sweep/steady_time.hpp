#pragma once

#include <chrono>

namespace doorbell::cli {

/// Seconds of a clock that nobody sets.
inline double now_s() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

}  // namespace doorbell::cli
