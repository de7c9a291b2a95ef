#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace doorbell::cli {

/// XXH3-128 of a text, 32 hexadecimal digits.
[[nodiscard]] std::string digest_of(const std::string& text);

/// Digests of files. One is read again only when its size or time of change is another.
class FileDigests {
public:
    /// Empty when the file cannot be read.
    [[nodiscard]] std::string digest(const std::string& path);

private:
    struct Known {
        std::uintmax_t size_bytes;
        std::filesystem::file_time_type changed;
        std::string digest;
    };
    std::map<std::string, Known> known_;
};

}  // namespace doorbell::cli
