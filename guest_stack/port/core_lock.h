/* lwIP's core lock. A thread that finds it taken blocks; the NET_RX softirq never blocks: it takes
 * the lock when it is free, else the frame goes to the backlog, which the thread that holds the
 * lock works off before it lets go (as Linux's socket lock does). */
#ifndef GUEST_CORE_LOCK_H
#define GUEST_CORE_LOCK_H

#include "guest_stack/kernel/netdev.h"

/* For threads; the softirq uses core_try_lock. Not recursive. */
void core_lock(void);
/* Works off the backlog, rings the doorbells of what was sent under the lock, and hands it on. */
void core_unlock(void);
/* False when somebody else has it. */
bool core_try_lock(void);
bool core_is_mine(void);

/* Leaves a frame to whoever holds the lock. False: the backlog is full. */
bool core_backlog(struct rx_buffer* buffer);
/* Something to be done under the lock that need not be now: tcp_txnow, when a queue has room. */
void core_want_output(void);

/* What takes the backlog's frames, with the lock held. */
void core_lock_init(void (*input)(struct rx_buffer*), void (*output)(void));

struct core_lock_counters {
    uint64_t contended, backlogged, backlog_max, backlog_dropped;
};
const struct core_lock_counters* core_lock_counters(void);

#endif /* GUEST_CORE_LOCK_H */
