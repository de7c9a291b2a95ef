#include "hw/pcie/iotlb.hpp"

#include <algorithm>
#include <cassert>

#include "hw/base/bits.hpp"

namespace doorbell {

namespace {

/// At least twice as many as entries, and two: a shift by all 64 bits would be undefined.
std::uint32_t buckets_for(std::uint32_t entries) {
    return power_of_two_from(std::max(entries * 2, 2u));
}

}  // namespace

Iotlb::Iotlb(const IotlbParams& params)
    : params_(params),
      page_shift_(static_cast<std::uint32_t>(__builtin_ctz(params.iotlb_page_bytes))),
      bucket_shift_(64 -
                    static_cast<std::uint32_t>(__builtin_ctz(buckets_for(params.iotlb_entries)))),
      entries_(params.iotlb_entries),
      buckets_(buckets_for(params.iotlb_entries), kNone),
      walker_free_ps_(params.iotlb_walkers, 0) {
    assert((params.iotlb_page_bytes & (params.iotlb_page_bytes - 1)) == 0 &&
           params.iotlb_page_bytes >= 4096);
    assert(params.iotlb_walkers >= 1);
}

Picoseconds Iotlb::translate(std::uint64_t address, Picoseconds arrival_ps) {
    const std::uint64_t page = address >> page_shift_;
    for (std::uint32_t i = bucket_of(page); i != kNone; i = entries_[i].next) {
        if (entries_[i].page != page) continue;
        counters_.hits++;
        if (i != newest_) {
            unlink(i);
            make_newest(i);
        }
        return std::max(arrival_ps, entries_[i].known_ps);
    }
    counters_.misses++;
    const std::uint32_t place = place_for(page);
    entries_[place].known_ps = walk(arrival_ps);
    make_newest(place);
    return entries_[place].known_ps;
}

/// Fibonacci hashing: the upper bits of the product.
std::uint32_t& Iotlb::bucket_of(std::uint64_t page) {
    return buckets_[page * 0x9E3779B97F4A7C15u >> bucket_shift_];
}

/// An entry for a page that has none: a free one, or that of the page not used for longest.
std::uint32_t Iotlb::place_for(std::uint64_t page) {
    std::uint32_t place = used_;
    if (used_ < params_.iotlb_entries) {
        used_++;
    } else {
        place = oldest_;
        unlink(place);
        std::uint32_t* link = &bucket_of(entries_[place].page);
        while (*link != place) link = &entries_[*link].next;
        *link = entries_[place].next;
    }
    std::uint32_t& bucket = bucket_of(page);
    entries_[place].page = page;
    entries_[place].next = bucket;
    bucket = place;
    return place;
}

void Iotlb::unlink(std::uint32_t index) {
    const Entry& entry = entries_[index];
    (entry.newer == kNone ? newest_ : entries_[entry.newer].older) = entry.older;
    (entry.older == kNone ? oldest_ : entries_[entry.older].newer) = entry.newer;
}

void Iotlb::make_newest(std::uint32_t index) {
    entries_[index].newer = kNone;
    entries_[index].older = newest_;
    (newest_ == kNone ? oldest_ : entries_[newest_].newer) = index;
    newest_ = index;
}

Picoseconds Iotlb::walk(Picoseconds arrival_ps) {
    Picoseconds& free_ps = *std::min_element(walker_free_ps_.begin(), walker_free_ps_.end());
    if (free_ps > arrival_ps) {
        counters_.walker_waits++;
        counters_.walker_wait_ps += free_ps - arrival_ps;
    }
    free_ps = std::max(free_ps, arrival_ps) + params_.iotlb_miss_ps;
    return free_ps;
}

}  // namespace doorbell
