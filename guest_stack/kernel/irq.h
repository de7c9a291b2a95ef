/* Hard interrupts. The host's interrupt controller calls a handler in the middle of anything; it
 * only marks the line and takes the CPU's highest level. The work (acknowledge, mask, schedule) is
 * done by the irq context, a coroutine of its own. The local timer is an interrupt like any other:
 * it raises the TIMER softirq. */
#ifndef GUEST_IRQ_H
#define GUEST_IRQ_H

#include "guest_stack/kernel/cpu.h"

#define IRQ_MAX_LINES 64u

typedef void (*irq_action)(void* context);

struct irq_line {
    int line;        /* the host's number, < 0: free */
    uint32_t number; /* ours: 1.. (0 is the timer) */
    irq_action action;
    void* context;
    bool pending;
    uint64_t pending_since;
    uint64_t count;
    const char* name;
};

void irq_init(void);

/* Asks the host for interrupt `index` of a NIC. Returns a line, or NULL with the host's refusal in
 * *error. */
struct irq_line* irq_request(uint32_t nic, uint32_t kind, uint32_t index, irq_action action,
                             void* context, uint64_t* address, uint32_t* data, int* error);
void irq_free(struct irq_line* line);

/* Takes the highest level if an interrupt waits and nothing prevents it. */
void irq_enter_if_pending(void);
/* The earliest timer has changed: the irq context must look again. */
void irq_timer_changed(void);

struct irq_counters {
    uint64_t interrupts, timer_interrupts;
    uint64_t busy_ps; /* with interrupts off */
    uint64_t longest_ps;
    uint64_t latency_max_ps; /* from the controller's call to the handler */
    uint64_t latency_sum_ps;
};
const struct irq_counters* irq_counters(void);
/* Visits lines in use, in the order they were requested. */
const struct irq_line* irq_line_at(uint32_t index);

#endif /* GUEST_IRQ_H */
