#include "testbench/host/guest_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "hw/base/bits.hpp"

namespace doorbell {

namespace {

constexpr const char* kGenerate = "generate:";
constexpr const char* kDiscard = "discard:";
constexpr std::size_t kBufferBytes = 64 * 1024;
/// The stream of the run's seed from which generated files are drawn.
constexpr std::uint64_t kGeneratorStream = 0x66696C65;

class GeneratedFile final : public guest_file {
public:
    GeneratedFile(std::uint64_t size_bytes, std::uint64_t seed)
        : size_bytes_(size_bytes), prng_(seed, kGeneratorStream) {}

    std::int64_t read(void* to, std::uint32_t size_bytes) override {
        const auto count =
            static_cast<std::uint32_t>(std::min<std::uint64_t>(size_bytes, size_bytes_ - place_));
        auto* target = static_cast<std::uint8_t*>(to);
        // In registers: what is written through a byte pointer may be anything, the generator too.
        Prng prng = prng_;
        for (std::uint32_t done = 0; done < count;) {
            for (bool whole = left_ == 0; whole && count - done >= sizeof word_;
                 done += sizeof word_) {
                store_le64(target + done, prng.next());
            }
            if (done == count) break;
            if (left_ == 0) {
                store_le64(word_, prng.next());
                left_ = sizeof word_;
            }
            const std::uint32_t piece = std::min(count - done, left_);
            std::memcpy(target + done, word_ + (sizeof word_ - left_), piece);
            left_ -= piece;
            done += piece;
        }
        prng_ = prng;
        place_ += count;
        return count;
    }
    std::int64_t write(const void*, std::uint32_t) override { return -EBADF; }
    std::int64_t size() override { return static_cast<std::int64_t>(size_bytes_); }

private:
    const std::uint64_t size_bytes_;
    Prng prng_;
    std::uint64_t place_ = 0;
    std::uint8_t word_[8] = {};
    std::uint32_t left_ = 0;
};

class DiscardingFile final : public guest_file {
public:
    std::int64_t read(void*, std::uint32_t) override { return -EBADF; }
    std::int64_t write(const void*, std::uint32_t size_bytes) override {
        written_ += size_bytes;
        return size_bytes;
    }
    std::int64_t size() override { return written_; }

private:
    std::int64_t written_ = 0;
};

class HostFile final : public guest_file {
public:
    HostFile(int descriptor, bool for_writing) : descriptor_(descriptor), writing_(for_writing) {
        if (writing_) buffer_.reserve(kBufferBytes);
    }
    ~HostFile() override {
        (void)finish();
        ::close(descriptor_);
    }

    std::int64_t read(void* to, std::uint32_t size_bytes) override {
        if (writing_) return -EBADF;
        ssize_t count = 0;
        do {
            count = ::read(descriptor_, to, size_bytes);
        } while (count < 0 && errno == EINTR);
        return count < 0 ? -errno : count;
    }
    std::int64_t write(const void* from, std::uint32_t size_bytes) override {
        if (!writing_) return -EBADF;
        if (error_ != 0) return error_;
        const auto* bytes = static_cast<const std::uint8_t*>(from);
        buffer_.insert(buffer_.end(), bytes, bytes + size_bytes);
        if (buffer_.size() >= kBufferBytes && finish() != 0) return error_;
        written_ += size_bytes;
        return size_bytes;
    }
    std::int64_t size() override {
        if (writing_) return written_;
        struct stat status = {};
        return fstat(descriptor_, &status) != 0 ? -errno : std::int64_t{status.st_size};
    }
    int finish() override {
        for (std::size_t done = 0; done < buffer_.size() && error_ == 0;) {
            const ssize_t count = ::write(descriptor_, &buffer_[done], buffer_.size() - done);
            if (count >= 0) {
                done += static_cast<std::size_t>(count);
            } else if (errno != EINTR) {
                error_ = -errno;
            }
        }
        buffer_.clear();
        return error_;
    }

private:
    const int descriptor_;
    const bool writing_;
    std::vector<std::uint8_t> buffer_;  ///< What was written and is not in the file yet.
    std::int64_t written_ = 0;
    int error_ = 0;
};

std::unique_ptr<guest_file> open_path(const std::string& path, bool for_writing,
                                      std::string& error) {
    const int flags = for_writing ? O_WRONLY | O_CREAT | O_TRUNC : O_RDONLY;
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    struct stat status = {};
    if (descriptor < 0 || fstat(descriptor, &status) != 0) {
        error = path + ": " + std::strerror(errno);
        if (descriptor >= 0) ::close(descriptor);
        return nullptr;
    }
    if (S_ISDIR(status.st_mode)) {
        error = path + ": " + std::strerror(EISDIR);
        ::close(descriptor);
        return nullptr;
    }
    return std::make_unique<HostFile>(descriptor, for_writing);
}

bool starts_with(const std::string& text, const char* prefix) {
    return text.compare(0, std::strlen(prefix), prefix) == 0;
}

}  // namespace

bool parse_size(const std::string& text, std::uint64_t& size_bytes) {
    std::uint64_t value = 0;
    std::size_t at = 0;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; at++) {
        value = value * 10 + static_cast<std::uint64_t>(text[at] - '0');
        if (value > std::uint64_t{1} << 62) return false;
    }
    if (at == 0) return false;
    unsigned shift = 0;
    if (at + 1 == text.size()) {
        switch (text[at]) {
            case 'K':
                shift = 10;
                break;
            case 'M':
                shift = 20;
                break;
            case 'G':
                shift = 30;
                break;
            default:
                return false;
        }
    } else if (at != text.size()) {
        return false;
    }
    if (value > (std::uint64_t{1} << 62) >> shift) return false;
    size_bytes = value << shift;
    return true;
}

std::unique_ptr<guest_file> open_guest_file(const std::string& name, bool for_writing,
                                            std::uint64_t seed, std::string& error) {
    if (starts_with(name, kDiscard)) {
        if (name != kDiscard) error = name + ": \"discard:\" takes nothing after the colon";
        if (!for_writing) error = name + ": can only be written to";
        return error.empty() ? std::make_unique<DiscardingFile>() : nullptr;
    }
    if (starts_with(name, kGenerate)) {
        std::uint64_t size_bytes = 0;
        if (for_writing) error = name + ": can only be read";
        if (!parse_size(name.substr(std::strlen(kGenerate)), size_bytes)) {
            error = name + ": expected generate:SIZE with a number of bytes, or one with K, M or G";
        }
        return error.empty() ? std::make_unique<GeneratedFile>(size_bytes, seed) : nullptr;
    }
    return open_path(name, for_writing, error);
}

std::string check_guest_output(const std::string& name) {
    std::string error;
    if (starts_with(name, kDiscard) || starts_with(name, kGenerate)) {
        return open_guest_file(name, true, 1, error) == nullptr ? error : "";
    }
    if (name.empty()) return "the name is empty";
    struct stat status = {};
    if (::stat(name.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) return name + ": " + std::strerror(EISDIR);
        return ::access(name.c_str(), W_OK) == 0 ? "" : name + ": " + std::strerror(errno);
    }
    const std::size_t slash = name.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : name.substr(0, slash + 1);
    return ::access(folder.c_str(), W_OK | X_OK) == 0 ? "" : folder + ": " + std::strerror(errno);
}

}  // namespace doorbell
