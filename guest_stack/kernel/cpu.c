#include "guest_stack/kernel/cpu.h"

#include <assert.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/irq.h"
#include "guest_stack/kernel/softirq.h"
#include "guest_stack/kernel/thread.h"

struct cpu cpu;

void cpu_context_init(struct cpu_context* context, const char* name, enum cpu_level level) {
    context->name = name;
    context->level = level;
    context->event = kernel.ops->event_create(kernel.host, name);
    context->charged_ps = 0;
    context->busy_ps = 0;
    context->parked = false;
}

int cpu_event_wait(struct cpu_context* context, uint64_t deadline_ps) {
    const int notified = kernel.ops->event_wait(kernel.host, context->event, deadline_ps);
    cpu.current = context;
    kernel.reporting = kernel.ops->reporting(kernel.host) != 0;
    return notified;
}

void cpu_event_notify(struct cpu_context* context) {
    kernel.ops->event_notify(kernel.host, context->event);
}

bool cpu_occupied_above(enum cpu_level level) {
    for (int above = (int)level + 1; above < CPU_LEVELS; ++above) {
        if (cpu.holder[above] != NULL) {
            return true;
        }
    }
    return false;
}

void cpu_occupy(struct cpu_context* context) {
    assert(cpu.holder[context->level] == NULL);
    for (enum cpu_level below = CPU_THREAD; below < context->level; ++below) {
        if (!cpu_occupied_above(below)) {
            cpu.above_since[below] = kernel_now();
        }
    }
    cpu.holder[context->level] = context;
}

void cpu_vacate(struct cpu_context* context) {
    assert(cpu.holder[context->level] == context);
    cpu.holder[context->level] = NULL;
    for (enum cpu_level below = CPU_THREAD; below < context->level; ++below) {
        if (!cpu_occupied_above(below)) {
            cpu.stolen_ps[below] += kernel_now() - cpu.above_since[below];
        }
    }
}

static bool may_execute(const struct cpu_context* context) {
    return cpu.holder[context->level] == context && !cpu_occupied_above(context->level) &&
           !cpu.stalled;
}

void cpu_wait_turn(struct cpu_context* context) {
    while (!may_execute(context)) {
        context->parked = true;
        (void)cpu_event_wait(context, GUEST_NEVER);
        context->parked = false;
    }
}

static void spend(struct cpu_context* context, uint64_t spent_ps) {
    context->busy_ps += spent_ps;
    cpu.busy_ps[context->level] += spent_ps;
}

void cpu_settle(void) {
    struct cpu_context* context = cpu.current;
    cpu_wait_turn(context);
    uint64_t need_ps = context->charged_ps;
    context->charged_ps = 0;
    spend(context, need_ps);
    while (need_ps > 0) {
        const uint64_t start_ps = kernel_now();
        const uint64_t stolen_before_ps = cpu.stolen_ps[context->level];
        const uint64_t deadline_ps = start_ps + need_ps;
        while (kernel_now() < deadline_ps) {
            (void)cpu_event_wait(context, deadline_ps);
        }
        cpu_wait_turn(context);
        const uint64_t stolen_ps = cpu.stolen_ps[context->level] - stolen_before_ps;
        const uint64_t used_ps = kernel_now() - start_ps - stolen_ps;
        need_ps -= used_ps < need_ps ? used_ps : need_ps;
    }
    if (context->level == CPU_THREAD) {
        thread_yield_if_due();
    }
}

void cpu_settle_roughly(void) {
    if (cpu.current->charged_ps >= (uint64_t)costs.slack_ns * PS_PER_NS) {
        cpu_settle();
    }
}

void cpu_stall_begin(void) {
    cpu_settle();
    cpu_store_begin();
}

void cpu_store_begin(void) {
    cpu.stalled = true;
    cpu.stalled_by = cpu.current;
    cpu.stalled_since = kernel_now();
}

void cpu_stall_end(void) {
    cpu.current = cpu.stalled_by;
    spend(cpu.current, kernel_now() - cpu.stalled_since);
    cpu.stalled = false;
    irq_enter_if_pending(); /* what arrived during the load is taken as soon as it retires */
    cpu_wait_turn(cpu.current);
}

void cpu_hand_over(void) {
    irq_enter_if_pending();
    if (cpu.holder[CPU_HARDIRQ] == NULL && cpu.holder[CPU_SOFTIRQ] == NULL) {
        softirq_enter_if_pending();
    }
    for (int level = CPU_HARDIRQ; level >= CPU_THREAD; --level) {
        struct cpu_context* holder = cpu.holder[level];
        if (holder != NULL) {
            if (holder->parked) {
                cpu_event_notify(holder);
            }
            return;
        }
    }
    thread_dispatch();
}

bool cpu_in_interrupt(void) {
    return cpu.current != NULL && (cpu.current->level != CPU_THREAD || softirq_in_thread());
}
