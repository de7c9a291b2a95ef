#pragma once

#include <sys/types.h>

#include <string>

#include "hw/plugin/client_channel.hpp"

namespace doorbell::plugin {

/// A Unix socket that waits for clients under a path of the file system, which goes with it (unless
/// somebody has put another file in its place). Whoever sees the path can connect: there is no
/// moment in which it is there and nobody listens.
class ListeningSocket {
public:
    ListeningSocket() = default;
    ListeningSocket(ListeningSocket&& other) noexcept;
    ListeningSocket& operator=(ListeningSocket&& other) noexcept;
    ~ListeningSocket();

    /// A socket file that nobody listens at any more is replaced. On failure the result is not open
    /// and `why` says in one sentence what is wrong and what to do.
    [[nodiscard]] static ListeningSocket open_at(const std::string& path, std::string& why);

    [[nodiscard]] bool open() const { return socket_.open(); }
    [[nodiscard]] int number() const { return socket_.number(); }
    /// Not open when nobody waits.
    [[nodiscard]] Descriptor accept() const;
    [[nodiscard]] const std::string& path() const { return path_; }

private:
    Descriptor socket_;
    std::string path_;
    dev_t device_ = 0;  ///< Of the file, by which it is known to be ours.
    ino_t inode_ = 0;
};

}  // namespace doorbell::plugin
