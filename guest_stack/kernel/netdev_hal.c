/* The driver's platform on this kernel: each function of nic_hal.h on the host's table, with its
 * CPU time. A read stalls the CPU for its round trip over the link; a write is posted and was
 * waited for by whoever called the driver (netdev_flush, the end of a poll). */
#include <errno.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/softirq.h"

#define BAR_REGISTERS 0u
#define BAR_MSIX 3u

static uint32_t read_bar(const struct netdev* dev, uint32_t bar, uint32_t offset) {
    cpu_stall_begin();
    const uint32_t value = kernel.ops->mmio_read32(kernel.host, dev->index, bar, offset);
    cpu_stall_end();
    return value;
}

static void write_bar(const struct netdev* dev, uint32_t bar, uint32_t offset, uint32_t value) {
    cpu_charge(costs.mmio_write_ns);
    cpu_store_begin();
    kernel.ops->mmio_write32(kernel.host, dev->index, bar, offset, value);
    cpu_stall_end();
}

static uint32_t hal_read32(void* context, uint32_t offset) {
    return read_bar(context, BAR_REGISTERS, offset);
}
static void hal_write32(void* context, uint32_t offset, uint32_t value) {
    write_bar(context, BAR_REGISTERS, offset, value);
}
static uint32_t hal_msix_read32(void* context, uint32_t offset) {
    return read_bar(context, BAR_MSIX, offset);
}
static void hal_msix_write32(void* context, uint32_t offset, uint32_t value) {
    write_bar(context, BAR_MSIX, offset, value);
}

static uint32_t hal_config_read(void* context, uint32_t offset, uint32_t size) {
    const struct netdev* dev = context;
    cpu_stall_begin();
    const uint32_t value = kernel.ops->config_read(kernel.host, dev->index, offset, size);
    cpu_stall_end();
    return value;
}
static void hal_config_write(void* context, uint32_t offset, uint32_t size, uint32_t value) {
    const struct netdev* dev = context;
    cpu_stall_begin();
    kernel.ops->config_write(kernel.host, dev->index, offset, size, value);
    cpu_stall_end();
}

static void hal_delay_us(void* context, uint32_t us) {
    (void)context;
    cpu_charge_ps((uint64_t)us * PS_PER_US);
    cpu_settle();
}
static void hal_sleep_ms(void* context, uint32_t ms) {
    (void)context;
    thread_sleep_until(kernel_now() + (uint64_t)ms * PS_PER_MS);
}
static void hal_barrier(void* context) {
    (void)context;
    __asm__ volatile("" ::: "memory"); /* host and device share one thread: only the compiler */
}

static void* hal_dma_alloc(void* context, uint32_t size, uint32_t align, uint64_t* bus_address) {
    const struct netdev* dev = context;
    return kernel.ops->dma_alloc(kernel.host, dev->index, size, align, bus_address);
}
static void hal_dma_free(void* context, void* memory, uint32_t size, uint64_t bus_address) {
    const struct netdev* dev = context;
    kernel.ops->dma_free(kernel.host, dev->index, memory, size, bus_address);
}
static uint64_t hal_dma_map(void* context, void* memory, uint32_t size,
                            enum nic_dma_direction direction, uint64_t tag) {
    const struct netdev* dev = context;
    cpu_charge(costs.dma_map_ns);
    return kernel.ops->dma_map(kernel.host, dev->index, memory, size, (uint32_t)direction, tag);
}
static uint64_t hal_dma_unmap(void* context, uint64_t bus_address, uint32_t size,
                              enum nic_dma_direction direction) {
    const struct netdev* dev = context;
    cpu_charge(costs.dma_map_ns);
    return kernel.ops->dma_unmap(kernel.host, dev->index, bus_address, size, (uint32_t)direction);
}

/* The hard interrupt: acknowledge, mask, schedule. Nothing else (journey: "does the least"). */
static void interrupt(void* context) {
    const struct netdev_vector* vector = context;
    struct netdev* dev = vector->dev;
    cpu_charge(costs.irq_handler_ns);
    const uint32_t events = nic_interrupt(dev->nic, vector->index);
    const uint32_t fast = events & (NIC_EVENT_RX | NIC_EVENT_TX | NIC_EVENT_OVERRUN);
    if (fast != 0) {
        dev->masked_events |= fast;
        netdev_schedule_poll(dev);
    }
    if ((events & ~fast) != 0) {
        dev->slow_events |= events & ~fast;
        netdev_wake_worker();
    }
}

static void hal_irq_release(void* context) {
    struct netdev* dev = context;
    for (uint32_t i = 0; i < dev->line_count; ++i) {
        irq_free(dev->lines[i]);
    }
    dev->line_count = 0;
}

static int hal_irq_setup(void* context, enum nic_irq_mode mode, uint32_t count, uint64_t* addresses,
                         uint32_t* data) {
    struct netdev* dev = context;
    if (count > NETDEV_MAX_VECTORS) {
        return -NIC_EINVAL;
    }
    static const uint32_t kKinds[] = {[NIC_IRQ_INTX] = GUEST_IRQ_INTX,
                                      [NIC_IRQ_MSI] = GUEST_IRQ_MSI,
                                      [NIC_IRQ_MSIX] = GUEST_IRQ_MSIX};
    const uint32_t lines = mode == NIC_IRQ_INTX ? 1 : count;
    for (uint32_t i = 0; i < lines; ++i) {
        uint64_t address = 0;
        uint32_t message = 0;
        int error = 0;
        dev->vectors[i] = (struct netdev_vector){.dev = dev, .index = i};
        dev->lines[i] = irq_request(dev->index, kKinds[mode], i, interrupt, &dev->vectors[i],
                                    &address, &message, &error);
        if (dev->lines[i] == NULL) {
            hal_irq_release(dev);
            return error;
        }
        ++dev->line_count;
        if (mode != NIC_IRQ_INTX) {
            addresses[i] = address;
            data[i] = message;
        }
    }
    return 0;
}

static void* hal_rx_buffer_get(void* context, void** cookie) {
    struct rx_buffer* buffer = netdev_rx_buffer_get(context);
    if (buffer == NULL) {
        return NULL;
    }
    *cookie = buffer;
    return buffer->data;
}
static void hal_rx_buffer_put(void* context, void* data, void* cookie) {
    (void)context;
    (void)data;
    rx_buffer_free(cookie);
}

static void hal_log(void* context, int level, const char* text) {
    const struct netdev* dev = context;
    kernel_log(level, "nic%u: %s", dev->index, text);
}

void netdev_hal_init(struct netdev* dev) {
    dev->hal = (struct nic_hal){.ctx = dev,
                                .read32 = hal_read32,
                                .write32 = hal_write32,
                                .msix_read32 = hal_msix_read32,
                                .msix_write32 = hal_msix_write32,
                                .config_read = hal_config_read,
                                .config_write = hal_config_write,
                                .delay_us = hal_delay_us,
                                .sleep_ms = hal_sleep_ms,
                                .barrier = hal_barrier,
                                .dma_alloc = hal_dma_alloc,
                                .dma_free = hal_dma_free,
                                .dma_map = hal_dma_map,
                                .dma_unmap = hal_dma_unmap,
                                .irq_setup = hal_irq_setup,
                                .irq_release = hal_irq_release,
                                .rx_buffer_get = hal_rx_buffer_get,
                                .rx_buffer_put = hal_rx_buffer_put,
                                .log = hal_log};
}
