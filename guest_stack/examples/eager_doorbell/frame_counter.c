/* An application of one's own: counts what arrives on a NIC, without taking it away. */
#include "guest_stack/apps/app.h"
#include "guest_stack/kernel/netdev.h"

struct frame_counter {
    struct app* app;
    uint64_t broadcasts;
};

/* In the NET_RX softirq, for every received buffer. False: the stack gets it as if nobody had
 * looked. */
static bool look(void* context, struct rx_buffer* buffer) {
    struct frame_counter* counter = context;
    ++counter->app->operations;
    counter->app->bytes += buffer->size;
    counter->broadcasts += buffer->data[0] == 0xff ? 1 : 0;
    return false;
}

static int run(struct app* app) {
    struct frame_counter counter = {.app = app};
    uint64_t nic = 0;
    uint64_t ms = 100;
    const struct option options[] = {{"--nic", OPTION_NUMBER, false, 0, NETDEV_MAX - 1, &nic},
                                     {"--ms", OPTION_NUMBER, false, 1, 3600000, &ms},
                                     {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    struct netdev* dev = netdev_at((uint32_t)nic);
    if (dev == NULL) {
        return app_fail(app, "--nic", -ENODEV);
    }
    dev->tap = look;
    dev->tap_context = &counter;
    thread_sleep_until(kernel_now() + ms * PS_PER_MS);
    dev->tap = NULL;
    app_log(app, GUEST_LOG_INFO, "%llu frames, %llu of them broadcast",
            (unsigned long long)app->operations, (unsigned long long)counter.broadcasts);
    return 0;
}

static const struct app_type kFrameCounter = {"frame_counter", "[--nic N] [--ms N]",
                                              "Counts the frames that arrive on a NIC", run};

const struct app_type* const kExtraAppTypes[] = {&kFrameCounter, NULL};
