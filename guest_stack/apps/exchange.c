#include "guest_stack/apps/exchange.h"

/* 0, or negative errno. What the answer was like is counted in the application. */
static int ask_once(struct exchange* exchange, uint64_t number) {
    struct app* app = exchange->app;
    exchange->ask(exchange, number);
    const uint64_t start_ps = kernel_now();
    const uint64_t timeout_ps = exchange->timeout_ms * PS_PER_MS;
    if (syscall_sendto(exchange->fd, exchange->question, exchange->question_bytes, exchange->to) <
        0) {
        ++app->lost;
        return 0;
    }
    for (;;) {
        const uint64_t waited_ps = kernel_now() - start_ps;
        if (waited_ps >= timeout_ps) {
            ++app->lost;
            return 0;
        }
        const uint64_t left_ms = (timeout_ps - waited_ps + PS_PER_MS - 1) / PS_PER_MS;
        (void)syscall_setsockopt(exchange->fd, OPTION_RECEIVE_TIMEOUT, (uint32_t)left_ms);
        const int64_t got =
            syscall_recvfrom(exchange->fd, exchange->answer, exchange->answer_room, NULL);
        if (got == -EAGAIN) {
            continue;
        }
        if (got < 0) {
            return app_fail(app, "recvfrom", got);
        }
        switch (exchange->judge(exchange, number, got)) {
            case ANSWER_OTHER:
                continue;
            case ANSWER_WRONG:
                ++app->errors;
                return 0;
            case ANSWER_RIGHT:
                break;
        }
        latency_add(app->latency, (kernel_now() - start_ps) / PS_PER_NS);
        ++app->operations;
        app->bytes += exchange->payload_bytes;
        return 0;
    }
}

int exchange_run(struct exchange* exchange) {
    struct app* app = exchange->app;
    (void)app_latency(app);
    int result = 0;
    for (uint64_t number = 1; result == 0 && number <= exchange->count; ++number) {
        const uint64_t next_ps = kernel_now() + exchange->interval_us * PS_PER_US;
        result = ask_once(exchange, number);
        if (number < exchange->count && next_ps > kernel_now()) {
            thread_sleep_until(next_ps);
        }
    }
    (void)syscall_close(exchange->fd);
    const bool kept = app->errors == 0 && app->lost <= exchange->max_lost && app->operations != 0;
    if (result == 0 && !kept) {
        app_log(app, GUEST_LOG_ERROR, "%llu answered, %llu lost, %llu wrong",
                (unsigned long long)app->operations, (unsigned long long)app->lost,
                (unsigned long long)app->errors);
        result = -EPROTO;
    }
    return result;
}
