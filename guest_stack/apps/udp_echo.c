/* UDP echo: the client numbers its datagrams, so that loss, duplicates and late answers are told
 * apart. */
#include "guest_stack/apps/exchange.h"

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

static void make_datagram(struct exchange* exchange, uint64_t number) {
    put_number(exchange->question, number);
    for (size_t i = ECHO_HEADER; i < exchange->question_bytes; ++i) {
        exchange->question[i] = (uint8_t)(number + i);
    }
}

static enum answer judge_echo(const struct exchange* exchange, uint64_t number, int64_t got) {
    const uint8_t* data = exchange->answer;
    if (got >= (int64_t)ECHO_HEADER && get_number(data) < number) {
        return ANSWER_OTHER; /* a duplicate, or an answer that had been given up */
    }
    if (got != (int64_t)exchange->question_bytes) {
        return ANSWER_WRONG;
    }
    for (size_t i = ECHO_HEADER; i < (size_t)got; ++i) {
        if (data[i] != (uint8_t)(number + i)) {
            return ANSWER_WRONG;
        }
    }
    return ANSWER_RIGHT;
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
    const int fd = syscall_socket(SOCKET_UDP);
    if (fd < 0) {
        return app_fail(app, "socket", fd);
    }
    uint8_t* data = app_alloc(app, MAX_DATAGRAM);
    struct exchange exchange = {.app = app,
                                .fd = fd,
                                .to = given->to,
                                .question = data,
                                .question_bytes = given->size,
                                .answer = data,
                                .answer_room = MAX_DATAGRAM,
                                .payload_bytes = given->size,
                                .count = given->count,
                                .interval_us = given->interval_us,
                                .timeout_ms = given->timeout_ms,
                                .max_lost = given->max_lost,
                                .ask = make_datagram,
                                .judge = judge_echo};
    return exchange_run(&exchange);
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
