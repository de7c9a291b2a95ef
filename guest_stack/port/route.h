/* The routing table: longest prefix first, then lowest metric, then the order of adding. Plain
 * IPv4 arithmetic in host byte order; knows nothing of lwIP. */
#ifndef GUEST_ROUTE_H
#define GUEST_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "guest_stack/kernel/guest_abi.h"

#define ROUTE_MAX 64u

struct route {
    uint32_t destination;
    uint32_t prefix_bits;
    uint32_t gateway; /* 0: the destination itself is on the link */
    uint32_t interface;
    uint32_t metric;
    uint64_t used;
};

struct route_table {
    struct route routes[ROUTE_MAX]; /* sorted: the first that matches is the answer */
    uint32_t count;
};

uint32_t route_mask(uint32_t prefix_bits);
/* 0, -EINVAL (prefix above 32 bits, destination with bits beyond its prefix), -ENOSPC. */
int route_add(struct route_table* table, uint32_t destination, uint32_t prefix_bits,
              uint32_t gateway, uint32_t interface, uint32_t metric);
/* NULL: unreachable. */
struct route* route_find(struct route_table* table, uint32_t address);
/* The best one that leaves through `interface`: the interface is already chosen. */
struct route* route_find_on(struct route_table* table, uint32_t address, uint32_t interface);
/* Prints like `route -n`; names[i] is the name of interface i. */
void route_print(const struct route_table* table, const char* const* names, guest_text_fn print,
                 void* context);
/* "a.b.c.d" into text[16]. */
const char* route_address_text(uint32_t address, char* text);
bool route_parse_address(const char* text, uint32_t* address);

#endif /* GUEST_ROUTE_H */
