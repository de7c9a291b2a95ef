/* nic_driver.h for the fake device. Its state lives in the image, one device per NIC. */
#include <string.h>

#include "guest_stack/test/fake_device.h"
#include "nic_driver.h"

#define MAX_DEVICES 4u

struct fake {
    const struct nic_device* key;
    const struct nic_hal* hal;
    struct nic_config config;
    struct fake_descriptor* tx;
    struct fake_descriptor* rx;
    void* tx_cookie[NIC_MAX_RING];
    void* rx_cookie[NIC_MAX_RING];
    void* rx_data[NIC_MAX_RING];
    uint32_t tx_use, tx_clean, tx_published, rx_next, watched;
    bool returning;
    struct nic_counters counters;
};
static struct fake fakes[MAX_DEVICES];
static uint32_t fake_count;

static struct fake* of(const struct nic_device* dev) {
    for (uint32_t i = 0; i < fake_count; ++i) {
        if (fakes[i].key == dev) {
            return &fakes[i];
        }
    }
    return NULL;
}

static void write32(const struct fake* f, uint32_t offset, uint32_t value) {
    f->hal->write32(f->hal->ctx, offset, value);
}

void nic_config_default(struct nic_config* config) {
    *config = (struct nic_config){.tx_ring = 64,
                                  .rx_ring = 64,
                                  .rx_buffer_bytes = 2048,
                                  .mtu_bytes = 1500,
                                  .irq_mode = NIC_IRQ_MSIX,
                                  .tx_report_every = 1,
                                  .tx_checksum = true,
                                  .rx_checksum = true};
}

int nic_config_check(const struct nic_config* config, struct nic_config_demand* unmet) {
    if (config->tx_wthresh <= 1 || config->tidv != 0) {
        return 0;
    }
    *unmet = (struct nic_config_demand){"tx_wthresh", "tidv", "the last few would stay"};
    return -NIC_EINVAL;
}

int nic_probe(struct nic_device* dev, const struct nic_hal* hal) {
    if (fake_count == MAX_DEVICES) {
        return -NIC_ENODEV;
    }
    struct fake* f = &fakes[fake_count++];
    f->key = dev;
    f->hal = hal;
    hal->delay_us(hal->ctx, 10);
    return 0;
}

static int refill(struct fake* f, uint32_t slot) {
    void* data = f->hal->rx_buffer_get(f->hal->ctx, &f->rx_cookie[slot]);
    if (data == NULL) {
        ++f->counters.rx_no_buffer;
        return -NIC_ENOMEM;
    }
    f->rx_data[slot] = data;
    f->rx[slot] = (struct fake_descriptor){
        .address =
            f->hal->dma_map(f->hal->ctx, data, f->config.rx_buffer_bytes, NIC_DMA_FROM_DEVICE, 0)};
    return 0;
}

int nic_open(struct nic_device* dev, const struct nic_config* config) {
    struct fake* f = of(dev);
    uint64_t tx_base = 0;
    uint64_t rx_base = 0;
    uint64_t addresses[FAKE_VECTORS];
    uint32_t data[FAKE_VECTORS];
    f->config = *config;
    f->tx = f->hal->dma_alloc(f->hal->ctx, config->tx_ring * (uint32_t)sizeof *f->tx, 64, &tx_base);
    f->rx = f->hal->dma_alloc(f->hal->ctx, config->rx_ring * (uint32_t)sizeof *f->rx, 64, &rx_base);
    const int error = f->hal->irq_setup(f->hal->ctx, NIC_IRQ_MSIX, FAKE_VECTORS, addresses, data);
    if (f->tx == NULL || f->rx == NULL || error != 0) {
        return error != 0 ? error : -NIC_ENOMEM;
    }
    for (uint32_t i = 0; i < config->rx_ring; ++i) {
        if (refill(f, i) != 0) {
            return -NIC_ENOMEM;
        }
    }
    write32(f, FAKE_TX_BASE_LOW, (uint32_t)tx_base);
    write32(f, FAKE_TX_BASE_HIGH, (uint32_t)(tx_base >> 32));
    write32(f, FAKE_TX_SIZE, config->tx_ring);
    write32(f, FAKE_RX_BASE_LOW, (uint32_t)rx_base);
    write32(f, FAKE_RX_BASE_HIGH, (uint32_t)(rx_base >> 32));
    write32(f, FAKE_RX_SIZE, config->rx_ring);
    write32(f, FAKE_RX_BUFFER, config->rx_buffer_bytes);
    write32(f, FAKE_RX_TAIL, config->rx_ring);
    write32(f, FAKE_MASK_SET, FAKE_CAUSE_TX | FAKE_CAUSE_RX);
    return 0;
}

void nic_close(struct nic_device* dev) {
    (void)dev;
}
int nic_reset(struct nic_device* dev) {
    struct fake* f = of(dev);
    f->hal->sleep_ms(f->hal->ctx, 1);
    write32(f, FAKE_RESET, 1);
    f->tx_published = f->tx_use;
    f->returning = true; /* nic_tx_clean hands everything back */
    ++f->counters.resets;
    return 0;
}

bool nic_tx_hung(struct nic_device* dev) {
    struct fake* f = of(dev);
    const bool hung = f->tx_clean != f->tx_published && f->tx_clean == f->watched;
    f->watched = f->tx_clean;
    return hung;
}

void nic_mac_address(const struct nic_device* dev, uint8_t mac[6]) {
    struct fake* f = of(dev);
    /* The test host puts the host's and the NIC's number in configuration space. */
    const uint32_t id = f->hal->config_read(f->hal->ctx, 0, 4);
    const uint8_t address[6] = {0x02, 0, 0, 0, (uint8_t)(id >> 8), (uint8_t)id};
    memcpy(mac, address, 6);
}

uint32_t nic_tx_free(const struct nic_device* dev) {
    const struct fake* f = of(dev);
    return f->config.tx_ring - 1 - (f->tx_use - f->tx_clean);
}

int nic_tx(struct nic_device* dev, const struct nic_packet* packet) {
    struct fake* f = of(dev);
    if (packet->segment_count == 0 || packet->segment_count > NIC_MAX_SEGMENTS ||
        ((packet->flags & (NIC_TX_IP_CHECKSUM | NIC_TX_L4_CHECKSUM)) != 0 &&
         !f->config.tx_checksum)) {
        return -NIC_EINVAL;
    }
    if (f->returning || nic_tx_free(dev) < packet->segment_count) {
        ++f->counters.tx_ring_full;
        return -NIC_ENOSPC;
    }
    for (uint32_t i = 0; i < packet->segment_count; ++i) {
        const uint32_t slot = f->tx_use++ % f->config.tx_ring;
        const bool last = i + 1 == packet->segment_count;
        f->tx[slot] = (struct fake_descriptor){
            .address = f->hal->dma_map(f->hal->ctx, packet->segments[i].data,
                                       packet->segments[i].size, NIC_DMA_TO_DEVICE, packet->tag),
            .size = packet->segments[i].size,
            .flags = ((packet->flags & NIC_TX_IP_CHECKSUM) != 0 ? FAKE_INSERT_IP : 0u) |
                     ((packet->flags & NIC_TX_L4_CHECKSUM) != 0 ? FAKE_INSERT_L4 : 0u),
            .checksum_start = packet->l4_offset,
            .checksum_at = packet->l4_checksum_offset,
            .end = last ? 1 : 0};
        f->tx_cookie[slot] = last ? packet->cookie : NULL;
        f->counters.tx_bytes += packet->segments[i].size;
        ++f->counters.tx_descriptors;
    }
    ++f->counters.tx_packets;
    return 0;
}

void nic_tx_flush(struct nic_device* dev) {
    struct fake* f = of(dev);
    if (f->tx_published != f->tx_use) {
        f->tx_published = f->tx_use;
        ++f->counters.tx_doorbells;
        f->hal->barrier(f->hal->ctx);
        write32(f, FAKE_TX_TAIL, f->tx_use);
    }
}

uint32_t nic_tx_clean(struct nic_device* dev, void** cookies, uint32_t budget) {
    struct fake* f = of(dev);
    uint32_t count = 0;
    while (count < budget && f->tx_clean != f->tx_published) {
        const uint32_t slot = f->tx_clean % f->config.tx_ring;
        if (f->tx[slot].done == 0 && !f->returning) {
            break;
        }
        (void)f->hal->dma_unmap(f->hal->ctx, f->tx[slot].address, f->tx[slot].size,
                                NIC_DMA_TO_DEVICE);
        ++f->tx_clean;
        if (f->tx[slot].end != 0) {
            cookies[count++] = f->tx_cookie[slot];
        }
    }
    if (f->tx_clean == f->tx_published) {
        f->returning = false;
    }
    return count;
}

static uint32_t verdict(uint32_t flags) {
    return ((flags & FAKE_IP_CHECKED) != 0 ? NIC_RX_IP_CHECKED : 0u) |
           ((flags & FAKE_IP_BAD) != 0 ? NIC_RX_IP_BAD : 0u) |
           ((flags & FAKE_L4_CHECKED) != 0 ? NIC_RX_L4_CHECKED : 0u) |
           ((flags & FAKE_L4_BAD) != 0 ? NIC_RX_L4_BAD : 0u);
}

uint32_t nic_rx(struct nic_device* dev, struct nic_rx_packet* packets, uint32_t budget) {
    struct fake* f = of(dev);
    uint32_t count = 0;
    while (count < budget) {
        const uint32_t slot = f->rx_next % f->config.rx_ring;
        const struct fake_descriptor descriptor = f->rx[slot];
        if (descriptor.done == 0) {
            break;
        }
        const uint64_t tag = f->hal->dma_unmap(f->hal->ctx, descriptor.address,
                                               f->config.rx_buffer_bytes, NIC_DMA_FROM_DEVICE);
        struct nic_rx_packet packet = {
            .buffer = f->rx_data[slot],
            .cookie = f->rx_cookie[slot],
            .size = descriptor.size,
            .flags = (f->config.rx_checksum ? verdict(descriptor.flags) : 0u) |
                     (descriptor.end == 0 ? NIC_RX_MORE : 0u),
            .tag = tag};
        if (refill(f, slot) != 0) {
            /* Nothing to replace it with: the frame is dropped and its buffer used again. */
            f->rx[slot] = (struct fake_descriptor){
                .address = f->hal->dma_map(f->hal->ctx, packet.buffer, f->config.rx_buffer_bytes,
                                           NIC_DMA_FROM_DEVICE, 0)};
            f->rx_data[slot] = packet.buffer;
            f->rx_cookie[slot] = packet.cookie;
        } else {
            packets[count++] = packet;
            ++f->counters.rx_packets;
            f->counters.rx_bytes += packet.size;
        }
        ++f->rx_next;
    }
    if (count > 0) {
        ++f->counters.rx_doorbells;
        write32(f, FAKE_RX_TAIL, f->rx_next + f->config.rx_ring);
    }
    return count;
}

uint32_t nic_interrupt(struct nic_device* dev, uint32_t vector) {
    struct fake* f = of(dev);
    ++f->counters.interrupts;
    return vector == FAKE_VECTOR_LINK ? NIC_EVENT_LINK : NIC_EVENT_RX | NIC_EVENT_TX;
}

void nic_interrupt_enable(struct nic_device* dev, uint32_t events) {
    (void)events;
    write32(of(dev), FAKE_MASK_SET, FAKE_CAUSE_TX | FAKE_CAUSE_RX);
}

int nic_link_poll(struct nic_device* dev, struct nic_link* link) {
    struct fake* f = of(dev);
    f->hal->sleep_ms(f->hal->ctx, 1); /* others may run: that is what the contract allows */
    const bool up = f->hal->read32(f->hal->ctx, FAKE_LINK) != 0;
    *link = (struct nic_link){.up = up, .speed_mbps = up ? 1000 : 0, .full_duplex = up};
    return 0;
}

void nic_stats_update(struct nic_device* dev) {
    (void)dev;
}
const struct nic_counters* nic_counters(const struct nic_device* dev) {
    return &of(dev)->counters;
}
void nic_stats_visit(const struct nic_device* dev,
                     void (*visit)(void* ctx, const char* name, uint64_t value), void* ctx) {
    visit(ctx, "GPTC", of(dev)->counters.tx_packets);
}
