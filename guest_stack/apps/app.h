/* Applications: what a scenario starts on a host, written against the system calls only (the packet
 * generator and sink, which bypass the stack, also use the device). Arguments are typed as on a
 * command line and checked strictly. */
#ifndef GUEST_APP_H
#define GUEST_APP_H

#include <errno.h>

#include "guest_stack/kernel/kernel.h"
#include "guest_stack/kernel/latency.h"
#include "guest_stack/kernel/thread.h"
#include "guest_stack/sys/syscalls.h"

struct app;
struct app_block;

enum option_kind {
    OPTION_ADDRESS, /* uint32_t, host byte order */
    OPTION_PORT,    /* uint16_t */
    OPTION_NUMBER,  /* uint64_t */
    OPTION_TEXT     /* const char* */
};

struct option {
    const char* name; /* "--to" */
    enum option_kind kind;
    bool required;
    uint64_t minimum, maximum; /* of a number */
    void* value;
};

/* Fills the values of `options` (ended by a null name) from the application's arguments. False,
 * with a log line that says what is wrong: unknown option, missing value, not a number, ... */
bool app_options(const struct app* app, const struct option* options);

struct app_type {
    const char* name;
    const char* arguments;
    const char* description;
    int (*run)(struct app* app); /* 0 is success, else negative errno */
};

struct app {
    const struct app_type* type;
    uint32_t index;
    const struct guest_app* config;
    struct thread* thread;
    bool done; /* the host has been told */
    struct app_block* blocks;
    int status;

    /* Metrics: app.<i>.* */
    uint64_t bytes;
    uint64_t operations, lost, errors;
    uint64_t start_ps, end_ps;
    struct latency* latency; /* NULL: the application measures none */
};

const struct app_type* app_type_find(const char* name);
/* All there are, in order: this folder's, then the image's own. NULL behind the last. */
const struct app_type* app_type_at(size_t index);
/* An image may have applications of its own (doorbell_add_guest's APPS): they define this list,
 * which ends with NULL. */
extern const struct app_type* const kExtraAppTypes[] __attribute__((weak));

/* Tells the host; the application may go on as a server in the background. */
void app_finish(struct app* app, int status);
int app_fail(const struct app* app, const char* what, int64_t error);
void app_log(const struct app* app, int level, const char* format, ...)
    __attribute__((format(printf, 3, 4)));
/* Zeroed memory that lives until the application has ended; never NULL. */
void* app_alloc(struct app* app, size_t bytes);
void app_release(struct app* app);
struct latency* app_latency(struct app* app);

/* Connects, trying again while nobody listens yet or no route exists, for `patience_ms`. */
int app_connect(const struct app* app, int fd, struct socket_address to, uint64_t patience_ms);
/* A listening TCP socket. */
int app_listen(const struct app* app, uint16_t port, uint64_t receive_buffer);
/* Reads exactly `size` bytes; less only at the end of the stream. */
int64_t app_read_all(int fd, void* data, size_t size);

extern const struct app_type kTcpSend, kTcpReceive, kTcpBidirectional, kTcpRequestServer,
    kTcpRequestClient, kUdpEchoServer, kUdpEchoClient, kPing, kPacketGenerator, kPacketSink;

#endif /* GUEST_APP_H */
