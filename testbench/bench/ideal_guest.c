#include "testbench/bench/ideal_guest.h"

#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/sockets.h>
#include <lwip/sys.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))
#define PORT 5001
#define CHUNK_BYTES 65536

static struct {
    const struct guest_host_ops* ops;
    struct guest_host* host;
    ideal_transmit_fn transmit;
    void* ctx;
    uint32_t address, peer; /* IPv4, host byte order */
    uint64_t bytes;         /* to send */
    bool sends;
} self;
static struct netif interface;
static uint64_t received_bytes;

static const struct guest_host_ops* ops(void) {
    return self.ops;
}

/* --- the OS layer lwIP asks for --- */

struct sys_sem {
    struct guest_event* changed;
    unsigned count;
};
struct sys_mutex {
    int unused;
};
struct sys_mbox {
    struct guest_event* changed;
    unsigned head, tail;
    void* slots[4096];
};
struct sys_thread {
    lwip_thread_fn entry;
    void* arg;
};

EXPORT void sys_init(void) {}
EXPORT u32_t sys_now(void) {
    return (u32_t)(ops()->now(self.host) / 1000000000u);
}
EXPORT u32_t sys_jiffies(void) {
    return sys_now();
}
EXPORT sys_prot_t sys_arch_protect(void) {
    return 0;
}
EXPORT void sys_arch_unprotect(sys_prot_t level) {
    (void)level;
}
/* Nothing waits while it holds the core: contexts change only in event_wait. */
EXPORT void sys_lock_tcpip_core(void) {}
EXPORT void sys_unlock_tcpip_core(void) {}
EXPORT void sys_mark_tcpip_thread(void) {}
EXPORT void sys_check_core_locking(void) {}

EXPORT err_t sys_mutex_new(sys_mutex_t* mutex) {
    *mutex = calloc(1, sizeof **mutex);
    return *mutex ? ERR_OK : ERR_MEM;
}
EXPORT void sys_mutex_lock(sys_mutex_t* mutex) {
    (void)mutex;
}
EXPORT void sys_mutex_unlock(sys_mutex_t* mutex) {
    (void)mutex;
}
EXPORT void sys_mutex_free(sys_mutex_t* mutex) {
    free(*mutex);
}

EXPORT err_t sys_sem_new(sys_sem_t* sem, u8_t count) {
    *sem = calloc(1, sizeof **sem);
    if (*sem == NULL) return ERR_MEM;
    (*sem)->changed = ops()->event_create(self.host, "sem");
    (*sem)->count = count;
    return ERR_OK;
}
EXPORT void sys_sem_signal(sys_sem_t* sem) {
    (*sem)->count++;
    ops()->event_notify(self.host, (*sem)->changed);
}
EXPORT void sys_sem_free(sys_sem_t* sem) {
    ops()->event_free(self.host, (*sem)->changed);
    free(*sem);
}

static uint64_t deadline_after(u32_t timeout_ms) {
    if (timeout_ms == 0) return GUEST_NEVER;
    return ops()->now(self.host) + (uint64_t)timeout_ms * 1000000000u;
}

EXPORT u32_t sys_arch_sem_wait(sys_sem_t* sem, u32_t timeout_ms) {
    const u32_t start = sys_now();
    const uint64_t deadline = deadline_after(timeout_ms);
    while ((*sem)->count == 0) {
        if (!ops()->event_wait(self.host, (*sem)->changed, deadline)) return SYS_ARCH_TIMEOUT;
    }
    (*sem)->count--;
    return sys_now() - start;
}

EXPORT err_t sys_mbox_new(sys_mbox_t* mbox, int size) {
    (void)size;
    *mbox = calloc(1, sizeof **mbox);
    if (*mbox == NULL) return ERR_MEM;
    (*mbox)->changed = ops()->event_create(self.host, "mbox");
    return ERR_OK;
}
EXPORT void sys_mbox_free(sys_mbox_t* mbox) {
    ops()->event_free(self.host, (*mbox)->changed);
    free(*mbox);
}
EXPORT err_t sys_mbox_trypost(sys_mbox_t* mbox, void* message) {
    struct sys_mbox* box = *mbox;
    if (box->tail - box->head == sizeof box->slots / sizeof box->slots[0]) return ERR_MEM;
    box->slots[box->tail++ % (sizeof box->slots / sizeof box->slots[0])] = message;
    ops()->event_notify(self.host, box->changed);
    return ERR_OK;
}
EXPORT err_t sys_mbox_trypost_fromisr(sys_mbox_t* mbox, void* message) {
    return sys_mbox_trypost(mbox, message);
}
EXPORT void sys_mbox_post(sys_mbox_t* mbox, void* message) {
    if (sys_mbox_trypost(mbox, message) != ERR_OK) ops()->panic(self.host, "mailbox is full");
}
EXPORT u32_t sys_arch_mbox_tryfetch(sys_mbox_t* mbox, void** message) {
    struct sys_mbox* box = *mbox;
    if (box->head == box->tail) return SYS_MBOX_EMPTY;
    void* taken = box->slots[box->head++ % (sizeof box->slots / sizeof box->slots[0])];
    if (message != NULL) *message = taken;
    return 0;
}
EXPORT u32_t sys_arch_mbox_fetch(sys_mbox_t* mbox, void** message, u32_t timeout_ms) {
    const u32_t start = sys_now();
    const uint64_t deadline = deadline_after(timeout_ms);
    while (sys_arch_mbox_tryfetch(mbox, message) == SYS_MBOX_EMPTY) {
        if (!ops()->event_wait(self.host, (*mbox)->changed, deadline)) return SYS_ARCH_TIMEOUT;
    }
    return sys_now() - start;
}

static void run_thread(void* arg) {
    struct sys_thread* thread = arg;
    thread->entry(thread->arg);
}
EXPORT sys_thread_t sys_thread_new(const char* name, lwip_thread_fn entry, void* arg, int stack,
                                   int priority) {
    struct sys_thread* thread = calloc(1, sizeof *thread);
    (void)stack;
    (void)priority;
    if (thread == NULL) return NULL;
    thread->entry = entry;
    thread->arg = arg;
    ops()->thread_create(self.host, name, run_thread, thread, 0);
    return thread;
}

/* --- the ideal interface --- */

static err_t send_frame(struct netif* netif, struct pbuf* frame) {
    (void)netif;
    if (frame->next == NULL) {
        self.transmit(self.ctx, frame->payload, frame->tot_len);
    } else {
        uint8_t copy[1600];
        self.transmit(self.ctx, copy, pbuf_copy_partial(frame, copy, sizeof copy, 0));
    }
    return ERR_OK;
}

EXPORT void ideal_input(const void* frame, uint32_t size) {
    struct pbuf* p = pbuf_alloc(PBUF_RAW, (u16_t)size, PBUF_RAM);
    if (p == NULL) return;
    memcpy(p->payload, frame, size);
    if (tcpip_input(p, &interface) != ERR_OK) pbuf_free(p);
}

static err_t open_interface(struct netif* netif) {
    const uint8_t mac[6] = {2, 0, 0, 0, 0, (uint8_t)self.address};
    memcpy(netif->hwaddr, mac, sizeof mac);
    netif->hwaddr_len = sizeof mac;
    netif->name[0] = 'i';
    netif->name[1] = 'd';
    netif->mtu = 1500;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = send_frame;
    return ERR_OK;
}

/* --- the application --- */

static uint8_t chunk[CHUNK_BYTES];

static struct sockaddr_in address_of(uint32_t address) {
    struct sockaddr_in where = {0};
    where.sin_family = AF_INET;
    where.sin_port = lwip_htons(PORT);
    where.sin_addr.s_addr = lwip_htonl(address);
    return where;
}

static void send_all(void* arg) {
    struct sockaddr_in peer = address_of(self.peer);
    uint64_t left = self.bytes;
    const int fd = lwip_socket(AF_INET, SOCK_STREAM, 0);
    (void)arg;
    if (lwip_connect(fd, (struct sockaddr*)&peer, sizeof peer) != 0) {
        ops()->panic(self.host, "connect failed");
        return;
    }
    while (left > 0) {
        const size_t want = left < sizeof chunk ? (size_t)left : sizeof chunk;
        const ssize_t sent = lwip_send(fd, chunk, want, 0);
        if (sent <= 0) {
            ops()->panic(self.host, "send failed");
            return;
        }
        left -= (uint64_t)sent;
    }
    lwip_close(fd);
    ops()->app_done(self.host, 0, 0);
}

static void receive_all(void* arg) {
    struct sockaddr_in any = address_of(0);
    const int listener = lwip_socket(AF_INET, SOCK_STREAM, 0);
    (void)arg;
    lwip_bind(listener, (struct sockaddr*)&any, sizeof any);
    lwip_listen(listener, 1);
    const int fd = lwip_accept(listener, NULL, NULL);
    for (;;) {
        const ssize_t got = lwip_recv(fd, chunk, sizeof chunk, 0);
        if (got <= 0) break;
        received_bytes += (uint64_t)got;
    }
    lwip_close(fd);
    lwip_close(listener);
    ops()->app_done(self.host, 0, 0);
}

static void stack_is_up(void* arg) {
    ip4_addr_t address, mask, gateway;
    (void)arg;
    ip4_addr_set_u32(&address, lwip_htonl(self.address));
    IP4_ADDR(&mask, 255, 255, 255, 0);
    ip4_addr_set_any(&gateway);
    netif_add(&interface, &address, &mask, &gateway, NULL, open_interface, tcpip_input);
    netif_set_default(&interface);
    netif_set_link_up(&interface);
    netif_set_up(&interface);
    sys_thread_new("app", self.sends ? send_all : receive_all, NULL, 0, 0);
}

/* --- what the image exports --- */

EXPORT void ideal_connect(ideal_transmit_fn transmit, void* ctx) {
    self.transmit = transmit;
    self.ctx = ctx;
}

EXPORT int guest_start(const struct guest_host_ops* table, struct guest_host* host,
                       const struct guest_config* config) {
    const struct guest_app* app = &config->apps[0];
    self.ops = table;
    self.host = host;
    self.address = config->interfaces[0].address;
    self.sends = strcmp(app->argv[0], "send") == 0;
    if (self.sends) {
        self.bytes = strtoull(app->argv[1], NULL, 10);
        self.peer = (uint32_t)strtoul(app->argv[2], NULL, 10);
    }
    tcpip_init(stack_is_up, NULL);
    return 0;
}
EXPORT void guest_metrics(guest_metric_fn visit, void* ctx) {
    visit(ctx, "received_bytes", received_bytes);
}
EXPORT const struct guest_description* guest_metric_names(void) {
    static const struct guest_description list[] = {
        {"received_bytes", "", "", "Bytes the receiver has read"},
        {NULL, NULL, NULL, NULL},
    };
    return list;
}
EXPORT int guest_show(const char* table, guest_text_fn print, void* ctx) {
    (void)table;
    (void)print;
    (void)ctx;
    return -ENOENT;
}
EXPORT const struct guest_description* guest_apps(void) {
    static const struct guest_description list[] = {
        {"send", "BYTES PEER", "", "Sends zeros over TCP"},
        {"receive", "", "", "Counts what arrives"},
        {NULL, NULL, NULL, NULL},
    };
    return list;
}
EXPORT const struct guest_description* guest_settings(void) {
    static const struct guest_description none = {NULL, NULL, NULL, NULL};
    return &none;
}
EXPORT uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION;
}
