#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace doorbell::cli {

/// How a child ended.
struct ChildEnd {
    bool started = false;
    int exit_code = -1;  ///< -1 when a signal ended it.
    int signal = 0;
    bool withheld = false;                   ///< Not started, since we were interrupted first.
    std::string why{};                       ///< Not started, since ...; empty: nobody wanted it.
    [[nodiscard]] std::string text() const;  ///< "exit 3", "signal 6 (Aborted)"
};

/// Runs commands as processes, at most `jobs` at a time.
/// `ended` is called once for each, in the order in which they end; the number is the command's.
/// `starting` is asked just before each starts; one it refuses has ended, not started.
/// `log` names the file for what one prints; without it, that goes where ours goes.
/// SIGINT and SIGTERM are passed on, and what has not been started stays that way. When we are
/// killed, they are too.
/// Returns the signal that interrupted us, 0 when none did.
int run_children(const std::vector<std::vector<std::string>>& commands, unsigned jobs,
                 const std::function<void(std::size_t, const ChildEnd&)>& ended,
                 const std::function<bool(std::size_t)>& starting = {},
                 const std::function<std::string(std::size_t)>& log = {});

/// The exit code of who was interrupted, as shells count: 130 for SIGINT, 143 for SIGTERM.
inline int interrupted_exit_code(int signal) {
    return 128 + signal;
}

}  // namespace doorbell::cli
