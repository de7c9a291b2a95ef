#include "guest_stack/kernel/irq.h"

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/softirq.h"
#include "guest_stack/kernel/timer.h"

static struct {
    struct cpu_context context;
    struct irq_line lines[IRQ_MAX_LINES];
    uint32_t line_count;
    uint32_t pending_count;
    bool timer_pending;
    uint64_t timer_since;
    struct irq_counters counters;
} irq;

static void handler(void* context, uint32_t line);

/* What lies below the interrupt: 0 an idle CPU, 1 a thread or a softirq, 2 a softirq on a thread.
 */
static uint64_t nesting(void) {
    return (uint64_t)(cpu.holder[CPU_THREAD] != NULL) + (uint64_t)(cpu.holder[CPU_SOFTIRQ] != NULL);
}

static void run_line(uint32_t number, uint64_t since_ps, irq_action action, void* context) {
    const uint64_t start_ps = kernel_now();
    const uint64_t latency_ps = start_ps - since_ps;
    irq.counters.latency_sum_ps += latency_ps;
    if (latency_ps > irq.counters.latency_max_ps) {
        irq.counters.latency_max_ps = latency_ps;
    }
    kernel_report(EVENT_HARD_IRQ_ENTER, 0, number, nesting(), 0, 0);
    cpu_charge(costs.irq_entry_ns);
    action(context);
    cpu_charge(costs.irq_exit_ns);
    cpu_settle();
    const uint64_t duration_ps = kernel_now() - start_ps;
    irq.counters.busy_ps += duration_ps;
    if (duration_ps > irq.counters.longest_ps) {
        irq.counters.longest_ps = duration_ps;
    }
    kernel_report(EVENT_HARD_IRQ_EXIT, 0, number, duration_ps, 0, 0);
}

static void timer_action(void* context) {
    (void)context;
    cpu_charge(costs.timer_ns);
    softirq_raise(SOFTIRQ_TIMER);
}

static void run_pending(void) {
    while (irq.timer_pending || irq.pending_count > 0) {
        if (irq.timer_pending) {
            irq.timer_pending = false;
            ++irq.counters.timer_interrupts;
            run_line(0, irq.timer_since, timer_action, NULL);
        }
        for (uint32_t i = 0; i < irq.line_count; ++i) {
            struct irq_line* line = &irq.lines[i];
            if (!line->pending) {
                continue;
            }
            line->pending = false;
            --irq.pending_count;
            ++irq.counters.interrupts;
            run_line(line->number, line->pending_since, line->action, line->context);
            if (line->line >= 0) {
                kernel.ops->irq_eoi(kernel.host, line->line);
            }
        }
    }
}

static void irq_main(void* unused) {
    (void)unused;
    struct cpu_context* me = &irq.context;
    cpu.current = me;
    for (;;) {
        while (cpu.holder[CPU_HARDIRQ] != me) {
            const uint64_t next_ps = timer_next();
            if (next_ps <= kernel_now() && !irq.timer_pending &&
                !softirq_is_pending(SOFTIRQ_TIMER)) {
                irq.timer_pending = true;
                irq.timer_since = kernel_now();
                irq_enter_if_pending();
                continue;
            }
            /* A timer whose softirq is already on its way needs no second interrupt. */
            me->parked = true;
            (void)cpu_event_wait(me, next_ps > kernel_now() ? next_ps : GUEST_NEVER);
            me->parked = false;
        }
        run_pending();
        cpu_vacate(me);
        cpu_hand_over();
    }
}

void irq_init(void) {
    cpu_context_init(&irq.context, "hardirq", CPU_HARDIRQ);
    (void)kernel.ops->thread_create(kernel.host, "hardirq", irq_main, NULL, 0);
}

void irq_enter_if_pending(void) {
    if ((irq.pending_count > 0 || irq.timer_pending) && cpu.holder[CPU_HARDIRQ] == NULL &&
        !cpu.stalled) {
        cpu_occupy(&irq.context);
        if (cpu.current != &irq.context) {
            cpu_event_notify(&irq.context);
        }
    }
}

void irq_timer_changed(void) {
    cpu_event_notify(&irq.context);
}

/* Called by the host in the middle of anything: marks, notifies, returns. */
static void handler(void* context, uint32_t line_number) {
    struct irq_line* line = context;
    (void)line_number;
    if (line->action == NULL) {
        return;
    }
    ++line->count;
    if (!line->pending) {
        line->pending = true;
        line->pending_since = kernel_now();
        ++irq.pending_count;
    }
    if (cpu.holder[CPU_HARDIRQ] == NULL && !cpu.stalled) {
        cpu_occupy(&irq.context);
        cpu_event_notify(&irq.context);
    }
}

struct irq_line* irq_request(uint32_t nic, uint32_t kind, uint32_t index, irq_action action,
                             void* context, uint64_t* address, uint32_t* data, int* error) {
    struct irq_line* line = NULL;
    for (uint32_t i = 0; i < irq.line_count && line == NULL; ++i) {
        if (irq.lines[i].action == NULL) {
            line = &irq.lines[i];
        }
    }
    if (line == NULL) {
        if (irq.line_count == IRQ_MAX_LINES) {
            *error = -12;
            return NULL;
        }
        line = &irq.lines[irq.line_count++];
        line->number = irq.line_count;
    }
    line->action = action;
    line->context = context;
    line->line =
        kernel.ops->irq_request(kernel.host, nic, kind, index, handler, line, address, data);
    if (line->line < 0) {
        *error = line->line;
        line->action = NULL;
        return NULL;
    }
    return line;
}

void irq_free(struct irq_line* line) {
    kernel.ops->irq_free(kernel.host, line->line);
    line->line = -1;
    line->action = NULL;
    if (line->pending) {
        line->pending = false;
        --irq.pending_count;
    }
}

const struct irq_counters* irq_counters(void) {
    return &irq.counters;
}

const struct irq_line* irq_line_at(uint32_t index) {
    return index < irq.line_count ? &irq.lines[index] : NULL;
}
