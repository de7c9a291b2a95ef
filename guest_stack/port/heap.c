/* lwIP's heap. A packet takes the same few sizes again and again, and that of a full segment is
 * more than libc keeps at hand (1 KiB). So a block that is given back waits here for the next
 * packet of its size; what was in use at once is what is kept. */
#include <lwip/mem.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guest_stack/port/interpose.h"

#define STEP_BYTES 64u
#define SIZES 32u /* the largest: an Ethernet frame and lwIP's descriptor of it */

/* What lies before the caller's bytes, aligned as malloc aligns them. */
struct block {
    _Alignas(16) struct block* next; /* of those that wait */
    size_t steps;
};

static struct block* waiting[SIZES + 1]; /* by steps */

/* AddressSanitizer knows what is free only when it goes back to libc. */
#if defined(__has_feature)
#define HAS_FEATURE(name) __has_feature(name)
#else
#define HAS_FEATURE(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
static bool is_kept(size_t steps) {
    (void)steps;
    return false;
}
#else
static bool is_kept(size_t steps) {
    return steps <= SIZES;
}
#endif

INTERPOSED void* mem_malloc(mem_size_t bytes) {
    if (bytes > SIZE_MAX - sizeof(struct block) - STEP_BYTES) {
        return NULL;
    }
    const size_t steps = (bytes + sizeof(struct block) + STEP_BYTES - 1) / STEP_BYTES;
    struct block* block = NULL;
    if (is_kept(steps) && waiting[steps] != NULL) {
        block = waiting[steps];
        waiting[steps] = block->next;
    } else {
        block = malloc(steps * STEP_BYTES);
        if (block == NULL) {
            return NULL;
        }
        block->steps = steps;
    }
    return block + 1;
}

INTERPOSED void mem_free(void* memory) {
    if (memory == NULL) {
        return;
    }
    struct block* block = (struct block*)memory - 1;
    if (!is_kept(block->steps)) {
        free(block);
        return;
    }
    block->next = waiting[block->steps];
    waiting[block->steps] = block;
}

INTERPOSED void* mem_calloc(mem_size_t count, mem_size_t bytes) {
    if (bytes != 0 && count > SIZE_MAX / bytes) {
        return NULL;
    }
    void* memory = mem_malloc(count * bytes);
    return memory != NULL ? memset(memory, 0, count * bytes) : NULL;
}
