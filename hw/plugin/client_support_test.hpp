#pragma once

#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "hw/base/bits.hpp"
#include "hw/plugin/client_channel.hpp"
#include "hw/plugin/model_time.hpp"
#include "hw/plugin/nic_device.hpp"
#include "hw/plugin/vfio_user.hpp"

/// What a client of the server is made of, for tests and for the fuzzer, which has no GoogleTest.
namespace doorbell::plugin::test {

namespace vu = vfio_user;

inline void demand(bool good, const char* what) {
    if (good) return;
    std::fprintf(stderr, "%s\n", what);
    std::abort();
}

class HandClock final : public HostClock {
public:
    [[nodiscard]] std::uint64_t now_ns() const override {
        looks_++;
        return now_ns_ += step_ns_;
    }
    void advance_ns(std::uint64_t duration_ns) { now_ns_ += duration_ns; }
    /// From now on each look at it takes that long.
    void step_ns(std::uint64_t step_ns) { step_ns_ = step_ns; }
    /// How often it was looked at since the last time.
    [[nodiscard]] std::uint64_t take_looks() { return std::exchange(looks_, 0); }

private:
    mutable std::uint64_t now_ns_ = 1'000'000'000;
    mutable std::uint64_t looks_ = 0;
    std::uint64_t step_ns_ = 0;
};

/// Keeps what was said; not more than a client could cause in an hour.
class KeptLog final : public ServerLog {
public:
    void warn(const std::string& line) override {
        if (warnings.size() < kKept) warnings.push_back(line);
    }
    void info(const std::string& line) override {
        if (infos.size() < kKept) infos.push_back(line);
    }
    [[nodiscard]] bool says(const std::string& part) const {
        for (const std::string& line : warnings) {
            if (line.find(part) != std::string::npos) return true;
        }
        return false;
    }
    std::vector<std::string> warnings;
    std::vector<std::string> infos;

private:
    static constexpr std::size_t kKept = 10'000;
};

/// A file in memory, as QEMU's memory backend is one.
class SharedFile {
public:
    explicit SharedFile(std::uint64_t size_bytes)
        : descriptor_(memfd_create("guest", MFD_CLOEXEC)), size_bytes_(size_bytes) {
        demand(ftruncate(descriptor_.number(), static_cast<off_t>(size_bytes)) == 0, "ftruncate");
        void* bytes =
            mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_.number(), 0);
        demand(bytes != MAP_FAILED, "mmap");
        bytes_ = static_cast<std::uint8_t*>(bytes);
    }
    ~SharedFile() { munmap(bytes_, size_bytes_); }
    SharedFile(const SharedFile&) = delete;
    SharedFile& operator=(const SharedFile&) = delete;
    [[nodiscard]] int number() const { return descriptor_.number(); }
    [[nodiscard]] std::uint8_t* bytes() { return bytes_; }
    [[nodiscard]] std::uint64_t size_bytes() const { return size_bytes_; }

private:
    Descriptor descriptor_;
    std::uint64_t size_bytes_;
    std::uint8_t* bytes_;
};

class EventDescriptor {
public:
    EventDescriptor() : descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    [[nodiscard]] int number() const { return descriptor_.number(); }
    /// How often it was signalled since the last call.
    [[nodiscard]] std::uint64_t take() const {
        std::uint64_t count = 0;
        return read(descriptor_.number(), &count, sizeof count) == sizeof count ? count : 0;
    }

private:
    Descriptor descriptor_;
};

/// A payload, field by field.
class Bytes {
public:
    Bytes& u8(std::uint8_t v) {
        bytes.push_back(v);
        return *this;
    }
    Bytes& u16(std::uint16_t v) {
        return u8(static_cast<std::uint8_t>(v)).u8(static_cast<std::uint8_t>(v >> 8));
    }
    Bytes& u32(std::uint32_t v) {
        return u16(static_cast<std::uint16_t>(v)).u16(static_cast<std::uint16_t>(v >> 16));
    }
    Bytes& u64(std::uint64_t v) {
        return u32(static_cast<std::uint32_t>(v)).u32(static_cast<std::uint32_t>(v >> 32));
    }
    Bytes& text(const std::string& v) {
        bytes.insert(bytes.end(), v.begin(), v.end());
        return *this;
    }
    Bytes& append(const std::vector<std::uint8_t>& v) {
        bytes.insert(bytes.end(), v.begin(), v.end());
        return *this;
    }
    Bytes& access(std::uint32_t region, std::uint64_t offset, std::uint32_t count) {
        return u64(offset).u32(region).u32(count);
    }
    std::vector<std::uint8_t> bytes;
};

inline std::vector<std::uint8_t> message_bytes(std::uint16_t command, std::uint16_t id,
                                               const std::vector<std::uint8_t>& payload,
                                               std::uint32_t flags = 0) {
    std::vector<std::uint8_t> bytes(vu::Header::kBytes + payload.size());
    vu::Header{id, command, static_cast<std::uint32_t>(bytes.size()), flags, 0}.store(bytes.data());
    std::copy(payload.begin(), payload.end(), bytes.begin() + vu::Header::kBytes);
    return bytes;
}

/// One sendmsg that does not wait; what sendmsg returns.
inline ssize_t send_with_files(int socket, const std::vector<std::uint8_t>& bytes,
                               const std::vector<int>& files) {
    iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * 64)] = {};
    if (!files.empty()) {
        header.msg_control = control;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * files.size());
        cmsghdr* rights = CMSG_FIRSTHDR(&header);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(sizeof(int) * files.size());
        std::memcpy(CMSG_DATA(rights), files.data(), sizeof(int) * files.size());
    }
    return sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace doorbell::plugin::test
