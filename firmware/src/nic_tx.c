/* Transmit: packets become descriptors, one doorbell tells of many, DD takes them back (sections 5
 * and 6). nic_rx.c mirrors this file. */
#include "nic_internal.h"

#define NIC_TX_QUEUE 0u
#define NIC_TX_SHORTEST 17u     /* below, the part cannot pad safely (section 6.2) */
#define NIC_TX_HEADER_BYTES 18u /* Ethernet with a VLAN tag */
#define NIC_TX_FCS_BYTES 4u
#define NIC_TX_TSO_BYTES 0xFFFFu
#define NIC_NO_REPORT 0xFFFFu
#define NIC_IPV4_CHECKSUM 10u /* of the IPv4 header (RFC 791) */
_Static_assert(NIC_MAX_RING <= NIC_NO_REPORT, "slots keep indices in 16 bits");

#define NIC_TX_OFFLOADS \
    ((uint32_t)NIC_TX_IP_CHECKSUM | (uint32_t)NIC_TX_L4_CHECKSUM | (uint32_t)NIC_TX_TSO)

/* What the descriptors of one packet have in common. */
struct nic_tx_plan {
    uint32_t bytes;
    uint32_t descriptors;
    bool new_context;
    uint64_t context[2];
    uint64_t command; /* qword 1 of every descriptor, without length */
};

/* --- ring ------------------------------------------------------------------------------------- */

int nic_tx_alloc(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    tx->size = dev->config.tx_ring;
    tx->descriptors = dev->hal->dma_alloc(
        dev->hal->ctx, tx->size * (uint32_t)sizeof *tx->descriptors, 128, &tx->bus_address);
    return tx->descriptors ? 0 : -NIC_ENOMEM;
}

void nic_tx_free_ring(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    dev->hal->dma_free(dev->hal->ctx, tx->descriptors, tx->size * (uint32_t)sizeof *tx->descriptors,
                       tx->bus_address);
    tx->descriptors = NULL;
}

static void nic_tx_rewind(struct nic_tx_ring* tx) {
    tx->use = 0;
    tx->clean = 0;
    tx->done = 0;
    tx->group = 0;
    tx->last = 0;
    tx->unreported = 0;
    tx->returning = false;
    tx->slots[0].report = NIC_NO_REPORT;
}

/* Both queues get the same TXDCTL: the part wants them equal (section 11). */
void nic_tx_program(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    const struct nic_config* c = &dev->config;
    /* The reset put head and tail to 0; software indices follow as soon as nothing waits to be
     * returned. No context is known to the device. */
    tx->published = 0;
    tx->context_valid = false;
    if (!tx->returning) nic_tx_rewind(tx);

    nic_write(dev, NIC_TDBAL(NIC_TX_QUEUE), (uint32_t)tx->bus_address);
    nic_write(dev, NIC_TDBAH(NIC_TX_QUEUE), (uint32_t)(tx->bus_address >> 32));
    nic_write(dev, NIC_TDLEN(NIC_TX_QUEUE), tx->size * (uint32_t)sizeof *tx->descriptors);
    nic_write(dev, NIC_TDH(NIC_TX_QUEUE), 0);
    nic_write(dev, NIC_TDT(NIC_TX_QUEUE), 0);
    nic_write(dev, NIC_TIDV, NIC_FIELD_PUT(NIC_TIDV_DELAY, c->tidv));
    nic_write(dev, NIC_TADV, NIC_FIELD_PUT(NIC_TADV_DELAY, c->tadv));
    for (uint32_t queue = 0; queue < 2u; queue++) {
        nic_write(dev, NIC_TXDCTL(queue),
                  NIC_FIELD_PUT(NIC_TXDCTL_PTHRESH, c->tx_pthresh) |
                      NIC_FIELD_PUT(NIC_TXDCTL_HTHRESH, c->tx_hthresh) |
                      NIC_FIELD_PUT(NIC_TXDCTL_WTHRESH, c->tx_wthresh) |
                      NIC_TXDCTL_COUNT_DESC_MASK | NIC_TXDCTL_GRAN_MASK);
    }
    nic_write(dev, NIC_TIPG,
              NIC_FIELD_PUT(NIC_TIPG_IPGT, 8) | NIC_FIELD_PUT(NIC_TIPG_IPGR1, 8) |
                  NIC_FIELD_PUT(NIC_TIPG_IPGR2, 6));
    nic_write(dev, NIC_TCTL,
              NIC_TCTL_EN_MASK | NIC_TCTL_PSP_MASK | NIC_TCTL_RTLC_MASK |
                  NIC_FIELD_PUT(NIC_TCTL_CT, 15) | NIC_FIELD_PUT(NIC_TCTL_COLD, 63));
}

/* --- planning --------------------------------------------------------------------------------- */

static bool nic_tx_offload_valid(const struct nic_device* dev, const struct nic_packet* p,
                                 uint32_t bytes) {
    const uint32_t field_max = 0xFFu; /* of the eight-bit offsets of a context */
    const uint32_t checksum_end = p->l4_checksum_offset + 2u;
    if (!dev->config.tx_checksum) return false;
    if (p->flags & NIC_TX_NO_FCS) return false; /* the FCS would be that of other bytes */
    if (p->l3_offset >= p->l4_offset || p->l4_offset > field_max) return false;
    if (p->flags & NIC_TX_IP_CHECKSUM) {
        if (!(p->flags & NIC_TX_IPV4)) return false;
        if (p->l3_offset + NIC_IPV4_CHECKSUM + 2u > p->l4_offset || p->l4_offset > bytes)
            return false;
    }
    if (p->flags & NIC_TX_L4_CHECKSUM) {
        if (p->l4_checksum_offset < p->l4_offset || p->l4_checksum_offset > field_max) return false;
        if (checksum_end > bytes) return false;
    }
    if (p->flags & NIC_TX_TSO) {
        const uint32_t needed = (uint32_t)NIC_TX_L4_CHECKSUM | (uint32_t)NIC_TX_TCP;
        if ((p->flags & needed) != needed || !p->mss) return false;
        if ((p->flags & NIC_TX_IPV4) && !(p->flags & NIC_TX_IP_CHECKSUM)) return false;
        if (p->header_bytes > field_max || p->header_bytes < checksum_end) return false;
        if (p->header_bytes >= bytes) return false;
    }
    return true;
}

static bool nic_tx_length_valid(const struct nic_device* dev, const struct nic_packet* p,
                                uint32_t bytes) {
    uint32_t longest = dev->config.mtu_bytes + NIC_TX_HEADER_BYTES;
    if (p->flags & NIC_TX_NO_FCS) longest += NIC_TX_FCS_BYTES;
    if (p->flags & NIC_TX_TSO) {
        if (p->header_bytes + (uint32_t)p->mss > longest) return false;
        longest = p->header_bytes + NIC_TX_TSO_BYTES;
    }
    return bytes >= NIC_TX_SHORTEST && bytes <= longest;
}

/* Section 5.3. PAYLEN, HDRLEN and MSS stay 0 without TSO, so that all packets of a kind share one
 * context. */
static void nic_tx_context(const struct nic_packet* p, uint32_t bytes, uint64_t context[2]) {
    const bool ipv4 = p->flags & NIC_TX_IPV4;
    context[0] =
        NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_IPCSS, p->l3_offset) |
        NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_IPCSO, ipv4 ? p->l3_offset + NIC_IPV4_CHECKSUM : 0u) |
        NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_IPCSE, p->l4_offset - 1u) |
        NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_TUCSS, p->l4_offset) |
        NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_TUCSO, p->l4_checksum_offset); /* TUCSE 0: to the end */
    context[1] = NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_DTYP, NIC_TX_CONTEXT_DTYP_CONTEXT) |
                 NIC_TX_CONTEXT_DEXT_MASK | (ipv4 ? NIC_TX_CONTEXT_IP_MASK : 0u) |
                 (p->flags & NIC_TX_TCP ? NIC_TX_CONTEXT_TCP_MASK : 0u);
    if (p->flags & NIC_TX_TSO) {
        context[1] |= NIC_TX_CONTEXT_TSE_MASK |
                      NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_PAYLEN, bytes - p->header_bytes) |
                      NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_HDRLEN, p->header_bytes) |
                      NIC_DESCRIPTOR_PUT(NIC_TX_CONTEXT_MSS, p->mss);
    }
}

/* A plain packet takes legacy descriptors, an offload data descriptors. The bits of the two that
 * both know lie in the same places (sections 5.2, 5.4). POPTS, VLAN and TSE count on the first
 * descriptor of a packet and are set on all. */
static uint64_t nic_tx_command(const struct nic_packet* p) {
    uint64_t command = p->flags & NIC_TX_NO_FCS ? 0u : NIC_TX_DATA_IFCS_MASK;
    if (p->flags & NIC_TX_VLAN) {
        command |= NIC_TX_DATA_VLE_MASK | NIC_DESCRIPTOR_PUT(NIC_TX_DATA_VLAN, p->vlan_tag);
    }
    if (!(p->flags & NIC_TX_OFFLOADS)) return command;
    command |= NIC_DESCRIPTOR_PUT(NIC_TX_DATA_DTYP, NIC_TX_DATA_DTYP_DATA) | NIC_TX_DATA_DEXT_MASK;
    if (p->flags & NIC_TX_IP_CHECKSUM) command |= NIC_TX_DATA_IXSM_MASK;
    if (p->flags & NIC_TX_L4_CHECKSUM) command |= NIC_TX_DATA_TXSM_MASK;
    if (p->flags & NIC_TX_TSO) command |= NIC_TX_DATA_TSE_MASK;
    return command;
}

static int nic_tx_plan(const struct nic_device* dev, const struct nic_packet* p,
                       struct nic_tx_plan* plan) {
    const struct nic_tx_ring* tx = &dev->tx;
    if (!p->segment_count || p->segment_count > NIC_MAX_SEGMENTS) return -NIC_EINVAL;
    plan->bytes = 0;
    plan->descriptors = 0;
    plan->new_context = false;
    for (uint32_t i = 0; i < p->segment_count; i++) {
        const uint32_t size = p->segments[i].size;
        if (!size || size > NIC_TX_TSO_BYTES) return -NIC_EINVAL;
        plan->bytes += size;
        plan->descriptors += (size + NIC_TX_DESCRIPTOR_BYTES - 1u) / NIC_TX_DESCRIPTOR_BYTES;
    }
    if (!nic_tx_length_valid(dev, p, plan->bytes)) return -NIC_EINVAL;
    /* CTRL.VME governs insertion, too (section 6.2). */
    if (p->flags & NIC_TX_VLAN && (!dev->config.vlan_strip || p->flags & NIC_TX_NO_FCS)) {
        return -NIC_EINVAL;
    }
    if (p->flags & NIC_TX_OFFLOADS) {
        if (!nic_tx_offload_valid(dev, p, plan->bytes)) return -NIC_EINVAL;
        nic_tx_context(p, plan->bytes, plan->context);
        /* One queue is all this driver uses, so it does not matter whether the chip keeps a context
         * per queue or one for both (U24). */
        plan->new_context = !tx->context_valid || plan->context[0] != tx->context[0] ||
                            plan->context[1] != tx->context[1];
        if (plan->new_context) plan->descriptors++;
    }
    plan->command = nic_tx_command(p);
    return 0;
}

/* --- sending ---------------------------------------------------------------------------------- */

uint32_t nic_tx_free(const struct nic_device* dev) {
    const struct nic_tx_ring* tx = &dev->tx;
    if (dev->state != NIC_STATE_OPEN || tx->returning) return 0;
    return tx->size - 1u - nic_ring_distance(tx->clean, tx->use, tx->size);
}

/* Hands the segments to the device: all, or none. */
static int nic_tx_map(struct nic_device* dev, const struct nic_packet* p, uint64_t* bus) {
    const struct nic_hal* hal = dev->hal;
    for (uint32_t i = 0; i < p->segment_count; i++) {
        bus[i] = hal->dma_map(hal->ctx, p->segments[i].data, p->segments[i].size, NIC_DMA_TO_DEVICE,
                              p->tag);
        if (bus[i]) continue;
        while (i-- > 0) hal->dma_unmap(hal->ctx, bus[i], p->segments[i].size, NIC_DMA_TO_DEVICE);
        return -NIC_ENOMEM;
    }
    return 0;
}

static void nic_tx_put(struct nic_tx_ring* tx, uint64_t qword0, uint64_t qword1) {
    nic_descriptor_write(&tx->descriptors[tx->use], qword0, qword1);
    tx->last = tx->use;
    tx->use = nic_ring_next(tx->use, tx->size);
    tx->unreported++;
}

static void nic_tx_put_segment(struct nic_tx_ring* tx, uint64_t bus, uint32_t size,
                               uint64_t command) {
    for (uint32_t at = 0; at < size; at += NIC_TX_DESCRIPTOR_BYTES) {
        const uint32_t rest = size - at;
        const uint32_t part = rest < NIC_TX_DESCRIPTOR_BYTES ? rest : NIC_TX_DESCRIPTOR_BYTES;
        /* LENGTH and DTALEN begin at the same bit. */
        nic_tx_put(tx, bus + at, command | NIC_DESCRIPTOR_PUT(NIC_TX_DATA_DTALEN, part));
    }
    tx->slots[tx->last].bus_address = bus;
    tx->slots[tx->last].mapped_bytes = size;
}

/* The newest packet's last descriptor, which the device has not been told of, gets more bits. */
static void nic_tx_mark_last(struct nic_tx_ring* tx, uint64_t bits) {
    volatile uint64_t* command = &tx->descriptors[tx->last].qword[1];
    *command |= nic_little64(bits);
}

/* Status is asked for once per group of packets: DD of its last descriptor answers for all. */
static void nic_tx_report(struct nic_tx_ring* tx) {
    nic_tx_mark_last(tx, NIC_TX_DATA_RS_MASK);
    tx->slots[tx->group].report = (uint16_t)tx->last;
    tx->group = tx->use;
    tx->unreported = 0;
}

int nic_tx(struct nic_device* dev, const struct nic_packet* packet) {
    struct nic_tx_ring* tx = &dev->tx;
    struct nic_tx_plan plan;
    uint64_t bus[NIC_MAX_SEGMENTS];
    if (dev->state != NIC_STATE_OPEN) return -NIC_EIO;
    int error = nic_tx_plan(dev, packet, &plan);
    if (error) return error;
    if (plan.descriptors > tx->size - 1u) return -NIC_EINVAL; /* would never fit */
    if (plan.descriptors > nic_tx_free(dev)) {
        dev->counters.tx_ring_full++;
        return -NIC_ENOSPC;
    }
    error = nic_tx_map(dev, packet, bus);
    if (error) return error;

    struct nic_tx_slot* first = &tx->slots[tx->use];
    if (tx->group == tx->use) first->report = NIC_NO_REPORT;
    if (plan.new_context) {
        nic_tx_put(tx, plan.context[0], plan.context[1]);
        tx->context[0] = plan.context[0];
        tx->context[1] = plan.context[1];
        tx->context_valid = true;
    }
    for (uint32_t i = 0; i < packet->segment_count; i++) {
        nic_tx_put_segment(tx, bus[i], packet->segments[i].size, plan.command);
    }
    /* IDE without a delay is not allowed (register TIDV). */
    nic_tx_mark_last(tx, NIC_TX_DATA_EOP_MASK | (dev->config.tidv ? NIC_TX_DATA_IDE_MASK : 0u));
    first->cookie = packet->cookie;
    first->end = (uint16_t)tx->use;
    dev->counters.tx_descriptors += plan.descriptors;
    if (tx->unreported >= dev->config.tx_report_every) nic_tx_report(tx);
    return 0;
}

void nic_tx_flush(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    if (dev->state != NIC_STATE_OPEN || tx->returning || tx->use == tx->published) return;
    /* Nobody knows when the next packet comes: the last one of a batch always reports. */
    if (tx->unreported) nic_tx_report(tx);
    /* The device may fetch as soon as the doorbell arrives: descriptors and data must be in memory
     * before it, whatever order the CPU likes to store them in. */
    dev->hal->barrier(dev->hal->ctx);
    nic_write(dev, NIC_TDT(NIC_TX_QUEUE), tx->use);
    tx->published = tx->use;
    dev->counters.tx_doorbells++;
}

/* --- taking back ------------------------------------------------------------------------------ */

/* Extends [clean, done) if the next group has been reported. */
static bool nic_tx_completed(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    if (tx->clean != tx->done) return true;
    if (tx->clean == tx->use) return false;
    if (tx->returning) {
        tx->done = tx->use;
        return true;
    }
    const uint32_t report = tx->slots[tx->clean].report;
    if (report == NIC_NO_REPORT) return false;
    const uint32_t status = nic_descriptor_read(&tx->descriptors[report], 3);
    if (!(status & NIC_HIGH_MASK(NIC_TX_DATA_DD))) return false;
    /* What follows gives the buffers to somebody who may write to them; not before DD was seen. */
    dev->hal->barrier(dev->hal->ctx);
    tx->done = nic_ring_next(report, tx->size);
    return true;
}

static void nic_tx_unmap(struct nic_device* dev, struct nic_tx_slot* slot) {
    if (!slot->mapped_bytes) return;
    dev->hal->dma_unmap(dev->hal->ctx, slot->bus_address, slot->mapped_bytes, NIC_DMA_TO_DEVICE);
    slot->mapped_bytes = 0;
}

uint32_t nic_tx_clean(struct nic_device* dev, void** cookies, uint32_t budget) {
    struct nic_tx_ring* tx = &dev->tx;
    uint32_t packets = 0;
    while (packets < budget && nic_tx_completed(dev)) {
        const struct nic_tx_slot* first = &tx->slots[tx->clean];
        const uint32_t end = first->end;
        cookies[packets++] = first->cookie;
        uint32_t bytes = 0;
        for (uint32_t i = tx->clean; i != end; i = nic_ring_next(i, tx->size)) {
            bytes += tx->slots[i].mapped_bytes;
            nic_tx_unmap(dev, &tx->slots[i]);
        }
        tx->clean = end;
        tx->packets++;
        if (!tx->returning) {
            dev->counters.tx_packets++;
            dev->counters.tx_bytes += bytes;
        }
    }
    if (tx->returning && tx->clean == tx->use) nic_tx_rewind(tx);
    return packets;
}

/* The device forgot its ring: what is in it goes back through nic_tx_clean. Mappings go with their
 * packets, or at once when the platform's DMA is about to end. */
void nic_tx_abandon(struct nic_device* dev, bool unmap) {
    struct nic_tx_ring* tx = &dev->tx;
    if (unmap) {
        for (uint32_t i = tx->clean; i != tx->use; i = nic_ring_next(i, tx->size)) {
            nic_tx_unmap(dev, &tx->slots[i]);
        }
    }
    if (tx->clean == tx->use) {
        nic_tx_rewind(tx);
    } else {
        tx->returning = true;
    }
}

bool nic_tx_hung(struct nic_device* dev) {
    struct nic_tx_ring* tx = &dev->tx;
    if (dev->state != NIC_STATE_OPEN || tx->returning) return false;
    const bool pending = tx->clean != tx->published;
    const bool same = tx->watched_packets == tx->packets && tx->watched == tx->clean;
    const bool watched = tx->watching;
    tx->watching = pending;
    tx->watched = tx->clean;
    tx->watched_packets = tx->packets;
    if (!pending || !same || !watched) return false;
    if (nic_tx_completed(dev)) return false; /* sent; only nobody took it back yet */
    const uint32_t status = nic_read(dev, NIC_STATUS);
    return (status & NIC_STATUS_LU_MASK) && !(status & NIC_STATUS_TXOFF_MASK);
}
