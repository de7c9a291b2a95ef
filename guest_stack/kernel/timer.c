#include "guest_stack/kernel/timer.h"

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/irq.h"
#include "guest_stack/kernel/softirq.h"

static struct timer* earliest; /* sorted by time, then by the order of arming */

static uint64_t run_timers(void) {
    uint64_t work = 0;
    while (earliest != NULL && earliest->at_ps <= kernel_now()) {
        struct timer* timer = earliest;
        earliest = timer->next;
        timer->armed = false;
        cpu_charge(costs.timer_ns);
        timer->action(timer);
        ++work;
    }
    if (earliest != NULL) {
        irq_timer_changed();
    }
    return work;
}

void timer_init(void) {
    softirq_open(SOFTIRQ_TIMER, run_timers);
}

void timer_cancel(struct timer* timer) {
    for (struct timer** link = &earliest; *link != NULL; link = &(*link)->next) {
        if (*link == timer) {
            *link = timer->next;
            break;
        }
    }
    timer->armed = false;
}

void timer_arm(struct timer* timer, uint64_t at_ps) {
    if (timer->armed) {
        timer_cancel(timer);
    }
    struct timer** link = &earliest;
    while (*link != NULL && (*link)->at_ps <= at_ps) {
        link = &(*link)->next;
    }
    timer->at_ps = at_ps;
    timer->armed = true;
    timer->next = *link;
    *link = timer;
    if (earliest == timer) {
        irq_timer_changed();
    }
}

uint64_t timer_next(void) {
    return earliest != NULL ? earliest->at_ps : GUEST_NEVER;
}
