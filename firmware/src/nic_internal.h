/* What the files of the driver share: register access, ring arithmetic, descriptors, PCI names. */
#ifndef NIC_INTERNAL_H
#define NIC_INTERNAL_H

#include "nic_descriptors.h"
#include "nic_driver.h"
#include "nic_regs.h"

/* --- registers -------------------------------------------------------------------------------- */

static inline uint32_t nic_read(const struct nic_device* dev, uint32_t offset) {
    return dev->hal->read32(dev->hal->ctx, offset);
}

static inline void nic_write(const struct nic_device* dev, uint32_t offset, uint32_t value) {
    dev->hal->write32(dev->hal->ctx, offset, value);
}

/* Clears `clear`, then sets `set`. */
static inline void nic_modify(const struct nic_device* dev, uint32_t offset, uint32_t clear,
                              uint32_t set) {
    nic_write(dev, offset, (nic_read(dev, offset) & ~clear) | set);
}

/* Posted writes have arrived when a read behind them returns (PCIe ordering); STATUS has no side
 * effects (section 2.1). */
static inline void nic_flush_writes(const struct nic_device* dev) {
    (void)nic_read(dev, NIC_STATUS);
}

static inline void nic_log(const struct nic_device* dev, int level, const char* text) {
    if (dev->hal->log) dev->hal->log(dev->hal->ctx, level, text);
}

/* A device that fell off the bus answers every read with ones. */
#define NIC_GONE 0xFFFFFFFFu

/* --- rings (section 5.1) -------------------------------------------------------------------------
 *
 *            head                tail
 *             v                   v
 *   +---+---+---+---+---+---+---+---+---+---+
 *   | s | s | d | d | d | d | d | s | s | s |    d: the device's, [head, tail)
 *   +---+---+---+---+---+---+---+---+---+---+    s: software's, at least one
 *
 * head == tail is an empty ring, so at most size - 1 descriptors are the device's. Sizes are
 * multiples of 8, not powers of two. */

static inline uint32_t nic_ring_next(uint32_t index, uint32_t size) {
    return index + 1u == size ? 0u : index + 1u;
}

static inline uint32_t nic_ring_previous(uint32_t index, uint32_t size) {
    return index == 0u ? size - 1u : index - 1u;
}

/* Steps from `from` forward to `to`. */
static inline uint32_t nic_ring_distance(uint32_t from, uint32_t to, uint32_t size) {
    return to >= from ? to - from : to + size - from;
}

/* --- descriptors: little-endian memory that the device reads and writes behind our back ------- */

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
static inline uint32_t nic_little32(uint32_t value) {
    return value >> 24 | (value >> 8 & 0xFF00u) | (value << 8 & 0xFF0000u) | value << 24;
}
static inline uint64_t nic_little64(uint64_t value) {
    return (uint64_t)nic_little32((uint32_t)value) << 32 | nic_little32((uint32_t)(value >> 32));
}
#else
static inline uint32_t nic_little32(uint32_t value) {
    return value;
}
static inline uint64_t nic_little64(uint64_t value) {
    return value;
}
#endif

static inline void nic_descriptor_write(union nic_descriptor* descriptor, uint64_t qword0,
                                        uint64_t qword1) {
    volatile uint64_t* to = descriptor->qword;
    to[0] = nic_little64(qword0);
    to[1] = nic_little64(qword1);
}

/* Dword 0..3. Halves are read one by one because the order matters: see nic_rx.c. */
static inline uint32_t nic_descriptor_read(const union nic_descriptor* descriptor, uint32_t dword) {
    const volatile uint32_t* from = descriptor->dword;
    return nic_little32(from[dword]);
}

/* A field of qword 1 that lies in its upper half, for reading dword 3. */
#define NIC_HIGH_MASK(field) ((uint32_t)(field##_MASK >> 32))
#define NIC_HIGH_SHIFT(field) (field##_SHIFT - 32u)

/* --- PCI configuration space (PCI Local Bus 3.0, chapter 6 and 6.8) --------------------------- */

#define NIC_PCI_ID 0x00u
#define NIC_PCI_COMMAND 0x04u
#define NIC_PCI_COMMAND_MEMORY 0x0002u
#define NIC_PCI_COMMAND_MASTER 0x0004u
#define NIC_PCI_COMMAND_INTX_DISABLE 0x0400u
#define NIC_PCI_STATUS 0x06u
#define NIC_PCI_STATUS_CAPABILITIES 0x0010u
#define NIC_PCI_CAPABILITIES 0x34u
#define NIC_PCI_CAPABILITY_PM 0x01u
#define NIC_PCI_CAPABILITY_MSI 0x05u
#define NIC_PCI_CAPABILITY_PCIE 0x10u
#define NIC_PCI_CAPABILITY_MSIX 0x11u

static inline uint32_t nic_config_read(const struct nic_device* dev, uint32_t offset,
                                       uint32_t size) {
    return dev->hal->config_read(dev->hal->ctx, offset, size);
}

static inline void nic_config_write(const struct nic_device* dev, uint32_t offset, uint32_t size,
                                    uint32_t value) {
    dev->hal->config_write(dev->hal->ctx, offset, size, value);
}

/* --- between the files ------------------------------------------------------------------------ */

/* nic_nvm.c: 0, -NIC_ETIMEDOUT, -NIC_EIO. */
int nic_nvm_read(struct nic_device* dev, uint32_t word, uint16_t* value);
int nic_nvm_check(struct nic_device* dev);

/* nic_phy.c */
int nic_mdio_acquire(struct nic_device* dev);
void nic_mdio_release(struct nic_device* dev);
int nic_phy_identify(struct nic_device* dev);
int nic_link_setup(struct nic_device* dev);
int nic_phy_power_down(struct nic_device* dev);

/* nic_irq.c */
int nic_irq_setup(struct nic_device* dev);
void nic_irq_program(struct nic_device* dev);
void nic_irq_start(struct nic_device* dev);
void nic_irq_release(struct nic_device* dev);

/* nic_tx.c, nic_rx.c: memory, then registers, then back. */
int nic_tx_alloc(struct nic_device* dev);
void nic_tx_program(struct nic_device* dev);
void nic_tx_abandon(struct nic_device* dev, bool unmap);
void nic_tx_free_ring(struct nic_device* dev);
int nic_rx_alloc(struct nic_device* dev);
void nic_rx_program(struct nic_device* dev);
void nic_rx_filters(struct nic_device* dev);
void nic_rx_start(struct nic_device* dev);
void nic_rx_free_ring(struct nic_device* dev);

#endif /* NIC_INTERNAL_H */
