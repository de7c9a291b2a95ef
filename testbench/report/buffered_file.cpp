#include "testbench/report/buffered_file.hpp"

#include <algorithm>
#include <cerrno>

namespace doorbell::report {
namespace {

std::vector<BufferedFile*>& open_files() {
    static std::vector<BufferedFile*> files;
    return files;
}

}  // namespace

BufferedFile::BufferedFile(const std::filesystem::path& path)
    : file_(std::fopen(path.c_str(), "wb"), std::fclose) {
    if (file_ == nullptr) {
        error_ = errno;
        return;
    }
    std::setvbuf(file_.get(), nullptr, _IONBF, 0);
    buffer_.reserve(kBufferBytes);
    open_files().push_back(this);
}

BufferedFile::~BufferedFile() {
    flush();
    auto& files = open_files();
    files.erase(std::remove(files.begin(), files.end(), this), files.end());
}

void BufferedFile::append(const void* data, std::size_t size_bytes) {
    if (error_ != 0) return;
    if (buffer_.size() + size_bytes > kBufferBytes) flush();
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    buffer_.insert(buffer_.end(), bytes, bytes + size_bytes);
    size_bytes_ += size_bytes;
}

void BufferedFile::flush() {
    if (error_ == 0 && !buffer_.empty() &&
        std::fwrite(buffer_.data(), 1, buffer_.size(), file_.get()) != buffer_.size()) {
        error_ = errno;
    }
    buffer_.clear();
}

void BufferedFile::flush_all() {
    for (BufferedFile* file : open_files()) file->flush();
}

bool BufferedFile::close() {
    flush();
    if (file_ != nullptr && std::fclose(file_.release()) != 0 && error_ == 0) error_ = errno;
    return error_ == 0;
}

}  // namespace doorbell::report
