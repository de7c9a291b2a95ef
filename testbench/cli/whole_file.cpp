#include "testbench/cli/whole_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace doorbell::cli {
namespace {

int write_all(int descriptor, const std::string& text) {
    for (std::size_t done = 0; done < text.size();) {
        const ssize_t now = write(descriptor, text.data() + done, text.size() - done);
        if (now < 0 && errno != EINTR) return errno;
        if (now > 0) done += static_cast<std::size_t>(now);
    }
    return 0;
}

}  // namespace

std::string write_whole_file(const std::filesystem::path& file, const std::string& text) {
    constexpr mode_t kMode = 0666;
    // Two hosts that share the folder may have the same process number, but not the same point.
    const std::string unfinished = fmt::format("{}.{}", file.string(), getpid());
    const int descriptor =
        open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, kMode);
    if (descriptor < 0) return std::strerror(errno);
    int error = write_all(descriptor, text);
    // Some file systems say only here that there is no room.
    if (close(descriptor) != 0 && error == 0) error = errno;
    if (error == 0 && rename(unfinished.c_str(), file.c_str()) != 0) error = errno;
    if (error == 0) return "";
    unlink(unfinished.c_str());
    return std::strerror(error);
}

bool write_or_say(const std::filesystem::path& file, const std::string& text) {
    const std::string why = write_whole_file(file, text);
    if (why.empty()) return true;
    std::cerr << fmt::format("error: '{}' cannot be written: {}\n", file.string(), why);
    return false;
}

std::string read_whole_file(const std::filesystem::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace doorbell::cli
