/* What everything in the guest stands on: the host's table of functions, simulated time, the event
 * stream and the log. One guest image is one machine, so there is one kernel and its state is
 * static; a second host loads a second copy of the image. */
#ifndef GUEST_KERNEL_H
#define GUEST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest_stack/kernel/events.h"
#include "guest_stack/kernel/guest_abi.h"

#define PS_PER_NS 1000ull
#define PS_PER_US 1000000ull
#define PS_PER_MS 1000000000ull
#define PS_PER_S 1000000000000ull

struct kernel {
    const struct guest_host_ops* ops;
    struct guest_host* host;
    const char* host_name;
    bool reporting; /* as the host said when a context last resumed: one load per event site */
};
extern struct kernel kernel;

void kernel_init(const struct guest_host_ops* ops, struct guest_host* host, const char* host_name);

static inline uint64_t kernel_now(void) {
    return kernel.ops->now(kernel.host);
}

/* The slow half of kernel_report: nobody should call it directly. */
void kernel_report_now(uint16_t type, uint64_t packet, const uint64_t args[4]);

static inline void kernel_report(uint16_t type, uint64_t packet, uint64_t a0, uint64_t a1,
                                 uint64_t a2, uint64_t a3) {
    if (kernel.reporting) {
        const uint64_t args[4] = {a0, a1, a2, a3};
        kernel_report_now(type, packet, args);
    }
}

void kernel_log(int level, const char* format, ...) __attribute__((format(printf, 2, 3)));

/* The guest cannot go on. The context that calls this never continues. */
_Noreturn void kernel_panic(const char* format, ...) __attribute__((format(printf, 1, 2)));

#endif /* GUEST_KERNEL_H */
