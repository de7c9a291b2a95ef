#include "guest_stack/kernel/latency.h"

/* Values below 2^6 have buckets of their own; above, each power of two is split into 64. */
static uint32_t bucket_of(uint64_t value) {
    if (value < (1u << LATENCY_SUB_BITS)) {
        return (uint32_t)value;
    }
    const uint32_t exponent = 63u - (uint32_t)__builtin_clzll(value);
    const uint32_t shift = exponent - LATENCY_SUB_BITS;
    return ((shift + 1) << LATENCY_SUB_BITS) + (uint32_t)((value >> shift) & 63u);
}

static uint64_t bucket_top(uint32_t bucket) {
    if (bucket < (1u << LATENCY_SUB_BITS)) {
        return bucket;
    }
    const uint32_t shift = (bucket >> LATENCY_SUB_BITS) - 1;
    const uint64_t low = (uint64_t)((1u << LATENCY_SUB_BITS) + (bucket & 63u)) << shift;
    return low + (((uint64_t)1 << shift) - 1);
}

void latency_add(struct latency* latency, uint64_t value_ns) {
    if (latency->count == 0 || value_ns < latency->minimum_ns) {
        latency->minimum_ns = value_ns;
    }
    if (value_ns > latency->maximum_ns) {
        latency->maximum_ns = value_ns;
    }
    ++latency->count;
    latency->sum_ns += value_ns;
    ++latency->buckets[bucket_of(value_ns)];
}

uint64_t latency_percentile(const struct latency* latency, uint32_t per_mille) {
    if (latency->count == 0) {
        return 0;
    }
    uint64_t rank = (latency->count * per_mille + 999) / 1000;
    if (rank == 0) {
        rank = 1;
    }
    uint64_t seen = 0;
    for (uint32_t bucket = 0; bucket < LATENCY_BUCKETS; ++bucket) {
        seen += latency->buckets[bucket];
        if (seen >= rank) {
            const uint64_t top = bucket_top(bucket);
            return top < latency->maximum_ns ? top : latency->maximum_ns;
        }
    }
    return latency->maximum_ns;
}
