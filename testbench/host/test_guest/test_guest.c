/* A guest of a few applications, each of which checks one part of the ABI from the inside. An
 * application ends with 0, or with the number of the line that was not true. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/kernel/guest_abi.h"

/* The registers of the fake device in host_module_test.cpp. */
enum {
    REG_SCRATCH = 0x00,
    REG_ADDRESS_LOW = 0x08,
    REG_ADDRESS_HIGH = 0x0C,
    REG_LENGTH = 0x10,
    REG_GO = 0x14,
    REG_RESULT = 0x18,
    REG_PACKET = 0x1C,
};
enum { GO_READ = 1, GO_WRITE = 2, GO_MESSAGE = 3, GO_ASSERT = 4, GO_DEASSERT = 5 };

#define CHECK(condition)                   \
    do {                                   \
        if (!(condition)) return __LINE__; \
    } while (0)

#define NS UINT64_C(1000)

static const struct guest_host_ops* ops;
static struct guest_host* host;
static const struct guest_config* config;
static uint64_t interrupts;

static uint64_t now(void) {
    return ops->now(host);
}

static void sleep_until(uint64_t when) {
    struct guest_event* never = ops->event_create(host, "sleep");
    ops->event_wait(host, never, when);
    ops->event_free(host, never);
}

/* --- threads and events
 * ---------------------------------------------------------------------------- */

static char order[64];
static struct guest_event *first_event, *second_event;

static void note(char c) {
    order[strlen(order)] = c;
}

static void other_thread(void* arg) {
    note('b');
    ops->event_wait(host, first_event, GUEST_NEVER);
    note('d');
    ops->event_notify(host, (struct guest_event*)arg);
    note('e');
}

static int app_threads(void) {
    const uint64_t start = now();
    first_event = ops->event_create(host, "first");
    second_event = ops->event_create(host, "second");
    CHECK(ops->thread_create(host, "other", other_thread, second_event, 0) != NULL);
    note('a'); /* The new thread starts only when this one waits. */
    CHECK(ops->event_wait(host, second_event, start + 10 * NS) == 0);
    CHECK(now() == start + 10 * NS);
    note('c');
    ops->event_notify(host, first_event);
    ops->event_notify(host, first_event); /* Remembered once. */
    CHECK(strcmp(order, "abc") == 0);
    CHECK(ops->event_wait(host, second_event, GUEST_NEVER) == 1);
    CHECK(now() == start + 10 * NS);
    CHECK(strcmp(order, "abcde") == 0);
    CHECK(ops->event_wait(host, first_event, now()) == 0); /* The one it remembered was taken. */

    /* Sticky: a notification before the wait is not lost, and is taken by it. */
    ops->event_notify(host, first_event);
    CHECK(ops->event_wait(host, first_event, GUEST_NEVER) == 1);
    CHECK(ops->event_wait(host, first_event, 0) == 0);
    ops->event_free(host, first_event);
    ops->event_free(host, second_event);
    return 0;
}

static void notifier(void* arg) {
    struct guest_event* event = arg;
    int i;
    for (i = 0; i < 100; i++) {
        sleep_until(now() + 30 * NS);
        ops->event_notify(host, event);
    }
}

/* A deadline of every distance, overtaken or not, is kept to the picosecond. */
static int app_deadlines(void) {
    static const uint64_t distance[] = {1,           999,         50 * NS,       99999 * NS,
                                        100000 * NS, 100001 * NS, 250000000 * NS};
    struct guest_event* event = ops->event_create(host, "deadline");
    size_t i;
    int n;
    for (i = 0; i < sizeof distance / sizeof distance[0]; i++) {
        const uint64_t start = now();
        CHECK(ops->event_wait(host, event, start + distance[i]) == 0);
        CHECK(now() == start + distance[i]);
    }
    ops->thread_create(host, "notifier", notifier, event, 0);
    for (n = 0; n < 100; n++) {
        const uint64_t start = now();
        /* Far and near deadlines that are overtaken must not fire later. */
        CHECK(ops->event_wait(host, event, start + (n % 2 ? 60 * NS : 300000 * NS)) == 1);
        CHECK(now() == start + 30 * NS);
    }
    ops->thread_create(host, "notifier", notifier, event, 0);
    CHECK(ops->event_wait(host, event, now() + 300000 * NS) == 1);
    for (n = 0; n < 99; n++) CHECK(ops->event_wait(host, event, now() + 40 * NS) == 1);
    /* The far deadline was overtaken long ago: it must not wake anybody any more. */
    for (n = 0; n < 10; n++) {
        const uint64_t start = now();
        CHECK(ops->event_wait(host, event, start + 50000 * NS) == 0);
        CHECK(now() == start + 50000 * NS);
    }
    return 0;
}

/* --- memory
 * ------------------------------------------------------------------------------------------- */

static void write_reg(uint32_t reg, uint32_t value) {
    ops->mmio_write32(host, 0, 0, reg, value);
}
static uint32_t read_reg(uint32_t reg) {
    return ops->mmio_read32(host, 0, 0, reg);
}

/* Lets the device do something with memory; 1 when the host accepted it. */
static uint32_t device(uint32_t go, uint64_t iova, uint32_t length) {
    write_reg(REG_ADDRESS_LOW, (uint32_t)iova);
    write_reg(REG_ADDRESS_HIGH, (uint32_t)(iova >> 32));
    write_reg(REG_LENGTH, length);
    write_reg(REG_GO, go);
    return read_reg(REG_RESULT);
}

static int app_dma(void) {
    static uint8_t out[100], in[100];
    uint64_t out_iova, in_iova, ring_iova, i;
    uint8_t* ring;
    for (i = 0; i < sizeof out; i++) out[i] = (uint8_t)i;

    out_iova = ops->dma_map(host, 0, out, sizeof out, GUEST_DMA_TO_DEVICE, 77);
    in_iova = ops->dma_map(host, 0, in, sizeof in, GUEST_DMA_FROM_DEVICE, 0);
    CHECK(out_iova != 0 && in_iova != 0 && out_iova != in_iova);
    CHECK(device(GO_READ, out_iova, sizeof out) == 1);
    CHECK(read_reg(REG_PACKET) == 77);
    write_reg(REG_PACKET, 88);
    CHECK(device(GO_WRITE, in_iova, sizeof in) == 1); /* The device adds one to each byte. */
    CHECK(in[0] == 1 && in[99] == 100);
    CHECK(ops->dma_packet(host, 0, in_iova) == 88);

    /* Against the direction, one byte beyond, another device's, never mapped. */
    CHECK(device(GO_WRITE, out_iova, sizeof out) == 0);
    CHECK(device(GO_READ, in_iova, sizeof in) == 0);
    CHECK(device(GO_READ, out_iova, sizeof out + 1) == 0);
    CHECK(device(GO_READ, out_iova + 99, 1) == 1);
    CHECK(device(GO_READ, out_iova + 100, 1) == 0);
    CHECK(device(GO_READ, ops->dma_map(host, 1, out, 4, GUEST_DMA_BOTH, 0), 8) == 0);
    CHECK(device(GO_READ, 0x1234, 4) == 0);
    CHECK(device(GO_READ, (uint64_t)(uintptr_t)out, 4) == 0); /* A pointer is no address. */

    CHECK(ops->dma_unmap(host, 0, in_iova, sizeof in, GUEST_DMA_FROM_DEVICE) == 88);
    CHECK(ops->dma_unmap(host, 0, out_iova, sizeof out, GUEST_DMA_TO_DEVICE) == 0);
    CHECK(device(GO_READ, out_iova, 4) == 0);
    CHECK(ops->dma_unmap(host, 0, out_iova, sizeof out, GUEST_DMA_TO_DEVICE) == 0);

    ring = ops->dma_alloc(host, 0, 4096, 128, &ring_iova);
    CHECK(ring != NULL && ring_iova % 128 == 0 && ring[0] == 0 && ring[4095] == 0);
    CHECK(device(GO_WRITE, ring_iova, 16) == 1);
    CHECK(ring[15] == 16);
    CHECK(device(GO_READ, ring_iova + 4096, 1) == 0);
    ops->dma_free(host, 0, ring, 4096, ring_iova);
    CHECK(device(GO_READ, ring_iova, 1) == 0);
    CHECK(ops->dma_map(host, 9, out, 4, GUEST_DMA_BOTH, 0) == 0);
    return 0;
}

static int app_registers(void) {
    const uint64_t start = now();
    write_reg(REG_SCRATCH, 0x12345678);
    CHECK(now() == start); /* Posted. */
    CHECK(read_reg(REG_SCRATCH) == 0x12345678);
    CHECK(now() == start + 1000 * NS); /* The fake device takes 1 us. */
    CHECK(ops->config_read(host, 0, 0, 4) == 0x10D38086);
    CHECK(ops->config_read(host, 0, 2, 2) == 0x10D3);
    ops->config_write(host, 0, 4, 2, 0x0006);
    CHECK(ops->config_read(host, 0, 4, 2) == 0x0006);
    CHECK(ops->mmio_read32(host, 0, 1, 0) == 0xFFFFFFFF);
    CHECK(ops->mmio_read32(host, 0, 0, 0x100000) == 0xFFFFFFFF); /* Nothing answers there. */
    CHECK(ops->mmio_read32(host, 7, 0, 0) == 0xFFFFFFFF);
    CHECK(ops->nic_count(host) == 2);
    return 0;
}

/* --- interrupts
 * --------------------------------------------------------------------------------------- */

static struct guest_event* irq_event;
static uint32_t handled;
static uint64_t handled_at;

static void on_message(void* ctx, uint32_t line) {
    interrupts++;
    handled += line + 1;
    handled_at = now();
    ops->event_notify(host, ctx);
}

static int app_msi(void) {
    uint64_t address;
    uint32_t data;
    int line, other;
    irq_event = ops->event_create(host, "irq");
    line = ops->irq_request(host, 0, GUEST_IRQ_MSIX, 0, on_message, irq_event, &address, &data);
    other = ops->irq_request(host, 0, GUEST_IRQ_MSIX, 1, on_message, irq_event, &address, &data);
    CHECK(line >= 0 && other >= 0 && line != other);
    device(GO_MESSAGE, address, data);
    CHECK(ops->event_wait(host, irq_event, now() + 10000 * NS) == 1);
    CHECK(handled == (uint32_t)other + 1);
    ops->irq_free(host, other);
    device(GO_MESSAGE, address, data); /* Nobody's any more. */
    CHECK(ops->event_wait(host, irq_event, now() + 10000 * NS) == 0);
    CHECK(ops->irq_request(host, 0, GUEST_IRQ_MSI, 1, on_message, NULL, &address, &data) ==
          -EINVAL);
    CHECK(ops->irq_request(host, 0, 9, 0, on_message, NULL, &address, &data) == -EINVAL);
    CHECK(ops->irq_request(host, 5, GUEST_IRQ_MSI, 0, on_message, NULL, &address, &data) ==
          -EINVAL);
    return 0;
}

static int app_intx(void) {
    int line, i;
    irq_event = ops->event_create(host, "irq");
    write_reg(REG_GO, GO_ASSERT);
    line = ops->irq_request(host, 0, GUEST_IRQ_INTX, 0, on_message, irq_event, NULL, NULL);
    CHECK(line >= 0); /* A level that was there before is delivered. */
    CHECK(ops->irq_request(host, 0, GUEST_IRQ_INTX, 0, on_message, NULL, NULL, NULL) == -EBUSY);
    for (i = 0; i < 3; i++) {
        CHECK(ops->event_wait(host, irq_event, now() + 1000 * NS) == 1);
        CHECK(ops->event_wait(host, irq_event, now() + 1000 * NS) == 0); /* Not before the EOI. */
        if (i == 2) write_reg(REG_GO, GO_DEASSERT);
        ops->irq_eoi(host, line);
    }
    CHECK(ops->event_wait(host, irq_event, now() + 1000 * NS) == 0);
    CHECK(handled == 3 * ((uint32_t)line + 1));
    return 0;
}

/* --- files
 * -------------------------------------------------------------------------------------------- */

static int app_copy(const char* from, const char* to) {
    char buffer[1460];
    struct guest_file* in = ops->file_open(host, from, 0);
    struct guest_file* out;
    int64_t got, total = 0;
    if (in == NULL) return ENOENT;
    out = ops->file_open(host, to, 1);
    CHECK(out != NULL);
    while ((got = ops->file_read(host, in, buffer, sizeof buffer)) > 0) {
        CHECK(ops->file_write(host, out, buffer, (uint32_t)got) == got);
        total += got;
    }
    CHECK(got == 0);
    CHECK(ops->file_size(host, in) == total && ops->file_size(host, out) == total);
    CHECK(ops->file_write(host, in, buffer, 1) == -EBADF);
    CHECK(ops->file_read(host, out, buffer, 1) == -EBADF);
    ops->file_close(host, in);
    ops->file_close(host, out);
    CHECK(ops->file_read(host, in, buffer, 1) == -EBADF);
    return 0;
}

/* --- misuse
 * --------------------------------------------------------------------------------------------- */

static void blocking_handler(void* ctx, uint32_t line) {
    (void)line;
    ops->event_wait(host, ctx, now() + NS);
    note('x');
}

static int app_blocking_handler(void) {
    uint64_t address;
    uint32_t data;
    ops->irq_request(host, 0, GUEST_IRQ_MSI, 0, blocking_handler, ops->event_create(host, "irq"),
                     &address, &data);
    device(GO_MESSAGE, address, data);
    sleep_until(now() + 10000 * NS);
    CHECK(order[0] == 'x');
    return 0;
}

static struct guest_event* shared_event;
static void second_waiter(void* arg) {
    (void)arg;
    ops->event_wait(host, shared_event, GUEST_NEVER);
    note('y'); /* Must never get here. */
}

static int app_two_waiters(void) {
    shared_event = ops->event_create(host, "shared");
    ops->thread_create(host, "second", second_waiter, NULL, 0);
    ops->event_wait(host, shared_event, now() + 10 * NS);
    sleep_until(now() + 10 * NS);
    CHECK(order[0] == 0);
    return 0;
}

static int app_panic(void) {
    ops->panic(host, "this is the end");
    note('z');
    return 0;
}

static int app_report(void) {
    struct guest_report good = {62, 5, 6, {1, 2, 3, 4}, 2000};
    struct guest_report bad = {9999, 0, 0, {0, 0, 0, 0}, 0};
    char text[64];
    if (ops->reporting(host)) ops->report(host, &good);
    ops->report(host, &bad);
    snprintf(text, sizeof text, "random %u", ops->random(host));
    ops->log(host, GUEST_LOG_INFO, text);
    return 0;
}

/* --- the exports
 * ---------------------------------------------------------------------------------------- */

static int run(const struct guest_app* app) {
    const char* name = app->argv[0];
    if (strcmp(name, "threads") == 0) return app_threads();
    if (strcmp(name, "deadlines") == 0) return app_deadlines();
    if (strcmp(name, "dma") == 0) return app_dma();
    if (strcmp(name, "registers") == 0) return app_registers();
    if (strcmp(name, "msi") == 0) return app_msi();
    if (strcmp(name, "intx") == 0) return app_intx();
    if (strcmp(name, "blocking_handler") == 0) return app_blocking_handler();
    if (strcmp(name, "two_waiters") == 0) return app_two_waiters();
    if (strcmp(name, "panic") == 0) return app_panic();
    if (strcmp(name, "report") == 0) return app_report();
    if (strcmp(name, "copy") == 0 && app->argc == 3) return app_copy(app->argv[1], app->argv[2]);
    return -1;
}

static void app_thread(void* arg) {
    const uint32_t app = (uint32_t)(uintptr_t)arg;
    sleep_until(config->apps[app].start_ps);
    ops->app_done(host, app, run(&config->apps[app]));
}

int guest_start(const struct guest_host_ops* host_ops, struct guest_host* the_host,
                const struct guest_config* the_config) {
    uint32_t i;
    if (host_ops->size != sizeof *host_ops) return -EINVAL;
    ops = host_ops;
    host = the_host;
    config = the_config;
    for (i = 0; i < config->setting_count; i++) {
        if (strcmp(config->settings[i].name, "test.fail") == 0) return -EIO;
    }
    for (i = 0; i < config->app_count; i++) {
        ops->thread_create(host, config->apps[i].argv[0], app_thread, (void*)(uintptr_t)i, 0);
    }
    return 0;
}

void guest_metrics(guest_metric_fn visit, void* ctx) {
    visit(ctx, "test.interrupts", interrupts);
}

int guest_show(const char* table, guest_text_fn print, void* ctx) {
    if (strcmp(table, "order") != 0) return -ENOENT;
    print(ctx, "order: ");
    print(ctx, order);
    return 0;
}

const struct guest_description* guest_apps(void) {
    static const struct guest_description list[] = {{"threads", "", "", "checks threads"},
                                                    {NULL, NULL, NULL, NULL}};
    return list;
}

const struct guest_description* guest_metric_names(void) {
    static const struct guest_description none = {0};
    return &none;
}
const struct guest_description* guest_settings(void) {
    static const struct guest_description list[] = {{NULL, NULL, NULL, NULL}};
    return list;
}

uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION;
}

/* Pages that every copy has alike, until it is written. */
__attribute__((aligned(4096), visibility("default"))) unsigned char test_guest_data[8192] = {1};
