#include "hw/plugin/dma_table.hpp"

#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "hw/plugin/lost_memory.hpp"
#include "hw/plugin/vfio_user.hpp"

namespace doorbell::plugin {

DmaTable::DmaTable() {
    lost_memory::install();
}

DmaTable::~DmaTable() {
    clear();
}

int DmaTable::add(Range range, int descriptor, std::uint64_t offset) {
    constexpr std::uint64_t kInPage = vfio_user::kPageBytes - 1;
    const std::uint64_t size = range.size_bytes;
    if (size == 0 || ((range.address | size | offset) & kInPage) != 0) return EINVAL;
    if (range.address + (size - 1) < range.address || offset + size < offset) return EINVAL;
    const auto after =
        std::lower_bound(ranges_.begin(), ranges_.end(), range.address,
                         [](const Range& r, std::uint64_t address) { return r.last() < address; });
    if (after != ranges_.end() && after->address <= range.last()) return EEXIST;
    if (ranges_.size() == vfio_user::kMaxDmaMaps) return ENOSPC;

    range.bytes = nullptr;
    if (descriptor >= 0) {
        struct stat file {};
        if (fstat(descriptor, &file) != 0) return errno;
        if (!S_ISREG(file.st_mode) || static_cast<std::uint64_t>(file.st_size) < offset + size) {
            return EINVAL;
        }
        const int protection =
            (range.readable ? PROT_READ : PROT_NONE) | (range.writable ? PROT_WRITE : PROT_NONE);
        void* bytes = mmap(nullptr, size, protection, MAP_SHARED | MAP_NORESERVE, descriptor,
                           static_cast<off_t>(offset));
        if (bytes == MAP_FAILED) return errno;
        range.bytes = static_cast<std::uint8_t*>(bytes);
    }
    ranges_.insert(after, range);
    lost_memory::watch(range.bytes, range.bytes == nullptr ? 0 : size);
    return 0;
}

int DmaTable::remove(std::uint64_t address, std::uint64_t size_bytes) {
    if (size_bytes == 0 || address + (size_bytes - 1) < address) return EINVAL;
    const std::uint64_t last = address + (size_bytes - 1);
    const auto first = std::lower_bound(
        ranges_.begin(), ranges_.end(), address,
        [](const Range& range, std::uint64_t from) { return range.last() < from; });
    auto end = first;
    for (; end != ranges_.end() && end->address <= last; ++end) {
        if (end->address < address || end->last() > last) return EINVAL;
    }
    if (first == end) return ENOENT;
    for (auto range = first; range != end; ++range) unmap(*range);
    ranges_.erase(first, end);
    forget_hits();
    return 0;
}

void DmaTable::clear() {
    for (const Range& range : ranges_) unmap(range);
    ranges_.clear();
    forget_hits();
}

void DmaTable::unmap(const Range& range) {
    if (range.bytes == nullptr) return;
    lost_memory::forget(range.bytes);
    munmap(range.bytes, range.size_bytes);
}

void DmaTable::forget_hits() {
    read_hit_ = {};
    write_hit_ = {};
}

const DmaTable::Range* DmaTable::find(std::uint64_t address) const {
    const auto range =
        std::lower_bound(ranges_.begin(), ranges_.end(), address,
                         [](const Range& r, std::uint64_t at) { return r.last() < at; });
    return range == ranges_.end() || range->address > address ? nullptr : &*range;
}

DmaTable::Failure DmaTable::far(std::uint64_t address, std::uint8_t* data, std::uint32_t size_bytes,
                                Access access) {
    if (size_bytes == 0) return Failure::kNone;
    if (address + (size_bytes - 1) < address) return Failure::kNotMapped;
    // First that all of it can be reached, then the copy. An access is at most a few pages, ranges
    // are at least one: the loops are short.
    for (const bool copy : {false, true}) {
        std::uint64_t at = address;
        std::uint32_t left = size_bytes;
        std::uint8_t* piece = data;
        while (left > 0) {
            const Range* range = find(at);
            if (range == nullptr) return Failure::kNotMapped;
            if (range->bytes == nullptr) return Failure::kNoDescriptor;
            if (!(access == Access::kRead ? range->readable : range->writable)) {
                return Failure::kNotAllowed;
            }
            const auto bytes =
                static_cast<std::uint32_t>(std::min<std::uint64_t>(left, range->last() - at + 1));
            if (copy) {
                std::uint8_t* const there = range->bytes + (at - range->address);
                if (access == Access::kRead) {
                    std::memcpy(piece, there, bytes);
                    read_hit_ = *range;
                } else {
                    put(there, piece, bytes);
                    write_hit_ = *range;
                }
            }
            at += bytes;
            piece += bytes;
            left -= bytes;
        }
    }
    return Failure::kNone;
}

/// The guest runs meanwhile: as soon as it sees DD it may give the descriptor back, and what is
/// written then would be in its place (memcpy writes the same bytes twice, in no order). So each
/// word is written once, and DD, in a descriptor's second word, after the first. Of two descriptors
/// the first words go first: a packet split descriptor is that large, and its lengths are in the
/// third word.
void DmaTable::put_descriptors(std::uint8_t* target, const std::uint8_t* source,
                               std::uint32_t size_bytes) {
    static constexpr std::uint32_t kWord = 8;
    const auto word = [target, source](std::uint32_t at) {
        std::uint64_t value = 0;
        std::memcpy(&value, source + at, kWord);
        __atomic_store_n(reinterpret_cast<std::uint64_t*>(target + at), value, __ATOMIC_RELEASE);
    };
    std::uint32_t at = 0;
    for (; at + 2 * kDescriptorBytes <= size_bytes; at += 2 * kDescriptorBytes) {
        word(at);
        word(at + kDescriptorBytes);
        word(at + kWord);
        word(at + kDescriptorBytes + kWord);
    }
    if (at < size_bytes) {
        word(at);
        word(at + kWord);
    }
}

bool DmaTable::reachable() const {
    return std::any_of(ranges_.begin(), ranges_.end(),
                       [](const Range& range) { return range.bytes != nullptr; });
}

bool DmaTable::memory_vanished() {
    return lost_memory::happened();
}

}  // namespace doorbell::plugin
