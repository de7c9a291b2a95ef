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

struct arguments {
    uint64_t nic, ms;
};

static const struct arguments kDefaults = {.nic = 0, .ms = 100};

static const struct option kOptions[] = {
    {"--nic", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, NETDEV_MAX - 1,
     offsetof(struct arguments, nic)},
    {"--ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000, offsetof(struct arguments, ms)},
    OPTION_END};

static bool check(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet) {
    (void)config;
    return app_check_nic(((const struct arguments*)arguments)->nic, nic_count, unmet);
}

static int run(struct app* app) {
    const struct arguments* given = app->arguments;
    struct frame_counter counter = {.app = app};
    struct netdev* dev = netdev_at((uint32_t)given->nic);
    if (dev == NULL) {
        return app_fail(app, "--nic", -ENODEV);
    }
    dev->tap = look;
    dev->tap_context = &counter;
    thread_sleep_until(kernel_now() + given->ms * PS_PER_MS);
    dev->tap = NULL;
    app_log(app, GUEST_LOG_INFO, "%llu frames, %llu of them broadcast",
            (unsigned long long)app->operations, (unsigned long long)counter.broadcasts);
    return 0;
}

static const struct app_type kFrameCounter = {"frame_counter",
                                              "Counts the frames that arrive on a NIC",
                                              kOptions,
                                              &kDefaults,
                                              sizeof kDefaults,
                                              run,
                                              check};

const struct app_type* const kExtraAppTypes[] = {&kFrameCounter, NULL};
