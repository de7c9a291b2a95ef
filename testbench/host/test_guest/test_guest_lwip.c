/* A guest that links lwIP: shows whether each host has one of its own, who supplies its OS layer,
 * and whose rand() is called. */
#include <stdlib.h>

#include "guest_stack/kernel/guest_abi.h"
#include "lwip/init.h"
#include "lwip/netif.h"
#include "lwip/sys.h"

static struct netif mine;
static uint64_t was_untouched;
static uint64_t asked_for_time;
static uint64_t drawn;

/* Ahead of lwIP's own in the look-up order: lwIP itself calls this one. */
u32_t sys_now(void) {
    asked_for_time++;
    return 1234;
}

int guest_start(const struct guest_host_ops* ops, struct guest_host* host,
                const struct guest_config* config) {
    (void)config;
    was_untouched = netif_list == NULL;
    drawn = (uint64_t)rand();
    lwip_init(); /* Starts timers, which asks for the time, and draws the first ports. */
    netif_list = &mine;
    ops->log(host, GUEST_LOG_INFO, "up");
    return 0;
}

void guest_metrics(guest_metric_fn visit, void* ctx) {
    visit(ctx, "lwip.was_untouched", was_untouched);
    visit(ctx, "lwip.list_is_mine", netif_list == &mine);
    visit(ctx, "lwip.list_address", (uint64_t)(uintptr_t)&netif_list);
    visit(ctx, "lwip.asked_for_time", asked_for_time);
    visit(ctx, "lwip.rand", drawn);
}

int guest_show(const char* table, guest_text_fn print, void* ctx) {
    (void)table;
    (void)print;
    (void)ctx;
    return -1;
}
const struct guest_description* guest_apps(void) {
    static const struct guest_description none[] = {{NULL, NULL, NULL, NULL}};
    return none;
}
const struct guest_description* guest_metric_names(void) {
    static const struct guest_description none = {0};
    return &none;
}
const struct guest_description* guest_settings(void) {
    return guest_apps();
}
uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION;
}
