/* Threads: contexts of the lowest level, that may block. One runs at a time, chosen from a queue in
 * the order of becoming runnable; a thread's coroutine is resumed only when the CPU is its own. */
#ifndef GUEST_THREAD_H
#define GUEST_THREAD_H

#include "guest_stack/kernel/cpu.h"

struct thread;

/* Threads that wait for something, in order of arrival. Zero is empty. */
struct wait_queue {
    struct thread* head;
    struct thread* tail;
};

enum thread_state { THREAD_RUNNABLE, THREAD_RUNNING, THREAD_BLOCKED, THREAD_ENDED };

struct thread {
    struct cpu_context cpu;
    uint32_t id;
    enum thread_state state;
    bool woken;
    uint8_t reason; /* what the blocking calls below it are for (enum guest_block_reason) */
    int fd;         /* of the system call it is in, -1 outside */
    uint64_t slice_start_ps;
    uint64_t blocked_ps[BLOCK_REASONS];
    struct wait_queue* waiting_on;
    struct thread* wait_next;
    struct thread* run_next;
    struct thread* created_before; /* all threads there ever were */
    void (*entry)(void*);
    void* argument;
};

/* Starts at the same simulated time, after the caller blocks. Threads are never freed. */
struct thread* thread_create(const char* name, void (*entry)(void*), void* argument);
struct thread* thread_current(void);

/* BLOCKS the current thread in `queue` until woken (true) or until the deadline (false). Reason 0
 * is an idle kernel thread: not reported. */
bool thread_block(struct wait_queue* queue, uint64_t deadline_ps, uint8_t reason);
void thread_sleep_until(uint64_t time_ps);
void thread_wake(struct thread* thread);
/* Wakes the longest waiting one; NULL when nobody waits. */
struct thread* thread_wake_one(struct wait_queue* queue);
void thread_wake_all(struct wait_queue* queue);

/* BLOCKS: to the end of the queue. */
void thread_yield(void);
/* The same, if others wait and the time slice is over. */
void thread_yield_if_due(void);
/* Gives an idle CPU to the next runnable thread. */
void thread_dispatch(void);

uint64_t thread_switches(void);
/* Total time of all threads blocked for a reason. */
uint64_t thread_blocked_ps(uint8_t reason);

#endif /* GUEST_THREAD_H */
