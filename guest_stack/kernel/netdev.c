#include "guest_stack/kernel/netdev.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/softirq.h"

#define WATCHDOG_PS (2 * PS_PER_S)

struct netdev netdevs[NETDEV_MAX];

static struct {
    struct wait_queue wait;
    bool wanted;
} worker;

void netdev_wake_worker(void) {
    worker.wanted = true;
    (void)thread_wake_one(&worker.wait);
}

void netdev_enter_driver(struct netdev* dev) {
    dev->in_driver = true;
}

void netdev_leave_driver(struct netdev* dev) {
    dev->in_driver = false;
    if (dev->poll_wanted) {
        dev->poll_wanted = false;
        netdev_schedule_poll(dev);
    }
    netdev_flush(dev);
    if (dev->queue_head != NULL || dev->room_wanted) {
        softirq_raise(SOFTIRQ_NET_TX);
    }
}

static void set_link(struct netdev* dev, const struct nic_link* link) {
    const bool changed = link->up != dev->link.up;
    dev->link = *link;
    if (!changed) {
        return;
    }
    ++dev->counters.link_changes;
    char text[64];
    kernel_log(GUEST_LOG_INFO, "nic%u: link %s", dev->index,
               netdev_link_text(dev, text, sizeof text));
    if (dev->receiver != NULL) {
        dev->receiver->carrier(dev, link->up);
    }
    if (!link->up) {
        softirq_raise(SOFTIRQ_NET_TX); /* what waits in the queue has nowhere to go */
    }
}

static void reset(struct netdev* dev) {
    ++dev->counters.resets;
    kernel_log(GUEST_LOG_WARN, "nic%u: the transmitter hangs, resetting", dev->index);
    const int result = nic_reset(dev->nic);
    if (result < 0) {
        kernel_panic("nic%u: reset failed (%d)", dev->index, result);
    }
    dev->pending = 0;
    dev->poll_wanted = true; /* takes back what was not sent */
}

/* Link and statistics: the driver may sleep in these. */
static void service(struct netdev* dev) {
    const uint32_t events = dev->slow_events;
    dev->slow_events = 0;
    struct nic_link link = dev->link;
    netdev_enter_driver(dev);
    const int result = nic_link_poll(dev->nic, &link);
    if (dev->watchdog_due) {
        dev->watchdog_due = false;
        nic_stats_update(dev->nic);
        if (nic_tx_hung(dev->nic)) {
            reset(dev);
        }
        timer_arm(&dev->watchdog, kernel_now() + WATCHDOG_PS);
    }
    if (events != 0) {
        nic_interrupt_enable(dev->nic, events);
    }
    netdev_leave_driver(dev);
    if (result < 0) {
        kernel_log(GUEST_LOG_WARN, "nic%u: the link cannot be read (%d)", dev->index, result);
    } else {
        set_link(dev, &link);
    }
}

static void worker_main(void* unused) {
    (void)unused;
    for (;;) {
        if (!worker.wanted) {
            (void)thread_block(&worker.wait, GUEST_NEVER, 0);
            continue;
        }
        worker.wanted = false;
        for (uint32_t i = 0; i < NETDEV_MAX; ++i) {
            struct netdev* dev = &netdevs[i];
            if (dev->opened && (dev->slow_events != 0 || dev->watchdog_due)) {
                service(dev);
            }
        }
    }
}

static void watchdog(struct timer* timer) {
    struct netdev* dev = timer->context;
    dev->watchdog_due = true;
    netdev_wake_worker();
}

void netdev_init(void) {
    netdev_tx_init();
    netdev_rx_init();
    (void)thread_create("kworker", worker_main, NULL);
}

int netdev_open(uint32_t index, const struct nic_config* config) {
    struct netdev* dev = &netdevs[index];
    dev->index = index;
    dev->config = *config;
    dev->nic = calloc(1, sizeof *dev->nic);
    if (dev->nic == NULL) {
        return -ENOMEM;
    }
    netdev_hal_init(dev);
    int result = netdev_tx_open(dev);
    if (result < 0) {
        return result;
    }
    netdev_enter_driver(dev);
    result = nic_probe(dev->nic, &dev->hal);
    if (result == 0) {
        nic_mac_address(dev->nic, dev->mac);
        result = nic_open(dev->nic, &dev->config);
    }
    dev->opened = result == 0;
    netdev_leave_driver(dev);
    if (result < 0) {
        return result;
    }
    dev->slow_events = NIC_EVENT_LINK; /* learn the link's state first */
    dev->watchdog.action = watchdog;
    dev->watchdog.context = dev;
    timer_arm(&dev->watchdog, kernel_now() + WATCHDOG_PS);
    netdev_wake_worker();
    return 0;
}

struct netdev* netdev_at(uint32_t index) {
    return index < NETDEV_MAX && netdevs[index].opened ? &netdevs[index] : NULL;
}

const char* netdev_link_text(const struct netdev* dev, char* text, size_t bytes) {
    if (!dev->link.up) {
        (void)snprintf(text, bytes, "down");
    } else {
        (void)snprintf(text, bytes, "up, %u Mb/s, %s duplex", dev->link.speed_mbps,
                       dev->link.full_duplex ? "full" : "half");
    }
    return text;
}
