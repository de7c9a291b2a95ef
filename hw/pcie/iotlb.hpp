#pragma once

#include <cstdint>
#include <vector>

#include "hw/base/time.hpp"

namespace doorbell {

struct IotlbParams {
    std::uint32_t iotlb_entries = 0;        ///< 0: no IOMMU, or one that translates nothing.
    std::uint32_t iotlb_page_bytes = 4096;  ///< A power of two, at least 4096.
    /// A walk of the page table. 267 ns are what a miss added to a 64-byte read of pcie-bench.
    Picoseconds iotlb_miss_ps = nanoseconds(267);
    /// Walks that go on at once; a miss beyond them waits for the first that ends.
    std::uint32_t iotlb_walkers = 5;
};

/// The translation cache of an IOMMU: fully associative, the least recently used page gives way.
/// Requests are asked about in the order in which they arrive, so that everything is known at once:
/// a page has its place from the moment it is missed, and whoever finds it there before its walk
/// has ended waits for that walk.
class Iotlb {
public:
    explicit Iotlb(const IotlbParams& params);

    /// When the address of a request that arrived at `arrival_ps` is translated. No request crosses
    /// a 4 KiB boundary, so one page is enough.
    [[nodiscard]] Picoseconds translate(std::uint64_t address, Picoseconds arrival_ps);

    struct Counters {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
        std::uint64_t walker_waits = 0;  ///< Misses that found every walker at work.
        Picoseconds walker_wait_ps = 0;
    };
    [[nodiscard]] const Counters& counters() const { return counters_; }

private:
    static constexpr std::uint32_t kNone = ~std::uint32_t{0};
    struct Entry {
        std::uint64_t page = 0;
        Picoseconds known_ps = 0;
        std::uint32_t newer = kNone, older = kNone;  ///< In the order of use.
        std::uint32_t next = kNone;                  ///< In its bucket.
    };

    [[nodiscard]] std::uint32_t& bucket_of(std::uint64_t page);
    [[nodiscard]] std::uint32_t place_for(std::uint64_t page);
    void unlink(std::uint32_t index);
    void make_newest(std::uint32_t index);
    [[nodiscard]] Picoseconds walk(Picoseconds arrival_ps);

    IotlbParams params_;
    std::uint32_t page_shift_;
    std::uint32_t bucket_shift_;
    std::vector<Entry> entries_;
    std::vector<std::uint32_t> buckets_;
    std::uint32_t used_ = 0;
    std::uint32_t newest_ = kNone;
    std::uint32_t oldest_ = kNone;
    std::vector<Picoseconds> walker_free_ps_;
    Counters counters_;
};

}  // namespace doorbell
