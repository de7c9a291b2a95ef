#include "guest_stack/apps/app.h"

#include <lwip/opt.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ip4.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_stack/kernel/settings.h"

void app_log(const struct app* app, int level, const char* format, ...) {
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    kernel_log(level, "%s (app %u): %s", app->type->name, app->index, text);
}

int app_fail(const struct app* app, const char* what, int64_t error) {
    app_log(app, GUEST_LOG_ERROR, "%s: %s", what, strerror((int)-error));
    return (int)error;
}

void app_finish(struct app* app, int status) {
    if (app->done) {
        return;
    }
    app->done = true;
    app->status = status;
    app->end_ps = kernel_now();
    kernel.ops->app_done(kernel.host, app->index, status);
}

struct app_block {
    struct app_block* next;
    _Alignas(16) char memory[];
};

void* app_alloc(struct app* app, size_t bytes) {
    struct app_block* block = calloc(1, sizeof *block + bytes);
    if (block == NULL) {
        kernel_panic("%s: no memory", app->type->name);
    }
    block->next = app->blocks;
    app->blocks = block;
    return block->memory;
}

void app_release(struct app* app) {
    while (app->blocks != NULL) {
        struct app_block* next = app->blocks->next;
        free(app->blocks);
        app->blocks = next;
    }
}

struct latency* app_latency(struct app* app) {
    if (app->latency == NULL) {
        app->latency = calloc(1, sizeof *app->latency); /* outlives the application */
        if (app->latency == NULL) {
            kernel_panic("%s: no memory", app->type->name);
        }
    }
    return app->latency;
}

/* --- arguments
 * --------------------------------------------------------------------------------------- */

bool app_arguments(const struct app_type* type, const struct guest_app* command,
                   const struct guest_config* config, uint32_t nic_count, void* arguments,
                   struct app_demand* unmet) {
    *unmet = (struct app_demand){0};
    if (type->arguments_bytes != 0) {
        memcpy(arguments, type->defaults, type->arguments_bytes);
    }
    return options_parse(type->options, command->argc, command->argv, arguments, unmet->what,
                         sizeof unmet->what) &&
           (type->check == NULL || type->check(arguments, config, nic_count, unmet));
}

bool app_check_nic(uint64_t nic, uint32_t nic_count, struct app_demand* unmet) {
    if (nic < nic_count) {
        return true;
    }
    unmet->option = "--nic";
    (void)snprintf(unmet->what, sizeof unmet->what, "--nic %llu: there is no such NIC",
                   (unsigned long long)nic);
    (void)snprintf(unmet->why, sizeof unmet->why, "the host has %u, counted from 0", nic_count);
    return false;
}

/* Fragments have a multiple of 8 bytes (RFC 791), lwIP's last one no more than the others. What
 * lwIP limits is the buffers they wait in, and a frame longer than the NIC's takes several. */
static uint64_t most_collected(uint32_t mtu_bytes, uint32_t buffer_bytes) {
    const uint32_t headers = SIZEOF_ETH_HDR + IP_HLEN;
    const uint32_t whole = (mtu_bytes - IP_HLEN) & ~7u;
    const uint32_t buffers = (headers + whole + buffer_bytes - 1) / buffer_bytes;
    const uint32_t count = IP_REASS_MAX_PBUFS / buffers;
    const uint32_t left = IP_REASS_MAX_PBUFS % buffers;
    return (uint64_t)count * whole + (left != 0 ? left * buffer_bytes - headers : 0);
}

/* Of a rest that fits the MTU, but no multiple of 8, lwIP sends the multiple as the last fragment,
 * and then what is over (ip4_frag, 2.1.3): so much of such a datagram. */
static uint32_t bytes_behind_end(uint32_t mtu_bytes, uint64_t payload_bytes) {
    const uint32_t last = mtu_bytes - IP_HLEN;
    const uint32_t over = (uint32_t)(payload_bytes % (last & ~7u));
    return payload_bytes > last && over <= (last & 7u) ? over : 0;
}

bool app_check_datagram(uint32_t to, uint64_t payload_bytes, uint64_t size,
                        const struct guest_config* config, struct app_demand* unmet) {
    const struct guest_interface* best = NULL;
    uint64_t most = 0;
    for (uint32_t i = 0; i < config->interface_count; ++i) {
        const struct guest_interface* interface = &config->interfaces[i];
        const uint64_t collected =
            most_collected(interface->mtu_bytes, settings_nic(interface->nic)->rx_buffer_bytes);
        if (interface->address == to || /* stays inside */
            (payload_bytes <= collected &&
             bytes_behind_end(interface->mtu_bytes, payload_bytes) == 0)) {
            return true;
        }
        if (collected > most) {
            most = collected;
            best = interface;
        }
    }
    if (best == NULL) {
        return true; /* no way out: that shows by itself */
    }
    unmet->option = "--size";
    const unsigned long long asked = size;
    if (payload_bytes > most) {
        (void)snprintf(unmet->what, sizeof unmet->what,
                       "--size %llu: fragments in more than %u buffers", asked, IP_REASS_MAX_PBUFS);
        (void)snprintf(unmet->why, sizeof unmet->why,
                       "lwIP puts no more together; with an mtu_bytes of %u and a "
                       "driver.rx_buffer_bytes of %u it takes %llu at most",
                       best->mtu_bytes, settings_nic(best->nic)->rx_buffer_bytes,
                       (unsigned long long)(most - (payload_bytes - size)));
        return false;
    }
    const uint32_t over = bytes_behind_end(best->mtu_bytes, payload_bytes);
    (void)snprintf(unmet->what, sizeof unmet->what,
                   "--size %llu: lwIP would send its end behind the last fragment", asked);
    (void)snprintf(unmet->why, sizeof unmet->why,
                   "an mtu_bytes of %u is no multiple of 8 and %u more; --size %llu and %llu go",
                   best->mtu_bytes, IP_HLEN, asked - over,
                   asked - over + ((best->mtu_bytes - IP_HLEN) & 7u) + 1);
    return false;
}

/* --- what several have in common
 * --------------------------------------------------------------------- */

int app_connect(const struct app* app, int fd, struct socket_address to, uint64_t patience_ms) {
    const uint64_t until_ps = kernel_now() + patience_ms * PS_PER_MS;
    for (;;) {
        const int result = syscall_connect(fd, to);
        if (result == 0) {
            return fd;
        }
        /* A refused socket is used up (as in POSIX, its state is unspecified): take a new one. */
        (void)syscall_close(fd);
        if (kernel_now() >= until_ps) {
            return app_fail(app, "connect", result);
        }
        thread_sleep_until(kernel_now() + 10 * PS_PER_MS);
        fd = syscall_socket(SOCKET_TCP);
        if (fd < 0) {
            return app_fail(app, "socket", fd);
        }
    }
}

int app_listen(const struct app* app, uint16_t port, uint64_t receive_buffer) {
    const int fd = syscall_socket(SOCKET_TCP);
    if (fd < 0) {
        return app_fail(app, "socket", fd);
    }
    int result = syscall_setsockopt(fd, OPTION_RECEIVE_BUFFER, (uint32_t)receive_buffer);
    if (result == 0) {
        result = syscall_bind(fd, (struct socket_address){0, port});
    }
    if (result == 0) {
        result = syscall_listen(fd);
    }
    if (result < 0) {
        (void)syscall_close(fd);
        return app_fail(app, "listen", result);
    }
    return fd;
}

int64_t app_read_all(int fd, void* data, size_t size) {
    size_t done = 0;
    while (done < size) {
        const int64_t part = syscall_read(fd, (char*)data + done, size - done);
        if (part <= 0) {
            return part < 0 ? part : (int64_t)done;
        }
        done += (size_t)part;
    }
    return (int64_t)done;
}

static const struct app_type* const kAppTypes[] = {
    &kTcpSend,          &kTcpReceive,    &kTcpBidirectional, &kTcpRequestServer,
    &kTcpRequestClient, &kUdpEchoServer, &kUdpEchoClient,    &kPing,
    &kPacketGenerator,  &kPacketSink,    &kPacketProbe};

const struct app_type* app_type_at(size_t index) {
    const size_t count = sizeof kAppTypes / sizeof kAppTypes[0];
    if (index < count) {
        return kAppTypes[index];
    }
    const struct app_type* const* extra = kExtraAppTypes;
    for (; extra != NULL && *extra != NULL; ++extra) {
        if (index-- == count) {
            return *extra;
        }
    }
    return NULL;
}

const struct app_type* app_type_find(const char* name) {
    const struct app_type* type = NULL;
    for (size_t i = 0; (type = app_type_at(i)) != NULL; ++i) {
        if (strcmp(type->name, name) == 0) {
            break;
        }
    }
    return type;
}
