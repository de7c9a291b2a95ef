#include "guest_stack/kernel/softirq.h"

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/thread.h"

static struct {
    struct cpu_context context;
    struct thread* ksoftirqd;
    struct wait_queue ksoftirqd_wait;
    bool ksoftirqd_awake; /* it owns what is pending until it goes to sleep */
    bool running_in_thread;
    uint32_t pending;
    uint64_t raised_at[SOFTIRQ_VECTORS];
    softirq_action actions[SOFTIRQ_VECTORS];
    struct softirq_counters counters;
} softirq;

static void run_vector(enum softirq_vector vector) {
    const uint64_t start_ps = kernel_now();
    const uint64_t busy_before_ps = cpu.current->busy_ps;
    const uint64_t waited_ps = start_ps - softirq.raised_at[vector];
    if (waited_ps > softirq.counters.wait_max_ps) {
        softirq.counters.wait_max_ps = waited_ps;
    }
    ++softirq.counters.count[vector];
    kernel_report(EVENT_SOFTIRQ_ENTER, 0, vector, 0, 0, 0);
    cpu_charge(costs.softirq_dispatch_ns);
    const uint64_t work = softirq.actions[vector]();
    cpu_settle_roughly();
    softirq.counters.busy_ps[vector] += cpu.current->busy_ps - busy_before_ps;
    kernel_report(EVENT_SOFTIRQ_EXIT, 0, vector, kernel_now() - start_ps, work, 0);
}

/* One go over what is pending, in the order of the vectors; true when something is left. */
static bool run_softirqs(void) {
    const uint64_t limit_ps = kernel_now() + (uint64_t)costs.softirq_max_us * PS_PER_US;
    for (uint32_t round = 0; softirq.pending != 0; ++round) {
        if (round == costs.softirq_max_restart || kernel_now() > limit_ps) {
            return true;
        }
        const uint32_t now_pending = softirq.pending;
        softirq.pending = 0;
        for (enum softirq_vector vector = SOFTIRQ_HI; vector < SOFTIRQ_VECTORS; ++vector) {
            if ((now_pending >> vector & 1u) != 0) {
                run_vector(vector);
            }
        }
    }
    return false;
}

static void softirq_main(void* unused) {
    (void)unused;
    struct cpu_context* me = &softirq.context;
    cpu.current = me;
    for (;;) {
        cpu_wait_turn(me);
        if (run_softirqs()) {
            softirq.ksoftirqd_awake = true;
            kernel_report(EVENT_KSOFTIRQD, 0, 1, 0, 0, 0);
            thread_wake(softirq.ksoftirqd);
            cpu_settle();
        }
        cpu_vacate(me);
        cpu_hand_over();
    }
}

static void ksoftirqd_main(void* unused) {
    (void)unused;
    for (;;) {
        if (!softirq.ksoftirqd_awake) {
            (void)thread_block(&softirq.ksoftirqd_wait, GUEST_NEVER, 0);
            continue;
        }
        ++softirq.counters.ksoftirqd_runs;
        softirq.running_in_thread = true;
        const bool left = run_softirqs();
        softirq.running_in_thread = false;
        if (left) {
            thread_yield(); /* that is what it is for: let the others have their turn */
        } else {
            softirq.ksoftirqd_awake = false;
            kernel_report(EVENT_KSOFTIRQD, 0, 0, 0, 0, 0);
        }
    }
}

void softirq_init(void) {
    cpu_context_init(&softirq.context, "softirq", CPU_SOFTIRQ);
    (void)kernel.ops->thread_create(kernel.host, "softirq", softirq_main, NULL, 0);
    softirq.ksoftirqd = thread_create("ksoftirqd", ksoftirqd_main, NULL);
}

void softirq_open(enum softirq_vector vector, softirq_action action) {
    softirq.actions[vector] = action;
}

void softirq_raise(enum softirq_vector vector) {
    if ((softirq.pending >> vector & 1u) != 0) {
        return;
    }
    softirq.pending |= 1u << vector;
    softirq.raised_at[vector] = kernel_now();
    kernel_report(EVENT_SOFTIRQ_RAISE, 0, vector, 0, 0, 0);
    if (cpu.holder[CPU_HARDIRQ] == NULL && cpu.holder[CPU_SOFTIRQ] == NULL) {
        softirq_enter_if_pending();
    }
}

bool softirq_is_pending(enum softirq_vector vector) {
    return (softirq.pending >> vector & 1u) != 0;
}

void softirq_enter_if_pending(void) {
    if (softirq.pending != 0 && !softirq.ksoftirqd_awake && !softirq.running_in_thread) {
        cpu_occupy(&softirq.context);
        cpu_event_notify(&softirq.context);
    }
}

bool softirq_in_thread(void) {
    return softirq.running_in_thread && cpu.current->level == CPU_THREAD;
}

const struct softirq_counters* softirq_counters(void) {
    return &softirq.counters;
}

const char* softirq_name(enum softirq_vector vector) {
    static const char* const kNames[SOFTIRQ_VECTORS] = {"hi",      "timer",    "net_tx",  "net_rx",
                                                        "block",   "irq_poll", "tasklet", "sched",
                                                        "hrtimer", "rcu"};
    return kNames[vector];
}
