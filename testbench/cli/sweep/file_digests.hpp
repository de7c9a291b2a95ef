#pragma once

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
    /// Size and time of change: another after every write. Empty when there is no such file.
    [[nodiscard]] static std::string state(const std::string& path);

private:
    struct Known {
        std::string state;
        std::string digest;
    };
    std::map<std::string, Known> known_;
};

}  // namespace doorbell::cli
