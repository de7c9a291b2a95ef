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
    [[nodiscard]] std::string text() const;  ///< "exit 3", "signal 6 (Aborted)"
};

/// Runs commands as processes, at most `jobs` at a time. What they print goes where ours goes.
/// `ended` is called once for each, in the order in which they end; the number is the command's.
/// SIGINT and SIGTERM are passed on, and what has not been started stays that way.
void run_children(const std::vector<std::vector<std::string>>& commands, unsigned jobs,
                  const std::function<void(std::size_t, const ChildEnd&)>& ended);

}  // namespace doorbell::cli
