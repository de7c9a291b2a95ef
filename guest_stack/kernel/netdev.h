/* A network device as the kernel sees it: the driver's state, its platform (netdev_hal.c), the
 * transmit queue with its restart (netdev_tx.c) and the NAPI poll (netdev_rx.c). It knows frames,
 * not protocols; a receiver (the lwIP port) and taps (the packet sink) get what arrives. */
#ifndef GUEST_NETDEV_H
#define GUEST_NETDEV_H

#include "guest_stack/kernel/irq.h"
#include "guest_stack/kernel/thread.h"
#include "guest_stack/kernel/timer.h"
#include "nic_driver.h"

#define NETDEV_MAX 8u
#define NETDEV_MAX_VECTORS 8u
#define NETDEV_SMALL_BYTES 2048u

struct netdev;

/* A received buffer: the driver's while in the ring, then the stack's until rx_buffer_free. */
struct rx_buffer {
    struct rx_buffer* next;
    struct netdev* dev;
    uint8_t* data;
    uint32_t size;  /* bytes of frame in it */
    uint32_t flags; /* enum nic_rx_flags */
    uint16_t vlan_tag;
    bool small;      /* a copy (kernel.rx_copybreak) */
    uint64_t packet; /* identity of what arrived, 0 = unknown */
    /* Room for what the stack needs to know about the buffer (lwIP's struct pbuf_custom). */
    _Alignas(16) uint8_t stack_area[64];
};

/* A packet on its way out. Taken from the device's pool, given back when sent (or dropped). */
struct tx_request {
    struct tx_request* next;
    struct netdev* dev;
    struct nic_packet packet;
    struct nic_segment segments[4]; /* packet.segments may also point to the owner's own array */
    void (*done)(struct tx_request*);
    void* owner;
};

/* Who gets the frames. begin/end surround one batch, so that a lock is taken once. */
struct netdev_receiver {
    void (*begin)(struct netdev*);
    void (*receive)(struct netdev*, struct rx_buffer*); /* takes the buffer over */
    void (*end)(struct netdev*);
    void (*carrier)(struct netdev*, bool up); /* in a thread */
    void (*room)(struct netdev*);             /* the transmit queue takes packets again */
};

struct netdev_counters {
    uint64_t polls, budget_exhausted, poll_packets, poll_max;
    uint64_t queue_stops, queue_restarts, queued_max;
    uint64_t tx_no_carrier, tx_queue_full, tx_invalid;
    uint64_t rx_vlan_drops, rx_error_drops, rx_unclaimed, rx_copied, rx_buffers_exhausted;
    uint64_t link_changes, resets;
};

/* True: the tap has taken the buffer over. */
typedef bool (*netdev_tap)(void* context, struct rx_buffer* buffer);

struct netdev {
    uint32_t index;
    bool opened;
    struct nic_device* nic;
    struct nic_hal hal;
    struct nic_config config;
    uint8_t mac[6];
    struct nic_link link;
    const struct netdev_receiver* receiver;
    void* stack; /* the receiver's */
    netdev_tap tap;
    void* tap_context;

    /* Interrupts */
    struct irq_line* lines[NETDEV_MAX_VECTORS];
    struct netdev_vector {
        struct netdev* dev;
        uint32_t index;
    } vectors[NETDEV_MAX_VECTORS];
    uint32_t line_count;
    uint32_t masked_events; /* what nic_interrupt masked and the poll unmasks */
    uint32_t slow_events;   /* link and others, for the kernel's worker thread */

    /* The driver runs in a thread that may sleep: others must not call it meanwhile. */
    bool in_driver;
    bool poll_wanted;

    /* NAPI */
    bool scheduled;
    struct netdev* poll_next;

    /* Transmit */
    bool stopped;     /* ring full: packets wait in the queue below */
    uint32_t pending; /* described, but not yet announced with a doorbell */
    struct tx_request* queue_head;
    struct tx_request* queue_tail;
    uint32_t queued;
    struct tx_request* tx_pool;
    struct tx_request* tx_memory;
    uint32_t tx_pool_left;
    bool room_wanted; /* somebody was turned away: tell the receiver when there is room */
    struct wait_queue room_wait;

    /* Receive buffers */
    struct rx_buffer* rx_pool;
    struct rx_buffer* small_pool;
    uint32_t rx_allocated;

    struct timer watchdog;
    bool watchdog_due;
    struct netdev_counters counters;
};

extern struct netdev netdevs[NETDEV_MAX];

/* Softirqs, worker thread. */
void netdev_init(void);
/* BLOCKS: probes NIC `index` and opens it. 0 or negative errno. */
int netdev_open(uint32_t index, const struct nic_config* config);
/* NULL when the host has no such NIC, or it is not open. */
struct netdev* netdev_at(uint32_t index);
/* Has the worker thread look at what netdev_hal.c or the watchdog left for it. */
void netdev_wake_worker(void);
const char* netdev_link_text(const struct netdev* dev, char* text, size_t bytes);

/* Transmit (netdev_tx.c). */
/* False: netdev_transmit would refuse. The receiver's room() will be called when that has changed.
 */
bool netdev_has_room(struct netdev* dev);
struct tx_request* netdev_tx_get(struct netdev* dev); /* NULL: out of requests, try later */
void netdev_tx_put(struct tx_request* request);       /* one that was not transmitted */
/* Takes the request over (done is called when sent or dropped) and returns 0, or -ENOBUFS and
 * leaves it to the caller: the queue is full. The doorbell is left to netdev_flush, unless
 * kernel.tx_batch packets have come together. MAY BLOCK for the CPU time charged. */
int netdev_transmit(struct netdev* dev, struct tx_request* request);
/* One doorbell for what is pending. BLOCKS for the CPU time charged so far, if anything is. */
void netdev_flush(struct netdev* dev);
void netdev_flush_all(void);
uint32_t netdev_clean(struct netdev* dev);
void netdev_tx_init(void);
int netdev_tx_open(struct netdev* dev);
void netdev_wake_queue(struct netdev* dev);

/* Receive (netdev_rx.c). */
void netdev_rx_init(void);
void netdev_schedule_poll(struct netdev* dev);
struct rx_buffer* netdev_rx_buffer_get(struct netdev* dev);
void rx_buffer_free(struct rx_buffer* buffer);

/* Platform (netdev_hal.c). */
void netdev_hal_init(struct netdev* dev);

/* The driver may not be entered twice; only code that sleeps in it needs this. */
void netdev_enter_driver(struct netdev* dev);
void netdev_leave_driver(struct netdev* dev);

#endif /* GUEST_NETDEV_H */
