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
#define SYNOPSIS_BYTES 400
#define MAX_APP_TYPES 63

static const struct guest_config* config;
static struct app* apps;

static int run_app(struct app* app) {
    struct app_demand unmet;
    void* arguments = app_alloc(app, app->type->arguments_bytes);
    app->arguments = arguments;
    if (!app_arguments(app->type, app->config, config, kernel.ops->nic_count(kernel.host),
                       arguments, &unmet)) {
        char synopsis[SYNOPSIS_BYTES];
        options_synopsis(app->type->options, synopsis, sizeof synopsis);
        app_log(app, GUEST_LOG_ERROR, "%s%s%s; usage: %s %s", unmet.what,
                *unmet.why != '\0' ? "; " : "", unmet.why, app->type->name, synopsis);
        app_release(app);
        return -EINVAL;
    }
    const int status = app->type->run(app);
    app_release(app);
    return status;
}

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
    app_finish(app, run_app(app));
}

/* Everything that takes simulated time: devices, stack, then the applications. */
static void init_main(void* unused) {
    (void)unused;
    const uint32_t count = kernel.ops->nic_count(kernel.host);
    for (uint32_t i = 0; i < count && i < NETDEV_MAX; ++i) {
        const struct nic_config nic = settings_nic_config(config, i);
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
        if (interface->nic >= NETDEV_MAX) {
            (void)snprintf(why, why_bytes, "interface %u: NIC %u, but the last can be %u", i,
                           interface->nic, NETDEV_MAX - 1);
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

/* --- before anything runs
 * ---------------------------------------------------------------------------- */

struct finder {
    const struct guest_config* config;
    uint32_t nic_count;
    guest_mistake_fn found;
    void* context;
};

static const struct guest_mistake kNoMistake = {-1, -1, -1, {NULL, NULL}, "", ""};

static const char* setting_of_nic(const char* setting, uint32_t nic, char* text, size_t bytes) {
    if (strncmp(setting, "driver.", 7) == 0) {
        (void)snprintf(text, bytes, "nic%u.%s", nic, setting);
    } else {
        (void)snprintf(text, bytes, "%s", setting);
    }
    return *setting != '\0' ? text : NULL;
}

static void check_settings(const struct finder* finder) {
    for (uint32_t nic = 0; nic < finder->nic_count; ++nic) {
        struct settings_demand unmet;
        char names[2][64];
        if (settings_check(finder->config, nic, &unmet)) {
            continue;
        }
        struct guest_mistake mistake = kNoMistake;
        mistake.settings[0] = setting_of_nic(unmet.setting, nic, names[0], sizeof names[0]);
        mistake.settings[1] = setting_of_nic(unmet.other, nic, names[1], sizeof names[1]);
        mistake.what = unmet.what;
        mistake.why = unmet.why;
        finder->found(finder->context, &mistake);
    }
}

static void check_routes(const struct finder* finder) {
    struct route_table table = {0};
    char why[128];
    struct guest_mistake mistake = kNoMistake;
    mistake.route = stack_add_routes(&table, finder->config, why, sizeof why);
    mistake.what = why;
    if (mistake.route >= 0) {
        finder->found(finder->context, &mistake);
    }
}

static int32_t word_of(const struct guest_app* command, const char* option) {
    for (int32_t i = 1; option != NULL && i + 1 < command->argc; i += 2) {
        if (strcmp(command->argv[i], option) == 0) {
            return i + 1;
        }
    }
    return -1;
}

static void check_app(const struct finder* finder, uint32_t index) {
    const struct guest_app* command = &finder->config->apps[index];
    const struct app_type* type = command->argc < 1 ? NULL : app_type_find(command->argv[0]);
    struct app_demand unmet;
    if (type == NULL) {
        return; /* the list of guest_apps says so */
    }
    void* arguments = calloc(1, type->arguments_bytes + 1);
    if (arguments != NULL &&
        !app_arguments(type, command, finder->config, finder->nic_count, arguments, &unmet)) {
        struct guest_mistake mistake = kNoMistake;
        char name[64];
        mistake.app = (int32_t)index;
        mistake.word = word_of(command, unmet.option);
        mistake.settings[0] = setting_of_nic(unmet.setting != NULL ? unmet.setting : "", unmet.nic,
                                             name, sizeof name);
        mistake.what = unmet.what;
        mistake.why = unmet.why;
        finder->found(finder->context, &mistake);
    }
    free(arguments);
}

EXPORTED void guest_check(const struct guest_config* wanted, uint32_t nic_count,
                          guest_mistake_fn found, void* context) {
    const struct finder finder = {wanted, nic_count, found, context};
    char why[256];
    struct guest_mistake mistake = kNoMistake;
    mistake.what = why;
    if (settings_apply(wanted->settings, wanted->setting_count, why, sizeof why) < 0 ||
        check_config(wanted, why, sizeof why) < 0) {
        found(context, &mistake);
        return;
    }
    check_settings(&finder);
    check_routes(&finder);
    for (uint32_t i = 0; i < wanted->app_count; ++i) {
        check_app(&finder, i);
    }
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
    static struct guest_description list[MAX_APP_TYPES + 1]; /* the last one stays null */
    static char synopses[MAX_APP_TYPES][SYNOPSIS_BYTES];
    for (size_t i = 0; i < MAX_APP_TYPES && app_type_at(i) != NULL; ++i) {
        const struct app_type* type = app_type_at(i);
        options_synopsis(type->options, synopses[i], sizeof synopses[i]);
        list[i] = (struct guest_description){type->name, synopses[i], "", type->description};
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
