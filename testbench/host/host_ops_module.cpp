// The functions of guest_abi.h, in its order. A guest is not trusted: a handle that is not ours, a
// device that does not exist or a call from the wrong place is answered, logged, and harms nobody.
#include "testbench/host/host_ops_module.hpp"

#include <cerrno>
#include <string>

#include "testbench/host/host_module.hpp"

namespace doorbell {

static_assert(Iommu::kMaxMappingBytes == GUEST_DMA_MAP_BYTES);

namespace {

constexpr std::uint32_t kAllOnes = ~std::uint32_t{0};

HostModule& of(guest_host* host) {
    return *host->module;
}

// --- time and contexts
// ------------------------------------------------------------------------------

std::uint64_t now(guest_host* host) {
    return of(host).now_ps();
}

guest_thread* thread_create(guest_host* host, const char* name, void (*entry)(void*), void* arg,
                            std::uint32_t stack_bytes) {
    return of(host).threads().create(name == nullptr ? "" : name, entry, arg, stack_bytes);
}

guest_event* event_create(guest_host* host, const char* name) {
    return of(host).threads().event_create(name);
}

void event_free(guest_host* host, guest_event* event) {
    if (event == nullptr || of(host).threads().event_free(event)) return;
    of(host).panic("event_free: not an event, freed before, or somebody waits for it");
}

void event_notify(guest_host* host, guest_event* event) {
    of(host).threads().notify(*event);
}

int event_wait(guest_host* host, guest_event* event, std::uint64_t deadline_ps) {
    HostModule& module = of(host);
    if (module.must_not_block("event_wait")) return 0;
    if (event->waiter != nullptr) {
        module.panic("event_wait: two threads wait for event " + event->name);
        module.threads().halt();
    }
    return module.threads().wait_for(*event, deadline_ps) ? 1 : 0;
}

// --- devices
// ------------------------------------------------------------------------------------------

std::uint32_t nic_count(guest_host* host) {
    return of(host).nic_count();
}

std::uint32_t config_read(guest_host* host, std::uint32_t nic, std::uint32_t offset,
                          std::uint32_t size) {
    HostModule& module = of(host);
    HostSlotModule* slot = module.slot_of_guest(nic, "config_read");
    if (slot == nullptr || module.must_not_block("config_read")) return kAllOnes;
    std::uint32_t value = 0;
    module.threads().block([&] { value = slot->config_read(offset, size); });
    return value;
}

void config_write(guest_host* host, std::uint32_t nic, std::uint32_t offset, std::uint32_t size,
                  std::uint32_t value) {
    HostModule& module = of(host);
    HostSlotModule* slot = module.slot_of_guest(nic, "config_write");
    if (slot == nullptr || module.must_not_block("config_write")) return;
    module.threads().block([&] { slot->config_write(offset, size, value); });
}

std::uint32_t mmio_read32(guest_host* host, std::uint32_t nic, std::uint32_t bar,
                          std::uint32_t offset) {
    HostModule& module = of(host);
    HostSlotModule* slot = module.slot_of_guest(nic, "mmio_read32");
    if (slot == nullptr || module.must_not_block("mmio_read32")) return kAllOnes;
    std::uint32_t value = 0;
    module.threads().block([&] { value = slot->read32(bar, offset); });
    return value;
}

void mmio_write32(guest_host* host, std::uint32_t nic, std::uint32_t bar, std::uint32_t offset,
                  std::uint32_t value) {
    HostModule& module = of(host);
    HostSlotModule* slot = module.slot_of_guest(nic, "mmio_write32");
    if (slot == nullptr) return;
    module.threads().may_block([&] { slot->write32(bar, offset, value); });
}

// --- memory a device may touch
// ------------------------------------------------------------------------

void* dma_alloc(guest_host* host, std::uint32_t nic, std::uint32_t size, std::uint32_t align,
                std::uint64_t* iova) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_alloc");
    return slot == nullptr ? nullptr : slot->iommu().allocate(size, align, *iova);
}

void dma_free(guest_host* host, std::uint32_t nic, void* cpu, std::uint32_t size,
              std::uint64_t iova) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_free");
    if (slot == nullptr || slot->free_coherent(cpu, size, iova)) return;
    of(host).log(GUEST_LOG_ERROR, "dma_free: this was not allocated so");
}

std::uint64_t dma_map(guest_host* host, std::uint32_t nic, void* ptr, std::uint32_t len,
                      std::uint32_t direction, std::uint64_t packet) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_map");
    if (slot == nullptr) return 0;
    return slot->iommu().map(ptr, len, static_cast<DmaDirection>(direction), packet,
                             of(host).guest_time_ps());
}

void dma_sync(guest_host* host, std::uint32_t nic, std::uint64_t iova, std::uint32_t len,
              std::uint32_t direction, std::uint32_t for_cpu) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_sync");
    if (slot == nullptr || slot->iommu().sync(iova, len, static_cast<DmaDirection>(direction),
                                              for_cpu != 0, of(host).guest_time_ps())) {
        return;
    }
    of(host).log(GUEST_LOG_ERROR, "dma_sync: the range is not mapped so");
}

std::uint64_t dma_unmap(guest_host* host, std::uint32_t nic, std::uint64_t iova, std::uint32_t len,
                        std::uint32_t direction) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_unmap");
    std::uint64_t packet = 0;
    if (slot != nullptr && !slot->iommu().unmap(iova, len, static_cast<DmaDirection>(direction),
                                                packet, of(host).guest_time_ps())) {
        of(host).log(GUEST_LOG_ERROR, "dma_unmap: the range was not mapped so");
    }
    return packet;
}

std::uint64_t dma_packet(guest_host* host, std::uint32_t nic, std::uint64_t iova) {
    HostSlotModule* slot = of(host).slot_of_guest(nic, "dma_packet");
    return slot == nullptr ? 0 : slot->iommu().stored_packet(iova);
}

// --- interrupts
// -----------------------------------------------------------------------------------------

/// Vectors per device that the platform grants: the size of a full MSI-X table.
constexpr std::uint32_t kMaxMsixIndex = 2048;

int irq_request(guest_host* host, std::uint32_t nic, std::uint32_t kind, std::uint32_t index,
                void (*handler)(void*, std::uint32_t), void* ctx, std::uint64_t* address,
                std::uint32_t* data) {
    HostModule& module = of(host);
    if (handler == nullptr || module.slot_of_guest(nic, "irq_request") == nullptr) return -EINVAL;
    switch (kind) {
        case GUEST_IRQ_INTX:
            return index == 0 ? module.interrupts().request_pin(nic, handler, ctx) : -EINVAL;
        case GUEST_IRQ_MSI:
        case GUEST_IRQ_MSIX: {
            const bool index_good = kind == GUEST_IRQ_MSI ? index == 0 : index < kMaxMsixIndex;
            if (!index_good || address == nullptr || data == nullptr) return -EINVAL;
            return module.interrupts().request_message(handler, ctx, *address, *data);
        }
        default:
            return -EINVAL;
    }
}

void irq_free(guest_host* host, int line) {
    if (of(host).interrupts().free(line)) return;
    of(host).log(GUEST_LOG_ERROR, "irq_free: no such line " + std::to_string(line));
}

void irq_eoi(guest_host* host, int line) {
    of(host).interrupts().end_of_interrupt(line);
}

// --- evidence
// -------------------------------------------------------------------------------------------

int reporting(guest_host* host) {
    return of(host).events().enabled() ? 1 : 0;
}

void report(guest_host* host, const guest_report* from) {
    of(host).report(*from);
}

void log_line(guest_host* host, int level, const char* text) {
    of(host).log(level, text == nullptr ? "" : text);
}

std::uint32_t random_number(guest_host* host) {
    return of(host).random();
}

// --- files
// ----------------------------------------------------------------------------------------------

guest_file* file_open(guest_host* host, const char* name, int for_writing) {
    return of(host).file_open(name, for_writing != 0);
}

std::int64_t file_read(guest_host* host, guest_file* file, void* to, std::uint32_t len) {
    return of(host).file_read(file, to, len);
}

std::int64_t file_write(guest_host* host, guest_file* file, const void* from, std::uint32_t len) {
    return of(host).file_write(file, from, len);
}

std::int64_t file_size(guest_host* host, guest_file* file) {
    return of(host).file_size(file);
}

void file_close(guest_host* host, guest_file* file) {
    of(host).file_close(file);
}

// --- ends
// -----------------------------------------------------------------------------------------------

void app_done(guest_host* host, std::uint32_t app, int status) {
    of(host).app_done(app, status);
}

void panic(guest_host* host, const char* why) {
    HostModule& module = of(host);
    const bool handler = module.interrupts().in_handler();
    module.panic(why == nullptr ? "" : why);
    if (!handler) module.threads().halt();
}

}  // namespace

const guest_host_ops& host_ops() {
    static const guest_host_ops table = {GUEST_ABI_VERSION,
                                         sizeof(guest_host_ops),
                                         now,
                                         thread_create,
                                         event_create,
                                         event_free,
                                         event_notify,
                                         event_wait,
                                         nic_count,
                                         config_read,
                                         config_write,
                                         mmio_read32,
                                         mmio_write32,
                                         dma_alloc,
                                         dma_free,
                                         dma_map,
                                         dma_sync,
                                         dma_unmap,
                                         dma_packet,
                                         irq_request,
                                         irq_free,
                                         irq_eoi,
                                         reporting,
                                         report,
                                         log_line,
                                         random_number,
                                         file_open,
                                         file_read,
                                         file_write,
                                         file_size,
                                         file_close,
                                         app_done,
                                         panic};
    return table;
}

}  // namespace doorbell
