/* Receive: a ring that is always full of buffers, frames out of it, filters before it (sections 5
 * and 7). nic_tx.c mirrors this file. */
#include "nic_internal.h"

#define NIC_RX_QUEUE 0u
#define NIC_RX_BATCH 16u

/* What one descriptor says when it is done. */
struct nic_rx_part {
    uint32_t size;
    uint32_t flags; /* enum nic_rx_flags */
    uint16_t vlan_tag;
    bool last;
};

/* --- ring ---------------------------------------------------------------------------------------
 *
 * Every slot holds a buffer at all times: a received one leaves only when a fresh one is there to
 * replace it, so the ring cannot run dry and no buffer is lost. The device owns all descriptors but
 * the one before `next`: RDT = previous(next). */

static void nic_rx_put(struct nic_rx_ring* rx, uint32_t index) {
    /* Qword 1 as 0 clears DD, in both formats (sections 5.6, 5.7). */
    nic_descriptor_write(&rx->descriptors[index], rx->slots[index].bus_address, 0);
}

static int nic_rx_buffer_get(struct nic_device* dev, struct nic_rx_slot* slot) {
    const struct nic_hal* hal = dev->hal;
    slot->buffer = hal->rx_buffer_get(hal->ctx, &slot->cookie);
    if (!slot->buffer) return -NIC_ENOMEM;
    slot->bus_address =
        hal->dma_map(hal->ctx, slot->buffer, dev->config.rx_buffer_bytes, NIC_DMA_FROM_DEVICE, 0);
    if (slot->bus_address) return 0;
    hal->rx_buffer_put(hal->ctx, slot->buffer, slot->cookie);
    slot->buffer = NULL;
    return -NIC_ENOMEM;
}

static void nic_rx_buffer_put(struct nic_device* dev, struct nic_rx_slot* slot) {
    const struct nic_hal* hal = dev->hal;
    hal->dma_unmap(hal->ctx, slot->bus_address, dev->config.rx_buffer_bytes, NIC_DMA_FROM_DEVICE);
    hal->rx_buffer_put(hal->ctx, slot->buffer, slot->cookie);
    slot->buffer = NULL;
}

static void nic_rx_free_buffers(struct nic_device* dev, uint32_t count) {
    while (count-- > 0) nic_rx_buffer_put(dev, &dev->rx.slots[count]);
}

static void nic_rx_free_descriptors(struct nic_device* dev) {
    struct nic_rx_ring* rx = &dev->rx;
    dev->hal->dma_free(dev->hal->ctx, rx->descriptors, rx->size * (uint32_t)sizeof *rx->descriptors,
                       rx->bus_address);
    rx->descriptors = NULL;
}

int nic_rx_alloc(struct nic_device* dev) {
    struct nic_rx_ring* rx = &dev->rx;
    rx->size = dev->config.rx_ring;
    rx->batch = rx->size / 4u < NIC_RX_BATCH ? rx->size / 4u : NIC_RX_BATCH;
    rx->descriptors = dev->hal->dma_alloc(
        dev->hal->ctx, rx->size * (uint32_t)sizeof *rx->descriptors, 128, &rx->bus_address);
    if (!rx->descriptors) return -NIC_ENOMEM;
    for (uint32_t i = 0; i < rx->size; i++) {
        if (!nic_rx_buffer_get(dev, &rx->slots[i])) continue;
        nic_rx_free_buffers(dev, i);
        nic_rx_free_descriptors(dev);
        return -NIC_ENOMEM;
    }
    return 0;
}

void nic_rx_free_ring(struct nic_device* dev) {
    nic_rx_free_buffers(dev, dev->rx.size);
    nic_rx_free_descriptors(dev);
}

/* --- registers -------------------------------------------------------------------------------- */

static uint32_t nic_rctl_buffer_size(uint32_t bytes) {
    /* BSEX multiplies BSIZE's 1024, 512 and 256 by 16 (register RCTL). */
    switch (bytes) {
        case 4096:
            return NIC_RCTL_BSEX_MASK | NIC_FIELD_PUT(NIC_RCTL_BSIZE, NIC_RCTL_BSIZE_BYTES_256);
        case 8192:
            return NIC_RCTL_BSEX_MASK | NIC_FIELD_PUT(NIC_RCTL_BSIZE, NIC_RCTL_BSIZE_BYTES_512);
        case 16384:
            return NIC_RCTL_BSEX_MASK | NIC_FIELD_PUT(NIC_RCTL_BSIZE, NIC_RCTL_BSIZE_BYTES_1024);
        default:
            return NIC_FIELD_PUT(NIC_RCTL_BSIZE, NIC_RCTL_BSIZE_BYTES_2048);
    }
}

static uint32_t nic_rctl(const struct nic_device* dev) {
    const struct nic_config* c = &dev->config;
    uint32_t rctl = NIC_RCTL_EN_MASK | NIC_RCTL_BAM_MASK | NIC_RCTL_SECRC_MASK |
                    NIC_FIELD_PUT(NIC_RCTL_RDMTS, NIC_RCTL_RDMTS_HALF) |
                    nic_rctl_buffer_size(c->rx_buffer_bytes);
    if (c->mtu_bytes > 1500u) rctl |= NIC_RCTL_LPE_MASK;
    if (c->promiscuous) rctl |= NIC_RCTL_UPE_MASK | NIC_RCTL_MPE_MASK;
    if (c->store_bad_frames) rctl |= NIC_RCTL_SBP_MASK;
    if (c->loopback == NIC_LOOPBACK_MAC) rctl |= NIC_FIELD_PUT(NIC_RCTL_LBM, NIC_RCTL_LBM_MAC);
    if (dev->vlan_count && !c->promiscuous) rctl |= NIC_RCTL_VFE_MASK;
    return rctl;
}

void nic_rx_program(struct nic_device* dev) {
    struct nic_rx_ring* rx = &dev->rx;
    const struct nic_config* c = &dev->config;
    rx->next = 0;
    rx->returned = 0;
    rx->skipping = false;
    for (uint32_t i = 0; i < rx->size; i++) nic_rx_put(rx, i);

    nic_write(dev, NIC_RDBAL(NIC_RX_QUEUE), (uint32_t)rx->bus_address);
    nic_write(dev, NIC_RDBAH(NIC_RX_QUEUE), (uint32_t)(rx->bus_address >> 32));
    nic_write(dev, NIC_RDLEN(NIC_RX_QUEUE), rx->size * (uint32_t)sizeof *rx->descriptors);
    nic_write(dev, NIC_RDH(NIC_RX_QUEUE), 0);
    nic_write(dev, NIC_RDT(NIC_RX_QUEUE), 0);
    nic_write(dev, NIC_RDTR, NIC_FIELD_PUT(NIC_RDTR_DELAY, c->rdtr));
    nic_write(dev, NIC_RADV, NIC_FIELD_PUT(NIC_RADV_DELAY, c->radv));
    for (uint32_t queue = 0; queue < 2u; queue++) {
        nic_write(dev, NIC_RXDCTL(queue),
                  NIC_FIELD_PUT(NIC_RXDCTL_PTHRESH, c->rx_pthresh) |
                      NIC_FIELD_PUT(NIC_RXDCTL_HTHRESH, c->rx_hthresh) |
                      NIC_FIELD_PUT(NIC_RXDCTL_WTHRESH, c->rx_wthresh) | NIC_RXDCTL_GRAN_MASK);
    }
    nic_write(dev, NIC_MRQC, 0);
    nic_write(dev, NIC_RXCSUM,
              c->rx_checksum ? NIC_RXCSUM_IPOFLD_MASK | NIC_RXCSUM_TUOFLD_MASK : 0u);
    /* Interrupts of the ACK cause are an erratum of MSI-X mode (section 11). */
    nic_write(dev, NIC_RFCTL,
              NIC_RFCTL_ACK_DIS_MASK | (c->extended_rx ? NIC_RFCTL_EXTEN_MASK : 0u));
}

/* The doorbell of reception. The device may fetch at once: the refilled descriptors must be in
 * memory before it. */
static void nic_rx_doorbell(struct nic_device* dev) {
    struct nic_rx_ring* rx = &dev->rx;
    dev->hal->barrier(dev->hal->ctx);
    nic_write(dev, NIC_RDT(NIC_RX_QUEUE), nic_ring_previous(rx->next, rx->size));
    rx->returned = 0;
    dev->counters.rx_doorbells++;
}

/* Buffers first, then the receiver: a frame that comes earlier would find none. */
void nic_rx_start(struct nic_device* dev) {
    nic_rx_doorbell(dev);
    nic_write(dev, NIC_RCTL, nic_rctl(dev));
}

/* --- reading descriptors ---------------------------------------------------------------------- */

#define NIC_HIGH_MASK_OF(mask) ((uint32_t)((mask) >> 32))
#define NIC_RX_BAD_EXTENDED                                                                    \
    ((uint32_t)(NIC_RX_EXTENDED_CE_MASK | NIC_RX_EXTENDED_SE_MASK | NIC_RX_EXTENDED_SEQ_MASK | \
                NIC_RX_EXTENDED_CXE_MASK | NIC_RX_EXTENDED_RXE_MASK))
#define NIC_RX_BAD_LEGACY                                                                     \
    NIC_HIGH_MASK_OF(NIC_RX_LEGACY_CE_MASK | NIC_RX_LEGACY_SE_MASK | NIC_RX_LEGACY_SEQ_MASK | \
                     NIC_RX_LEGACY_CXE_MASK | NIC_RX_LEGACY_RXE_MASK)

/* Checksum bits as both formats have them: what was checked, what of it was wrong. */
static uint32_t nic_rx_checksum_flags(bool ignore, bool ip, bool ip_bad, bool l4, bool l4_bad) {
    uint32_t flags = 0;
    if (ignore) return 0;
    if (ip) flags |= NIC_RX_IP_CHECKED;
    if (ip && ip_bad) flags |= NIC_RX_IP_BAD;
    if (l4) flags |= NIC_RX_L4_CHECKED;
    if (l4 && l4_bad) flags |= NIC_RX_L4_BAD;
    return flags;
}

/* In both readers DD comes first and the rest behind a barrier: the device writes the whole
 * descriptor at once, but a CPU that loads the rest before DD may see a rest from before and a DD
 * from after. */
static bool nic_rx_read_extended(struct nic_device* dev, const union nic_descriptor* descriptor,
                                 struct nic_rx_part* part) {
    const uint32_t status = nic_descriptor_read(descriptor, 2);
    if (!(status & NIC_RX_EXTENDED_DD_MASK)) return false;
    dev->hal->barrier(dev->hal->ctx);
    const uint32_t rest = nic_descriptor_read(descriptor, 3);
    part->size =
        (rest & NIC_HIGH_MASK(NIC_RX_EXTENDED_LENGTH)) >> NIC_HIGH_SHIFT(NIC_RX_EXTENDED_LENGTH);
    part->vlan_tag = (uint16_t)((rest & NIC_HIGH_MASK(NIC_RX_EXTENDED_VLAN)) >>
                                NIC_HIGH_SHIFT(NIC_RX_EXTENDED_VLAN));
    part->last = status & NIC_RX_EXTENDED_EOP_MASK;
    part->flags =
        nic_rx_checksum_flags(status & NIC_RX_EXTENDED_IXSM_MASK,
                              status & NIC_RX_EXTENDED_IPCS_MASK, status & NIC_RX_EXTENDED_IPE_MASK,
                              status & (NIC_RX_EXTENDED_TCPCS_MASK | NIC_RX_EXTENDED_UDPCS_MASK),
                              status & NIC_RX_EXTENDED_TCPE_MASK);
    if (status & NIC_RX_EXTENDED_VP_MASK) part->flags |= NIC_RX_VLAN;
    if (status & NIC_RX_BAD_EXTENDED) part->flags |= NIC_RX_ERROR;
    return true;
}

static bool nic_rx_read_legacy(struct nic_device* dev, const union nic_descriptor* descriptor,
                               struct nic_rx_part* part) {
    const uint32_t status = nic_descriptor_read(descriptor, 3);
    if (!(status & NIC_HIGH_MASK(NIC_RX_LEGACY_DD))) return false;
    dev->hal->barrier(dev->hal->ctx);
    const uint32_t rest = nic_descriptor_read(descriptor, 2);
    part->size = (uint32_t)NIC_DESCRIPTOR_GET(NIC_RX_LEGACY_LENGTH, rest);
    part->vlan_tag = (uint16_t)((status & NIC_HIGH_MASK(NIC_RX_LEGACY_VLAN)) >>
                                NIC_HIGH_SHIFT(NIC_RX_LEGACY_VLAN));
    part->last = status & NIC_HIGH_MASK(NIC_RX_LEGACY_EOP);
    part->flags = nic_rx_checksum_flags(
        status & NIC_HIGH_MASK(NIC_RX_LEGACY_IXSM), status & NIC_HIGH_MASK(NIC_RX_LEGACY_IPCS),
        status & NIC_HIGH_MASK(NIC_RX_LEGACY_IPE),
        status & (NIC_HIGH_MASK(NIC_RX_LEGACY_TCPCS) | NIC_HIGH_MASK(NIC_RX_LEGACY_UDPCS)),
        status & NIC_HIGH_MASK(NIC_RX_LEGACY_TCPE));
    if (status & NIC_HIGH_MASK(NIC_RX_LEGACY_VP)) part->flags |= NIC_RX_VLAN;
    if (status & NIC_RX_BAD_LEGACY) part->flags |= NIC_RX_ERROR;
    return true;
}

static bool nic_rx_read(struct nic_device* dev, uint32_t index, struct nic_rx_part* part) {
    const union nic_descriptor* descriptor = &dev->rx.descriptors[index];
    const bool done = dev->config.extended_rx ? nic_rx_read_extended(dev, descriptor, part)
                                              : nic_rx_read_legacy(dev, descriptor, part);
    if (!done) return false;
    /* Status and checksums belong to the frame and stand only in its last descriptor. */
    if (!part->last) part->flags = NIC_RX_MORE;
    if (!(part->flags & NIC_RX_VLAN)) part->vlan_tag = 0;
    /* A device that claims more than it was given is not believed. */
    if (part->size > dev->config.rx_buffer_bytes) {
        part->size = 0;
        part->flags |= NIC_RX_ERROR;
    }
    return true;
}

/* --- receiving -------------------------------------------------------------------------------- */

/* Gives the next `count` descriptors back with the buffers they have. */
static void nic_rx_recycle(struct nic_rx_ring* rx, uint32_t count) {
    rx->returned += count;
    while (count-- > 0) {
        nic_rx_put(rx, rx->next);
        rx->next = nic_ring_next(rx->next, rx->size);
    }
}

/* The parts of the next frame: their number, 0 while it is incomplete. Frames that nobody could
 * take are thrown away on the way. */
static uint32_t nic_rx_scan(struct nic_device* dev, struct nic_rx_part* parts) {
    struct nic_rx_ring* rx = &dev->rx;
    uint32_t count = 0;
    uint32_t index = rx->next;
    /* A device that sets DD everywhere must not keep us here: one turn of the ring. */
    for (uint32_t seen = 0; seen < rx->size - 1u; seen++) {
        struct nic_rx_part part;
        if (!nic_rx_read(dev, index, &part)) return 0;
        index = nic_ring_next(index, rx->size);
        if (rx->skipping) {
            nic_rx_recycle(rx, 1);
            rx->skipping = !part.last;
            continue;
        }
        parts[count++] = part;
        if (part.last) return count;
        if (count < NIC_RX_MAX_PARTS) continue;
        /* Longer than the longest frame of the part. */
        nic_rx_recycle(rx, count);
        dev->counters.rx_errors++;
        rx->skipping = true;
        count = 0;
    }
    return 0;
}

/* Swaps the frame's buffers for fresh ones, all or none. */
static int nic_rx_swap(struct nic_device* dev, const struct nic_rx_part* parts, uint32_t count,
                       struct nic_rx_packet* packets) {
    struct nic_rx_ring* rx = &dev->rx;
    struct nic_rx_slot fresh[NIC_RX_MAX_PARTS];
    for (uint32_t i = 0; i < count; i++) {
        if (!nic_rx_buffer_get(dev, &fresh[i])) continue;
        while (i-- > 0) nic_rx_buffer_put(dev, &fresh[i]);
        return -NIC_ENOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct nic_rx_slot* slot = &rx->slots[rx->next];
        packets[i].tag = dev->hal->dma_unmap(dev->hal->ctx, slot->bus_address,
                                             dev->config.rx_buffer_bytes, NIC_DMA_FROM_DEVICE);
        packets[i].buffer = slot->buffer;
        packets[i].cookie = slot->cookie;
        packets[i].size = parts[i].size;
        packets[i].flags = parts[i].flags;
        packets[i].vlan_tag = parts[i].vlan_tag;
        dev->counters.rx_bytes += parts[i].size;
        *slot = fresh[i];
        nic_rx_recycle(rx, 1);
    }
    return 0;
}

static bool nic_rx_acceptable(const struct nic_device* dev, const struct nic_rx_part* parts,
                              uint32_t count) {
    if (dev->config.store_bad_frames) return true;
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].flags & NIC_RX_ERROR) return false;
    }
    return true;
}

uint32_t nic_rx(struct nic_device* dev, struct nic_rx_packet* packets, uint32_t budget) {
    struct nic_rx_ring* rx = &dev->rx;
    struct nic_rx_part parts[NIC_RX_MAX_PARTS];
    uint32_t taken = 0;
    if (dev->state != NIC_STATE_OPEN) return 0;
    /* What was returned the device cannot have filled again: it hears of it below. So one turn of
     * the ring is the most there is. */
    while (taken < budget && rx->returned < rx->size - 1u) {
        const uint32_t count = nic_rx_scan(dev, parts);
        if (!count) break;
        if (count > budget || !nic_rx_acceptable(dev, parts, count)) {
            dev->counters.rx_errors++;
            nic_rx_recycle(rx, count);
            continue;
        }
        if (count > budget - taken) break; /* the next call has room for it */
        if (nic_rx_swap(dev, parts, count, packets + taken)) {
            dev->counters.rx_no_buffer++;
            nic_rx_recycle(rx, count);
            continue;
        }
        dev->counters.rx_packets++;
        taken += count;
    }
    if (rx->returned >= rx->batch) nic_rx_doorbell(dev);
    return taken;
}

/* --- filters (section 7.1) -------------------------------------------------------------------- */

static void nic_write_address(struct nic_device* dev, uint32_t index, const uint8_t* mac) {
    const uint32_t low =
        (uint32_t)mac[0] | (uint32_t)mac[1] << 8 | (uint32_t)mac[2] << 16 | (uint32_t)mac[3] << 24;
    const uint32_t high = (uint32_t)mac[4] | (uint32_t)mac[5] << 8;
    /* Never valid with half an address. */
    nic_write(dev, NIC_RAH(index), 0);
    nic_write(dev, NIC_RAL(index), low);
    nic_write(dev, NIC_RAH(index), NIC_FIELD_PUT(NIC_RAH_RAH, high) | NIC_RAH_AV_MASK);
}

static void nic_write_multicast(struct nic_device* dev) {
    for (uint32_t i = 0; i < NIC_MULTICAST_EXACT; i++) {
        if (i < dev->multicast_count) {
            nic_write_address(dev, i + 1u, dev->multicast[i]);
        } else {
            nic_write(dev, NIC_RAH(i + 1u), 0);
            nic_write(dev, NIC_RAL(i + 1u), 0);
        }
    }
    for (uint32_t i = 0; i < 128u; i++) nic_write(dev, NIC_MTA(i), dev->mta[i]);
}

/* The tables come out of a reset undefined (U22): all of them are written. */
void nic_rx_filters(struct nic_device* dev) {
    nic_write_address(dev, 0, dev->mac);
    nic_write_multicast(dev);
    for (uint32_t i = 0; i < 128u; i++) nic_write(dev, NIC_VFTA(i), dev->vfta[i]);
}

/* Exact matches as far as they go, the hash for the rest. */
int nic_set_multicast(struct nic_device* dev, const uint8_t (*addresses)[6], uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (!(addresses[i][0] & 1u)) return -NIC_EINVAL;
    }
    for (uint32_t i = 0; i < 128u; i++) dev->mta[i] = 0;
    dev->multicast_count = count < NIC_MULTICAST_EXACT ? count : NIC_MULTICAST_EXACT;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t* mac = addresses[i];
        if (i < NIC_MULTICAST_EXACT) {
            for (uint32_t b = 0; b < 6u; b++) dev->multicast[i][b] = mac[b];
        } else {
            /* RCTL.MO 0: bits 47:36 of the address. */
            const uint32_t hash = ((uint32_t)mac[5] << 8 | mac[4]) >> 4;
            dev->mta[hash >> 5] |= 1u << (hash & 31u);
        }
    }
    if (dev->state == NIC_STATE_OPEN) nic_write_multicast(dev);
    return 0;
}

/* The filter is on as soon as one VLAN is wanted; before, all are accepted. */
int nic_set_vlan_filter(struct nic_device* dev, uint16_t vid, bool accept) {
    if (vid > 4095u) return -NIC_EINVAL;
    const uint32_t word = vid >> 5;
    const uint32_t bit = 1u << (vid & 31u);
    if (accept == !!(dev->vfta[word] & bit)) return 0;
    dev->vfta[word] ^= bit;
    dev->vlan_count += accept ? 1u : 0xFFFFFFFFu;
    if (dev->state != NIC_STATE_OPEN) return 0;
    nic_write(dev, NIC_VFTA(word), dev->vfta[word]);
    nic_write(dev, NIC_RCTL, nic_rctl(dev));
    return 0;
}
