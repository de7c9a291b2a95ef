#pragma once

namespace doorbell::plugin {

/// How the process at the other end of a socket maps the file behind a descriptor that it sent.
enum class Sharing {
    kShared,
    kPrivate,  ///< Copy on write: what it writes is not in the file, and what we write it never
               ///< sees.
    kUnknown,  ///< We may not look, or it does not map the file.
};

/// Linux tells in /proc/PID/maps. `socket` is a connected Unix socket.
[[nodiscard]] Sharing sharing_of_peer(int socket, int file);

}  // namespace doorbell::plugin
