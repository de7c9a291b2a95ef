/* The one CPU of a host, and who has it.
 *
 * Three levels: hard interrupts preempt softirqs, softirqs preempt threads. A context is a
 * coroutine; its C code runs in no simulated time and charges what it costs (cpu_charge). Charges
 * accumulate and become a wait (cpu_settle) only before something observable: a register access, a
 * block, the end of a handler. Higher levels may run during that wait; what they took is "stolen"
 * and waited for again, so a context's own time is exact and it never executes while a higher level
 * is active.
 *
 *      hard irq            ____                  occupied by the irq context
 *      softirq         ____    ______            stolen from the thread, resumed after the irq
 *      thread     _____              _______     one wait, extended by what was stolen
 *
 * A level is occupied from the moment its context is chosen (by an interrupt, a raise, the
 * scheduler) until it leaves, and only the highest occupied level executes. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include "guest_stack/kernel/kernel.h"

enum cpu_level { CPU_THREAD = 0, CPU_SOFTIRQ = 1, CPU_HARDIRQ = 2, CPU_LEVELS = 3 };

struct cpu_context {
    const char* name;
    enum cpu_level level;
    struct guest_event* event; /* the only one its coroutine ever waits on */
    uint64_t charged_ps;       /* cost of code that ran but was not waited for yet */
    uint64_t busy_ps;          /* CPU time it has used */
    bool parked;               /* waits without a deadline until a higher level leaves */
};

struct cpu {
    struct cpu_context* current; /* whose C code is executing */
    struct cpu_context* holder[CPU_LEVELS];
    uint64_t stolen_ps[CPU_LEVELS];   /* time during which a level above was occupied */
    uint64_t above_since[CPU_LEVELS]; /* begin of the current such time */
    uint64_t busy_ps[CPU_LEVELS];
    bool stalled; /* a load from a device is under way: not even an interrupt gets in */
    struct cpu_context* stalled_by;
    uint64_t stalled_since;
};
extern struct cpu cpu;

void cpu_context_init(struct cpu_context* context, const char* name, enum cpu_level level);

static inline void cpu_charge_ps(uint64_t cost_ps) {
    cpu.current->charged_ps += cost_ps;
}
static inline void cpu_charge(uint32_t cost_ns) {
    cpu_charge_ps((uint64_t)cost_ns * PS_PER_NS);
}
static inline void cpu_charge_bytes(uint64_t bytes, uint32_t per_byte_ps) {
    cpu_charge_ps(bytes * per_byte_ps);
}

/* BLOCKS until everything charged has been spent and nothing above this level is active. */
void cpu_settle(void);
/* The same where nothing exact depends on it: what is less than cpu.slack_ns is carried to the
 * context's next wait instead, which saves a resumption. */
void cpu_settle_roughly(void);
/* BLOCKS while something above this level is active, spends nothing. */
void cpu_wait_turn(struct cpu_context* context);

/* Around a load from a device: the CPU waits for the answer and does nothing else. */
void cpu_stall_begin(void);
/* The same around a store, which seldom waits (for credit of the link) and so settles nothing. */
void cpu_store_begin(void);
void cpu_stall_end(void);

bool cpu_occupied_above(enum cpu_level level);
/* Gives a level to a context, which must be woken by the caller if it is not the one executing. */
void cpu_occupy(struct cpu_context* context);
/* Gives the level back; the caller then hands the CPU on (cpu_hand_over). */
void cpu_vacate(struct cpu_context* context);
/* Lets whoever should run next run: pending hard irq, softirq, the interrupted thread, the queue.
 */
void cpu_hand_over(void);

/* BLOCKS the coroutine on its event; afterwards it is the executing context again. */
int cpu_event_wait(struct cpu_context* context, uint64_t deadline_ps);
void cpu_event_notify(struct cpu_context* context);

/* True in code that may not block: hard irq, softirq, and ksoftirqd while it runs softirqs. */
bool cpu_in_interrupt(void);

#endif /* GUEST_CPU_H */
