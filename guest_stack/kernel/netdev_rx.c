/* The way in: NAPI. The hard interrupt masked the device and put it on the poll list; the NET_RX
 * softirq polls each with a budget, and unmasks it when the ring is empty. Sent packets are taken
 * back here as well, as e1000e does. */
#include <stdlib.h>
#include <string.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/softirq.h"

#define RX_BATCH 16u

static struct netdev* poll_head;
static struct netdev* poll_tail;

static void poll_list_append(struct netdev* dev) {
    dev->poll_next = NULL;
    if (poll_tail != NULL) {
        poll_tail->poll_next = dev;
    } else {
        poll_head = dev;
    }
    poll_tail = dev;
}

void netdev_schedule_poll(struct netdev* dev) {
    if (!dev->scheduled) {
        dev->scheduled = true;
        poll_list_append(dev);
    }
    softirq_raise(SOFTIRQ_NET_RX);
}

/* --- receive buffers -----------------------------------------------------------------------------
 */

static struct rx_buffer* buffer_new(struct netdev* dev, uint32_t bytes, bool small) {
    struct rx_buffer* buffer = calloc(1, sizeof *buffer);
    void* data = NULL;
    /* Aligned to its size up to a page: a buffer crosses no more pages than it must. */
    const size_t align = bytes < 4096 ? 64 : 4096;
    if (buffer == NULL || posix_memalign(&data, align, bytes) != 0) {
        free(buffer);
        return NULL;
    }
    memset(data, 0, bytes);
    buffer->dev = dev;
    buffer->data = data;
    buffer->small = small;
    return buffer;
}

struct rx_buffer* netdev_rx_buffer_get(struct netdev* dev) {
    struct rx_buffer* buffer = dev->rx_pool;
    if (buffer != NULL) {
        dev->rx_pool = buffer->next;
        return buffer;
    }
    if (dev->rx_allocated == costs.rx_buffers) {
        ++dev->counters.rx_buffers_exhausted; /* the ring runs dry: that is what the limit is for */
        return NULL;
    }
    buffer = buffer_new(dev, dev->config.rx_buffer_bytes, false);
    if (buffer != NULL) {
        ++dev->rx_allocated;
    }
    return buffer;
}

void rx_buffer_free(struct rx_buffer* buffer) {
    struct rx_buffer** pool = buffer->small ? &buffer->dev->small_pool : &buffer->dev->rx_pool;
    buffer->next = *pool;
    *pool = buffer;
}

static struct rx_buffer* copy_small(struct netdev* dev, const struct nic_rx_packet* packet) {
    struct rx_buffer* copy = dev->small_pool;
    if (copy != NULL) {
        dev->small_pool = copy->next;
    } else {
        copy = buffer_new(dev, NETDEV_SMALL_BYTES, true);
        if (copy == NULL) {
            return NULL;
        }
    }
    cpu_charge_bytes(packet->size, costs.copy_per_byte_ps);
    memcpy(copy->data, packet->buffer, packet->size);
    ++dev->counters.rx_copied;
    return copy;
}

/* --- the poll
 * ------------------------------------------------------------------------------------- */

static void deliver(struct netdev* dev, const struct nic_rx_packet* packet, bool whole) {
    struct rx_buffer* buffer = packet->cookie;
    if (whole && packet->size <= costs.rx_copybreak && (packet->flags & NIC_RX_ERROR) == 0) {
        struct rx_buffer* copy = copy_small(dev, packet);
        if (copy != NULL) {
            rx_buffer_free(buffer);
            buffer = copy;
        }
    }
    buffer->size = packet->size;
    buffer->flags = packet->flags;
    buffer->vlan_tag = packet->vlan_tag;
    buffer->packet = packet->tag;
    buffer->next = NULL;
    if ((packet->flags & NIC_RX_ERROR) != 0) {
        ++dev->counters.rx_error_drops;
        rx_buffer_free(buffer);
    } else if (dev->tap != NULL && dev->tap(dev->tap_context, buffer)) {
        /* The tap has it. */
    } else if (dev->receiver != NULL) {
        dev->receiver->receive(dev, buffer);
    } else {
        ++dev->counters.rx_unclaimed;
        rx_buffer_free(buffer);
    }
}

/* Everything of one nic_rx call, then the doorbells for what the stack answered. */
static uint32_t receive_batch(struct netdev* dev, uint32_t budget) {
    static struct nic_rx_packet packets[RX_BATCH]; /* one softirq at a time */
    const uint32_t count = nic_rx(dev->nic, packets, budget < RX_BATCH ? budget : RX_BATCH);
    if (count == 0) {
        return 0;
    }
    if (dev->receiver != NULL) {
        dev->receiver->begin(dev);
    }
    bool more_before = false;
    for (uint32_t i = 0; i < count; ++i) {
        const bool more = (packets[i].flags & NIC_RX_MORE) != 0;
        cpu_charge(costs.driver_rx_ns);
        kernel_report(EVENT_LAYER, packets[i].tag, LAYER_DRIVER, DIRECTION_UP, packets[i].size,
                      (uint64_t)costs.driver_rx_ns * PS_PER_NS);
        deliver(dev, &packets[i], !more && !more_before);
        more_before = more;
    }
    if (dev->receiver != NULL) {
        dev->receiver->end(dev);
    }
    return count;
}

/* Returns how many packets it handled; `budget` means there may be more. */
static uint32_t poll(struct netdev* dev, uint32_t budget) {
    ++dev->counters.polls;
    cpu_charge(costs.napi_poll_ns);
    (void)netdev_clean(dev);
    uint32_t work = 0;
    while (work < budget) {
        const uint32_t count = receive_batch(dev, budget - work);
        if (count == 0) {
            break;
        }
        work += count;
        netdev_flush_all();
        cpu_settle_roughly(); /* more may have arrived in the time this took */
    }
    dev->counters.poll_packets += work;
    if (work > dev->counters.poll_max) {
        dev->counters.poll_max = work;
    }
    kernel_report(EVENT_NAPI_POLL, 0, dev->index, work, budget, 0);
    return work;
}

static void complete(struct netdev* dev) {
    cpu_settle_roughly();
    dev->scheduled = false;
    const uint32_t events = dev->masked_events;
    dev->masked_events = 0;
    if (events != 0) {
        nic_interrupt_enable(dev->nic, events);
    }
}

/* The NET_RX softirq. */
static uint64_t net_rx_action(void) {
    uint64_t work = 0;
    const uint64_t limit_ps = kernel_now() + (uint64_t)costs.softirq_max_us * PS_PER_US;
    while (poll_head != NULL) {
        if (work >= costs.netdev_budget || kernel_now() > limit_ps) {
            softirq_raise(SOFTIRQ_NET_RX);
            break;
        }
        struct netdev* dev = poll_head;
        poll_head = dev->poll_next;
        if (poll_head == NULL) {
            poll_tail = NULL;
        }
        if (dev->in_driver) {
            dev->scheduled = false;
            dev->poll_wanted = true;
            continue;
        }
        const uint32_t done = poll(dev, costs.napi_budget);
        work += done;
        if (done < costs.napi_budget) {
            complete(dev);
        } else {
            ++dev->counters.budget_exhausted;
            poll_list_append(dev);
        }
    }
    return work;
}

void netdev_rx_init(void) {
    softirq_open(SOFTIRQ_NET_RX, net_rx_action);
}
