#include "hw/plugin/listening_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace doorbell::plugin {
namespace {

constexpr int kBacklog = 8;

std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

std::string cannot(const std::string& path, const std::string& why) {
    return "the socket '" + path + "' cannot be made: " + why;
}

/// Where a socket is bound until it listens: beside `path`, or at `path` when that is too long.
std::string staging_for(const std::string& path) {
    const std::string staging = path + '.' + std::to_string(getpid());
    return staging.size() < sizeof(sockaddr_un::sun_path) ? staging : path;
}

sockaddr_un address_of(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    return address;
}

/// Gives `from` its name unless somebody else has it by now; returns 0 or an errno.
int move_into_place(const std::string& from, const std::string& to) {
    if (from == to) return 0;
    if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
    // Not every file system knows how not to replace; that nobody has it was seen a moment ago.
    if (errno != EINVAL && errno != ENOSYS) return errno;
    return std::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

/// Takes away what stands in the way, if nobody needs it; else says why not.
std::string make_room(const std::string& path, const sockaddr_un& address) {
    struct stat file {};
    if (lstat(path.c_str(), &file) != 0) return "";
    if (!S_ISSOCK(file.st_mode)) {
        return cannot(path, "a file of that name exists and is no socket; choose another path");
    }
    const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int failed =
        connect(probe.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0
            ? 0
            : errno;
    if (failed == 0 || failed == EAGAIN) {
        return cannot(path,
                      "another server listens there; end it, or give this one another --socket");
    }
    if (failed != ECONNREFUSED) {
        return cannot(path, std::string("whoever made it does not let us see whether it is in use "
                                        "(") +
                                std::strerror(failed) + "); remove it or choose another path");
    }
    if (unlink(path.c_str()) == 0) return "";
    return cannot(path, std::string("an old one cannot be removed (") + std::strerror(errno) +
                            "); choose a path in a folder of your own");
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : socket_(std::move(other.socket_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
}

ListeningSocket::~ListeningSocket() {
    if (!socket_.open()) return;
    struct stat file {};
    if (lstat(path_.c_str(), &file) != 0) return;
    if (file.st_dev == device_ && file.st_ino == inode_) unlink(path_.c_str());
}

ListeningSocket ListeningSocket::open_at(const std::string& path, std::string& why) {
    ListeningSocket made;
    if (path.empty()) {
        why = "the socket has no path; give one with --socket";
        return made;
    }
    if (path.size() >= sizeof(sockaddr_un::sun_path)) {
        why = cannot(path, "its path has " + std::to_string(path.size()) +
                               " bytes and the system takes " +
                               std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                               "; choose a shorter one, in /tmp for instance");
        return made;
    }
    why = make_room(path, address_of(path));
    if (!why.empty()) return made;
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open()) {
        why = cannot(path, std::strerror(errno));
        return made;
    }
    const std::string staging = staging_for(path);
    const sockaddr_un address = address_of(staging);
    if (bind(socket.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        const int error = errno;
        why = cannot(path, std::strerror(error));
        if (error == ENOENT) {
            why = cannot(path, "there is no folder '" + folder_of(path) + "'; make it first");
        } else if (error == EACCES || error == EPERM || error == EROFS) {
            why = cannot(path, "no permission to write in '" + folder_of(path) +
                                   "'; choose a folder of your own");
        } else if (error == EADDRINUSE) {
            why = cannot(path, "another server has just begun to listen there");
        }
        return made;
    }
    struct stat file {};
    int error = 0;
    if (lstat(staging.c_str(), &file) != 0 || listen(socket.number(), kBacklog) != 0) error = errno;
    if (error == 0) error = move_into_place(staging, path);
    if (error != 0) {
        unlink(staging.c_str());
        why = cannot(path, error == EEXIST ? "another server has just begun to listen there"
                                           : std::strerror(error));
        return made;
    }
    made.socket_ = std::move(socket);
    made.path_ = path;
    made.device_ = file.st_dev;
    made.inode_ = file.st_ino;
    return made;
}

Descriptor ListeningSocket::accept() const {
    return Descriptor(accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace doorbell::plugin
