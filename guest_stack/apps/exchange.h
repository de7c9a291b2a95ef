/* One question at a time and the time to its answer: what ping and udp_echo_client share. */
#ifndef GUEST_EXCHANGE_H
#define GUEST_EXCHANGE_H

#include "guest_stack/apps/app.h"

enum answer {
    ANSWER_OTHER, /* to nobody, to another question or to one given up: wait on */
    ANSWER_WRONG,
    ANSWER_RIGHT,
};

struct exchange {
    struct app* app;
    int fd;
    struct socket_address to;
    uint8_t* question;
    size_t question_bytes;
    uint8_t* answer; /* may be the question's memory: `judge` then compares with what it knows */
    size_t answer_room;
    uint64_t payload_bytes; /* of a right answer, for app.<i>.bytes */
    uint64_t count, interval_us, timeout_ms, max_lost;
    void (*ask)(struct exchange* exchange, uint64_t number); /* writes `question`; 1, 2, ... */
    enum answer (*judge)(const struct exchange* exchange, uint64_t number, int64_t got);
};

/* Asks `count` times and closes `fd`. 0, or negative errno: a system call failed; or EPROTO when a
 * wrong answer came, none did, or more than `max_lost` are missing. */
int exchange_run(struct exchange* exchange);

#endif /* GUEST_EXCHANGE_H */
