#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace doorbell::plugin {

/// What the client has mapped for DMA: ranges of I/O virtual addresses, and where their bytes lie
/// in this process. A range without a descriptor is known but cannot be reached (ADR 0004). Nothing
/// keeps a pointer over a call: what is unmapped is out of reach at once.
class DmaTable {
public:
    struct Range {
        std::uint64_t address = 0;
        std::uint64_t size_bytes = 0;
        std::uint8_t* bytes = nullptr;  ///< nullptr: no descriptor came with it.
        bool readable = false;
        bool writable = false;
        [[nodiscard]] std::uint64_t last() const { return address + (size_bytes - 1); }
    };
    enum class Access : std::uint8_t { kRead, kWrite };
    /// Why an access failed; for whoever explains it.
    enum class Failure : std::uint8_t { kNone, kNotMapped, kNoDescriptor, kNotAllowed };

    DmaTable();
    ~DmaTable();
    DmaTable(const DmaTable&) = delete;
    DmaTable& operator=(const DmaTable&) = delete;

    /// Maps `range` (its `bytes` apart) to the file at `offset`; `descriptor` -1: none. The
    /// descriptor is not kept. Returns 0 or an errno: EINVAL for what is no range of whole pages
    /// within the file, EEXIST when it overlaps another one, ENOSPC for one too many.
    [[nodiscard]] int add(Range range, int descriptor, std::uint64_t offset);
    /// Removes the ranges within [address, address + size_bytes). EINVAL when that would cut one in
    /// two, ENOENT when there is none.
    [[nodiscard]] int remove(std::uint64_t address, std::uint64_t size_bytes);
    void clear();

    /// Copies, over borders of adjacent ranges as well; all or nothing is moved.
    [[nodiscard]] Failure read(std::uint64_t address, std::uint8_t* target,
                               std::uint32_t size_bytes) {
        std::uint8_t* const bytes = near(read_hit_, address, size_bytes, Access::kRead);
        if (bytes == nullptr) return far(address, target, size_bytes, Access::kRead);
        __builtin_memcpy(target, bytes, size_bytes);
        return Failure::kNone;
    }
    [[nodiscard]] Failure write(std::uint64_t address, const std::uint8_t* source,
                                std::uint32_t size_bytes) {
        std::uint8_t* const bytes = near(write_hit_, address, size_bytes, Access::kWrite);
        // What is copied from is only read.
        if (bytes == nullptr) {
            return far(address, const_cast<std::uint8_t*>(source), size_bytes, Access::kWrite);
        }
        put(bytes, source, size_bytes);
        return Failure::kNone;
    }

    [[nodiscard]] const std::vector<Range>& ranges() const { return ranges_; }
    /// Whether any memory can be reached.
    [[nodiscard]] bool reachable() const;
    /// The client took memory away from under a mapping (it made the file shorter): what the device
    /// read there were zeros. Asked for once in a while; says so once.
    [[nodiscard]] bool memory_vanished();

private:
    static constexpr std::uint32_t kDescriptorBytes = 16;
    static constexpr std::uint32_t kMostDescriptorBytes = 64 * kDescriptorBytes;

    /// What may be descriptors goes word by word; data is looked at only when those say so.
    static void put(std::uint8_t* target, const std::uint8_t* source, std::uint32_t size_bytes) {
        const auto address = reinterpret_cast<std::uintptr_t>(target);
        if ((address | size_bytes) % kDescriptorBytes == 0 && size_bytes <= kMostDescriptorBytes) {
            put_descriptors(target, source, size_bytes);
        } else {
            __builtin_memcpy(target, source, size_bytes);
        }
    }
    static void put_descriptors(std::uint8_t* target, const std::uint8_t* source,
                                std::uint32_t size_bytes);

    [[nodiscard]] std::uint8_t* near(const Range& hit, std::uint64_t address,
                                     std::uint32_t size_bytes, Access access) const {
        const std::uint64_t at = address - hit.address;
        if (at >= hit.size_bytes || hit.size_bytes - at < size_bytes || hit.bytes == nullptr ||
            !(access == Access::kRead ? hit.readable : hit.writable)) {
            return nullptr;
        }
        return hit.bytes + at;
    }
    [[nodiscard]] Failure far(std::uint64_t address, std::uint8_t* data, std::uint32_t size_bytes,
                              Access access);
    [[nodiscard]] const Range* find(std::uint64_t address) const;
    static void unmap(const Range& range);
    void forget_hits();

    std::vector<Range> ranges_;  ///< In the order of their addresses.
    Range read_hit_;             ///< Copies of the ranges that served last.
    Range write_hit_;
};

}  // namespace doorbell::plugin
