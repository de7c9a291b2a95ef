/* Kernel timers: run in the TIMER softirq, which the local timer's interrupt raises. */
#ifndef GUEST_TIMER_H
#define GUEST_TIMER_H

#include "guest_stack/kernel/kernel.h"

struct timer {
    uint64_t at_ps;
    void (*action)(struct timer*);
    void* context;
    struct timer* next;
    bool armed;
};

void timer_init(void);
void timer_arm(struct timer* timer, uint64_t at_ps);
void timer_cancel(struct timer* timer);
/* When the earliest is due; GUEST_NEVER without any. */
uint64_t timer_next(void);

#endif /* GUEST_TIMER_H */
