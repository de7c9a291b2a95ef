/* The yardstick of the benchmark: two lwIP stacks with the smallest port that runs them on the
 * simulator, joined by an ideal link. No driver, no NIC, no guest kernel, no CPU time.
 *
 * An image of guest_abi.h as far as that goes: guest_start takes one interface and one application,
 * "send BYTES PEER" or "receive" (PEER is an IPv4 address as a number in host byte order). Instead
 * of a NIC there are the two functions below. */
#ifndef IDEAL_GUEST_H
#define IDEAL_GUEST_H

#include <stdint.h>

#include "guest_stack/kernel/guest_abi.h"

typedef void (*ideal_transmit_fn)(void* ctx, const void* frame, uint32_t size);

/* Where frames leave; before guest_start. */
void ideal_connect(ideal_transmit_fn transmit, void* ctx);
/* A frame has arrived. */
void ideal_input(const void* frame, uint32_t size);

#endif
