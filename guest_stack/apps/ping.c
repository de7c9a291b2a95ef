/* ICMP echo (RFC 792) through a raw socket. The peer's answer comes from its stack, not from an
 * application. */
#include <string.h>

#include "guest_stack/apps/exchange.h"

#define ICMP_HEADER 8u
#define ICMP_ECHO_REPLY 0u
#define ICMP_ECHO 8u
#define MAX_PAYLOAD 65507u
#define MAX_PACKET (MAX_PAYLOAD + 60u) /* with the longest IP header */

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

static uint16_t identifier(const struct app* app) {
    return (uint16_t)(0x4242 + app->index);
}

static void make_request(struct exchange* exchange, uint64_t number) {
    uint8_t* icmp = exchange->question;
    const uint16_t id = identifier(exchange->app);
    const uint16_t sequence = (uint16_t)number;
    icmp[0] = ICMP_ECHO;
    icmp[1] = 0;
    icmp[2] = icmp[3] = 0;
    icmp[4] = (uint8_t)(id >> 8);
    icmp[5] = (uint8_t)id;
    icmp[6] = (uint8_t)(sequence >> 8);
    icmp[7] = (uint8_t)sequence;
    for (size_t i = ICMP_HEADER; i < exchange->question_bytes; ++i) {
        icmp[i] = (uint8_t)(sequence + i - ICMP_HEADER);
    }
    const uint16_t sum = checksum(icmp, exchange->question_bytes);
    icmp[2] = (uint8_t)(sum >> 8);
    icmp[3] = (uint8_t)sum;
}

/* A raw socket gets the IP header as well, and every ICMP message. */
static enum answer judge_reply(const struct exchange* exchange, uint64_t number, int64_t got) {
    (void)number; /* the request holds it */
    const int64_t ip_bytes = got > 0 ? (exchange->answer[0] & 15) * 4 : 0;
    if (got < ip_bytes + (int64_t)ICMP_HEADER) {
        return ANSWER_OTHER;
    }
    const uint8_t* icmp = exchange->answer + ip_bytes;
    if (icmp[0] != ICMP_ECHO_REPLY || memcmp(icmp + 4, exchange->question + 4, 4) != 0) {
        return ANSWER_OTHER;
    }
    const size_t bytes = exchange->question_bytes;
    return (size_t)(got - ip_bytes) == bytes &&
                   memcmp(icmp + ICMP_HEADER, exchange->question + ICMP_HEADER,
                          bytes - ICMP_HEADER) == 0
               ? ANSWER_RIGHT
               : ANSWER_WRONG;
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
    const int fd = syscall_socket(SOCKET_ICMP);
    if (fd < 0) {
        return app_fail(app, "socket", fd);
    }
    struct exchange exchange = {.app = app,
                                .fd = fd,
                                .to = {given->to, 0},
                                .question = app_alloc(app, ICMP_HEADER + given->size),
                                .question_bytes = ICMP_HEADER + given->size,
                                .answer = app_alloc(app, MAX_PACKET),
                                .answer_room = MAX_PACKET,
                                .payload_bytes = given->size,
                                .count = given->count,
                                .interval_us = given->interval_us,
                                .timeout_ms = given->timeout_ms,
                                .max_lost = given->max_lost,
                                .ask = make_request,
                                .judge = judge_reply};
    return exchange_run(&exchange);
}

const struct app_type kPing = {"ping",
                               "ICMP echo requests, one at a time, and the time to each reply",
                               kOptions,
                               &kDefaults,
                               sizeof kDefaults,
                               run,
                               check};
