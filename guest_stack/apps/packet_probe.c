/* The time of a frame from application to application, past lwIP: sent at one NIC, taken from the
 * driver of another one of the same host, which a cable joins. Frames leave at their times whether
 * earlier ones have arrived or not: what interrupts are held back for shows as latency. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/apps/app.h"
#include "guest_stack/apps/test_packet.h"
#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/settings.h"

#define SLOTS 256u
#define FCS_BYTES 4u
#define LEAST_WIRE_BYTES 64u
#define VLAN_BYTES 4u
#define PROBE_PORT 9u

struct probe_arguments {
    uint64_t nic, to_nic, count, wire_size, interval_ns, idle_ms;
};

static const struct probe_arguments kDefaults = {.nic = 0,
                                                 .to_nic = 1,
                                                 .count = 1000,
                                                 .wire_size = LEAST_WIRE_BYTES,
                                                 .interval_ns = 50000,
                                                 .idle_ms = 10};

#define AT(field) offsetof(struct probe_arguments, field)
static const struct option kOptions[] = {
    {"--nic", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, NETDEV_MAX - 1, AT(nic)},
    {"--to-nic", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, NETDEV_MAX - 1, AT(to_nic)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--wire-size", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", LEAST_WIRE_BYTES, 9234, AT(wire_size)},
    {"--interval-ns", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000000000u, AT(interval_ns)},
    {"--idle-ms", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, 3600000, AT(idle_ms)},
    OPTION_END};
#undef AT

/* One frame in flight; its memory belongs to the device until it is sent. */
struct slot {
    struct nic_segment segment;
    struct probe* probe;
    uint8_t* frame;
    uint64_t sent_ps; /* of the frame whose number is this slot's */
    bool busy;        /* not yet given back by the device */
};

struct probe {
    struct app* app;
    const struct probe_arguments* given;
    struct netdev* from;
    struct test_packet packet;
    struct slot* slots;
    struct latency* latency;
    struct wait_queue wait;
    uint64_t next_number;
    uint64_t last_ps;
    bool complete;
};

/* In the NET_RX softirq of the receiving NIC. */
static bool tap(void* context, struct rx_buffer* buffer) {
    struct probe* probe = context;
    struct test_packet packet;
    uint32_t vlan = 0;
    const enum test_verdict verdict =
        test_packet_read(buffer->data, buffer->size, PROBE_PORT, &packet, &vlan);
    if (verdict == TEST_OTHER) {
        return false;
    }
    probe->last_ps = kernel_now();
    if (verdict != TEST_GOOD || packet.number < probe->next_number ||
        packet.number >= probe->packet.number || packet.number + SLOTS < probe->packet.number) {
        ++probe->app->errors; /* of the last: its time is forgotten */
    } else {
        probe->app->lost += packet.number - probe->next_number;
        probe->next_number = packet.number + 1;
        ++probe->app->operations;
        probe->app->bytes += buffer->size;
        const struct slot* slot = &probe->slots[packet.number % SLOTS];
        latency_add(probe->latency, (probe->last_ps - slot->sent_ps) / PS_PER_NS);
    }
    rx_buffer_free(buffer);
    probe->complete = probe->next_number == probe->given->count;
    thread_wake_all(&probe->wait);
    return true;
}

static void sent(struct tx_request* request) {
    struct slot* slot = request->owner;
    slot->busy = false;
    (void)thread_wake_one(&slot->probe->wait);
}

/* BLOCKS while everything is in flight or the queue is full. */
static void send_one(struct probe* probe) {
    const uint64_t number = probe->packet.number;
    struct slot* slot = &probe->slots[number % SLOTS];
    while (slot->busy) {
        (void)thread_block(&probe->wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
    }
    cpu_settle();
    slot->sent_ps = kernel_now();
    slot->segment.size = test_packet_write(&probe->packet, TEST_CHECKSUM_COMPLETE, slot->frame);
    ++probe->packet.number;
    cpu_charge(costs.ethernet_ns);
    for (;;) {
        struct tx_request* request = netdev_tx_get(probe->from);
        if (request != NULL) {
            request->packet.segments = &slot->segment;
            request->packet.segment_count = 1;
            request->owner = slot;
            request->done = sent;
            slot->busy = true;
            if (netdev_transmit(probe->from, request) == 0) {
                break;
            }
            slot->busy = false;
            netdev_tx_put(request);
        }
        while (probe->from->room_wanted) {
            (void)thread_block(&probe->from->room_wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
        }
    }
    netdev_flush(probe->from);
}

static void send_all(struct probe* probe) {
    const uint64_t start_ps = kernel_now();
    for (uint64_t i = 0; i < probe->given->count; ++i) {
        const uint64_t due_ps = start_ps + i * probe->given->interval_ns * PS_PER_NS;
        if (due_ps > kernel_now()) {
            thread_sleep_until(due_ps);
        }
        send_one(probe);
    }
    const uint64_t idle_ps = probe->given->idle_ms * PS_PER_MS;
    probe->last_ps = kernel_now();
    while (!probe->complete && kernel_now() < probe->last_ps + idle_ps) {
        (void)thread_block(&probe->wait, probe->last_ps + idle_ps, BLOCK_RECEIVE_BUFFER);
    }
    probe->app->lost += probe->given->count - probe->next_number;
}

static bool check(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet) {
    const struct probe_arguments* given = arguments;
    if (!app_check_nic(given->nic, nic_count, unmet) ||
        !app_check_nic(given->to_nic, nic_count, unmet)) {
        return false;
    }
    for (unsigned i = 0; i < 2; ++i) {
        const uint32_t nic = (uint32_t)(i == 0 ? given->nic : given->to_nic);
        const uint32_t mtu = settings_nic_config(config, nic).mtu_bytes;
        const uint32_t most = mtu + TEST_ETHERNET_BYTES + VLAN_BYTES + FCS_BYTES;
        if (given->wire_size > most) {
            unmet->option = "--wire-size";
            unmet->nic = nic;
            (void)snprintf(unmet->what, sizeof unmet->what,
                           "--wire-size %" PRIu64 " is impossible here", given->wire_size);
            (void)snprintf(unmet->why, sizeof unmet->why, "with an mtu_bytes of %u: %u..%u", mtu,
                           LEAST_WIRE_BYTES, most);
            return false;
        }
    }
    return true;
}

static int run(struct app* app) {
    struct probe* probe = app_alloc(app, sizeof *probe);
    const struct probe_arguments* given = app->arguments;
    probe->app = app;
    probe->given = given;
    probe->from = netdev_at((uint32_t)given->nic);
    struct netdev* to = netdev_at((uint32_t)given->to_nic);
    if (to->tap != NULL) {
        return app_fail(app, "another program takes from --to-nic", -EBUSY);
    }
    probe->latency = app_latency(app);
    probe->packet = (struct test_packet){
        .from = 0xc0a86401u, .to = 0xc0a86402u, .port = PROBE_PORT, .protocol = TEST_UDP};
    probe->packet.payload_bytes = (uint32_t)given->wire_size - FCS_BYTES - TEST_UDP_HEADERS;
    memcpy(probe->packet.to_mac, to->mac, 6);
    memcpy(probe->packet.from_mac, probe->from->mac, 6);
    probe->slots = app_alloc(app, SLOTS * sizeof *probe->slots);
    for (uint32_t i = 0; i < SLOTS; ++i) {
        probe->slots[i].probe = probe;
        probe->slots[i].frame = app_alloc(app, given->wire_size);
        probe->slots[i].segment.data = probe->slots[i].frame;
    }
    to->tap = tap;
    to->tap_context = probe;
    send_all(probe);
    to->tap = NULL;
    /* The device has the last frames' memory until it says so. */
    for (uint32_t i = 0; i < SLOTS; ++i) {
        while (probe->slots[i].busy) {
            (void)thread_block(&probe->wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
        }
    }
    if (app->errors == 0 && app->lost == 0) {
        return 0;
    }
    app_log(app, GUEST_LOG_ERROR, "%llu of %llu arrived, %llu damaged or out of order",
            (unsigned long long)app->operations, (unsigned long long)given->count,
            (unsigned long long)app->errors);
    return -EPROTO;
}

const struct app_type kPacketProbe = {"packet_probe",
                                      "Sends frames from --nic to --to-nic of the same host, one "
                                      "each --interval-ns, and measures the "
                                      "time from application to application",
                                      kOptions,
                                      &kDefaults,
                                      sizeof kDefaults,
                                      run,
                                      check};
