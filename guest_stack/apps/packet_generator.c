/* Packets straight onto the driver, past lwIP: what lwIP never asks of a NIC (TSO, VLAN insertion,
 * scattered packets, many sizes and rates). */
#include <stdio.h>
#include <string.h>

#include "guest_stack/apps/app.h"
#include "guest_stack/apps/test_packet.h"
#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"

#define MAX_TSO_PAYLOAD (65535u - TEST_IP_BYTES - TEST_TCP_BYTES)
#define FRAME_ROOM 65600u

struct generator;

/* One packet in flight: its memory belongs to the device until it is sent. */
struct slot {
    struct slot* next;
    struct generator* generator;
    uint8_t* frame;
    struct nic_segment segments[NIC_MAX_SEGMENTS];
};

struct generator {
    struct app* app;
    struct netdev* dev;
    struct test_packet packet;
    uint64_t nic, count, size, rate_pps, mss, vlan, segments, offload;
    struct slot* free_slots;
    uint32_t in_flight;
    struct wait_queue slot_wait;
};

static void sent(struct tx_request* request) {
    struct slot* slot = request->owner;
    struct generator* g = slot->generator;
    slot->next = g->free_slots;
    g->free_slots = slot;
    --g->in_flight;
    (void)thread_wake_one(&g->slot_wait);
}

static void make_slots(struct generator* g) {
    const uint32_t count = g->mss != 0 ? 32 : 256;
    struct slot* slots = app_alloc(g->app, count * sizeof *slots);
    const uint32_t room = g->mss != 0 ? FRAME_ROOM : (uint32_t)g->size;
    for (uint32_t i = 0; i < count; ++i) {
        slots[i].generator = g;
        slots[i].frame = app_alloc(g->app, room);
        slots[i].next = g->free_slots;
        g->free_slots = &slots[i];
    }
}

/* Headers in the first segment, the payload in the others: as even as it comes, the last one gets
 * the rest. */
static uint32_t scatter(const struct generator* g, struct slot* slot, uint32_t size,
                        uint32_t header_bytes) {
    uint32_t pieces = (uint32_t)g->segments;
    const uint32_t payload = size - header_bytes;
    if (pieces < 2 || payload < pieces - 1) {
        pieces = 1;
    }
    if (pieces == 1) {
        slot->segments[0] = (struct nic_segment){slot->frame, size};
        return 1;
    }
    slot->segments[0] = (struct nic_segment){slot->frame, header_bytes};
    const uint32_t part = payload / (pieces - 1);
    uint32_t at = header_bytes;
    for (uint32_t i = 1; i < pieces; ++i) {
        const uint32_t bytes = i + 1 == pieces ? size - at : part;
        slot->segments[i] = (struct nic_segment){slot->frame + at, bytes};
        at += bytes;
    }
    return pieces;
}

static void describe(const struct generator* g, struct slot* slot, uint32_t size,
                     struct nic_packet* packet) {
    const bool tcp = g->packet.protocol == TEST_TCP;
    const uint32_t header_bytes = tcp ? TEST_TCP_HEADERS : TEST_UDP_HEADERS;
    packet->segments = slot->segments;
    packet->segment_count = scatter(g, slot, size, header_bytes);
    packet->l3_offset = TEST_ETHERNET_BYTES;
    packet->l4_offset = TEST_ETHERNET_BYTES + TEST_IP_BYTES;
    packet->l4_checksum_offset = (uint16_t)(packet->l4_offset + (tcp ? 16 : 6));
    if (g->offload != 0 || g->mss != 0) {
        packet->flags |= NIC_TX_IPV4 | NIC_TX_IP_CHECKSUM | NIC_TX_L4_CHECKSUM;
        packet->flags |= tcp ? NIC_TX_TCP : 0u;
    }
    if (g->mss != 0) {
        packet->flags |= NIC_TX_TSO;
        packet->header_bytes = (uint16_t)header_bytes;
        packet->mss = (uint16_t)g->mss;
    }
    if (g->vlan != 0) {
        packet->flags |= NIC_TX_VLAN;
        packet->vlan_tag = (uint16_t)g->vlan;
    }
}

/* BLOCKS while everything is in flight or the queue is full. */
static void send_one(struct generator* g) {
    while (g->free_slots == NULL) {
        netdev_flush(g->dev);
        if (g->free_slots == NULL) {
            (void)thread_block(&g->slot_wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
        }
    }
    struct slot* slot = g->free_slots;
    g->free_slots = slot->next;
    ++g->in_flight;
    const enum test_checksum checksum = g->mss != 0       ? TEST_CHECKSUM_SEED_TSO
                                        : g->offload != 0 ? TEST_CHECKSUM_SEED
                                                          : TEST_CHECKSUM_COMPLETE;
    const uint32_t size = test_packet_write(&g->packet, checksum, slot->frame);
    cpu_charge(costs.ethernet_ns);
    for (;;) {
        struct tx_request* request = netdev_tx_get(g->dev);
        if (request != NULL) {
            describe(g, slot, size, &request->packet);
            request->owner = slot;
            request->done = sent;
            if (netdev_transmit(g->dev, request) == 0) {
                break;
            }
            netdev_tx_put(request);
        }
        while (g->dev->room_wanted) {
            (void)thread_block(&g->dev->room_wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
        }
    }
    g->app->bytes += g->packet.payload_bytes;
    ++g->app->operations;
    g->packet.number += g->packet.protocol == TEST_TCP ? g->packet.payload_bytes : 1;
}

static int generate(struct generator* g) {
    const uint64_t invalid_before = g->dev->counters.tx_invalid;
    const uint64_t start_ps = kernel_now();
    for (uint64_t i = 0; i < g->count; ++i) {
        if (g->rate_pps != 0) {
            netdev_flush(g->dev);
            const uint64_t due_ps = start_ps + (uint64_t)((double)i * 1e12 / (double)g->rate_pps);
            if (due_ps > kernel_now()) {
                thread_sleep_until(due_ps);
            }
        }
        send_one(g);
    }
    netdev_flush(g->dev);
    while (g->in_flight > 0) {
        (void)thread_block(&g->slot_wait, GUEST_NEVER, BLOCK_SEND_BUFFER);
    }
    g->app->errors = g->dev->counters.tx_invalid - invalid_before;
    return g->app->errors == 0 ? 0 : -EINVAL;
}

static bool parse_mac(const char* text, uint8_t mac[6]) {
    unsigned part[6];
    char rest;
    if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1], &part[2], &part[3], &part[4],
               &part[5], &rest) != 6) {
        return false;
    }
    for (int i = 0; i < 6; ++i) {
        mac[i] = (uint8_t)part[i];
    }
    return true;
}

static int check(struct generator* g, const char* mac) {
    const uint32_t headers = g->mss != 0 ? TEST_TCP_HEADERS : TEST_UDP_HEADERS;
    if (!parse_mac(mac, g->packet.to_mac)) {
        app_log(g->app, GUEST_LOG_ERROR, "--mac takes aa:bb:cc:dd:ee:ff, not '%s'", mac);
        return -EINVAL;
    }
    g->dev = netdev_at((uint32_t)g->nic);
    if (g->dev == NULL) {
        return app_fail(g->app, "--nic", -ENODEV);
    }
    if (g->size < headers + TEST_NUMBER_BYTES || (g->mss == 0 && g->size > 9234)) {
        app_log(g->app, GUEST_LOG_ERROR,
                "--size %llu: a frame has %u..9234 bytes here, more with --tso",
                (unsigned long long)g->size, headers + TEST_NUMBER_BYTES);
        return -EINVAL;
    }
    g->packet.protocol = g->mss != 0 ? TEST_TCP : TEST_UDP;
    g->packet.payload_bytes = (uint32_t)g->size - headers;
    memcpy(g->packet.from_mac, g->dev->mac, 6);
    return 0;
}

static int run(struct app* app) {
    struct generator g = {.app = app, .count = 1000, .size = 1514, .segments = 1, .offload = 1};
    const char* mac = "ff:ff:ff:ff:ff:ff";
    g.packet.from = 0xc0a86401u; /* 192.168.100.1 and .2, unless told otherwise */
    g.packet.to = 0xc0a86402u;
    g.packet.port = 9;
    const struct option options[] = {
        {"--nic", OPTION_NUMBER, false, 0, NETDEV_MAX - 1, &g.nic},
        {"--count", OPTION_NUMBER, false, 1, UINT32_MAX, &g.count},
        {"--size", OPTION_NUMBER, false, 1, MAX_TSO_PAYLOAD + TEST_TCP_HEADERS, &g.size},
        {"--rate-pps", OPTION_NUMBER, false, 0, 100000000, &g.rate_pps},
        {"--tso", OPTION_NUMBER, false, 0, 9216, &g.mss},
        {"--vlan", OPTION_NUMBER, false, 0, 65535, &g.vlan},
        {"--segments", OPTION_NUMBER, false, 1, NIC_MAX_SEGMENTS, &g.segments},
        {"--checksum-offload", OPTION_NUMBER, false, 0, 1, &g.offload},
        {"--mac", OPTION_TEXT, false, 0, 0, &mac},
        {"--from", OPTION_ADDRESS, false, 0, 0, &g.packet.from},
        {"--to", OPTION_ADDRESS, false, 0, 0, &g.packet.to},
        {"--port", OPTION_PORT, false, 0, 0, &g.packet.port},
        {NULL, OPTION_TEXT, false, 0, 0, NULL}};
    if (!app_options(app, options)) {
        return -EINVAL;
    }
    const int result = check(&g, mac);
    if (result < 0) {
        return result;
    }
    make_slots(&g);
    return generate(&g);
}

const struct app_type kPacketGenerator = {
    "packet_generator",
    "[--nic N] [--count N] [--size BYTES] [--rate-pps N] [--tso MSS] [--vlan TAG] [--segments N] "
    "[--checksum-offload 0|1] [--mac MAC] [--from ADDRESS] [--to ADDRESS] [--port PORT]",
    "Sends frames past lwIP: size without FCS; with --tso the size of the whole packet to be cut",
    run};
