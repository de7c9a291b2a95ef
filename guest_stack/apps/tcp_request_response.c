/* Requests over one TCP connection, each answered before the next: the latency of a whole way there
 * and back through both stacks. */
#include <string.h>

#include "guest_stack/apps/app.h"

#define MAX_MESSAGE 16777216u

/* Every byte of an answer follows from the request's number, so a mixed-up answer shows. */
static void fill(char* data, uint64_t size, uint64_t number) {
    for (uint64_t i = 0; i < size; ++i) {
        data[i] = (char)(number * 31 + i);
    }
}

static bool is_filled(const char* data, uint64_t size, uint64_t number) {
    for (uint64_t i = 0; i < size; ++i) {
        if (data[i] != (char)(number * 31 + i)) {
            return false;
        }
    }
    return true;
}

static int serve(struct app* app, int fd, uint64_t request_bytes, uint64_t response_bytes) {
    char* request = app_alloc(app, request_bytes);
    char* response = app_alloc(app, response_bytes);
    int result = 0;
    for (uint64_t number = 0;; ++number) {
        const int64_t got = app_read_all(fd, request, request_bytes);
        if (got != (int64_t)request_bytes) {
            result = got == 0 ? 0 : app_fail(app, "read", got < 0 ? got : -EPROTO);
            break;
        }
        app->errors += is_filled(request, request_bytes, number) ? 0 : 1;
        fill(response, response_bytes, number + 1);
        const int64_t written = syscall_write(fd, response, response_bytes);
        if (written != (int64_t)response_bytes) {
            result = app_fail(app, "write", written < 0 ? written : -EPIPE);
            break;
        }
        ++app->operations;
        app->bytes += request_bytes;
    }
    return app->errors != 0 ? -EPROTO : result;
}

static int run_server(struct app* app) {
    uint16_t port = 0;
    uint64_t request_bytes = 1;
    uint64_t response_bytes = 1;
    const struct option options[] = {
        {"--port", OPTION_PORT, true, 0, 0, &port},
        {"--request-bytes", OPTION_NUMBER, false, 1, MAX_MESSAGE, &request_bytes},
        {"--response-bytes", OPTION_NUMBER, false, 1, MAX_MESSAGE, &response_bytes},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    const int listener = app_listen(app, port, 0);
    if (listener < 0) {
        return listener;
    }
    const int fd = syscall_accept(listener, NULL);
    (void)syscall_close(listener);
    if (fd < 0) {
        return app_fail(app, "accept", fd);
    }
    app->start_ps = kernel_now();
    int result = syscall_setsockopt(fd, OPTION_NO_DELAY, 1);
    if (result == 0) {
        result = serve(app, fd, request_bytes, response_bytes);
    }
    (void)syscall_close(fd);
    return result;
}

static int ask(struct app* app, int fd, uint64_t count, uint64_t request_bytes,
               uint64_t response_bytes) {
    struct latency* latency = app_latency(app);
    char* request = app_alloc(app, request_bytes);
    char* response = app_alloc(app, response_bytes);
    int result = 0;
    for (uint64_t number = 0; result == 0 && number < count; ++number) {
        const uint64_t start_ps = kernel_now();
        fill(request, request_bytes, number);
        const int64_t written = syscall_write(fd, request, request_bytes);
        if (written != (int64_t)request_bytes) {
            result = app_fail(app, "write", written < 0 ? written : -EPIPE);
            break;
        }
        const int64_t got = app_read_all(fd, response, response_bytes);
        if (got != (int64_t)response_bytes) {
            result = app_fail(app, "read", got < 0 ? got : -EPROTO);
            break;
        }
        latency_add(latency, (kernel_now() - start_ps) / PS_PER_NS);
        app->errors += is_filled(response, response_bytes, number + 1) ? 0 : 1;
        ++app->operations;
        app->bytes += response_bytes;
    }
    return app->errors != 0 ? -EPROTO : result;
}

static int run_client(struct app* app) {
    struct socket_address to = {0, 0};
    uint64_t count = 1000;
    uint64_t request_bytes = 1;
    uint64_t response_bytes = 1;
    uint64_t patience_ms = 5000;
    const struct option options[] = {
        {"--to", OPTION_ADDRESS, true, 0, 0, &to.address},
        {"--port", OPTION_PORT, true, 0, 0, &to.port},
        {"--count", OPTION_NUMBER, false, 1, UINT32_MAX, &count},
        {"--request-bytes", OPTION_NUMBER, false, 1, MAX_MESSAGE, &request_bytes},
        {"--response-bytes", OPTION_NUMBER, false, 1, MAX_MESSAGE, &response_bytes},
        {"--patience-ms", OPTION_NUMBER, false, 0, 3600000, &patience_ms},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    int fd = syscall_socket(SOCKET_TCP);
    fd = fd < 0 ? fd : app_connect(app, fd, to, patience_ms);
    if (fd < 0) {
        return fd;
    }
    app->start_ps = kernel_now();
    int result = syscall_setsockopt(fd, OPTION_NO_DELAY, 1);
    if (result == 0) {
        result = ask(app, fd, count, request_bytes, response_bytes);
    }
    if (result == 0) {
        result = syscall_shutdown(fd);
    }
    char end;
    if (result == 0 && syscall_read(fd, &end, 1) != 0) {
        result = app_fail(app, "close", -EPROTO);
    }
    (void)syscall_close(fd);
    return result;
}

const struct app_type kTcpRequestServer = {"tcp_request_server",
                                           "--port PORT [--request-bytes N] [--response-bytes N]",
                                           "Answers the requests of one connection", run_server};
const struct app_type kTcpRequestClient = {
    "tcp_request_client",
    "--to ADDRESS --port PORT [--count N] [--request-bytes N] [--response-bytes N] "
    "[--patience-ms N]",
    "Sends requests one after the other and measures the time to each answer", run_client};
