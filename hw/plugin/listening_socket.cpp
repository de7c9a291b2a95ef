#include "hw/plugin/listening_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
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
    : socket_(std::move(other.socket_)), path_(std::exchange(other.path_, {})) {}

ListeningSocket& ListeningSocket::operator=(ListeningSocket&& other) noexcept {
    std::swap(socket_, other.socket_);
    std::swap(path_, other.path_);
    return *this;
}

ListeningSocket::~ListeningSocket() {
    if (socket_.open() && !path_.empty()) unlink(path_.c_str());
}

ListeningSocket ListeningSocket::open_at(const std::string& path, std::string& why) {
    ListeningSocket made;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty()) {
        why = "the socket has no path; give one with --socket";
        return made;
    }
    if (path.size() >= sizeof address.sun_path) {
        why = cannot(path, "its path has " + std::to_string(path.size()) +
                               " bytes and the system takes " +
                               std::to_string(sizeof address.sun_path - 1) +
                               "; choose a shorter one, in /tmp for instance");
        return made;
    }
    std::memcpy(address.sun_path, path.c_str(), path.size());
    why = make_room(path, address);
    if (!why.empty()) return made;
    Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket.open()) {
        why = cannot(path, std::strerror(errno));
        return made;
    }
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
    made.socket_ = std::move(socket);
    made.path_ = path;
    if (listen(made.socket_.number(), kBacklog) != 0) {
        why = cannot(path, std::strerror(errno));
        made = {};
    }
    return made;
}

Descriptor ListeningSocket::accept() const {
    return Descriptor(accept4(socket_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
}

}  // namespace doorbell::plugin
