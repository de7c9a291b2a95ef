#include "guest_stack/apps/metrics.h"

#include <stdio.h>

#include "guest_stack/kernel/irq.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/softirq.h"
#include "guest_stack/port/core_lock.h"
#include "guest_stack/port/flow.h"
#include "guest_stack/port/stack.h"

/* --- of the host
 * -------------------------------------------------------------------------------------- */

static uint64_t ns(uint64_t ps) {
    return ps / PS_PER_NS;
}

static uint64_t goodput_bps(void) {
    const struct tcp_totals* totals = syscalls_tcp_totals();
    const uint64_t bytes =
        totals->received_bytes != 0 ? totals->received_bytes : totals->sent_bytes;
    const uint64_t ps = totals->last_ps - totals->first_ps;
    return ps == 0 ? 0 : (uint64_t)((double)bytes * 8.0 * (double)PS_PER_S / (double)ps);
}

static uint64_t ksoftirqd_runs(void) {
    return softirq_counters()->ksoftirqd_runs;
}
static uint64_t softirq_wait_max(void) {
    return ns(softirq_counters()->wait_max_ps);
}
static uint64_t irq_count(void) {
    return irq_counters()->interrupts;
}
static uint64_t irq_timer_count(void) {
    return irq_counters()->timer_interrupts;
}
static uint64_t irq_busy(void) {
    return ns(irq_counters()->busy_ps);
}
static uint64_t irq_longest(void) {
    return ns(irq_counters()->longest_ps);
}
static uint64_t irq_latency_max(void) {
    return ns(irq_counters()->latency_max_ps);
}
static uint64_t irq_latency_mean(void) {
    const struct irq_counters* c = irq_counters();
    const uint64_t count = c->interrupts + c->timer_interrupts;
    return count == 0 ? 0 : ns(c->latency_sum_ps / count);
}
static uint64_t busy_thread(void) {
    return ns(cpu.busy_ps[CPU_THREAD]);
}
static uint64_t busy_softirq(void) {
    return ns(cpu.busy_ps[CPU_SOFTIRQ]);
}
static uint64_t busy_hardirq(void) {
    return ns(cpu.busy_ps[CPU_HARDIRQ]);
}
static uint64_t busy_all(void) {
    return busy_thread() + busy_softirq() + busy_hardirq();
}
static uint64_t blocked_send(void) {
    return ns(thread_blocked_ps(BLOCK_SEND_BUFFER));
}
static uint64_t blocked_receive(void) {
    return ns(thread_blocked_ps(BLOCK_RECEIVE_BUFFER));
}
static uint64_t blocked_connection(void) {
    return ns(thread_blocked_ps(BLOCK_CONNECTION));
}
static uint64_t blocked_lock(void) {
    return ns(thread_blocked_ps(BLOCK_LOCK));
}
static uint64_t core_contended(void) {
    return core_lock_counters()->contended;
}
static uint64_t core_backlogged(void) {
    return core_lock_counters()->backlogged;
}
static uint64_t core_backlog_max(void) {
    return core_lock_counters()->backlog_max;
}
static uint64_t core_backlog_dropped(void) {
    return core_lock_counters()->backlog_dropped;
}
static uint64_t received(void) {
    return syscalls_tcp_totals()->received_bytes;
}
static uint64_t sent(void) {
    return syscalls_tcp_totals()->sent_bytes;
}
static uint64_t connections(void) {
    return syscalls_tcp_totals()->connections;
}
static uint64_t segments(void) {
    return flow_totals()->segments;
}
static uint64_t retransmitted(void) {
    return flow_totals()->retransmitted_segments;
}
static uint64_t retransmitted_bytes(void) {
    return flow_totals()->retransmitted_bytes;
}
static uint64_t timeouts(void) {
    return stack.counters.timeouts;
}
static uint64_t fast_retransmits(void) {
    return stack.counters.fast_retransmits;
}
static uint64_t window_probes(void) {
    return stack.counters.window_probes;
}
static uint64_t arp_hits(void) {
    return stack.counters.arp_hits;
}
static uint64_t arp_misses(void) {
    return stack.counters.arp_misses;
}
static uint64_t arp_resolved(void) {
    return stack.counters.arp_resolved;
}
static uint64_t arp_given_up(void) {
    return stack.counters.arp_given_up;
}
static uint64_t arp_wait_max(void) {
    return ns(stack.counters.arp_wait_max_ps);
}
static uint64_t routes_missing(void) {
    return stack.counters.routes_missing;
}
static uint64_t ip_bad(void) {
    return stack.counters.rx_ip_checksum_bad;
}
static uint64_t l4_bad(void) {
    return stack.counters.rx_l4_checksum_bad;
}
static uint64_t by_software(void) {
    return stack.counters.checksums_in_software;
}
static uint64_t by_nic(void) {
    return stack.counters.checksums_by_nic;
}
static uint64_t tx_no_memory(void) {
    return stack.counters.tx_no_memory;
}

struct host_metric {
    const char* name;
    uint64_t (*value)(void);
    const char* description;
};

static const struct host_metric kHost[] = {
    {"cpu.busy_ns", busy_all, "CPU time used"},
    {"cpu.thread_ns", busy_thread, "CPU time of threads, ksoftirqd included"},
    {"cpu.softirq_ns", busy_softirq, "CPU time of softirqs"},
    {"cpu.hardirq_ns", busy_hardirq, "CPU time of hard interrupts"},
    {"cpu.context_switches", thread_switches, "Switches from one thread to another"},
    {"cpu.syscalls", syscalls_count, "System calls"},
    {"irq.count", irq_count, "Device interrupts handled"},
    {"irq.timer", irq_timer_count, "Local timer interrupts handled"},
    {"irq.busy_ns", irq_busy, "Time in hard interrupts: with interrupts off"},
    {"irq.longest_ns", irq_longest, "Longest hard interrupt"},
    {"irq.latency_mean_ns", irq_latency_mean, "From the controller's call to the handler, mean"},
    {"irq.latency_max_ns", irq_latency_max, "From the controller's call to the handler, worst"},
    {"softirq.wait_max_ns", softirq_wait_max, "From raise to handler, worst"},
    {"ksoftirqd.runs", ksoftirqd_runs, "Times ksoftirqd ran softirqs"},
    {"core_lock.contended", core_contended, "Times a thread had to wait for lwIP's lock"},
    {"core_lock.backlogged", core_backlogged, "Frames left to the thread that held the lock"},
    {"core_lock.backlog_max", core_backlog_max, "Most frames waiting there"},
    {"core_lock.backlog_dropped", core_backlog_dropped, "Frames dropped: kernel.backlog reached"},
    {"socket.send_blocked_ns", blocked_send, "Time threads waited for room in a send buffer"},
    {"socket.receive_blocked_ns", blocked_receive, "Time threads waited for data"},
    {"socket.connect_blocked_ns", blocked_connection, "Time in connect and accept"},
    {"socket.lock_blocked_ns", blocked_lock, "Time threads waited for locks"},
    {"tcp.goodput_bps", goodput_bps,
     "Bytes readers got (writers gave, on a host without readers) over the time from the first "
     "connection to the last read"},
    {"tcp.received_bytes", received, "Bytes readers got"},
    {"tcp.sent_bytes", sent, "Bytes writers gave"},
    {"tcp.connections", connections, "Connections made and accepted"},
    {"tcp.open_connections", flow_open_count, "Connections that have not ended"},
    {"tcp.data_segments", segments, "Segments with data sent, retransmissions included"},
    {"tcp.retransmissions", retransmitted, "Segments that repeat bytes sent before"},
    {"tcp.retransmissions_segments", retransmitted, "The same"},
    {"tcp.retransmissions_bytes", retransmitted_bytes, "Bytes sent again"},
    {"tcp.timeouts", timeouts, "Retransmission timeouts"},
    {"tcp.fast_retransmits", fast_retransmits, "Retransmissions after three duplicate ACKs"},
    {"tcp.window_probes", window_probes, "Probes of a window the peer had closed"},
    {"arp.hits", arp_hits, "Packets whose next hop was known"},
    {"arp.misses", arp_misses, "Packets that had to wait for their next hop's address"},
    {"arp.resolved", arp_resolved, "Next hops that answered"},
    {"arp.given_up", arp_given_up, "Next hops that did not"},
    {"arp.wait_max_ns", arp_wait_max, "Longest time to an answer"},
    {"ip.no_route", routes_missing, "Look-ups without a route"},
    {"ip.checksum_bad", ip_bad, "Received IPv4 headers with a wrong checksum"},
    {"l4.checksum_bad", l4_bad, "Received TCP and UDP packets with a wrong checksum"},
    {"checksum.software", by_software, "Checksums the CPU computed"},
    {"checksum.nic", by_nic, "Checksums left to the NIC"},
    {"tx.no_memory", tx_no_memory, "Packets refused: nothing left to describe them with"},
};
#define HOST_METRICS (sizeof kHost / sizeof kHost[0])

/* --- of a NIC
 * ------------------------------------------------------------------------------------------ */

struct field {
    const char* name;
    size_t offset;
    const char* description;
};

#define KERNEL(field) offsetof(struct netdev_counters, field)
static const struct field kNic[] = {
    {"napi.polls", KERNEL(polls), "NAPI polls"},
    {"napi.packets", KERNEL(poll_packets), "Buffers handled in polls"},
    {"napi.poll_max", KERNEL(poll_max), "Most in one poll"},
    {"napi.budget_exhausted", KERNEL(budget_exhausted), "Polls that used up their budget"},
    {"tx.queue_stops", KERNEL(queue_stops), "Times the transmit ring was full"},
    {"tx.queue_restarts", KERNEL(queue_restarts), "Times it went on"},
    {"tx.queued_max", KERNEL(queued_max), "Most packets waiting for the ring"},
    {"drops.tx_no_carrier", KERNEL(tx_no_carrier), "Packets sent while the link was down"},
    {"drops.tx_queue_full", KERNEL(tx_queue_full), "Packets given back to the sender: queue full"},
    {"drops.tx_invalid", KERNEL(tx_invalid), "Packets the driver refused"},
    {"drops.rx_vlan", KERNEL(rx_vlan_drops), "Frames of a VLAN nobody is in"},
    {"drops.rx_error", KERNEL(rx_error_drops), "Frames the driver marked as damaged"},
    {"drops.rx_unclaimed", KERNEL(rx_unclaimed), "Frames without a receiver"},
    {"rx.copied", KERNEL(rx_copied), "Small frames copied to keep their buffer"},
    {"rx.buffers_exhausted", KERNEL(rx_buffers_exhausted), "Times no buffer was left for the ring"},
    {"link.changes", KERNEL(link_changes), "Times the link came or went"},
    {"resets", KERNEL(resets), "Resets after a hung transmitter"},
};
#undef KERNEL
#define NIC_METRICS (sizeof kNic / sizeof kNic[0])

#define DRIVER(field) offsetof(struct nic_counters, field)
static const struct field kDriver[] = {
    {"driver.tx_packets", DRIVER(tx_packets), "Packets the chip has given back as sent"},
    {"driver.tx_bytes", DRIVER(tx_bytes), "Their bytes"},
    {"driver.tx_descriptors", DRIVER(tx_descriptors), "Descriptors written"},
    {"driver.tx_doorbells", DRIVER(tx_doorbells), "Writes of TDT"},
    {"driver.tx_ring_full", DRIVER(tx_ring_full), "Packets that found no room"},
    {"driver.rx_packets", DRIVER(rx_packets), "Packets taken from the ring"},
    {"driver.rx_bytes", DRIVER(rx_bytes), "Their bytes"},
    {"drops.rx_invalid", DRIVER(rx_errors), "Frames the driver gave back: damaged or too long"},
    {"driver.rx_doorbells", DRIVER(rx_doorbells), "Writes of RDT"},
    {"drops.rx_no_buffer", DRIVER(rx_no_buffer),
     "Frames received while no fresh buffer was left for the ring"},
    {"driver.interrupts", DRIVER(interrupts), "Interrupts that were the device's"},
    {"driver.resets", DRIVER(resets), "Resets"},
};
#undef DRIVER
#define DRIVER_METRICS (sizeof kDriver / sizeof kDriver[0])

static uint64_t field_value(const void* base, const struct field* field) {
    return *(const uint64_t*)(const void*)((const char*)base + field->offset);
}

struct statistics {
    guest_metric_fn visit;
    void* context;
    uint32_t nic;
};

static void visit_statistic(void* context, const char* name, uint64_t value) {
    const struct statistics* to = context;
    char text[64];
    (void)snprintf(text, sizeof text, "nic%u.stats.%s", to->nic, name);
    to->visit(to->context, text, value);
}

static void visit_nic(const struct netdev* dev, guest_metric_fn visit, void* context) {
    char name[64];
    for (size_t i = 0; i < NIC_METRICS; ++i) {
        (void)snprintf(name, sizeof name, "nic%u.%s", dev->index, kNic[i].name);
        visit(context, name, field_value(&dev->counters, &kNic[i]));
    }
    for (size_t i = 0; i < DRIVER_METRICS; ++i) {
        (void)snprintf(name, sizeof name, "nic%u.%s", dev->index, kDriver[i].name);
        visit(context, name, field_value(nic_counters(dev->nic), &kDriver[i]));
    }
    struct statistics to = {visit, context, dev->index};
    nic_stats_visit(dev->nic, visit_statistic, &to);
}

/* --- of an application
 * ---------------------------------------------------------------------------------- */

static uint64_t app_bytes(const struct app* app) {
    return app->bytes;
}
static uint64_t app_duration(const struct app* app) {
    return app->end_ps > app->start_ps ? ns(app->end_ps - app->start_ps) : 0;
}
static uint64_t app_goodput(const struct app* app) {
    const uint64_t duration_ns = app_duration(app);
    return duration_ns == 0 ? 0 : (uint64_t)((double)app->bytes * 8e9 / (double)duration_ns);
}
static uint64_t app_operations(const struct app* app) {
    return app->operations;
}
static uint64_t app_lost(const struct app* app) {
    return app->lost;
}
static uint64_t app_errors(const struct app* app) {
    return app->errors;
}

struct app_metric {
    const char* name;
    uint64_t (*value)(const struct app*);
    const char* description;
};

static const struct app_metric kApp[] = {
    {"bytes", app_bytes, "Bytes it sent or received"},
    {"duration_ns", app_duration, "From its connection (or start) to its end"},
    {"goodput_bps", app_goodput, "Bytes over duration"},
    {"operations", app_operations, "Requests answered, echoes, packets"},
    {"lost", app_lost, "Requests without an answer, packets missing"},
    {"errors", app_errors, "Answers or packets that were wrong"},
};
#define APP_METRICS (sizeof kApp / sizeof kApp[0])

struct quantile {
    const char* name;
    uint32_t per_mille;
    const char* description;
};
static const struct quantile kQuantiles[] = {
    {"latency_p50_ns", 500, "Median latency"},
    {"latency_p90_ns", 900, "90th percentile"},
    {"latency_p99_ns", 990, "99th percentile"},
    {"latency_max_ns", 1000, "Worst latency"},
};
#define QUANTILES (sizeof kQuantiles / sizeof kQuantiles[0])

static void visit_app(const struct app* app, guest_metric_fn visit, void* context) {
    char name[64];
    for (size_t i = 0; i < APP_METRICS; ++i) {
        (void)snprintf(name, sizeof name, "app.%u.%s", app->index, kApp[i].name);
        visit(context, name, kApp[i].value(app));
    }
    if (app->latency == NULL) {
        return;
    }
    for (size_t i = 0; i < QUANTILES; ++i) {
        (void)snprintf(name, sizeof name, "app.%u.%s", app->index, kQuantiles[i].name);
        visit(context, name, latency_percentile(app->latency, kQuantiles[i].per_mille));
    }
    (void)snprintf(name, sizeof name, "app.%u.latency_min_ns", app->index);
    visit(context, name, app->latency->minimum_ns);
    (void)snprintf(name, sizeof name, "app.%u.latency_mean_ns", app->index);
    visit(context, name, app->latency->count == 0 ? 0 : app->latency->sum_ns / app->latency->count);
}

/* --- all */

void metrics_visit(const struct app* apps, uint32_t count, guest_metric_fn visit, void* context) {
    char name[64];
    for (size_t i = 0; i < HOST_METRICS; ++i) {
        visit(context, kHost[i].name, kHost[i].value());
    }
    for (enum softirq_vector vector = SOFTIRQ_HI; vector < SOFTIRQ_VECTORS; ++vector) {
        (void)snprintf(name, sizeof name, "softirq.%s", softirq_name(vector));
        visit(context, name, softirq_counters()->count[vector]);
        (void)snprintf(name, sizeof name, "softirq.%s_ns", softirq_name(vector));
        visit(context, name, ns(softirq_counters()->busy_ps[vector]));
    }
    for (uint32_t nic = 0; nic < NETDEV_MAX; ++nic) {
        const struct netdev* dev = netdev_at(nic);
        if (dev != NULL) {
            visit_nic(dev, visit, context);
        }
    }
    for (uint32_t i = 0; i < count; ++i) {
        visit_app(&apps[i], visit, context);
    }
}

const struct guest_description* metrics_describe(void) {
    enum { kTotal = HOST_METRICS + 3 + NIC_METRICS + DRIVER_METRICS + APP_METRICS + QUANTILES + 3 };
    static struct guest_description list[kTotal];
    static char names[kTotal][64];
    size_t used = 0;
#define ADD(what, ...)                                                      \
    do {                                                                    \
        (void)snprintf(names[used], sizeof names[used], __VA_ARGS__);       \
        list[used] = (struct guest_description){names[used], "", "", what}; \
        ++used;                                                             \
    } while (0)
    for (size_t i = 0; i < HOST_METRICS; ++i) {
        ADD(kHost[i].description, "%s", kHost[i].name);
    }
    ADD("Times a softirq vector ran: hi, timer, net_tx, net_rx, block, irq_poll, tasklet, sched, "
        "hrtimer, rcu",
        "softirq.<VECTOR>");
    ADD("CPU time of a softirq vector", "softirq.<VECTOR>_ns");
    for (size_t i = 0; i < NIC_METRICS; ++i) {
        ADD(kNic[i].description, "nic<n>.%s", kNic[i].name);
    }
    for (size_t i = 0; i < DRIVER_METRICS; ++i) {
        ADD(kDriver[i].description, "nic<n>.%s", kDriver[i].name);
    }
    ADD("The chip's statistics by their datasheet names, as the driver read them",
        "nic<n>.stats.<NAME>");
    for (size_t i = 0; i < APP_METRICS; ++i) {
        ADD(kApp[i].description, "app.<i>.%s", kApp[i].name);
    }
    for (size_t i = 0; i < QUANTILES; ++i) {
        ADD(kQuantiles[i].description, "app.<i>.%s", kQuantiles[i].name);
    }
    ADD("Best latency", "app.<i>.latency_min_ns");
    ADD("Mean latency", "app.<i>.latency_mean_ns");
#undef ADD
    list[used] = (struct guest_description){NULL, NULL, NULL, NULL};
    return list;
}
