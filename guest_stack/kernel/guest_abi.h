/* The table of functions a host hands to a guest image, and what an image exports in return. The
 * only text besides the generated register contract that crosses between hardware and guest.
 *
 * An image is a shared object: driver + guest kernel + lwIP port + applications. Each simulated
 * host loads its own copy. Everything runs on the simulator's coroutines: a function marked BLOCKS
 * may let simulated time pass and other contexts run; all others return at the same simulated time.
 * Times are picoseconds. An I/O virtual address (iova) is not a pointer. */
#ifndef GUEST_ABI_H
#define GUEST_ABI_H

#include <stdint.h>

#define GUEST_ABI_VERSION 1u
#define GUEST_NEVER UINT64_MAX
#define GUEST_DMA_MAP_BYTES 16384u /* the most that one mapping has */

struct guest_host; /* the host's, opaque to the guest */
struct guest_thread;
struct guest_event;
struct guest_file;

enum guest_dma_direction { GUEST_DMA_TO_DEVICE = 1, GUEST_DMA_FROM_DEVICE = 2, GUEST_DMA_BOTH = 3 };
enum guest_irq_kind { GUEST_IRQ_INTX = 0, GUEST_IRQ_MSI = 1, GUEST_IRQ_MSIX = 2 };
enum guest_log_level {
    GUEST_LOG_ERROR = 0,
    GUEST_LOG_WARN = 1,
    GUEST_LOG_INFO = 2,
    GUEST_LOG_DEBUG = 3
};

/* An event for the stream: `type` is the code of hw/base/events.toml; the host adds time and
 * source. The guest's code runs in no simulated time and waits for what it cost later on:
 * `ahead_ps` is what it owes when it reports, so the event happens that much after now(). */
struct guest_report {
    uint16_t type;
    uint64_t packet;
    uint64_t frame;
    uint64_t args[4];
    uint64_t ahead_ps;
};

struct guest_host_ops {
    uint32_t version; /* GUEST_ABI_VERSION */
    uint32_t size;    /* sizeof(struct guest_host_ops) */

    /* --- time and contexts --- */
    uint64_t (*now)(struct guest_host*);
    /* A coroutine; starts at the same simulated time, after the caller blocks. Ends when entry
     * returns. Stack size 0: the host's default. */
    struct guest_thread* (*thread_create)(struct guest_host*, const char* name,
                                          void (*entry)(void*), void* arg, uint32_t stack_bytes);
    struct guest_event* (*event_create)(struct guest_host*, const char* name);
    void (*event_free)(struct guest_host*, struct guest_event*);
    /* Sticky: remembered (once) until a wait takes it. May be called from an interrupt handler. */
    void (*event_notify)(struct guest_host*, struct guest_event*);
    /* BLOCKS until notified (1) or until the absolute time deadline_ps (0). One waiter at a time.
     */
    int (*event_wait)(struct guest_host*, struct guest_event*, uint64_t deadline_ps);

    /* --- devices: NICs 0..count-1 in the order of the scenario --- */
    uint32_t (*nic_count)(struct guest_host*);
    uint32_t (*config_read)(struct guest_host*, uint32_t nic, uint32_t offset,
                            uint32_t size); /* BLOCKS */
    void (*config_write)(struct guest_host*, uint32_t nic, uint32_t offset, uint32_t size,
                         uint32_t value); /* BLOCKS */
    uint32_t (*mmio_read32)(struct guest_host*, uint32_t nic, uint32_t bar,
                            uint32_t offset); /* BLOCKS: a round trip over the link */
    void (*mmio_write32)(struct guest_host*, uint32_t nic, uint32_t bar, uint32_t offset,
                         uint32_t value); /* posted; BLOCKS while the link has no credit */

    /* --- memory a device may touch --- */
    /* Coherent memory (rings), zeroed; NULL when there is none. */
    void* (*dma_alloc)(struct guest_host*, uint32_t nic, uint32_t size, uint32_t align,
                       uint64_t* iova);
    void (*dma_free)(struct guest_host*, uint32_t nic, void* cpu, uint32_t size, uint64_t iova);
    /* Gives [ptr, ptr+len) to the device; at most GUEST_DMA_MAP_BYTES. Its iova, 0 when refused.
     * `packet` is the identity of what lies there (0 = none yet). */
    uint64_t (*dma_map)(struct guest_host*, uint32_t nic, void* ptr, uint32_t len,
                        uint32_t direction, uint64_t packet);
    void (*dma_sync)(struct guest_host*, uint32_t nic, uint64_t iova, uint32_t len,
                     uint32_t direction, uint32_t for_cpu);
    /* Takes it back. Returns the identity of what the device stored there (0 = nothing known). */
    uint64_t (*dma_unmap)(struct guest_host*, uint32_t nic, uint64_t iova, uint32_t len,
                          uint32_t direction);
    /* The identity of what the device stored in a mapping that stays mapped. */
    uint64_t (*dma_packet)(struct guest_host*, uint32_t nic, uint64_t iova);

    /* --- interrupts: the host's interrupt controller --- */
    /* The handler is called in the middle of anything and must not block: it marks and notifies.
     * For MSI and MSI-X address and data receive what the guest programs into the device. Returns a
     * line number >= 0, negative errno otherwise. INTx is level: the handler is called again after
     * irq_eoi while the pin is still asserted. */
    int (*irq_request)(struct guest_host*, uint32_t nic, uint32_t kind, uint32_t index,
                       void (*handler)(void* ctx, uint32_t line), void* ctx, uint64_t* address,
                       uint32_t* data);
    void (*irq_free)(struct guest_host*, int line);
    void (*irq_eoi)(struct guest_host*, int line);

    /* --- evidence --- */
    int (*reporting)(struct guest_host*); /* cheap: 0 when nobody listens */
    void (*report)(struct guest_host*, const struct guest_report*);
    void (*log)(struct guest_host*, int level, const char* text);
    uint32_t (*random)(struct guest_host*);

    /* --- files of the person who runs the simulation --- */
    /* `name` is a path, or "generate:SIZE" for SIZE reproducible bytes, or "discard:" to write into
     * nothing. NULL when it cannot be opened (the host has told the user why). */
    struct guest_file* (*file_open)(struct guest_host*, const char* name, int for_writing);
    int64_t (*file_read)(struct guest_host*, struct guest_file*, void* to,
                         uint32_t len); /* 0 = end, < 0 = -errno */
    int64_t (*file_write)(struct guest_host*, struct guest_file*, const void* from, uint32_t len);
    int64_t (*file_size)(struct guest_host*, struct guest_file*);
    void (*file_close)(struct guest_host*, struct guest_file*);

    /* --- ends --- */
    /* Application `app` (its place in guest_config.apps) has ended; 0 is success. */
    void (*app_done)(struct guest_host*, uint32_t app, int status);
    /* The guest cannot go on (an assertion of lwIP, a driver that fails): the run ends with exit 3.
     */
    void (*panic)(struct guest_host*, const char* why);
};

/* --- what a host tells its guest --- */

struct guest_interface {
    uint32_t nic;         /* which NIC */
    uint32_t address;     /* IPv4, host byte order */
    uint32_t prefix_bits; /* 0..32 */
    uint32_t mtu_bytes;
};
struct guest_route {
    uint32_t destination; /* host byte order */
    uint32_t prefix_bits;
    uint32_t gateway;   /* 0: directly reachable */
    uint32_t interface; /* index of guest_interface */
    uint32_t metric;
};
/* An application as one would type it: argv[0] is its name. */
struct guest_app {
    int argc;
    const char* const* argv;
    uint64_t start_ps;
};
/* Driver, kernel and CPU cost settings: "driver.tx_ring" = "256". Unknown names must be refused. */
struct guest_setting {
    const char* name;
    const char* value;
};
struct guest_config {
    const char* host_name;
    uint32_t interface_count;
    const struct guest_interface* interfaces;
    uint32_t route_count;
    const struct guest_route* routes;
    uint32_t app_count;
    const struct guest_app* apps;
    uint32_t setting_count;
    const struct guest_setting* settings;
};

typedef void (*guest_metric_fn)(void* ctx, const char* name, uint64_t value);
typedef void (*guest_text_fn)(void* ctx, const char* text);

/* A setting or application the image knows, for strict checking and for documentation. */
struct guest_description {
    const char* name;
    const char* arguments; /* "--to ADDRESS --port PORT ..." or "1..4096" */
    const char* default_value;
    const char* description;
};

/* What of a config cannot be although each value by itself could. */
struct guest_mistake {
    int32_t app, word;       /* its place in apps, and in its argv; -1: none */
    int32_t route;           /* its place in routes; -1: none */
    const char* settings[2]; /* those concerned, the likelier first; NULL: none. "nic<i>.driver.x"
                              * when it is about one NIC, whoever set it. */
    const char* what;        /* one sentence each */
    const char* why;         /* "": nothing to add */
};
typedef void (*guest_mistake_fn)(void* ctx, const struct guest_mistake* mistake);

/* --- what an image exports --- */
/* Starts everything (creates threads and returns): 0, or negative errno with a log line that says
 * why. The table, the config and its strings stay valid until the end of the run. */
int guest_start(const struct guest_host_ops* ops, struct guest_host* host,
                const struct guest_config* config);
/* Counters, pulled at the end (or at any time): stable names, unit last. */
void guest_metrics(guest_metric_fn visit, void* ctx);
/* Shows a table as text: "route", "arp", "softirqs", "sockets", "interfaces". -ENOENT if unknown.
 */
int guest_show(const char* table, guest_text_fn print, void* ctx);
/* Lists end with a null name. */
const struct guest_description* guest_apps(void);
const struct guest_description* guest_settings(void);
/* The metrics guest_metrics visits: names with <i> for an application, <n> for a NIC. */
const struct guest_description* guest_metric_names(void);
uint32_t guest_abi_version(void);
/* An image need not have it: demands across settings, interfaces, routes and arguments, which no
 * description can say. Called before anything runs, on an image that is never started: no
 * guest_host_ops, and what it allocates or keeps is of no use to a run. */
void guest_check(const struct guest_config* config, uint32_t nic_count, guest_mistake_fn found,
                 void* ctx);

#endif /* GUEST_ABI_H */
