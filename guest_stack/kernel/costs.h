/* What things cost on the guest's CPU, and the kernel's limits. All are settings (cpu.*, kernel.*).
 * The costs are counted and cited: generated/cpu_costs.h, docs/adr/0009. */
#ifndef GUEST_COSTS_H
#define GUEST_COSTS_H

#include <stdint.h>

#include "guest_stack/kernel/generated/cpu_costs.h"

/* X(field, setting, default, minimum, maximum, description) */
#define GUEST_COSTS(X)                                                                          \
    GUEST_CPU_COSTS(X)                                                                          \
    X(slack_ns, "cpu.slack_ns", 300, 0, 1000000,                                                \
      "Less than this is not waited for by itself where nothing exact depends on it")           \
    X(napi_budget, "kernel.napi_budget", 64, 1, 65535, "Packets of one NAPI poll (its weight)") \
    X(netdev_budget, "kernel.netdev_budget", 300, 1, 65535, "Packets of one NET_RX softirq")    \
    X(softirq_max_restart, "kernel.softirq_max_restart", 10, 1, 1000,                           \
      "Rounds of softirqs before ksoftirqd takes over")                                         \
    X(softirq_max_us, "kernel.softirq_max_us", 2000, 1, 1000000,                                \
      "Time of softirqs before ksoftirqd takes over")                                           \
    X(timeslice_us, "kernel.timeslice_us", 3000, 1, 1000000, "Of a thread, when others wait")   \
    X(tx_batch, "kernel.tx_batch", 8, 1, 4096, "Packets sent with one doorbell at most")        \
    X(txqueuelen, "kernel.txqueuelen", 1000, 1, 65536, "Packets waiting for a stopped queue")   \
    X(backlog, "kernel.backlog", 1000, 1, 65536, "Frames waiting for the core lock")            \
    X(rx_buffers, "kernel.rx_buffers", 8192, 16, 65536,                                         \
      "Receive buffers per NIC, those in the ring and in sockets together")                     \
    X(rx_copybreak, "kernel.rx_copybreak", 256, 0, 2048,                                        \
      "Frames up to this size are copied, to keep their buffer for the ring")                   \
    X(mailbox, "kernel.mailbox", 1024, 8, 65536, "Entries of a socket's receive queue")         \
    X(ip_forward, "kernel.ip_forward", 0, 0, 1, "Forward packets between interfaces")

struct guest_costs {
#define X(field, setting, value, minimum, maximum, description) uint32_t field;
    GUEST_COSTS(X)
#undef X
};
extern struct guest_costs costs;

#endif /* GUEST_COSTS_H */
