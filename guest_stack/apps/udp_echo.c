/* UDP echo: the client numbers its datagrams, so that loss, duplicates and late answers are told
 * apart. */
#include <string.h>

#include "guest_stack/apps/app.h"

#define MAX_DATAGRAM 65507u
#define UDP_HEADER 8u

/* Big-endian number and the time it was sent, then a pattern. */
#define ECHO_HEADER 8u

static void put_number(uint8_t* at, uint64_t number) {
    for (int i = 0; i < 8; ++i) {
        at[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

static uint64_t get_number(const uint8_t* at) {
    uint64_t number = 0;
    for (int i = 0; i < 8; ++i) {
        number = number << 8 | at[i];
    }
    return number;
}

struct server_arguments {
    uint16_t port;
    uint64_t count; /* 0: for ever */
};

static const struct server_arguments kServerDefaults = {0, 0};

#define AT(field) offsetof(struct server_arguments, field)
static const struct option kServerOptions[] = {
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(port)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    OPTION_END};
#undef AT

static int run_server(struct app* app) {
    const struct server_arguments* given = app->arguments;
    const uint64_t count = given->count;
    const int fd = syscall_socket(SOCKET_UDP);
    const int bound = fd < 0 ? fd : syscall_bind(fd, (struct socket_address){0, given->port});
    if (bound < 0) {
        return app_fail(app, "bind", bound);
    }
    if (count == 0) {
        app_finish(app, 0); /* serves for ever, in the background */
    }
    uint8_t* data = app_alloc(app, MAX_DATAGRAM);
    int result = 0;
    while (count == 0 || app->operations < count) {
        struct socket_address from;
        const int64_t got = syscall_recvfrom(fd, data, MAX_DATAGRAM, &from);
        if (got < 0) {
            result = app_fail(app, "recvfrom", got);
            break;
        }
        const int64_t sent = syscall_sendto(fd, data, (size_t)got, from);
        if (sent != got) {
            ++app->lost;
            continue;
        }
        ++app->operations;
        app->bytes += (uint64_t)got;
    }
    (void)syscall_close(fd);
    return result;
}

struct echo {
    struct app* app;
    int fd;
    struct socket_address to;
    uint64_t size, timeout_ps;
    uint8_t* data;
};

static void fill(const struct echo* echo, uint64_t number) {
    put_number(echo->data, number);
    for (uint64_t i = ECHO_HEADER; i < echo->size; ++i) {
        echo->data[i] = (uint8_t)(number + i);
    }
}

static bool is_answer(const struct echo* echo, int64_t got, uint64_t number) {
    if (got != (int64_t)echo->size) {
        return false;
    }
    for (uint64_t i = ECHO_HEADER; i < echo->size; ++i) {
        if (echo->data[i] != (uint8_t)(number + i)) {
            return false;
        }
    }
    return true;
}

static int one_echo(struct echo* echo, uint64_t number) {
    struct app* app = echo->app;
    fill(echo, number);
    const uint64_t start_ps = kernel_now();
    const int64_t sent = syscall_sendto(echo->fd, echo->data, echo->size, echo->to);
    if (sent < 0) {
        ++app->lost;
        return 0;
    }
    for (;;) {
        const uint64_t waited_ps = kernel_now() - start_ps;
        if (waited_ps >= echo->timeout_ps) {
            ++app->lost;
            return 0;
        }
        const uint64_t left_ms = (echo->timeout_ps - waited_ps + PS_PER_MS - 1) / PS_PER_MS;
        (void)syscall_setsockopt(echo->fd, OPTION_RECEIVE_TIMEOUT, (uint32_t)left_ms);
        const int64_t got = syscall_recvfrom(echo->fd, echo->data, MAX_DATAGRAM, NULL);
        if (got == -EAGAIN) {
            continue;
        }
        if (got < 0) {
            return app_fail(app, "recvfrom", got);
        }
        const uint64_t answered = got >= (int64_t)ECHO_HEADER ? get_number(echo->data) : number;
        if (answered < number) {
            continue; /* a duplicate, or an answer that had been given up */
        }
        if (!is_answer(echo, got, number)) {
            ++app->errors;
            return 0;
        }
        latency_add(app->latency, (kernel_now() - start_ps) / PS_PER_NS);
        ++app->operations;
        app->bytes += echo->size;
        return 0;
    }
}

struct client_arguments {
    struct socket_address to;
    uint64_t count, size, interval_us, timeout_ms, max_lost;
};

static const struct client_arguments kClientDefaults = {
    .count = 100, .size = 64, .timeout_ms = 1000, .max_lost = UINT64_MAX};

#define AT(field) offsetof(struct client_arguments, field)
static const struct option kClientOptions[] = {
    {"--to", OPTION_ADDRESS, OPTION_REQUIRED, NULL, 0, 0, AT(to.address)},
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(to.port)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--size", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", ECHO_HEADER, MAX_DATAGRAM, AT(size)},
    {"--interval-us", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 3600000000u, AT(interval_us)},
    {"--timeout-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000, AT(timeout_ms)},
    {"--max-lost", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, UINT32_MAX, AT(max_lost)},
    OPTION_END};
#undef AT

static bool check_client(const void* arguments, const struct guest_config* config,
                         uint32_t nic_count, struct app_demand* unmet) {
    const struct client_arguments* given = arguments;
    (void)nic_count;
    return app_check_datagram(given->to.address, UDP_HEADER + given->size, given->size, config,
                              unmet);
}

static int run_client(struct app* app) {
    const struct client_arguments* given = app->arguments;
    const uint64_t count = given->count;
    const uint64_t interval_us = given->interval_us;
    struct echo echo = {.app = app,
                        .to = given->to,
                        .size = given->size,
                        .timeout_ps = given->timeout_ms * PS_PER_MS};
    (void)app_latency(app);
    echo.fd = syscall_socket(SOCKET_UDP);
    if (echo.fd < 0) {
        return app_fail(app, "socket", echo.fd);
    }
    echo.data = app_alloc(app, MAX_DATAGRAM);
    int result = 0;
    for (uint64_t number = 1; result == 0 && number <= count; ++number) {
        const uint64_t next_ps = kernel_now() + interval_us * PS_PER_US;
        result = one_echo(&echo, number);
        if (interval_us != 0 && number < count && next_ps > kernel_now()) {
            thread_sleep_until(next_ps);
        }
    }
    (void)syscall_close(echo.fd);
    if (result == 0 && (app->errors != 0 || app->lost > given->max_lost || app->operations == 0)) {
        app_log(app, GUEST_LOG_ERROR, "%llu answered, %llu lost, %llu wrong",
                (unsigned long long)app->operations, (unsigned long long)app->lost,
                (unsigned long long)app->errors);
        result = -EPROTO;
    }
    return result;
}

const struct app_type kUdpEchoServer = {
    "udp_echo_server",
    "Sends every datagram back; without --count it counts as done when it is ready",
    kServerOptions,
    &kServerDefaults,
    sizeof kServerDefaults,
    run_server,
    NULL};
const struct app_type kUdpEchoClient = {
    "udp_echo_client",
    "Sends datagrams, one at a time, and measures the time to each echo",
    kClientOptions,
    &kClientDefaults,
    sizeof kClientDefaults,
    run_client,
    check_client};
