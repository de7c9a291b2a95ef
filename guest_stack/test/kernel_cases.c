/* An image without a stack: small programs on the guest kernel, chosen by the host's name. They
 * note what happens and when; kernel_test.cpp compares. All costs are zero unless a case says
 * otherwise, so that the arithmetic is exact. */
#include <string.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/irq.h"
#include "guest_stack/kernel/settings.h"
#include "guest_stack/kernel/softirq.h"
#include "guest_stack/kernel/thread.h"
#include "guest_stack/kernel/timer.h"

#define EXPORTED __attribute__((visibility("default")))

static void note(const char* text) {
    kernel_log(GUEST_LOG_INFO, "%llu %s", (unsigned long long)(kernel_now() / PS_PER_NS), text);
}

static void spend_us(uint32_t us) {
    cpu_charge(us * 1000);
    cpu_settle();
}

static void at_us(uint64_t us) {
    thread_sleep_until(us * PS_PER_US);
}

/* --- interrupts: the test host's cable change is interrupt 1 of NIC 0 ------------------------ */

static uint32_t irq_us;
static bool irq_raises;

static void on_irq(void* context) {
    (void)context;
    note("irq begins");
    cpu_charge(irq_us * 1000);
    if (irq_raises) {
        softirq_raise(SOFTIRQ_NET_RX);
    }
}

static void take_interrupts(void) {
    uint64_t address = 0;
    uint32_t data = 0;
    int error = 0;
    if (irq_request(0, GUEST_IRQ_MSIX, 1, on_irq, NULL, &address, &data, &error) == NULL) {
        kernel_panic("no interrupt");
    }
}

static uint32_t softirq_us;

static uint64_t on_softirq(void) {
    note("softirq begins");
    spend_us(softirq_us);
    note("softirq ends");
    return 1;
}

/* --- the cases ------------------------------------------------------------------------------- */

static void long_work(void* unused) {
    (void)unused;
    note("thread begins");
    spend_us(100);
    note("thread ends");
}

static void case_stolen(void) {
    irq_us = 10;
    irq_raises = true;
    softirq_us = 20;
    take_interrupts();
    softirq_open(SOFTIRQ_NET_RX, on_softirq);
    (void)thread_create("worker", long_work, NULL);
}

static void short_worker(void* argument) {
    const char* name = argument;
    note(name);
    spend_us(10);
    note(name);
}

static void case_fifo(void) {
    static char names[3][8] = {"one", "two", "three"};
    for (int i = 0; i < 3; ++i) {
        (void)thread_create(names[i], short_worker, names[i]);
    }
}

/* A thread that never blocks shares the CPU by time slices. */
static void hog(void* argument) {
    const char* name = argument;
    for (int i = 0; i < 4; ++i) {
        note(name);
        spend_us(60);
    }
}

static void case_slices(void) {
    static char names[2][8] = {"hog a", "hog b"};
    costs.timeslice_us = 100;
    (void)thread_create("a", hog, names[0]);
    (void)thread_create("b", hog, names[1]);
}

static struct wait_queue queue;
static struct thread* sleeper;

static void sleeper_main(void* unused) {
    (void)unused;
    note(thread_block(&queue, 50 * PS_PER_US, BLOCK_LOCK) ? "woken" : "timed out");
    note(thread_block(&queue, 100 * PS_PER_US, BLOCK_LOCK) ? "woken" : "timed out");
    note(thread_block(&queue, 90 * PS_PER_US, BLOCK_LOCK) ? "woken" : "timed out at once");
}

static void waker_main(void* unused) {
    (void)unused;
    at_us(70);
    thread_wake_all(&queue);
    note("wakes");
    spend_us(5);
}

static void case_block(void) {
    sleeper = thread_create("sleeper", sleeper_main, NULL);
    (void)thread_create("waker", waker_main, NULL);
}

/* The sleeper's deadline comes while the CPU is another thread's. */
static void busy_main(void* unused) {
    (void)unused;
    at_us(40);
    spend_us(30);
    note("busy ends");
}

static void case_late(void) {
    sleeper = thread_create("sleeper", sleeper_main, NULL);
    (void)thread_create("busy", busy_main, NULL);
}

/* A softirq that always raises itself again leaves room for threads. */
static uint32_t rounds;

static uint64_t endless(void) {
    spend_us(10);
    if (++rounds < 60) {
        softirq_raise(SOFTIRQ_TASKLET);
    } else {
        note("softirqs end");
    }
    return 1;
}

static void starved(void* unused) {
    (void)unused;
    softirq_raise(SOFTIRQ_TASKLET);
    for (int i = 0; i < 3; ++i) {
        spend_us(1);
        note("thread runs");
        thread_yield();
    }
}

static void case_ksoftirqd(void) {
    softirq_open(SOFTIRQ_TASKLET, endless);
    (void)thread_create("starved", starved, NULL);
}

static uint64_t named(const char* name) {
    note(name);
    return 1;
}
static uint64_t on_hi(void) {
    return named("hi");
}
static uint64_t on_net_tx(void) {
    return named("net_tx");
}
static uint64_t on_net_rx(void) {
    return named("net_rx");
}

static void raise_main(void* unused) {
    (void)unused;
    softirq_raise(SOFTIRQ_NET_RX);
    softirq_raise(SOFTIRQ_NET_TX);
    softirq_raise(SOFTIRQ_HI);
    softirq_raise(SOFTIRQ_HI);
    note("raised");
    spend_us(1);
    note("after");
}

static void case_priorities(void) {
    softirq_open(SOFTIRQ_HI, on_hi);
    softirq_open(SOFTIRQ_NET_TX, on_net_tx);
    softirq_open(SOFTIRQ_NET_RX, on_net_rx);
    (void)thread_create("raiser", raise_main, NULL);
}

/* A load from the device takes 800 ns on the test host; nothing gets in before it retires. */
static void loader(void* unused) {
    (void)unused;
    at_us(10);
    cpu_stall_begin();
    (void)kernel.ops->mmio_read32(kernel.host, 0, 0, 0);
    note("loaded");
    cpu_stall_end();
    note("goes on");
}

static void case_stall(void) {
    irq_us = 3;
    take_interrupts();
    (void)thread_create("loader", loader, NULL);
}

static void on_timer(struct timer* timer) {
    note(timer->context);
}

static void timers_main(void* unused) {
    (void)unused;
    static struct timer a = {.action = on_timer, .context = "a"};
    static struct timer b = {.action = on_timer, .context = "b"};
    static struct timer c = {.action = on_timer, .context = "c"};
    static struct timer d = {.action = on_timer, .context = "d"};
    timer_arm(&a, 30 * PS_PER_US);
    timer_arm(&b, 20 * PS_PER_US);
    timer_arm(&c, 20 * PS_PER_US);
    timer_arm(&d, 20 * PS_PER_US); /* the same time: in the order of arming */
    timer_arm(&a, 10 * PS_PER_US); /* again: earlier */
    timer_cancel(&c);
    at_us(40);
    timer_arm(&c, 5 * PS_PER_US); /* already past */
}

/* A timer that is due while a load is under way. */
static void loader_with_timer(void* unused) {
    static struct timer timer = {.action = on_timer, .context = "timer"};
    timer_arm(&timer, 10300 * PS_PER_NS);
    loader(unused);
}

static void case_stall_timer(void) {
    (void)thread_create("loader", loader_with_timer, NULL);
}

static void case_timers(void) {
    (void)thread_create("timers", timers_main, NULL);
}

static void costly_block(void* unused) {
    (void)unused;
    cpu_charge(200);
    thread_sleep_until(kernel_now() + 10 * PS_PER_US);
    note("small charge carried");
    cpu_settle();
    note("and paid");
    cpu_charge(400);
    thread_sleep_until(kernel_now() + 10 * PS_PER_US);
    note("large charge paid first");
}

static void case_slack(void) {
    costs.slack_ns = 300;
    (void)thread_create("costly", costly_block, NULL);
}

static void panics(void* unused) {
    (void)unused;
    softirq_raise(SOFTIRQ_HI);
}

static uint64_t blocks(void) {
    thread_sleep_until(kernel_now() + 1);
    return 0;
}

static void case_blocking_softirq(void) {
    softirq_open(SOFTIRQ_HI, blocks);
    (void)thread_create("panics", panics, NULL);
}

static const struct {
    const char* name;
    void (*start)(void);
} kCases[] = {{"stolen", case_stolen},
              {"fifo", case_fifo},
              {"slices", case_slices},
              {"block", case_block},
              {"late", case_late},
              {"ksoftirqd", case_ksoftirqd},
              {"priorities", case_priorities},
              {"stall", case_stall},
              {"timers", case_timers},
              {"stall_timer", case_stall_timer},
              {"slack", case_slack},
              {"blocking_softirq", case_blocking_softirq}};

EXPORTED int guest_start(const struct guest_host_ops* ops, struct guest_host* host,
                         const struct guest_config* config) {
    kernel_init(ops, host, config->host_name);
    memset(&costs, 0, sizeof costs);
    costs.softirq_max_restart = 10;
    costs.softirq_max_us = 2000;
    costs.timeslice_us = 1000000;
    irq_init();
    softirq_init();
    timer_init();
    for (size_t i = 0; i < sizeof kCases / sizeof kCases[0]; ++i) {
        if (strcmp(kCases[i].name, config->host_name) == 0) {
            kCases[i].start();
            return 0;
        }
    }
    return -1;
}

static void text(guest_metric_fn visit, void* context, const char* name, uint64_t value) {
    visit(context, name, value);
}

EXPORTED void guest_metrics(guest_metric_fn visit, void* context) {
    text(visit, context, "busy.thread", cpu.busy_ps[CPU_THREAD] / PS_PER_NS);
    text(visit, context, "busy.softirq", cpu.busy_ps[CPU_SOFTIRQ] / PS_PER_NS);
    text(visit, context, "busy.hardirq", cpu.busy_ps[CPU_HARDIRQ] / PS_PER_NS);
    text(visit, context, "ksoftirqd.runs", softirq_counters()->ksoftirqd_runs);
    text(visit, context, "softirq.tasklet", softirq_counters()->count[SOFTIRQ_TASKLET]);
    text(visit, context, "softirq.hi", softirq_counters()->count[SOFTIRQ_HI]);
    text(visit, context, "irq.latency_max", irq_counters()->latency_max_ps / PS_PER_NS);
}

/* kernel.c's settings need a driver's defaults; there is no driver here. */
void nic_config_default(struct nic_config* config) {
    *config = (struct nic_config){0};
}
int nic_config_check(const struct nic_config* config, struct nic_config_demand* unmet) {
    (void)config;
    (void)unmet;
    return 0;
}
