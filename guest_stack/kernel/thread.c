#include "guest_stack/kernel/thread.h"

#include <stdlib.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/softirq.h"

static struct {
    struct thread* run_head;
    struct thread* run_tail;
    struct thread* last; /* whose state the CPU's registers and caches hold */
    struct thread* newest;
    uint32_t count;
    uint64_t switches;
    uint64_t blocked_ps[BLOCK_REASONS];
} threads;

static struct thread* thread_of(struct cpu_context* context) {
    return (struct thread*)(void*)((char*)context - offsetof(struct thread, cpu));
}

struct thread* thread_current(void) {
    return cpu.current != NULL && cpu.current->level == CPU_THREAD ? thread_of(cpu.current) : NULL;
}

static void run_queue_push(struct thread* thread) {
    thread->state = THREAD_RUNNABLE;
    thread->run_next = NULL;
    if (threads.run_tail != NULL) {
        threads.run_tail->run_next = thread;
    } else {
        threads.run_head = thread;
    }
    threads.run_tail = thread;
}

static void dispatch(struct thread* executing) {
    struct thread* next = threads.run_head;
    if (next == NULL || cpu.holder[CPU_THREAD] != NULL || cpu_occupied_above(CPU_THREAD)) {
        return;
    }
    threads.run_head = next->run_next;
    if (threads.run_head == NULL) {
        threads.run_tail = NULL;
    }
    next->state = THREAD_RUNNING;
    next->slice_start_ps = kernel_now();
    cpu_occupy(&next->cpu);
    if (next != threads.last) {
        ++threads.switches;
        next->cpu.charged_ps += (uint64_t)costs.context_switch_ns * PS_PER_NS;
        threads.last = next;
    }
    if (next != executing) {
        cpu_event_notify(&next->cpu);
    }
}

void thread_dispatch(void) {
    dispatch(NULL);
}

static void make_runnable(struct thread* thread, struct thread* executing) {
    run_queue_push(thread);
    dispatch(executing);
}

static void wait_for_dispatch(struct thread* me) {
    while (me->state != THREAD_RUNNING) {
        (void)cpu_event_wait(&me->cpu, GUEST_NEVER);
    }
    cpu_wait_turn(&me->cpu);
}

static void thread_main(void* argument) {
    struct thread* me = argument;
    cpu.current = &me->cpu;
    wait_for_dispatch(me);
    me->entry(me->argument);
    cpu_settle();
    me->state = THREAD_ENDED;
    cpu_vacate(&me->cpu);
    cpu_hand_over();
}

struct thread* thread_create(const char* name, void (*entry)(void*), void* argument) {
    struct thread* thread = calloc(1, sizeof *thread);
    if (thread == NULL) {
        kernel_panic("no memory for thread %s", name);
    }
    cpu_context_init(&thread->cpu, name, CPU_THREAD);
    thread->id = ++threads.count;
    thread->created_before = threads.newest;
    threads.newest = thread;
    thread->fd = -1;
    thread->reason = BLOCK_LOCK;
    thread->entry = entry;
    thread->argument = argument;
    make_runnable(thread, NULL);
    (void)kernel.ops->thread_create(kernel.host, name, thread_main, thread, 0);
    return thread;
}

static void queue_remove(struct thread* thread) {
    struct wait_queue* queue = thread->waiting_on;
    if (queue == NULL) {
        return;
    }
    struct thread* previous = NULL;
    for (struct thread* t = queue->head; t != NULL; previous = t, t = t->wait_next) {
        if (t == thread) {
            if (previous != NULL) {
                previous->wait_next = t->wait_next;
            } else {
                queue->head = t->wait_next;
            }
            if (queue->tail == t) {
                queue->tail = previous;
            }
            break;
        }
    }
    thread->waiting_on = NULL;
    thread->wait_next = NULL;
}

static void queue_append(struct wait_queue* queue, struct thread* thread) {
    thread->waiting_on = queue;
    thread->wait_next = NULL;
    if (queue->tail != NULL) {
        queue->tail->wait_next = thread;
    } else {
        queue->head = thread;
    }
    queue->tail = thread;
}

bool thread_block(struct wait_queue* queue, uint64_t deadline_ps, uint8_t reason) {
    if (cpu_in_interrupt()) {
        kernel_panic("%s blocks while it may not (reason %u)", cpu.current->name, reason);
    }
    struct thread* me = thread_current();
    me->woken = false;
    if (queue != NULL) {
        queue_append(queue, me);
    }
    /* What the thread did until here takes its time first; whoever runs meanwhile may wake it. */
    cpu_settle_roughly();
    if (me->woken) {
        return true;
    }
    const uint64_t start_ps = kernel_now();
    if (deadline_ps <= start_ps) {
        queue_remove(me);
        return false;
    }
    if (reason != 0) {
        kernel_report(EVENT_THREAD_BLOCK, 0, me->id, reason, 0, 0);
    }
    me->state = THREAD_BLOCKED;
    cpu_vacate(&me->cpu);
    cpu_hand_over();
    while (me->state != THREAD_RUNNING) {
        (void)cpu_event_wait(&me->cpu, me->state == THREAD_BLOCKED ? deadline_ps : GUEST_NEVER);
        if (me->state == THREAD_BLOCKED && kernel_now() >= deadline_ps) {
            queue_remove(me);
            make_runnable(me, me);
        }
    }
    cpu_wait_turn(&me->cpu);
    if (reason != 0) {
        const uint64_t blocked_ps = kernel_now() - start_ps;
        me->blocked_ps[reason] += blocked_ps;
        threads.blocked_ps[reason] += blocked_ps;
        kernel_report(EVENT_THREAD_WAKE, 0, me->id, reason, 0, 0);
    }
    return me->woken;
}

void thread_sleep_until(uint64_t time_ps) {
    (void)thread_block(NULL, time_ps, BLOCK_SLEEP);
}

void thread_wake(struct thread* thread) {
    if (thread->woken) {
        return;
    }
    thread->woken = true;
    queue_remove(thread);
    if (thread->state == THREAD_BLOCKED) {
        cpu_charge(costs.wakeup_ns);
        make_runnable(thread, NULL);
    }
}

struct thread* thread_wake_one(struct wait_queue* queue) {
    struct thread* thread = queue->head;
    if (thread != NULL) {
        thread_wake(thread);
    }
    return thread;
}

void thread_wake_all(struct wait_queue* queue) {
    while (thread_wake_one(queue) != NULL) {
    }
}

void thread_yield(void) {
    struct thread* me = thread_current();
    cpu_settle();
    if (threads.run_head == NULL || me->state != THREAD_RUNNING) {
        return;
    }
    run_queue_push(me);
    cpu_vacate(&me->cpu);
    cpu_hand_over();
    wait_for_dispatch(me);
}

void thread_yield_if_due(void) {
    struct thread* me = thread_current();
    if (threads.run_head == NULL || softirq_in_thread() ||
        kernel_now() - me->slice_start_ps < (uint64_t)costs.timeslice_us * PS_PER_US) {
        return;
    }
    run_queue_push(me);
    cpu_vacate(&me->cpu);
    cpu_hand_over();
    wait_for_dispatch(me);
}

uint64_t thread_switches(void) {
    return threads.switches;
}

uint64_t thread_blocked_ps(uint8_t reason) {
    return threads.blocked_ps[reason];
}
