/* What the 82574L driver needs from a platform. Implement these functions and the driver runs: on
 * the guest kernel of this repository, on a bare-metal board, in an RTOS. The driver is
 * freestanding C11, keeps all state in struct nic_device, never allocates by itself and never
 * blocks except in the two delay functions, which it calls only from nic_probe, nic_open,
 * nic_reset, nic_close and nic_link_poll. Calls for one device must not overlap, except
 * nic_interrupt. */
#ifndef NIC_HAL_H
#define NIC_HAL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum nic_dma_direction { NIC_DMA_TO_DEVICE = 1, NIC_DMA_FROM_DEVICE = 2 };
enum nic_irq_mode { NIC_IRQ_INTX = 0, NIC_IRQ_MSI = 1, NIC_IRQ_MSIX = 2 };

struct nic_hal {
    void* ctx; /* handed back as the first argument */

    /* BAR0 registers, 32 bits. A read may be slow (a round trip over PCIe); a write is posted. */
    uint32_t (*read32)(void* ctx, uint32_t offset);
    void (*write32)(void* ctx, uint32_t offset, uint32_t value);
    /* BAR3, the MSI-X table. */
    uint32_t (*msix_read32)(void* ctx, uint32_t offset);
    void (*msix_write32)(void* ctx, uint32_t offset, uint32_t value);
    /* PCI configuration space; size is 1, 2 or 4. */
    uint32_t (*config_read)(void* ctx, uint32_t offset, uint32_t size);
    void (*config_write)(void* ctx, uint32_t offset, uint32_t size, uint32_t value);

    void (*delay_us)(void* ctx, uint32_t us); /* may busy-wait */
    void (*sleep_ms)(void* ctx, uint32_t ms); /* may let others run */
    void (*barrier)(void* ctx); /* orders memory before the next posted write, and reads */

    /* Coherent, zeroed memory for rings; NULL when there is none. */
    void* (*dma_alloc)(void* ctx, uint32_t size, uint32_t align, uint64_t* bus_address);
    void (*dma_free)(void* ctx, void* memory, uint32_t size, uint64_t bus_address);
    /* Hands bytes to the device and takes them back. Returns the bus address, 0 when refused. `tag`
     * is the caller's identity of the bytes (struct nic_packet.tag), 0 for receive buffers. */
    uint64_t (*dma_map)(void* ctx, void* memory, uint32_t size, enum nic_dma_direction direction,
                        uint64_t tag);
    /* Returns the identity of what the device stored, 0 when unknown. */
    uint64_t (*dma_unmap)(void* ctx, uint64_t bus_address, uint32_t size,
                          enum nic_dma_direction direction);

    /* Asks the platform for `count` messages of a mode and gives their address and data; INTx fills
     * nothing. 0, or negative errno: the driver then tries the next mode. */
    int (*irq_setup)(void* ctx, enum nic_irq_mode mode, uint32_t count, uint64_t* addresses,
                     uint32_t* data);
    void (*irq_release)(void* ctx);

    /* Receive buffers come from and go to the platform; each holds nic_config.rx_buffer_bytes. */
    void* (*rx_buffer_get)(void* ctx, void** cookie);
    void (*rx_buffer_put)(void* ctx, void* buffer, void* cookie);

    void (*log)(void* ctx, int level, const char* text); /* 0 error .. 3 debug; may be NULL */
};

#ifdef __cplusplus
}
#endif

#endif /* NIC_HAL_H */
