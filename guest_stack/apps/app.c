#include "guest_stack/apps/app.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_stack/port/route.h"

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

static const struct option* option_find(const struct option* options, const char* name) {
    for (const struct option* option = options; option->name != NULL; ++option) {
        if (strcmp(option->name, name) == 0) {
            return option;
        }
    }
    return NULL;
}

static bool parse_number(const char* text, uint64_t* value) {
    uint64_t result = 0;
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; ++text) {
        if (*text < '0' || *text > '9' || result > (UINT64_MAX - 9) / 10) {
            return false;
        }
        result = result * 10 + (uint64_t)(*text - '0');
    }
    *value = result;
    return true;
}

static bool option_set(const struct app* app, const struct option* option, const char* text) {
    uint64_t number = 0;
    switch (option->kind) {
        case OPTION_TEXT:
            *(const char**)option->value = text;
            return true;
        case OPTION_ADDRESS:
            if (route_parse_address(text, option->value)) {
                return true;
            }
            app_log(app, GUEST_LOG_ERROR, "%s takes an IPv4 address, not '%s'", option->name, text);
            return false;
        case OPTION_PORT:
            if (parse_number(text, &number) && number >= 1 && number <= 65535) {
                *(uint16_t*)option->value = (uint16_t)number;
                return true;
            }
            app_log(app, GUEST_LOG_ERROR, "%s takes a port, 1..65535, not '%s'", option->name,
                    text);
            return false;
        case OPTION_NUMBER:
            if (parse_number(text, &number) && number >= option->minimum &&
                number <= option->maximum) {
                *(uint64_t*)option->value = number;
                return true;
            }
            app_log(app, GUEST_LOG_ERROR, "%s takes a number, %llu..%llu, not '%s'", option->name,
                    (unsigned long long)option->minimum, (unsigned long long)option->maximum, text);
            return false;
    }
    return false;
}

bool app_options(const struct app* app, const struct option* options) {
    const int argc = app->config->argc;
    const char* const* argv = app->config->argv;
    uint64_t seen = 0;
    for (int i = 1; i < argc; i += 2) {
        const struct option* option = option_find(options, argv[i]);
        if (option == NULL) {
            app_log(app, GUEST_LOG_ERROR, "there is no option '%s'; usage: %s %s", argv[i],
                    app->type->name, app->type->arguments);
            return false;
        }
        const uint64_t bit = (uint64_t)1 << (option - options);
        if ((seen & bit) != 0) {
            app_log(app, GUEST_LOG_ERROR, "%s is given twice", argv[i]);
            return false;
        }
        seen |= bit;
        if (i + 1 == argc) {
            app_log(app, GUEST_LOG_ERROR, "%s needs a value", argv[i]);
            return false;
        }
        if (!option_set(app, option, argv[i + 1])) {
            return false;
        }
    }
    for (const struct option* option = options; option->name != NULL; ++option) {
        if (option->required && (seen >> (option - options) & 1u) == 0) {
            app_log(app, GUEST_LOG_ERROR, "%s is missing; usage: %s %s", option->name,
                    app->type->name, app->type->arguments);
            return false;
        }
    }
    return true;
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
    &kPacketGenerator,  &kPacketSink};

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
