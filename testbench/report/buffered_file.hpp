#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

namespace doorbell::report {

/// A file that is only ever appended to, through one buffer of fixed size: evidence streams to disk
/// and memory does not grow with the run. The first error is kept; what follows it is dropped.
class BufferedFile {
public:
    static constexpr std::size_t kBufferBytes = 256 * 1024;

    explicit BufferedFile(const std::filesystem::path& path);
    ~BufferedFile();
    BufferedFile(const BufferedFile&) = delete;
    BufferedFile& operator=(const BufferedFile&) = delete;

    void append(const void* data, std::size_t size_bytes);
    /// What has been appended is in the file afterwards, for whoever reads it while it grows.
    void flush();
    /// Everything is in the file system afterwards. False when anything was lost; `error()` says
    /// why.
    [[nodiscard]] bool close();
    /// errno of the first failure, 0 when there was none.
    [[nodiscard]] int error() const { return error_; }
    [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

    /// Everything appended to any file is in the file system afterwards. Allocates nothing: for a
    /// signal handler that knows that no function of a file's was interrupted.
    static void flush_all();

private:
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
    std::vector<std::uint8_t> buffer_;
    std::uint64_t size_bytes_ = 0;
    int error_ = 0;
};

}  // namespace doorbell::report
