#include "hw/plugin/shared_memory.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <cstdio>
#include <memory>
#include <string>

namespace doorbell::plugin {

Sharing sharing_of_peer(int socket, int file) {
    ucred peer{};
    socklen_t size = sizeof peer;
    struct stat wanted {};
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0 || peer.pid <= 0 ||
        fstat(file, &wanted) != 0) {
        return Sharing::kUnknown;
    }
    const std::string path = "/proc/" + std::to_string(peer.pid) + "/maps";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> maps(std::fopen(path.c_str(), "re"),
                                                               std::fclose);
    if (maps == nullptr) return Sharing::kUnknown;
    Sharing found = Sharing::kUnknown;
    char line[512];
    while (std::fgets(line, sizeof line, maps.get()) != nullptr) {
        // address-address perms offset major:minor inode path (proc(5))
        char permissions[5] = {};
        unsigned device_major = 0;
        unsigned device_minor = 0;
        unsigned long long inode = 0;
        if (std::sscanf(line, "%*x-%*x %4s %*x %x:%x %llu", permissions, &device_major,
                        &device_minor, &inode) != 4) {
            continue;
        }
        if (inode != wanted.st_ino || device_major != major(wanted.st_dev) ||
            device_minor != minor(wanted.st_dev)) {
            continue;
        }
        if (permissions[3] == 's') return Sharing::kShared;
        found = Sharing::kPrivate;
    }
    return found;
}

}  // namespace doorbell::plugin
