#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "hw/base/dma_port.hpp"
#include "hw/base/event_port.hpp"
#include "hw/base/metrics.hpp"
#include "hw/base/time.hpp"

namespace doorbell {

/// What the driver said a device may do with a range; the bits of the guest ABI.
enum class DmaDirection : std::uint32_t { kToDevice = 1, kFromDevice = 2, kBoth = 3 };

struct IommuParams {
    std::uint32_t max_mappings = 65'536;             ///< Live at once; at most 2^16.
    std::uint32_t coherent_bytes = 4 * 1024 * 1024;  ///< Arena for rings; whole pages.
};

/// Told who owns the bytes of a buffer: the seam for poisoning what the device owns (ASan).
class BufferGuard {
public:
    virtual ~BufferGuard() = default;
    virtual void device_owns(const void* memory, std::uint32_t size_bytes) = 0;
    virtual void cpu_owns(const void* memory, std::uint32_t size_bytes) = 0;
};

/// The I/O address space of one device. An I/O virtual address is made of numbers only, never of a
/// host pointer, so that it is the same in every run:
///
///     streaming   55    50 49              30 29         14 13         0
///                 [ domain ][ generation >= 4 ][    slot     ][  offset   ]
///     coherent    0x10000000 + 64 MiB x domain + place in the arena (below 4 GiB)
///
/// A domain is a device: an address of one device means nothing to another.
/// A slot is a window of 16 KiB that holds one mapping at its beginning. Each use of a slot has
/// another generation, and slots are used again in the order in which they were freed, so an
/// address that was unmapped does not resolve again. Bounds are exact to the byte.
class Iommu {
public:
    static constexpr std::uint32_t kMaxMappingBytes = 16 * 1024;
    static constexpr std::uint32_t kMaxCoherentBytes = 64 * 1024 * 1024;
    static constexpr std::uint32_t kMaxDomains = 32;

    struct Target {
        DmaStatus status = DmaStatus::kUnsupportedRequest;
        std::uint8_t* memory = nullptr;
        std::uint64_t packet = 0;  ///< What lies there as the driver said; 0 for coherent memory.
        bool coherent = false;     ///< The device may go there directly until it is freed.
    };

    /// A piece of coherent memory as it was allocated; `memory` is nullptr when there is none.
    struct Region {
        std::uint64_t iova = 0;
        std::uint8_t* memory = nullptr;
        std::uint32_t size_bytes = 0;
    };

    Iommu(const IommuParams& params, std::uint32_t domain, EventPort events);
    void set_guard(BufferGuard* guard) { guard_ = guard; }

    // --- the driver's side
    // --------------------------------------------------------------------------
    /// 0 when refused: nothing to map, too long, or no window left.
    [[nodiscard]] std::uint64_t map(void* memory, std::uint32_t size_bytes, DmaDirection direction,
                                    std::uint64_t packet, Picoseconds now_ps);
    /// False: the range is not (all) mapped.
    [[nodiscard]] bool sync(std::uint64_t iova, std::uint32_t size_bytes, DmaDirection direction,
                            bool for_cpu, Picoseconds now_ps);
    /// False: nothing is mapped there (nothing happens), or length or direction are not those of
    /// the mapping (it is taken back all the same). `stored_packet`: what the device stored.
    [[nodiscard]] bool unmap(std::uint64_t iova, std::uint32_t size_bytes, DmaDirection direction,
                             std::uint64_t& stored_packet, Picoseconds now_ps);
    /// What the device stored in a mapping that stays; 0 = nothing known.
    [[nodiscard]] std::uint64_t stored_packet(std::uint64_t iova) const;

    /// Zeroed memory that both sides may touch at any time; nullptr when there is none. `align`
    /// is a power of two up to a page (more: refused).
    [[nodiscard]] void* allocate(std::uint32_t size_bytes, std::uint32_t align,
                                 std::uint64_t& iova);
    [[nodiscard]] bool free(void* memory, std::uint32_t size_bytes, std::uint64_t iova);

    // --- the device's side
    // --------------------------------------------------------------------------
    /// Where a DMA read or write of the device goes.
    [[nodiscard]] Target device_reads(std::uint64_t iova, std::uint32_t size_bytes);
    [[nodiscard]] Target device_writes(std::uint64_t iova, std::uint32_t size_bytes,
                                       std::uint64_t packet);
    /// The same without any side effect, whatever the direction: for debug transport.
    [[nodiscard]] std::uint8_t* peek(std::uint64_t iova, std::uint32_t size_bytes) const;
    /// The coherent memory that an address lies in: what direct access may be granted to.
    [[nodiscard]] Region coherent_region(std::uint64_t iova) const;

    [[nodiscard]] std::uint32_t live_mappings() const { return live_; }
    void visit_metrics(MetricVisitor& visitor, const std::string& prefix) const;

private:
    struct Mapping {
        std::uint64_t iova = 0;  ///< 0: free.
        std::uint8_t* memory = nullptr;
        std::uint64_t packet = 0;
        std::uint64_t stored_packet = 0;
        std::uint32_t size_bytes = 0;
        std::uint32_t direction = 0;
        std::uint32_t generation = 0;
    };
    struct Allocation {
        std::uint32_t first_page;
        std::uint32_t size_bytes;
        bool live;
    };

    [[nodiscard]] const Mapping* find(std::uint64_t iova) const;
    [[nodiscard]] Mapping* find(std::uint64_t iova);
    [[nodiscard]] static bool inside(const Mapping& mapping, std::uint64_t iova,
                                     std::uint32_t size_bytes);
    [[nodiscard]] std::uint8_t* coherent(std::uint64_t iova, std::uint32_t size_bytes) const;
    [[nodiscard]] Target access(std::uint64_t iova, std::uint32_t size_bytes, std::uint32_t right,
                                Mapping*& mapping);
    [[nodiscard]] std::uint32_t find_free_pages(std::uint32_t pages) const;

    IommuParams params_;
    const std::uint64_t domain_bits_;
    const std::uint64_t coherent_base_;
    EventPort events_;
    BufferGuard* guard_ = nullptr;

    std::vector<Mapping> slots_;             ///< Grows to `max_mappings`.
    std::vector<std::uint16_t> free_slots_;  ///< Ring of the freed ones, oldest first.
    std::uint32_t free_first_ = 0;
    std::uint32_t free_count_ = 0;
    std::uint32_t live_ = 0;

    /// Whole pages, made at the first allocation and zeroed where they are allocated: the host's
    /// own memory is touched no further than a driver's rings need.
    std::unique_ptr<std::uint8_t, decltype(&std::free)> arena_{nullptr, &std::free};
    std::vector<std::uint32_t> page_owner_;  ///< Per page: 1 + place in `allocations_`, 0 free.
    std::vector<Allocation> allocations_;
    std::uint32_t next_page_ = 0;  ///< Next fit: a freed page is used again as late as possible.

    struct Counters {
        std::uint64_t maps = 0;
        std::uint64_t unmaps = 0;
        std::uint64_t syncs = 0;
        std::uint64_t refused = 0;
        std::uint64_t misused = 0;
        std::uint64_t peak_live = 0;
        std::uint64_t fault_unmapped = 0;
        std::uint64_t fault_bounds = 0;
        std::uint64_t fault_direction = 0;
    } counters_;
};

}  // namespace doorbell
