/* What the image exports (guest_abi.h): start, metrics, tables, descriptions. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_stack/apps/app.h"
#include "guest_stack/apps/metrics.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/settings.h"
#include "guest_stack/kernel/softirq.h"
#include "guest_stack/port/stack.h"

#define EXPORTED __attribute__((visibility("default")))

/* Applications wait this long for every interface's link; autonegotiation takes seconds. */
#define ONLINE_PATIENCE_PS (10 * PS_PER_S)

static const struct guest_config* config;
static struct app* apps;

static void app_main(void* argument) {
    struct app* app = argument;
    thread_sleep_until(app->config->start_ps);
    const uint64_t until_ps = kernel_now() + ONLINE_PATIENCE_PS;
    while (!stack_online() && kernel_now() < until_ps) {
        (void)thread_block(&stack.online_wait, until_ps, 0);
    }
    if (!stack_online()) {
        app_log(app, GUEST_LOG_WARN, "starts although not every link is up");
    }
    app->start_ps = kernel_now();
    const int status = app->type->run(app);
    app_release(app);
    app_finish(app, status);
}

/* Everything that takes simulated time: devices, stack, then the applications. */
static void init_main(void* unused) {
    (void)unused;
    const uint32_t count = kernel.ops->nic_count(kernel.host);
    for (uint32_t i = 0; i < count && i < NETDEV_MAX; ++i) {
        struct nic_config nic = *settings_nic(i);
        for (uint32_t j = 0; j < config->interface_count; ++j) {
            const struct guest_interface* interface = &config->interfaces[j];
            if (interface->nic == i && interface->mtu_bytes > nic.mtu_bytes) {
                nic.mtu_bytes = interface->mtu_bytes;
            }
        }
        const int result = netdev_open(i, &nic);
        if (result < 0) {
            kernel_panic("nic%u: the driver gave up (%s)", i, strerror(-result));
        }
    }
    const int result = stack_start(config);
    if (result < 0) {
        kernel_panic("the stack does not start (%s)", strerror(-result));
    }
    for (uint32_t i = 0; i < config->app_count; ++i) {
        apps[i].thread = thread_create(apps[i].type->name, app_main, &apps[i]);
    }
}

static int refuse(int error, const char* why) {
    kernel_log(GUEST_LOG_ERROR, "%s", why);
    return error;
}

static int check_config(const struct guest_config* wanted, char* why, size_t why_bytes) {
    if (wanted->interface_count > NETDEV_MAX) {
        (void)snprintf(why, why_bytes, "%u interfaces, but the guest can have %u",
                       wanted->interface_count, NETDEV_MAX);
        return -EINVAL;
    }
    for (uint32_t i = 0; i < wanted->interface_count; ++i) {
        const struct guest_interface* interface = &wanted->interfaces[i];
        if (interface->prefix_bits > 32 || interface->mtu_bytes < 68 ||
            interface->mtu_bytes > 9216) {
            (void)snprintf(why, why_bytes,
                           "interface %u: prefix %u must be 0..32, mtu %u must be 68..9216", i,
                           interface->prefix_bits, interface->mtu_bytes);
            return -EINVAL;
        }
        for (uint32_t j = 0; j < i; ++j) {
            if (wanted->interfaces[j].nic == interface->nic) {
                (void)snprintf(why, why_bytes, "interfaces %u and %u share NIC %u", j, i,
                               interface->nic);
                return -EINVAL;
            }
        }
    }
    for (uint32_t i = 0; i < wanted->app_count; ++i) {
        if (wanted->apps[i].argc < 1 || app_type_find(wanted->apps[i].argv[0]) == NULL) {
            (void)snprintf(why, why_bytes, "there is no application '%s'",
                           wanted->apps[i].argc < 1 ? "" : wanted->apps[i].argv[0]);
            return -ENOENT;
        }
    }
    return 0;
}

EXPORTED int guest_start(const struct guest_host_ops* ops, struct guest_host* host,
                         const struct guest_config* wanted) {
    char why[256];
    kernel_init(ops, host, wanted->host_name);
    if (ops->version != GUEST_ABI_VERSION || ops->size < sizeof *ops) {
        return refuse(-ENOTSUP, "host and guest image do not speak the same interface version");
    }
    int result = settings_apply(wanted->settings, wanted->setting_count, why, sizeof why);
    if (result == 0) {
        result = check_config(wanted, why, sizeof why);
    }
    if (result < 0) {
        return refuse(result, why);
    }
    config = wanted;
    apps = calloc(wanted->app_count + 1, sizeof *apps);
    if (apps == NULL) {
        return refuse(-ENOMEM, "no memory");
    }
    for (uint32_t i = 0; i < wanted->app_count; ++i) {
        apps[i].type = app_type_find(wanted->apps[i].argv[0]);
        apps[i].index = i;
        apps[i].config = &wanted->apps[i];
    }
    irq_init();
    softirq_init();
    timer_init();
    netdev_init();
    (void)thread_create("init", init_main, NULL);
    return 0;
}

EXPORTED void guest_metrics(guest_metric_fn visit, void* context) {
    metrics_visit(apps, config != NULL ? config->app_count : 0, visit, context);
}

static void show_softirqs(guest_text_fn print, void* context) {
    char line[96];
    const struct softirq_counters* counters = softirq_counters();
    print(context, "                    CPU0\n");
    for (enum softirq_vector vector = SOFTIRQ_HI; vector < SOFTIRQ_VECTORS; ++vector) {
        char name[16];
        size_t length = 0;
        for (const char* c = softirq_name(vector); *c != '\0' && length < sizeof name - 1; ++c) {
            name[length++] = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
        }
        name[length] = '\0';
        (void)snprintf(line, sizeof line, "%12s: %10llu\n", name,
                       (unsigned long long)counters->count[vector]);
        print(context, line);
    }
}

EXPORTED int guest_show(const char* table, guest_text_fn print, void* context) {
    if (strcmp(table, "route") == 0) {
        route_print(&stack.routes, stack.interface_names, print, context);
    } else if (strcmp(table, "arp") == 0) {
        stack_show_arp(print, context);
    } else if (strcmp(table, "softirqs") == 0) {
        show_softirqs(print, context);
    } else if (strcmp(table, "sockets") == 0) {
        syscalls_show_sockets(print, context);
    } else if (strcmp(table, "interfaces") == 0) {
        stack_show_interfaces(print, context);
    } else {
        return -ENOENT;
    }
    return 0;
}

EXPORTED const struct guest_description* guest_apps(void) {
    static struct guest_description list[64]; /* the last one stays null */
    for (size_t i = 0; i < 63 && app_type_at(i) != NULL; ++i) {
        const struct app_type* type = app_type_at(i);
        list[i] = (struct guest_description){type->name, type->arguments, "", type->description};
    }
    return list;
}

EXPORTED const struct guest_description* guest_settings(void) {
    return settings_describe();
}
EXPORTED const struct guest_description* guest_metric_names(void) {
    return metrics_describe();
}
EXPORTED uint32_t guest_abi_version(void) {
    return GUEST_ABI_VERSION;
}
