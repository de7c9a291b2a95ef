/* Softirqs: work that a hard interrupt, a timer or the kernel itself put off, run when hard
 * interrupts are done, with them enabled. Vectors and their priority are Linux's. After
 * kSoftirqMaxRestart rounds or kernel.softirq_max_us the rest is left to ksoftirqd, a thread, so
 * that applications get the CPU as well. */
#ifndef GUEST_SOFTIRQ_H
#define GUEST_SOFTIRQ_H

#include "guest_stack/kernel/cpu.h"

enum softirq_vector {
    SOFTIRQ_HI = 0,
    SOFTIRQ_TIMER = 1,
    SOFTIRQ_NET_TX = 2,
    SOFTIRQ_NET_RX = 3,
    SOFTIRQ_BLOCK = 4,
    SOFTIRQ_IRQ_POLL = 5,
    SOFTIRQ_TASKLET = 6,
    SOFTIRQ_SCHED = 7,
    SOFTIRQ_HRTIMER = 8,
    SOFTIRQ_RCU = 9,
    SOFTIRQ_VECTORS = 10
};

/* Returns how much work it did (packets, timers). */
typedef uint64_t (*softirq_action)(void);

void softirq_init(void);
void softirq_open(enum softirq_vector vector, softirq_action action);
/* May be called by any context. */
void softirq_raise(enum softirq_vector vector);
bool softirq_is_pending(enum softirq_vector vector);
/* Starts the softirq context if there is work that ksoftirqd does not already have. */
void softirq_enter_if_pending(void);
/* True while ksoftirqd, a thread, runs softirqs: code that may not block. */
bool softirq_in_thread(void);

struct softirq_counters {
    uint64_t count[SOFTIRQ_VECTORS];
    uint64_t busy_ps[SOFTIRQ_VECTORS];
    uint64_t ksoftirqd_runs;
    uint64_t wait_max_ps; /* from raise to the handler */
};
const struct softirq_counters* softirq_counters(void);
const char* softirq_name(enum softirq_vector vector);

#endif /* GUEST_SOFTIRQ_H */
