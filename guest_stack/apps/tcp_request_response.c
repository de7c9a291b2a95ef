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

struct arguments {
    struct socket_address to; /* the server's port, too */
    uint64_t count, request_bytes, response_bytes, patience_ms;
};

static const struct arguments kDefaults = {
    .count = 1000, .request_bytes = 1, .response_bytes = 1, .patience_ms = 5000};

#define AT(field) offsetof(struct arguments, field)
static const struct option kServerOptions[] = {
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(to.port)},
    {"--request-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_MESSAGE, AT(request_bytes)},
    {"--response-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_MESSAGE, AT(response_bytes)},
    OPTION_END};
static const struct option kClientOptions[] = {
    {"--to", OPTION_ADDRESS, OPTION_REQUIRED, NULL, 0, 0, AT(to.address)},
    {"--port", OPTION_PORT, OPTION_REQUIRED, NULL, 0, 0, AT(to.port)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--request-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_MESSAGE, AT(request_bytes)},
    {"--response-bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, MAX_MESSAGE, AT(response_bytes)},
    {"--patience-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, 3600000, AT(patience_ms)},
    OPTION_END};
#undef AT

static int run_server(struct app* app) {
    const struct arguments* given = app->arguments;
    const int listener = app_listen(app, given->to.port, 0);
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
        result = serve(app, fd, given->request_bytes, given->response_bytes);
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
    const struct arguments* given = app->arguments;
    int fd = syscall_socket(SOCKET_TCP);
    fd = fd < 0 ? fd : app_connect(app, fd, given->to, given->patience_ms);
    if (fd < 0) {
        return fd;
    }
    app->start_ps = kernel_now();
    int result = syscall_setsockopt(fd, OPTION_NO_DELAY, 1);
    if (result == 0) {
        result = ask(app, fd, given->count, given->request_bytes, given->response_bytes);
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
                                           "Answers the requests of one connection",
                                           kServerOptions,
                                           &kDefaults,
                                           sizeof kDefaults,
                                           run_server,
                                           NULL};
const struct app_type kTcpRequestClient = {
    "tcp_request_client",
    "Sends requests one after the other and measures the time to each answer",
    kClientOptions,
    &kDefaults,
    sizeof kDefaults,
    run_client,
    NULL};
