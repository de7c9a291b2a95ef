/* A histogram of times with bounded memory: buckets of at most 1/64 of their value, exact minimum
 * and maximum. */
#ifndef GUEST_LATENCY_H
#define GUEST_LATENCY_H

#include <stdint.h>

#define LATENCY_SUB_BITS 6u
#define LATENCY_BUCKETS ((64u - LATENCY_SUB_BITS + 1u) << LATENCY_SUB_BITS)

struct latency {
    uint64_t count, sum_ns, minimum_ns, maximum_ns;
    uint32_t buckets[LATENCY_BUCKETS];
};

void latency_add(struct latency* latency, uint64_t value_ns);
/* Smallest value that at least `per_mille` of 1000 samples do not exceed; 0 without samples. */
uint64_t latency_percentile(const struct latency* latency, uint32_t per_mille);

#endif /* GUEST_LATENCY_H */
