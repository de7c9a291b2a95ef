/* lwIP's operating system layer on this kernel. liblwip.so calls these through its PLT, and the
 * image precedes it in its look-up scope: what is defined here wins over lwIP's own pthread port.
 * Host code never runs in parallel, so "protect" has nothing to do. */
#include <lwip/err.h>
#include <lwip/sys.h>
#include <lwip/tcpip.h>
#include <stdlib.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/thread.h"
#include "guest_stack/port/core_lock.h"
#include "guest_stack/port/interpose.h"

struct sys_sem {
    uint32_t count;
    struct wait_queue waiters;
};
struct sys_mutex {
    struct sys_sem sem;
};
struct sys_mbox {
    uint32_t capacity, used, first;
    struct wait_queue not_empty;
    struct wait_queue not_full;
    void* messages[];
};

INTERPOSED void sys_init(void) {}
INTERPOSED u32_t sys_now(void) {
    return (u32_t)(kernel_now() / PS_PER_MS);
}
INTERPOSED u32_t sys_jiffies(void) {
    return sys_now();
}
INTERPOSED sys_prot_t sys_arch_protect(void) {
    return 0;
}
INTERPOSED void sys_arch_unprotect(sys_prot_t previous) {
    (void)previous;
}
INTERPOSED void sys_msleep(u32_t ms) {
    thread_sleep_until(kernel_now() + ms * PS_PER_MS);
}

static uint64_t deadline(u32_t timeout_ms) {
    return timeout_ms == 0 ? GUEST_NEVER : kernel_now() + timeout_ms * PS_PER_MS;
}

static u32_t elapsed_ms(uint64_t since_ps) {
    return (u32_t)((kernel_now() - since_ps) / PS_PER_MS);
}

/* What the system call that led here said it would wait for. */
static uint8_t reason(void) {
    const struct thread* me = thread_current();
    return me != NULL ? me->reason : 0;
}

INTERPOSED err_t sys_sem_new(sys_sem_t* sem, u8_t count) {
    *sem = calloc(1, sizeof **sem);
    if (*sem == NULL) {
        return ERR_MEM;
    }
    (*sem)->count = count;
    return ERR_OK;
}

INTERPOSED void sys_sem_free(sys_sem_t* sem) {
    free(*sem);
    *sem = NULL;
}

INTERPOSED void sys_sem_signal(sys_sem_t* sem) {
    ++(*sem)->count;
    (void)thread_wake_one(&(*sem)->waiters);
}

static u32_t sem_wait(struct sys_sem* sem, u32_t timeout_ms) {
    const uint64_t start_ps = kernel_now();
    const uint64_t until_ps = deadline(timeout_ms);
    while (sem->count == 0) {
        if (!thread_block(&sem->waiters, until_ps, reason()) && kernel_now() >= until_ps) {
            return SYS_ARCH_TIMEOUT;
        }
    }
    --sem->count;
    return elapsed_ms(start_ps);
}

INTERPOSED u32_t sys_arch_sem_wait(sys_sem_t* sem, u32_t timeout_ms) {
    return sem_wait(*sem, timeout_ms);
}

INTERPOSED err_t sys_mutex_new(sys_mutex_t* mutex) {
    *mutex = calloc(1, sizeof **mutex);
    if (*mutex == NULL) {
        return ERR_MEM;
    }
    (*mutex)->sem.count = 1;
    return ERR_OK;
}

INTERPOSED void sys_mutex_free(sys_mutex_t* mutex) {
    free(*mutex);
    *mutex = NULL;
}

INTERPOSED void sys_mutex_lock(sys_mutex_t* mutex) {
    (void)sem_wait(&(*mutex)->sem, 0);
}

INTERPOSED void sys_mutex_unlock(sys_mutex_t* mutex) {
    ++(*mutex)->sem.count;
    (void)thread_wake_one(&(*mutex)->sem.waiters);
}

INTERPOSED err_t sys_mbox_new(sys_mbox_t* mbox, int size) {
    /* The distribution's build asks for 0, "the default". */
    const uint32_t capacity = size > 0 ? (uint32_t)size : costs.mailbox;
    *mbox = calloc(1, sizeof **mbox + capacity * sizeof(void*));
    if (*mbox == NULL) {
        return ERR_MEM;
    }
    (*mbox)->capacity = capacity;
    return ERR_OK;
}

INTERPOSED void sys_mbox_free(sys_mbox_t* mbox) {
    free(*mbox);
    *mbox = NULL;
}

INTERPOSED err_t sys_mbox_trypost(sys_mbox_t* mbox, void* message) {
    struct sys_mbox* box = *mbox;
    if (box->used == box->capacity) {
        return ERR_MEM;
    }
    uint32_t slot = box->first + box->used;
    if (slot >= box->capacity) {
        slot -= box->capacity;
    }
    box->messages[slot] = message;
    ++box->used;
    (void)thread_wake_one(&box->not_empty);
    return ERR_OK;
}

INTERPOSED err_t sys_mbox_trypost_fromisr(sys_mbox_t* mbox, void* message) {
    return sys_mbox_trypost(mbox, message);
}

INTERPOSED void sys_mbox_post(sys_mbox_t* mbox, void* message) {
    while (sys_mbox_trypost(mbox, message) != ERR_OK) {
        (void)thread_block(&(*mbox)->not_full, GUEST_NEVER, reason());
    }
}

INTERPOSED u32_t sys_arch_mbox_tryfetch(sys_mbox_t* mbox, void** message) {
    struct sys_mbox* box = *mbox;
    if (box->used == 0) {
        return SYS_MBOX_EMPTY;
    }
    if (message != NULL) {
        *message = box->messages[box->first];
    }
    box->first = box->first + 1 == box->capacity ? 0 : box->first + 1;
    --box->used;
    (void)thread_wake_one(&box->not_full);
    return 0;
}

INTERPOSED u32_t sys_arch_mbox_fetch(sys_mbox_t* mbox, void** message, u32_t timeout_ms) {
    const uint64_t start_ps = kernel_now();
    const uint64_t until_ps = deadline(timeout_ms);
    while (sys_arch_mbox_tryfetch(mbox, message) == SYS_MBOX_EMPTY) {
        if (!thread_block(&(*mbox)->not_empty, until_ps, reason()) && kernel_now() >= until_ps) {
            return SYS_ARCH_TIMEOUT;
        }
    }
    return elapsed_ms(start_ps);
}

/* --- threads
 * --------------------------------------------------------------------------------------- */

INTERPOSED sys_thread_t sys_thread_new(const char* name, lwip_thread_fn entry, void* argument,
                                       int stack_bytes, int priority) {
    (void)stack_bytes;
    (void)priority;
    struct thread* thread = thread_create(name, entry, argument);
    thread->reason = 0; /* lwIP's own thread waits for its timers: nothing to report */
    return (sys_thread_t)(void*)thread;
}

INTERPOSED void sys_lock_tcpip_core(void) {
    core_lock();
}
INTERPOSED void sys_unlock_tcpip_core(void) {
    core_unlock();
}
INTERPOSED void sys_mark_tcpip_thread(void) {}
INTERPOSED void sys_check_core_locking(void) {
    if (!core_is_mine()) {
        kernel_panic("%s enters lwIP without its core lock", cpu.current->name);
    }
}
