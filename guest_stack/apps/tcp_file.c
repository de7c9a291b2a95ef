/* A file over TCP: tcp_send on one host, tcp_receive on the other, or both at once over one
 * connection (tcp_bidirectional). The end is agreed upon: a writer shuts its side down after the
 * last byte; a reader that got everything closes, and only then does the writer report success. */
#include "guest_stack/apps/app.h"

#define DEFAULT_CHUNK 65536u
#define MAX_CHUNK 1048576u
#define DEFAULT_PATIENCE_MS 5000u

struct transfer {
    struct app* app;
    int fd;
    struct guest_file* file;
    uint64_t limit;    /* bytes at most */
    uint64_t chunk;    /* of one system call */
    uint64_t delay_us; /* after each read: a slow reader */
    uint64_t bytes;
    int result;
    /* tcp_bidirectional: the sending thread's end */
    bool ended;
    struct wait_queue end_wait;
};

static struct guest_file* file_open(const struct app* app, const char* name, int for_writing) {
    struct guest_file* file = kernel.ops->file_open(kernel.host, name, for_writing);
    if (file == NULL) {
        app_log(app, GUEST_LOG_ERROR, "cannot open '%s'", name);
    }
    return file;
}

static int send_file(struct transfer* t) {
    char* chunk = app_alloc(t->app, t->chunk);
    int result = 0;
    while (result == 0 && t->bytes < t->limit) {
        const uint64_t left = t->limit - t->bytes;
        const uint32_t wanted = (uint32_t)(left < t->chunk ? left : t->chunk);
        const int64_t got = kernel.ops->file_read(kernel.host, t->file, chunk, wanted);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            result = app_fail(t->app, "reading the file", got);
            break;
        }
        const int64_t written = syscall_write(t->fd, chunk, (size_t)got);
        if (written > 0) {
            t->bytes += (uint64_t)written;
        }
        if (written != got) {
            result = app_fail(t->app, "write", written < 0 ? written : -EPIPE);
        }
    }
    if (result == 0) {
        result = syscall_shutdown(t->fd);
        if (result < 0) {
            (void)app_fail(t->app, "shutdown", result);
        }
    }
    return result;
}

static int receive_file(struct transfer* t) {
    char* chunk = app_alloc(t->app, t->chunk);
    int result = 0;
    for (;;) {
        const int64_t got = syscall_read(t->fd, chunk, t->chunk);
        if (got == 0) {
            break;
        }
        if (got < 0) {
            result = app_fail(t->app, "read", got);
            break;
        }
        const int64_t kept = kernel.ops->file_write(kernel.host, t->file, chunk, (uint32_t)got);
        if (kept != got) {
            result = app_fail(t->app, "writing the file", kept < 0 ? kept : -EIO);
            break;
        }
        t->bytes += (uint64_t)got;
        if (t->delay_us != 0) {
            thread_sleep_until(kernel_now() + t->delay_us * PS_PER_US);
        }
    }
    return result;
}

/* --- tcp_send
 * ---------------------------------------------------------------------------------------- */

struct send_arguments {
    struct socket_address to;
    const char* file;
    uint64_t bytes, write_bytes, patience_ms;
};

static const struct send_arguments kSendDefaults = {
    .bytes = UINT64_MAX, .write_bytes = DEFAULT_CHUNK, .patience_ms = DEFAULT_PATIENCE_MS};

#define AT(field) offsetof(struct send_arguments, field)
static const struct option kSendOptions[] = {
    {"--to", OPTION_ADDRESS, OPTION_REQUIRED, NULL, 0, 0, AT(to.address)},
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(to.port)},
    {"--file", OPTION_TEXT, OPTION_REQUIRED, "NAME", 0, 0, AT(file)},
    {"--bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, UINT64_MAX, AT(bytes)},
    {"--write-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_CHUNK, AT(write_bytes)},
    {"--patience-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 3600000, AT(patience_ms)},
    OPTION_END};
#undef AT

static int run_send(struct app* app) {
    const struct send_arguments* given = app->arguments;
    struct transfer t = {.app = app, .limit = given->bytes, .chunk = given->write_bytes};
    t.file = file_open(app, given->file, 0);
    if (t.file == NULL) {
        return -ENOENT;
    }
    int result = t.fd = syscall_socket(SOCKET_TCP);
    if (t.fd >= 0) {
        result = t.fd = app_connect(app, t.fd, given->to, given->patience_ms);
    }
    if (t.fd >= 0) {
        app->start_ps = kernel_now();
        result = send_file(&t);
        char end;
        const int64_t closed = result == 0 ? syscall_read(t.fd, &end, 1) : 0;
        if (result == 0 && closed != 0) {
            result = closed < 0 ? app_fail(app, "the receiver did not take everything", closed)
                                : app_fail(app, "the receiver answered with data", -EPROTO);
        }
        (void)syscall_close(t.fd);
    }
    kernel.ops->file_close(kernel.host, t.file);
    app->bytes = t.bytes;
    return result;
}

const struct app_type kTcpSend = {"tcp_send",
                                  "Sends a file over TCP and ends when the receiver has all of it",
                                  kSendOptions,
                                  &kSendDefaults,
                                  sizeof kSendDefaults,
                                  run_send,
                                  NULL};

/* --- tcp_receive
 * ------------------------------------------------------------------------------------- */

struct receive_arguments {
    uint16_t port;
    const char* file;
    uint64_t delay_us, read_bytes, receive_buffer;
};

static const struct receive_arguments kReceiveDefaults = {.read_bytes = DEFAULT_CHUNK};

#define AT(field) offsetof(struct receive_arguments, field)
static const struct option kReceiveOptions[] = {
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(port)},
    {"--file", OPTION_TEXT, OPTION_REQUIRED, "NAME", 0, 0, AT(file)},
    {"--delay-us", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 60000000, AT(delay_us)},
    {"--read-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_CHUNK, AT(read_bytes)},
    /* Less than a segment, and lwIP would never announce that the window has opened; more than its
     * window there is not. */
    {"--rcvbuf", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", 1460, 65535, AT(receive_buffer)},
    OPTION_END};
#undef AT

static int run_receive(struct app* app) {
    const struct receive_arguments* given = app->arguments;
    struct transfer t = {.app = app, .chunk = given->read_bytes, .delay_us = given->delay_us};
    t.file = file_open(app, given->file, 1);
    if (t.file == NULL) {
        return -ENOENT;
    }
    int result = app_listen(app, given->port, given->receive_buffer);
    if (result >= 0) {
        const int listener = result;
        struct socket_address peer;
        result = t.fd = syscall_accept(listener, &peer);
        (void)syscall_close(listener);
    }
    if (result >= 0) {
        app->start_ps = kernel_now();
        result = receive_file(&t);
        (void)syscall_close(t.fd);
    }
    kernel.ops->file_close(kernel.host, t.file);
    app->bytes = t.bytes;
    return result;
}

const struct app_type kTcpReceive = {
    "tcp_receive",
    "Accepts one TCP connection and stores what it brings; slow on request",
    kReceiveOptions,
    &kReceiveDefaults,
    sizeof kReceiveDefaults,
    run_receive,
    NULL};

/* --- tcp_bidirectional
 * ------------------------------------------------------------------------------- */

static void sender_main(void* argument) {
    struct transfer* t = argument;
    t->result = send_file(t);
    t->ended = true;
    thread_wake_all(&t->end_wait);
}

static int exchange(struct app* app, int fd, const char* send_name, const char* receive_name,
                    uint64_t chunk) {
    struct transfer out = {.app = app, .fd = fd, .limit = UINT64_MAX, .chunk = chunk};
    struct transfer in = {.app = app, .fd = fd, .chunk = chunk};
    out.file = file_open(app, send_name, 0);
    in.file = file_open(app, receive_name, 1);
    int result = out.file != NULL && in.file != NULL ? 0 : -ENOENT;
    if (result == 0) {
        (void)thread_create("tcp_bidirectional sender", sender_main, &out);
        result = receive_file(&in);
        while (!out.ended) {
            (void)thread_block(&out.end_wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
        }
        result = result != 0 ? result : out.result;
    }
    if (out.file != NULL) {
        kernel.ops->file_close(kernel.host, out.file);
    }
    if (in.file != NULL) {
        kernel.ops->file_close(kernel.host, in.file);
    }
    app->bytes = in.bytes;
    return result;
}

struct exchange_arguments {
    uint16_t listen; /* 0: connects */
    struct socket_address to;
    const char* send;
    const char* receive;
    uint64_t write_bytes, patience_ms;
};

static const struct exchange_arguments kExchangeDefaults = {.write_bytes = DEFAULT_CHUNK,
                                                            .patience_ms = DEFAULT_PATIENCE_MS};

#define AT(field) offsetof(struct exchange_arguments, field)
static const struct option kExchangeOptions[] = {
    {"--listen", OPTION_PORT, OPTION_EITHER, NULL, 0, 0, AT(listen)},
    {"--to", OPTION_ADDRESS, OPTION_OR, NULL, 0, 0, AT(to.address)},
    {"--port", OPTION_PORT, OPTION_OR, NULL, 0, 0, AT(to.port)},
    {"--send", OPTION_TEXT, OPTION_REQUIRED, "NAME", 0, 0, AT(send)},
    {"--receive", OPTION_TEXT, OPTION_REQUIRED, "NAME", 0, 0, AT(receive)},
    {"--write-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_CHUNK, AT(write_bytes)},
    {"--patience-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 3600000, AT(patience_ms)},
    OPTION_END};
#undef AT

static int run_bidirectional(struct app* app) {
    const struct exchange_arguments* given = app->arguments;
    int fd;
    if (given->listen != 0) {
        const int listener = app_listen(app, given->listen, 0);
        if (listener < 0) {
            return listener;
        }
        fd = syscall_accept(listener, NULL);
        (void)syscall_close(listener);
    } else {
        fd = syscall_socket(SOCKET_TCP);
        fd = fd < 0 ? fd : app_connect(app, fd, given->to, given->patience_ms);
    }
    if (fd < 0) {
        return fd;
    }
    /* While Nagle's algorithm holds back a short segment, this lwIP (2.1.3, tcp_output) does not
     * send acknowledgements either: two ends that both stream would each wait for the other's until
     * the retransmission timer ends it. */
    const int option = syscall_setsockopt(fd, OPTION_NO_DELAY, 1);
    if (option < 0) {
        return app_fail(app, "setsockopt", option);
    }
    app->start_ps = kernel_now();
    const int result = exchange(app, fd, given->send, given->receive, given->write_bytes);
    (void)syscall_close(fd);
    return result;
}

const struct app_type kTcpBidirectional = {
    "tcp_bidirectional",
    "Sends one file and receives another over one connection, at the same time",
    kExchangeOptions,
    &kExchangeDefaults,
    sizeof kExchangeDefaults,
    run_bidirectional,
    NULL};
