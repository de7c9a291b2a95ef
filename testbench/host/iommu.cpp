#include "testbench/host/iommu.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <new>
#include <string>

#include "hw/base/generated/events.hpp"

namespace doorbell {

namespace {

constexpr std::uint32_t kSlotShift = 14;
constexpr std::uint32_t kGenerationShift = 30;
constexpr std::uint32_t kDomainShift = 50;
constexpr std::uint64_t kCoherentBase = 0x1000'0000;
constexpr std::uint32_t kMaxSlots = 1u << (kGenerationShift - kSlotShift);
constexpr std::uint32_t kMaxGeneration = (1u << 20) - 1;
constexpr std::uint32_t kPageBytes = 4096;
constexpr std::uint32_t kNoPage = ~0u;

static_assert(Iommu::kMaxMappingBytes == 1u << kSlotShift);
// Generation 4 starts at 4 GiB: no streaming address falls into coherent memory or onto the window
// of interrupt messages at 0xFEE00000.
constexpr std::uint32_t kFirstGeneration = 4;

std::uint32_t pages_of(std::uint32_t size_bytes) {
    return (size_bytes + kPageBytes - 1) / kPageBytes;
}

}  // namespace

Iommu::Iommu(const IommuParams& params, std::uint32_t domain, EventPort events)
    : params_(params),
      domain_bits_(std::uint64_t{domain} << kDomainShift),
      coherent_base_(kCoherentBase + std::uint64_t{domain} * kMaxCoherentBytes),
      events_(events) {
    assert(domain < kMaxDomains);
    assert(params.max_mappings >= 1 && params.max_mappings <= kMaxSlots);
    assert(params.coherent_bytes % kPageBytes == 0);
    assert(params.coherent_bytes <= kMaxCoherentBytes);
    free_slots_.resize(params.max_mappings);
}

// --- streaming mappings
// ---------------------------------------------------------------------------

std::uint64_t Iommu::map(void* memory, std::uint32_t size_bytes, DmaDirection direction,
                         std::uint64_t packet, Picoseconds now_ps) {
    const auto rights = static_cast<std::uint32_t>(direction);
    const bool valid = memory != nullptr && size_bytes >= 1 && size_bytes <= kMaxMappingBytes &&
                       rights >= 1 && rights <= 3;
    std::uint32_t slot = 0;
    if (valid && free_count_ > 0) {
        slot = free_slots_[free_first_];
        free_first_ = free_first_ + 1 == params_.max_mappings ? 0 : free_first_ + 1;
        free_count_--;
    } else if (valid && slots_.size() < params_.max_mappings) {
        slot = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
        slots_.back().generation = kFirstGeneration - 1;
    } else {
        counters_.refused++;
        return 0;
    }
    Mapping& mapping = slots_[slot];
    mapping.generation =
        mapping.generation == kMaxGeneration ? kFirstGeneration : mapping.generation + 1;
    mapping.iova = domain_bits_ | std::uint64_t{mapping.generation} << kGenerationShift |
                   std::uint64_t{slot} << kSlotShift;
    mapping.memory = static_cast<std::uint8_t*>(memory);
    mapping.packet = packet;
    mapping.stored_packet = 0;
    mapping.size_bytes = size_bytes;
    mapping.direction = rights;
    counters_.maps++;
    live_++;
    counters_.peak_live = std::max<std::uint64_t>(counters_.peak_live, live_);
    if (guard_ != nullptr) guard_->device_owns(memory, size_bytes);
    events::dma_map(events_, now_ps, {packet, 0}, mapping.iova, size_bytes, rights);
    return mapping.iova;
}

const Iommu::Mapping* Iommu::find(std::uint64_t iova) const {
    const std::uint64_t slot = iova >> kSlotShift & (kMaxSlots - 1);
    if (slot >= slots_.size()) return nullptr;
    const Mapping& mapping = slots_[slot];
    const std::uint64_t window = iova & ~std::uint64_t{kMaxMappingBytes - 1};
    return mapping.iova != 0 && mapping.iova == window ? &mapping : nullptr;
}

Iommu::Mapping* Iommu::find(std::uint64_t iova) {
    return const_cast<Mapping*>(static_cast<const Iommu*>(this)->find(iova));
}

bool Iommu::inside(const Mapping& mapping, std::uint64_t iova, std::uint32_t size_bytes) {
    const std::uint64_t offset = iova - mapping.iova;
    return offset <= mapping.size_bytes && size_bytes <= mapping.size_bytes - offset;
}

bool Iommu::sync(std::uint64_t iova, std::uint32_t size_bytes, DmaDirection direction, bool for_cpu,
                 Picoseconds now_ps) {
    Mapping* mapping = find(iova);
    const auto rights = static_cast<std::uint32_t>(direction);
    if (mapping == nullptr || !inside(*mapping, iova, size_bytes) || rights == 0 ||
        (rights & ~mapping->direction) != 0) {
        counters_.misused++;
        return false;
    }
    counters_.syncs++;
    std::uint8_t* memory = mapping->memory + (iova - mapping->iova);
    if (guard_ != nullptr) {
        if (for_cpu) {
            guard_->cpu_owns(memory, size_bytes);
        } else {
            guard_->device_owns(memory, size_bytes);
        }
    }
    events::dma_sync(events_, now_ps, {mapping->packet, 0}, iova, size_bytes, rights,
                     for_cpu ? 1 : 0);
    // Handed back to the device, a buffer holds nothing yet.
    if (!for_cpu) mapping->stored_packet = 0;
    return true;
}

bool Iommu::unmap(std::uint64_t iova, std::uint32_t size_bytes, DmaDirection direction,
                  std::uint64_t& stored_packet, Picoseconds now_ps) {
    stored_packet = 0;
    Mapping* mapping = find(iova);
    if (mapping == nullptr || mapping->iova != iova) {
        counters_.misused++;
        return false;
    }
    const bool matches = mapping->size_bytes == size_bytes &&
                         mapping->direction == static_cast<std::uint32_t>(direction);
    if (!matches) counters_.misused++;
    stored_packet = mapping->stored_packet;
    if (guard_ != nullptr) guard_->cpu_owns(mapping->memory, mapping->size_bytes);
    const std::uint64_t packet = stored_packet != 0 ? stored_packet : mapping->packet;
    events::dma_unmap(events_, now_ps, {packet, 0}, iova, mapping->size_bytes, mapping->direction);
    const auto slot = static_cast<std::uint16_t>(mapping - slots_.data());
    mapping->iova = 0;
    mapping->memory = nullptr;
    std::uint32_t last = free_first_ + free_count_;
    if (last >= params_.max_mappings) last -= params_.max_mappings;
    free_slots_[last] = slot;
    free_count_++;
    live_--;
    counters_.unmaps++;
    return matches;
}

std::uint64_t Iommu::stored_packet(std::uint64_t iova) const {
    const Mapping* mapping = find(iova);
    return mapping == nullptr ? 0 : mapping->stored_packet;
}

// --- coherent memory
// ------------------------------------------------------------------------------

std::uint32_t Iommu::find_free_pages(std::uint32_t pages) const {
    const auto total = static_cast<std::uint32_t>(page_owner_.size());
    for (const std::uint32_t start : {next_page_, 0u}) {
        std::uint32_t run = 0;
        for (std::uint32_t page = start; page < total; page++) {
            run = page_owner_[page] == 0 ? run + 1 : 0;
            if (run == pages) return page + 1 - pages;
        }
    }
    return kNoPage;
}

void* Iommu::allocate(std::uint32_t size_bytes, std::uint32_t align, std::uint64_t& iova) {
    const bool align_good = align <= kPageBytes && (align & (align - 1)) == 0;
    if (size_bytes == 0 || size_bytes > params_.coherent_bytes || !align_good) {
        counters_.refused++;
        return nullptr;
    }
    if (!arena_) {
        arena_.reset(
            static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, params_.coherent_bytes)));
        if (!arena_) throw std::bad_alloc();
        page_owner_.assign(params_.coherent_bytes / kPageBytes, 0);
    }
    const std::uint32_t pages = pages_of(size_bytes);
    const std::uint32_t first = find_free_pages(pages);
    if (first == kNoPage) {
        counters_.refused++;
        return nullptr;
    }
    std::uint32_t index = 0;
    while (index < allocations_.size() && allocations_[index].live) index++;
    if (index == allocations_.size()) allocations_.emplace_back();
    allocations_[index] = {first, size_bytes, true};
    std::fill_n(page_owner_.begin() + first, pages, index + 1);
    next_page_ = first + pages;
    std::uint8_t* memory = arena_.get() + std::size_t{first} * kPageBytes;
    std::memset(memory, 0, std::size_t{pages} * kPageBytes);
    iova = coherent_base_ + std::uint64_t{first} * kPageBytes;
    return memory;
}

bool Iommu::free(void* memory, std::uint32_t size_bytes, std::uint64_t iova) {
    const std::uint64_t page = (iova - coherent_base_) / kPageBytes;
    if (iova < coherent_base_ || page >= page_owner_.size() || page_owner_[page] == 0) {
        counters_.misused++;
        return false;
    }
    Allocation& allocation = allocations_[page_owner_[page] - 1];
    const bool same = allocation.first_page == page && iova % kPageBytes == 0 &&
                      memory == arena_.get() + page * kPageBytes &&
                      allocation.size_bytes == size_bytes;
    if (!same) {
        counters_.misused++;
        return false;
    }
    std::fill_n(page_owner_.begin() + allocation.first_page, pages_of(size_bytes), 0);
    allocation.live = false;
    return true;
}

Iommu::Region Iommu::coherent_region(std::uint64_t iova) const {
    if (iova < coherent_base_) return {};
    const std::uint64_t page = (iova - coherent_base_) / kPageBytes;
    if (page >= page_owner_.size() || page_owner_[page] == 0) return {};
    const Allocation& allocation = allocations_[page_owner_[page] - 1];
    const std::uint64_t start = std::uint64_t{allocation.first_page} * kPageBytes;
    if (iova - coherent_base_ - start >= allocation.size_bytes) return {};
    return {coherent_base_ + start, arena_.get() + start, allocation.size_bytes};
}

std::uint8_t* Iommu::coherent(std::uint64_t iova, std::uint32_t size_bytes) const {
    const Region region = coherent_region(iova);
    if (region.memory == nullptr) return nullptr;
    const std::uint64_t offset = iova - region.iova;
    return size_bytes <= region.size_bytes - offset ? region.memory + offset : nullptr;
}

// --- the device
// ------------------------------------------------------------------------------------

Iommu::Target Iommu::access(std::uint64_t iova, std::uint32_t size_bytes, std::uint32_t right,
                            Mapping*& mapping) {
    mapping = find(iova);
    if (mapping == nullptr) {
        if (std::uint8_t* memory = coherent(iova, size_bytes)) {
            return {DmaStatus::kOk, memory, 0, true};
        }
        counters_.fault_unmapped++;
        return {};
    }
    if (!inside(*mapping, iova, size_bytes)) {
        counters_.fault_bounds++;
        return {};
    }
    if ((mapping->direction & right) == 0) {
        counters_.fault_direction++;
        return {};
    }
    return {DmaStatus::kOk, mapping->memory + (iova - mapping->iova), mapping->packet, false};
}

Iommu::Target Iommu::device_reads(std::uint64_t iova, std::uint32_t size_bytes) {
    Mapping* mapping = nullptr;
    return access(iova, size_bytes, static_cast<std::uint32_t>(DmaDirection::kToDevice), mapping);
}

Iommu::Target Iommu::device_writes(std::uint64_t iova, std::uint32_t size_bytes,
                                   std::uint64_t packet) {
    Mapping* mapping = nullptr;
    const Target target =
        access(iova, size_bytes, static_cast<std::uint32_t>(DmaDirection::kFromDevice), mapping);
    if (target.status == DmaStatus::kOk && mapping != nullptr) mapping->stored_packet = packet;
    return target;
}

std::uint8_t* Iommu::peek(std::uint64_t iova, std::uint32_t size_bytes) const {
    const Mapping* mapping = find(iova);
    if (mapping == nullptr) return coherent(iova, size_bytes);
    return inside(*mapping, iova, size_bytes) ? mapping->memory + (iova - mapping->iova) : nullptr;
}

void Iommu::visit_metrics(MetricVisitor& visitor, const std::string& prefix) const {
    visitor.metric(prefix + "maps", counters_.maps);
    visitor.metric(prefix + "unmaps", counters_.unmaps);
    visitor.metric(prefix + "syncs", counters_.syncs);
    visitor.metric(prefix + "live_mappings", live_);
    visitor.metric(prefix + "peak_mappings", counters_.peak_live);
    visitor.metric(prefix + "refused", counters_.refused);
    visitor.metric(prefix + "misused", counters_.misused);
    visitor.metric(prefix + "faults.unmapped", counters_.fault_unmapped);
    visitor.metric(prefix + "faults.bounds", counters_.fault_bounds);
    visitor.metric(prefix + "faults.direction", counters_.fault_direction);
}

}  // namespace doorbell
