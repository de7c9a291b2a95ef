#include "testbench/host/shared_code.hpp"

#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

namespace doorbell {

namespace {

/// A part of a loaded library that is never written, in whole pages.
struct Segment {
    std::byte* start;
    std::size_t size;
    off_t offset;  ///< In the file.
    int protection;
};

struct FirstCopy {
    std::vector<Segment> segments;
    int file;
};

std::size_t page_bytes() {
    static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    return bytes;
}

/// Word by word and unwatched: between the constants of a library that AddressSanitizer watches lie
/// bytes that `memcmp` must not read.
#if defined(__GNUC__)
__attribute__((no_sanitize("address")))
#endif
bool equal_pages(const std::byte* one, const std::byte* other) {
    const auto* left = reinterpret_cast<const volatile std::uint64_t*>(one);
    const auto* right = reinterpret_cast<const volatile std::uint64_t*>(other);
    for (std::size_t i = 0; i < page_bytes() / sizeof *left; i++) {
        if (left[i] != right[i]) return false;
    }
    return true;
}

std::vector<Segment> unwritten_segments(const std::string& path) {
    struct Search {
        const std::string& path;
        std::vector<Segment> found;
    } search{path, {}};
    const auto look_at = [](dl_phdr_info* library, std::size_t, void* context) {
        Search& wanted = *static_cast<Search*>(context);
        if (wanted.path != library->dlpi_name) return 0;
        for (ElfW(Half) i = 0; i < library->dlpi_phnum; i++) {
            const ElfW(Phdr)& part = library->dlpi_phdr[i];
            if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
            const std::size_t lead = part.p_vaddr % page_bytes();
            const std::size_t pages = (lead + part.p_filesz + page_bytes() - 1) / page_bytes();
            // NOLINTNEXTLINE(performance-no-int-to-ptr): that is how the linker says where it is.
            wanted.found.push_back(
                {reinterpret_cast<std::byte*>(library->dlpi_addr + part.p_vaddr - lead),
                 pages * page_bytes(), static_cast<off_t>(part.p_offset - lead),
                 PROT_READ | ((part.p_flags & PF_X) != 0 ? PROT_EXEC : 0)});
        }
        return 1;
    };
    dl_iterate_phdr(look_at, &search);
    return std::move(search.found);
}

/// Maps the equal pages of a segment, as few pieces as they make.
bool share_equal_pages(const FirstCopy& first, const Segment& theirs, const Segment& ours) {
    const std::size_t end = std::min(theirs.size, ours.size);
    const auto equal = [&](std::size_t at) {
        return at < end && equal_pages(theirs.start + at, ours.start + at);
    };
    for (std::size_t from = 0; from < end; from += page_bytes()) {
        std::size_t to = from;
        while (equal(to)) to += page_bytes();
        if (to == from) continue;
        if (mmap(ours.start + from, to - from, ours.protection, MAP_PRIVATE | MAP_FIXED, first.file,
                 theirs.offset + static_cast<off_t>(from)) == MAP_FAILED) {
            return false;
        }
        from = to;
    }
    return true;
}

}  // namespace

std::string share_code(const std::string& original, const std::string& copy) {
    static std::map<std::string, FirstCopy> firsts;
    if (std::getenv("DOORBELL_PRIVATE_CODE") != nullptr) return {};
    std::vector<Segment> ours = unwritten_segments(copy);
    const auto known = firsts.find(original);
    if (known == firsts.end()) {
        const int file = open(copy.c_str(), O_RDONLY | O_CLOEXEC);
        // Without a file to map from, every host keeps its own.
        if (file >= 0) firsts[original] = {std::move(ours), file};
        return {};
    }
    const FirstCopy& first = known->second;
    for (std::size_t i = 0; i < std::min(ours.size(), first.segments.size()); i++) {
        if (!share_equal_pages(first, first.segments[i], ours[i])) {
            return "its code cannot be shared with the other hosts' (" +
                   std::string(std::strerror(errno)) + ")";
        }
    }
    return {};
}

}  // namespace doorbell
