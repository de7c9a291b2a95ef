#include "guest_stack/port/core_lock.h"

#include "guest_stack/kernel/costs.h"

static struct {
    struct cpu_context* owner;
    struct wait_queue waiters;
    struct rx_buffer* backlog_head;
    struct rx_buffer* backlog_tail;
    uint32_t backlog_length;
    bool output_wanted;
    void (*input)(struct rx_buffer*);
    void (*output)(void);
    struct core_lock_counters counters;
} core;

void core_lock_init(void (*input)(struct rx_buffer*), void (*output)(void)) {
    core.input = input;
    core.output = output;
}

bool core_is_mine(void) {
    return core.owner != NULL && core.owner == cpu.current;
}

bool core_try_lock(void) {
    if (core.owner != NULL) {
        return false;
    }
    core.owner = cpu.current;
    return true;
}

void core_lock(void) {
    if (core_try_lock()) {
        return;
    }
    if (core_is_mine()) {
        kernel_panic("lwIP's core lock taken twice by %s", cpu.current->name);
    }
    ++core.counters.contended;
    struct cpu_context* me = cpu.current;
    /* Ownership is handed over by core_unlock, so nobody can overtake. */
    while (core.owner != me) {
        (void)thread_block(&core.waiters, GUEST_NEVER, BLOCK_LOCK);
    }
}

static void work_off(void) {
    do {
        while (core.backlog_head != NULL) {
            struct rx_buffer* buffer = core.backlog_head;
            core.backlog_head = buffer->next;
            if (core.backlog_head == NULL) {
                core.backlog_tail = NULL;
            }
            --core.backlog_length;
            buffer->next = NULL;
            core.input(buffer);
        }
        if (core.output_wanted) {
            core.output_wanted = false;
            core.output();
        }
        /* BLOCKS for the time all this took, so that more may have come. In a softirq nothing can
         * have, and the NAPI poll rings the doorbells at its end. */
        if (!cpu_in_interrupt()) {
            netdev_flush_all();
        }
    } while (core.backlog_head != NULL || core.output_wanted);
}

void core_unlock(void) {
    if (!core_is_mine()) {
        kernel_panic("lwIP's core lock given back by %s, which does not have it",
                     cpu.current->name);
    }
    work_off();
    struct thread* next = core.waiters.head;
    core.owner = next != NULL ? &next->cpu : NULL;
    if (next != NULL) {
        (void)thread_wake_one(&core.waiters);
    }
}

bool core_backlog(struct rx_buffer* buffer) {
    if (core.backlog_length >= costs.backlog) {
        ++core.counters.backlog_dropped;
        return false;
    }
    cpu_charge(costs.backlog_ns);
    buffer->next = NULL;
    if (core.backlog_tail != NULL) {
        core.backlog_tail->next = buffer;
    } else {
        core.backlog_head = buffer;
    }
    core.backlog_tail = buffer;
    ++core.backlog_length;
    ++core.counters.backlogged;
    if (core.backlog_length > core.counters.backlog_max) {
        core.counters.backlog_max = core.backlog_length;
    }
    return true;
}

void core_want_output(void) {
    core.output_wanted = true;
}

const struct core_lock_counters* core_lock_counters(void) {
    return &core.counters;
}
