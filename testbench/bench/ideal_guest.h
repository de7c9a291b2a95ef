/* The yardstick of the benchmark: two lwIP stacks with the smallest port that runs them on the
 * simulator, joined by an ideal link. No driver, no NIC, no guest kernel, no CPU time. */
#ifndef IDEAL_GUEST_H
#define IDEAL_GUEST_H

#include <stdint.h>

#include "guest_stack/kernel/guest_abi.h"

struct ideal_config {
    const struct guest_host_ops* ops; /* now, thread_create, event_* and panic are used */
    struct guest_host* host;
    void (*transmit)(void* ctx, const void* frame, uint32_t size);
    void* ctx;
    uint32_t address, peer; /* IPv4, host byte order */
    uint64_t bytes;         /* to send, or to expect */
    int sends;
};

/* Starts the stack and its one application; returns at once. */
int ideal_start(const struct ideal_config* config);
/* A frame has arrived. */
void ideal_input(const void* frame, uint32_t size);
/* Bytes the receiver has read; the run is over when it equals config.bytes. */
uint64_t ideal_received(void);

#endif
