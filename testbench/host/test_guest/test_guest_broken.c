/* Built twice: with the wrong version of the ABI, and without one of its exports. */
#include <stddef.h>

#include "guest_stack/kernel/guest_abi.h"

#ifdef WRONG_VERSION
uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION + 41;
}
#else
uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION;
}
#endif

int guest_start(const struct guest_host_ops* ops, struct guest_host* host,
                const struct guest_config* config) {
    (void)ops;
    (void)host;
    (void)config;
    return 0;
}
void guest_metrics(guest_metric_fn visit, void* ctx) {
    (void)visit;
    (void)ctx;
}
