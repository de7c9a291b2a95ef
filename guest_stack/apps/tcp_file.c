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

static int run_send(struct app* app) {
    struct socket_address to = {0, 0};
    const char* name = NULL;
    struct transfer t = {.app = app, .limit = UINT64_MAX, .chunk = DEFAULT_CHUNK};
    uint64_t patience_ms = DEFAULT_PATIENCE_MS;
    const struct option options[] = {
        {"--to", OPTION_ADDRESS, true, 0, 0, &to.address},
        {"--port", OPTION_PORT, true, 0, 0, &to.port},
        {"--file", OPTION_TEXT, true, 0, 0, &name},
        {"--bytes", OPTION_NUMBER, false, 0, UINT64_MAX, &t.limit},
        {"--write-bytes", OPTION_NUMBER, false, 1, MAX_CHUNK, &t.chunk},
        {"--patience-ms", OPTION_NUMBER, false, 0, 3600000, &patience_ms},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    t.file = file_open(app, name, 0);
    if (t.file == NULL) {
        return -ENOENT;
    }
    int result = t.fd = syscall_socket(SOCKET_TCP);
    if (t.fd >= 0) {
        result = t.fd = app_connect(app, t.fd, to, patience_ms);
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

const struct app_type kTcpSend = {
    "tcp_send",
    "--to ADDRESS --port PORT --file NAME [--bytes N] [--write-bytes N] [--patience-ms N]",
    "Sends a file over TCP and ends when the receiver has all of it", run_send};

/* --- tcp_receive
 * ------------------------------------------------------------------------------------- */

static int run_receive(struct app* app) {
    uint16_t port = 0;
    const char* name = NULL;
    uint64_t receive_buffer = 0;
    struct transfer t = {.app = app, .chunk = DEFAULT_CHUNK};
    const struct option options[] = {
        {"--port", OPTION_PORT, true, 0, 0, &port},
        {"--file", OPTION_TEXT, true, 0, 0, &name},
        {"--delay-us", OPTION_NUMBER, false, 0, 60000000, &t.delay_us},
        {"--read-bytes", OPTION_NUMBER, false, 1, MAX_CHUNK, &t.chunk},
        /* Less than a segment, and lwIP would never announce that the window has opened. */
        {"--rcvbuf", OPTION_NUMBER, false, 1460, 65535, &receive_buffer},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    t.file = file_open(app, name, 1);
    if (t.file == NULL) {
        return -ENOENT;
    }
    int result = app_listen(app, port, receive_buffer);
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
    "tcp_receive", "--port PORT --file NAME [--delay-us N] [--read-bytes N] [--rcvbuf BYTES]",
    "Accepts one TCP connection and stores what it brings; slow on request", run_receive};

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

static int run_bidirectional(struct app* app) {
    struct socket_address to = {0, 0};
    uint16_t listen_port = 0;
    const char* send_name = NULL;
    const char* receive_name = NULL;
    uint64_t chunk = DEFAULT_CHUNK;
    uint64_t patience_ms = DEFAULT_PATIENCE_MS;
    const struct option options[] = {
        {"--listen", OPTION_PORT, false, 0, 0, &listen_port},
        {"--to", OPTION_ADDRESS, false, 0, 0, &to.address},
        {"--port", OPTION_PORT, false, 0, 0, &to.port},
        {"--send", OPTION_TEXT, true, 0, 0, &send_name},
        {"--receive", OPTION_TEXT, true, 0, 0, &receive_name},
        {"--write-bytes", OPTION_NUMBER, false, 1, MAX_CHUNK, &chunk},
        {"--patience-ms", OPTION_NUMBER, false, 0, 3600000, &patience_ms},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    if ((listen_port != 0) == (to.port != 0) || (to.port != 0) != (to.address != 0)) {
        app_log(app, GUEST_LOG_ERROR, "needs either --listen PORT or --to ADDRESS --port PORT");
        return -EINVAL;
    }
    int fd;
    if (listen_port != 0) {
        const int listener = app_listen(app, listen_port, 0);
        if (listener < 0) {
            return listener;
        }
        fd = syscall_accept(listener, NULL);
        (void)syscall_close(listener);
    } else {
        fd = syscall_socket(SOCKET_TCP);
        fd = fd < 0 ? fd : app_connect(app, fd, to, patience_ms);
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
    const int result = exchange(app, fd, send_name, receive_name, chunk);
    (void)syscall_close(fd);
    return result;
}

const struct app_type kTcpBidirectional = {
    "tcp_bidirectional",
    "(--listen PORT | --to ADDRESS --port PORT) --send NAME --receive NAME [--write-bytes N] "
    "[--patience-ms N]",
    "Sends one file and receives another over one connection, at the same time", run_bidirectional};
