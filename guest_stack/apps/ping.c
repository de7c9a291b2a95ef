/* ICMP echo (RFC 792) through a raw socket. The peer's answer comes from its stack, not from an
 * application. */
#include <string.h>

#include "guest_stack/apps/app.h"

#define ICMP_HEADER 8u
#define ICMP_ECHO_REPLY 0u
#define ICMP_ECHO 8u
#define MAX_PAYLOAD 65507u

/* RFC 1071; an application of a raw socket computes its own. */
static uint16_t checksum(const uint8_t* data, size_t size) {
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        sum += (uint32_t)(data[i] << 8 | data[i + 1]);
    }
    if ((size & 1) != 0) {
        sum += (uint32_t)data[size - 1] << 8;
    }
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

struct ping {
    struct app* app;
    int fd;
    struct socket_address to;
    uint64_t size, timeout_ps;
    uint16_t identifier;
    uint8_t* request;
    uint8_t* answer;
};

static void make_request(const struct ping* ping, uint16_t sequence) {
    uint8_t* icmp = ping->request;
    icmp[0] = ICMP_ECHO;
    icmp[1] = 0;
    icmp[2] = icmp[3] = 0;
    icmp[4] = (uint8_t)(ping->identifier >> 8);
    icmp[5] = (uint8_t)ping->identifier;
    icmp[6] = (uint8_t)(sequence >> 8);
    icmp[7] = (uint8_t)sequence;
    for (uint64_t i = 0; i < ping->size; ++i) {
        icmp[ICMP_HEADER + i] = (uint8_t)(sequence + i);
    }
    const uint16_t sum = checksum(icmp, ICMP_HEADER + ping->size);
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
}

/* A raw socket gets the IP header as well, and every ICMP message. */
static const uint8_t* echo_reply(const struct ping* ping, int64_t got) {
    const int64_t ip_bytes = got > 0 ? (ping->answer[0] & 15) * 4 : 0;
    if (got < ip_bytes + (int64_t)ICMP_HEADER) {
        return NULL;
    }
    const uint8_t* icmp = ping->answer + ip_bytes;
    return icmp[0] == ICMP_ECHO_REPLY && memcmp(icmp + 4, ping->request + 4, 4) == 0 ? icmp : NULL;
}

static int one_ping(struct ping* ping, uint16_t sequence) {
    struct app* app = ping->app;
    make_request(ping, sequence);
    const uint64_t start_ps = kernel_now();
    const size_t bytes = ICMP_HEADER + ping->size;
    const int64_t sent = syscall_sendto(ping->fd, ping->request, bytes, ping->to);
    if (sent < 0) {
        ++app->lost;
        return 0;
    }
    for (;;) {
        const uint64_t waited_ps = kernel_now() - start_ps;
        if (waited_ps >= ping->timeout_ps) {
            ++app->lost;
            return 0;
        }
        const uint64_t left_ms = (ping->timeout_ps - waited_ps + PS_PER_MS - 1) / PS_PER_MS;
        (void)syscall_setsockopt(ping->fd, OPTION_RECEIVE_TIMEOUT, (uint32_t)left_ms);
        const int64_t got = syscall_recvfrom(ping->fd, ping->answer, MAX_PAYLOAD + 60, NULL);
        if (got == -EAGAIN) {
            continue;
        }
        if (got < 0) {
            return app_fail(app, "recvfrom", got);
        }
        const uint8_t* icmp = echo_reply(ping, got);
        if (icmp == NULL) {
            continue;
        }
        const size_t answered = (size_t)(ping->answer + got - icmp);
        if (answered != bytes ||
            memcmp(icmp + ICMP_HEADER, ping->request + ICMP_HEADER, (size_t)ping->size) != 0) {
            ++app->errors;
            return 0;
        }
        latency_add(app->latency, (kernel_now() - start_ps) / PS_PER_NS);
        ++app->operations;
        app->bytes += ping->size;
        return 0;
    }
}

struct ping_arguments {
    uint32_t to;
    uint64_t count, size, interval_us, timeout_ms, max_lost;
};

static const struct ping_arguments kDefaults = {
    .count = 10, .size = 56, .interval_us = 10000, .timeout_ms = 1000, .max_lost = UINT64_MAX};

#define AT(field) offsetof(struct ping_arguments, field)
static const struct option kOptions[] = {
    {"--to", OPTION_ADDRESS, OPTION_REQUIRED, NULL, 0, 0, AT(to)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--size", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", 0, MAX_PAYLOAD - ICMP_HEADER, AT(size)},
    {"--interval-us", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 3600000000u, AT(interval_us)},
    {"--timeout-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000, AT(timeout_ms)},
    {"--max-lost", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, UINT32_MAX, AT(max_lost)},
    OPTION_END};
#undef AT

static bool check(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet) {
    const struct ping_arguments* given = arguments;
    (void)nic_count;
    return app_check_datagram(given->to, ICMP_HEADER + given->size, given->size, config, unmet);
}

static int run(struct app* app) {
    const struct ping_arguments* given = app->arguments;
    struct ping ping = {.app = app,
                        .to = {given->to, 0},
                        .size = given->size,
                        .timeout_ps = given->timeout_ms * PS_PER_MS,
                        .identifier = (uint16_t)(0x4242 + app->index)};
    (void)app_latency(app);
    ping.fd = syscall_socket(SOCKET_ICMP);
    if (ping.fd < 0) {
        return app_fail(app, "socket", ping.fd);
    }
    ping.request = app_alloc(app, ICMP_HEADER + ping.size);
    ping.answer = app_alloc(app, MAX_PAYLOAD + 60);
    int result = 0;
    for (uint64_t i = 1; result == 0 && i <= given->count; ++i) {
        const uint64_t next_ps = kernel_now() + given->interval_us * PS_PER_US;
        result = one_ping(&ping, (uint16_t)i);
        if (i < given->count && next_ps > kernel_now()) {
            thread_sleep_until(next_ps);
        }
    }
    (void)syscall_close(ping.fd);
    if (result == 0 && (app->errors != 0 || app->lost > given->max_lost || app->operations == 0)) {
        app_log(app, GUEST_LOG_ERROR, "%llu answered, %llu lost, %llu wrong",
                (unsigned long long)app->operations, (unsigned long long)app->lost,
                (unsigned long long)app->errors);
        result = -EPROTO;
    }
    return result;
}

const struct app_type kPing = {"ping",
                               "ICMP echo requests, one at a time, and the time to each reply",
                               kOptions,
                               &kDefaults,
                               sizeof kDefaults,
                               run,
                               check};
