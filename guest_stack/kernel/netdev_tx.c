/* The way out: ring, else a bounded queue while the ring is full, else "no" to the caller.
 *
 *   transmit ──> ring ──(full: stop)──> queue ──(kernel.txqueuelen)──> -ENOBUFS
 *                  ^                      │
 *                  └── NET_TX softirq <── the NAPI poll took back sent packets */
#include <errno.h>
#include <stdlib.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/softirq.h"

/* A packet may need a context descriptor and one per segment: below this the queue stops, and twice
 * this restarts it, so that it does not flutter. */
static uint32_t reserve(const struct netdev* dev) {
    const uint32_t quarter = dev->config.tx_ring / 4;
    return quarter < 6 ? quarter : 6;
}

bool netdev_has_room(struct netdev* dev) {
    if (dev->tx_pool != NULL && dev->queued < costs.txqueuelen) {
        return true;
    }
    ++dev->counters.tx_queue_full;
    dev->room_wanted = true;
    return false;
}

struct tx_request* netdev_tx_get(struct netdev* dev) {
    struct tx_request* request = dev->tx_pool;
    if (request == NULL) {
        ++dev->counters.tx_queue_full;
        dev->room_wanted = true;
        return NULL;
    }
    dev->tx_pool = request->next;
    request->next = NULL;
    request->packet = (struct nic_packet){.segments = request->segments, .cookie = request};
    request->done = NULL;
    request->owner = NULL;
    return request;
}

void netdev_tx_put(struct tx_request* request) {
    struct netdev* dev = request->dev;
    request->next = dev->tx_pool;
    dev->tx_pool = request;
}

static void finish(struct tx_request* request) {
    if (request->done != NULL) {
        request->done(request);
    }
    netdev_tx_put(request);
}

static void stop_queue(struct netdev* dev) {
    if (!dev->stopped) {
        dev->stopped = true;
        ++dev->counters.queue_stops;
        kernel_report(EVENT_QUEUE_STOP, 0, dev->index, 1, 0, 0);
    }
}

/* 0, or -NIC_ENOSPC when the ring has no room. Anything else the packet itself is to blame for. */
static int to_ring(struct netdev* dev, struct tx_request* request) {
    const uint64_t before_ps = cpu.current->charged_ps;
    cpu_charge(costs.driver_tx_ns);
    const int result = nic_tx(dev->nic, &request->packet);
    if (result == 0) {
        ++dev->pending;
        kernel_report(EVENT_LAYER, request->packet.tag, LAYER_DRIVER, DIRECTION_DOWN,
                      request->packet.segments[0].size, cpu.current->charged_ps - before_ps);
        if (nic_tx_free(dev->nic) < reserve(dev)) {
            stop_queue(dev);
        }
        return 0;
    }
    if (result == -NIC_ENOSPC) {
        stop_queue(dev);
        return result;
    }
    ++dev->counters.tx_invalid;
    kernel_log(GUEST_LOG_WARN, "nic%u: the driver refused a packet (%d)", dev->index, result);
    finish(request);
    return 0;
}

static int enqueue(struct netdev* dev, struct tx_request* request) {
    if (dev->queued >= costs.txqueuelen) {
        ++dev->counters.tx_queue_full;
        dev->room_wanted = true;
        return -ENOBUFS;
    }
    cpu_charge(costs.qdisc_ns);
    request->next = NULL;
    if (dev->queue_tail != NULL) {
        dev->queue_tail->next = request;
    } else {
        dev->queue_head = request;
    }
    dev->queue_tail = request;
    ++dev->queued;
    if (dev->queued > dev->counters.queued_max) {
        dev->counters.queued_max = dev->queued;
    }
    return 0;
}

int netdev_transmit(struct netdev* dev, struct tx_request* request) {
    if (!dev->link.up) {
        ++dev->counters.tx_no_carrier; /* nothing to send it on: TCP will try again */
        finish(request);
        return 0;
    }
    if (dev->stopped || dev->in_driver || dev->queue_head != NULL) {
        return enqueue(dev, request);
    }
    if (to_ring(dev, request) == -NIC_ENOSPC) {
        /* In the queue before the flush lets softirqs run: one that wakes the queue must find it.
         */
        const int result = enqueue(dev, request);
        netdev_flush(dev);
        return result;
    }
    if (dev->pending >= costs.tx_batch || dev->stopped) {
        netdev_flush(dev);
    }
    return 0;
}

void netdev_flush(struct netdev* dev) {
    if (dev->pending == 0 || dev->in_driver) {
        return; /* netdev_leave_driver makes up for it */
    }
    cpu_settle();
    /* A softirq that ran meanwhile may have rung for us. */
    if (dev->pending != 0 && !dev->in_driver) {
        dev->pending = 0;
        nic_tx_flush(dev->nic);
    }
}

void netdev_flush_all(void) {
    for (uint32_t i = 0; i < NETDEV_MAX; ++i) {
        if (netdevs[i].pending != 0) {
            netdev_flush(&netdevs[i]);
        }
    }
}

uint32_t netdev_clean(struct netdev* dev) {
    void* cookies[64];
    uint32_t total = 0;
    uint32_t count;
    do {
        count = nic_tx_clean(dev->nic, cookies, 64);
        for (uint32_t i = 0; i < count; ++i) {
            cpu_charge(costs.driver_clean_ns);
            finish(cookies[i]);
        }
        total += count;
    } while (count == 64);
    if (dev->stopped && nic_tx_free(dev->nic) >= 2 * reserve(dev)) {
        netdev_wake_queue(dev);
    }
    return total;
}

void netdev_wake_queue(struct netdev* dev) {
    if (dev->stopped) {
        dev->stopped = false;
        ++dev->counters.queue_restarts;
        kernel_report(EVENT_QUEUE_STOP, 0, dev->index, 0, 0, 0);
    }
    softirq_raise(SOFTIRQ_NET_TX);
}

static uint64_t drain(struct netdev* dev) {
    uint64_t work = 0;
    while (dev->queue_head != NULL && !dev->stopped && !dev->in_driver) {
        struct tx_request* request = dev->queue_head;
        struct tx_request* rest = request->next;
        if (!dev->link.up) {
            ++dev->counters.tx_no_carrier;
            dev->queue_head = rest;
            finish(request);
        } else if (to_ring(dev, request) != -NIC_ENOSPC) {
            dev->queue_head = rest;
        } else {
            break;
        }
        if (rest == NULL) {
            dev->queue_tail = NULL;
        }
        --dev->queued;
        ++work;
        if (dev->pending >= costs.tx_batch) {
            netdev_flush(dev);
        }
    }
    netdev_flush(dev);
    return work;
}

/* The NET_TX softirq: queues that were stopped go on. */
static uint64_t net_tx_action(void) {
    uint64_t work = 0;
    for (uint32_t i = 0; i < NETDEV_MAX; ++i) {
        struct netdev* dev = &netdevs[i];
        if (!dev->opened) {
            continue;
        }
        work += drain(dev);
        if (dev->room_wanted && !dev->stopped && dev->queued < costs.txqueuelen / 2 + 1) {
            dev->room_wanted = false;
            thread_wake_all(&dev->room_wait);
            if (dev->receiver != NULL) {
                dev->receiver->room(dev);
            }
        }
    }
    return work;
}

void netdev_tx_init(void) {
    softirq_open(SOFTIRQ_NET_TX, net_tx_action);
}

int netdev_tx_open(struct netdev* dev) {
    const uint32_t count = dev->config.tx_ring + costs.txqueuelen;
    dev->tx_memory = calloc(count, sizeof *dev->tx_memory);
    if (dev->tx_memory == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = count; i > 0; --i) {
        dev->tx_memory[i - 1].dev = dev;
        netdev_tx_put(&dev->tx_memory[i - 1]);
    }
    return 0;
}
