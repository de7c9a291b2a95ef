/* Takes packet_generator's packets from the driver, judges every one, and ends when enough came or
 * nothing has for a while. */
#include <string.h>

#include "guest_stack/apps/app.h"
#include "guest_stack/apps/test_packet.h"
#include "guest_stack/kernel/netdev.h"

#define ASSEMBLY_BYTES 16384u

struct sink_arguments {
    uint64_t nic, count, bytes, idle_ms, vlan, max_lost, verify; /* count, bytes 0: not given */
    uint16_t port;
};

struct sink {
    struct app* app;
    const struct sink_arguments* given;
    uint64_t next_number;
    uint64_t last_ps;
    bool complete;
    struct wait_queue wait;
    uint64_t bad_ip, bad_l4, bad_data, bad_vlan, wrong_verdict, duplicates;
    /* A frame in several buffers is put together here. */
    uint8_t assembly[ASSEMBLY_BYTES];
    uint32_t assembled;
};

static bool enough(const struct sink* sink) {
    return (sink->given->count != 0 && sink->app->operations >= sink->given->count) ||
           (sink->given->bytes != 0 && sink->app->bytes >= sink->given->bytes);
}

static void count_in_order(struct sink* sink, const struct test_packet* packet) {
    const uint64_t step = packet->protocol == TEST_TCP ? packet->payload_bytes : 1;
    uint64_t number = packet->number;
    if (packet->protocol == TEST_TCP) {
        /* 32-bit sequence numbers of a long stream */
        number = sink->next_number +
                 (uint64_t)(int64_t)(int32_t)((uint32_t)number - (uint32_t)sink->next_number);
    }
    if (number < sink->next_number) {
        ++sink->duplicates;
        return;
    }
    sink->app->lost += number - sink->next_number;
    sink->next_number = number + step;
    ++sink->app->operations;
    sink->app->bytes += packet->payload_bytes;
}

/* What the NIC said about the checksums must agree with what they are. */
static void compare_verdict(struct sink* sink, uint32_t flags, enum test_verdict verdict) {
    const bool ip_good = verdict != TEST_BAD_IP_SUM;
    const bool l4_good = verdict != TEST_BAD_L4_SUM;
    if ((flags & NIC_RX_IP_CHECKED) != 0 && ((flags & NIC_RX_IP_BAD) == 0) != ip_good) {
        ++sink->wrong_verdict;
    }
    if (ip_good && (flags & NIC_RX_L4_CHECKED) != 0 && ((flags & NIC_RX_L4_BAD) == 0) != l4_good) {
        ++sink->wrong_verdict;
    }
}

/* False: not one of ours. */
static bool judge(struct sink* sink, const uint8_t* frame, uint32_t size, uint32_t flags,
                  uint32_t tag) {
    struct test_packet packet;
    uint32_t vlan = (flags & NIC_RX_VLAN) != 0 ? tag : 0;
    const enum test_verdict verdict =
        test_packet_read(frame, size, sink->given->port, &packet, &vlan);
    if (verdict == TEST_OTHER) {
        return false;
    }
    compare_verdict(sink, flags, verdict);
    sink->last_ps = kernel_now();
    switch (verdict) {
        case TEST_GOOD:
            count_in_order(sink, &packet);
            break;
        case TEST_BAD_IP_SUM:
            ++sink->bad_ip;
            break;
        case TEST_BAD_L4_SUM:
            ++sink->bad_l4;
            break;
        case TEST_BAD_DATA:
        case TEST_OTHER:
            ++sink->bad_data;
            break;
    }
    if (vlan != sink->given->vlan) {
        ++sink->bad_vlan;
    }
    if (!sink->complete && enough(sink)) {
        sink->complete = true;
        thread_wake_all(&sink->wait);
    }
    return true;
}

/* --verify 0, in the NET_RX softirq: whatever comes is counted and given back. What a frame says is
 * not looked at, so that a run costs what the driver costs. */
static bool count_only(void* context, struct rx_buffer* buffer) {
    struct sink* sink = context;
    sink->app->bytes += buffer->size;
    sink->app->operations += (buffer->flags & NIC_RX_MORE) == 0;
    rx_buffer_free(buffer);
    sink->last_ps = kernel_now();
    if (!sink->complete && enough(sink)) {
        sink->complete = true;
        thread_wake_all(&sink->wait);
    }
    return true;
}

/* In the NET_RX softirq. */
static bool tap(void* context, struct rx_buffer* buffer) {
    struct sink* sink = context;
    const bool more = (buffer->flags & NIC_RX_MORE) != 0;
    bool ours;
    if (!more && sink->assembled == 0) {
        ours = judge(sink, buffer->data, buffer->size, buffer->flags, buffer->vlan_tag);
    } else {
        ours = true; /* only the generator sends frames this long here */
        if (sink->assembled + buffer->size <= ASSEMBLY_BYTES) {
            memcpy(sink->assembly + sink->assembled, buffer->data, buffer->size);
        }
        sink->assembled += buffer->size;
        if (!more) {
            if (sink->assembled > ASSEMBLY_BYTES ||
                !judge(sink, sink->assembly, sink->assembled, buffer->flags, buffer->vlan_tag)) {
                ++sink->bad_data;
            }
            sink->assembled = 0;
        }
    }
    if (ours) {
        rx_buffer_free(buffer);
    }
    return ours;
}

static void wait_for_packets(struct sink* sink) {
    const uint64_t idle_ps = sink->given->idle_ms * PS_PER_MS;
    sink->last_ps = kernel_now();
    while (!sink->complete && kernel_now() < sink->last_ps + idle_ps) {
        (void)thread_block(&sink->wait, sink->last_ps + idle_ps, BLOCK_RECEIVE_BUFFER);
    }
}

static int report(const struct sink* sink) {
    struct app* app = sink->app;
    app->errors = sink->bad_ip + sink->bad_l4 + sink->bad_data + sink->bad_vlan +
                  sink->wrong_verdict + sink->duplicates;
    /* Who does not look at numbers cannot tell what is missing. */
    const bool short_of = sink->given->verify != 0 && !sink->complete &&
                          (sink->given->count != 0 || sink->given->bytes != 0);
    if (app->errors == 0 && app->lost <= sink->given->max_lost && !(short_of && app->lost == 0)) {
        return 0;
    }
    app_log(app, GUEST_LOG_ERROR,
            "%llu good, %llu missing; wrong: %llu IP sums, %llu L4 sums, %llu payloads, %llu VLAN "
            "tags, %llu verdicts of the NIC, %llu duplicates",
            (unsigned long long)app->operations, (unsigned long long)app->lost,
            (unsigned long long)sink->bad_ip, (unsigned long long)sink->bad_l4,
            (unsigned long long)sink->bad_data, (unsigned long long)sink->bad_vlan,
            (unsigned long long)sink->wrong_verdict, (unsigned long long)sink->duplicates);
    return -EPROTO;
}

static const struct sink_arguments kDefaults = {.idle_ms = 1000, .verify = 1, .port = 9};

#define AT(field) offsetof(struct sink_arguments, field)
static const struct option kOptions[] = {
    {"--nic", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, NETDEV_MAX - 1, AT(nic)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--bytes", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT64_MAX, AT(bytes)},
    {"--idle-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000, AT(idle_ms)},
    {"--vlan", OPTION_NUMBER, OPTION_OPTIONAL, "TAG", 0, 65535, AT(vlan)},
    {"--max-lost", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, UINT64_MAX, AT(max_lost)},
    {"--verify", OPTION_SWITCH, OPTION_OPTIONAL, NULL, 0, 1, AT(verify)},
    {"--port", OPTION_PORT, OPTION_OPTIONAL, NULL, 0, 0, AT(port)},
    OPTION_END};
#undef AT

static bool check(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet) {
    const struct sink_arguments* given = arguments;
    (void)config;
    return app_check_nic(given->nic, nic_count, unmet);
}

static int run(struct app* app) {
    struct sink* sink = app_alloc(app, sizeof *sink); /* too large for a coroutine's stack */
    sink->app = app;
    sink->given = app->arguments;
    struct netdev* dev = netdev_at((uint32_t)sink->given->nic);
    if (dev == NULL) {
        return app_fail(app, "--nic", -ENODEV);
    }
    if (dev->tap != NULL) {
        return app_fail(app, "another sink has this NIC", -EBUSY);
    }
    dev->tap = sink->given->verify != 0 ? tap : count_only;
    dev->tap_context = sink;
    wait_for_packets(sink);
    dev->tap = NULL;
    return report(sink);
}

const struct app_type kPacketSink = {"packet_sink",
                                     "Receives packet_generator's packets from the driver and "
                                     "verifies each of them; --verify 0 counts",
                                     kOptions,
                                     &kDefaults,
                                     sizeof kDefaults,
                                     run,
                                     check};
