#pragma once

#include <poll.h>

#include <cstddef>
#include <vector>

namespace doorbell {

/// Something of the outside that a single thread waits for: a socket, a TAP device, a user-mode
/// network stack. The owner of the loop asks every source before it waits, waits once for all of
/// them with poll(2), and tells each one what happened.
class PollSource {
public:
    virtual ~PollSource() = default;
    /// Appends what it wants watched (`revents` 0) and may lower `timeout_ms` (-1: no limit).
    virtual void before_wait(std::vector<pollfd>& watched, int& timeout_ms) = 0;
    /// `ready` are its own `count` entries in the order it appended them, `revents` filled in.
    /// Called after each wait, also when nothing is ready; never blocks, and takes a bounded piece
    /// of work.
    virtual void after_wait(const pollfd* ready, std::size_t count) = 0;
};

}  // namespace doorbell
