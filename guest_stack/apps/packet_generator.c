/* Packets straight onto the driver, past lwIP: what lwIP never asks of a NIC (TSO, VLAN insertion,
 * scattered packets, many sizes and rates). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/apps/app.h"
#include "guest_stack/apps/test_packet.h"
#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/netdev.h"
#include "guest_stack/kernel/settings.h"

#define MAX_TSO_PAYLOAD (65535u - TEST_IP_BYTES - TEST_TCP_BYTES)
#define FRAME_ROOM 65600u
#define SHORTEST (TEST_UDP_HEADERS + TEST_NUMBER_BYTES)
#define VLAN_BYTES 4u
/* 400 Gb/s: 64 bytes, preamble and gap are 1.68 ns. */
#define MAX_RATE_PPS 595238095u
#define FCS_BYTES 4u

struct generator_arguments {
    uint64_t nic, count, size;
    uint64_t wire_size; /* 0: size holds */
    uint64_t rate_pps;  /* 0: as fast as it goes */
    uint64_t mss;       /* 0: no segmentation */
    uint64_t vlan;      /* 0: no tag */
    uint64_t segments, offload;
    uint8_t mac[6];
    uint32_t from, to;
    uint16_t port;
};

static const struct generator_arguments kDefaults = {.count = 1000,
                                                     .size = 1514,
                                                     .segments = 1,
                                                     .offload = 1,
                                                     .mac = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                                                     .from = 0xc0a86401u, /* 192.168.100.1 and .2 */
                                                     .to = 0xc0a86402u,
                                                     .port = 9};

#define AT(field) offsetof(struct generator_arguments, field)
static const struct option kOptions[] = {
    {"--nic", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, NETDEV_MAX - 1, AT(nic)},
    {"--count", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, UINT32_MAX, AT(count)},
    {"--size", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", SHORTEST,
     MAX_TSO_PAYLOAD + TEST_TCP_HEADERS, AT(size)},
    {"--wire-size", OPTION_NUMBER, OPTION_OPTIONAL, "BYTES", 0, MAX_TSO_PAYLOAD, AT(wire_size)},
    {"--rate-pps", OPTION_NUMBER, OPTION_OPTIONAL, "N", 0, MAX_RATE_PPS, AT(rate_pps)},
    {"--tso", OPTION_NUMBER, OPTION_OPTIONAL, "MSS", 1, 9216, AT(mss)},
    {"--vlan", OPTION_NUMBER, OPTION_OPTIONAL, "TAG", 0, 65535, AT(vlan)},
    {"--segments", OPTION_NUMBER, OPTION_OPTIONAL, "N", 1, NIC_MAX_SEGMENTS, AT(segments)},
    {"--checksum-offload", OPTION_SWITCH, OPTION_OPTIONAL, NULL, 0, 1, AT(offload)},
    {"--mac", OPTION_MAC, OPTION_OPTIONAL, NULL, 0, 0, AT(mac)},
    {"--from", OPTION_ADDRESS, OPTION_OPTIONAL, NULL, 0, 0, AT(from)},
    {"--to", OPTION_ADDRESS, OPTION_OPTIONAL, NULL, 0, 0, AT(to)},
    {"--port", OPTION_PORT, OPTION_OPTIONAL, NULL, 0, 0, AT(port)},
    OPTION_END};
#undef AT

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
    const struct generator_arguments* given;
    struct netdev* dev;
    struct test_packet packet;
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
    const uint32_t count = g->given->mss != 0 ? 32 : 256;
    struct slot* slots = app_alloc(g->app, count * sizeof *slots);
    const uint32_t room = g->given->mss != 0 ? FRAME_ROOM : (uint32_t)g->given->size;
    for (uint32_t i = 0; i < count; ++i) {
        slots[i].generator = g;
        slots[i].frame = app_alloc(g->app, room);
        slots[i].next = g->free_slots;
        g->free_slots = &slots[i];
    }
}

static uint32_t headers(const struct generator_arguments* given) {
    return given->mss != 0 ? TEST_TCP_HEADERS : TEST_UDP_HEADERS;
}

/* Headers in the first segment, the payload in the others: as even as it comes, the last one gets
 * the rest. */
static uint32_t scatter(const struct generator_arguments* given, uint8_t* frame,
                        struct nic_segment* segments) {
    uint32_t pieces = (uint32_t)given->segments;
    const uint32_t size = (uint32_t)given->size;
    const uint32_t header_bytes = headers(given);
    const uint32_t payload = size - header_bytes;
    if (pieces < 2 || payload < pieces - 1) {
        pieces = 1;
    }
    if (pieces == 1) {
        segments[0] = (struct nic_segment){frame, size};
        return 1;
    }
    segments[0] = (struct nic_segment){frame, header_bytes};
    const uint32_t part = payload / (pieces - 1);
    uint32_t at = header_bytes;
    for (uint32_t i = 1; i < pieces; ++i) {
        const uint32_t bytes = i + 1 == pieces ? size - at : part;
        segments[i] = (struct nic_segment){frame + at, bytes};
        at += bytes;
    }
    return pieces;
}

static void describe(const struct generator* g, struct slot* slot, struct nic_packet* packet) {
    const struct generator_arguments* given = g->given;
    const bool tcp = g->packet.protocol == TEST_TCP;
    packet->segments = slot->segments;
    packet->segment_count = scatter(given, slot->frame, slot->segments);
    packet->l3_offset = TEST_ETHERNET_BYTES;
    packet->l4_offset = TEST_ETHERNET_BYTES + TEST_IP_BYTES;
    packet->l4_checksum_offset = (uint16_t)(packet->l4_offset + (tcp ? 16 : 6));
    if (given->offload != 0 || given->mss != 0) {
        packet->flags |= NIC_TX_IPV4 | NIC_TX_IP_CHECKSUM | NIC_TX_L4_CHECKSUM;
        packet->flags |= tcp ? NIC_TX_TCP : 0u;
    }
    if (given->mss != 0) {
        packet->flags |= NIC_TX_TSO;
        packet->header_bytes = (uint16_t)headers(given);
        packet->mss = (uint16_t)given->mss;
    }
    if (given->vlan != 0) {
        packet->flags |= NIC_TX_VLAN;
        packet->vlan_tag = (uint16_t)given->vlan;
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
    const enum test_checksum checksum = g->given->mss != 0       ? TEST_CHECKSUM_SEED_TSO
                                        : g->given->offload != 0 ? TEST_CHECKSUM_SEED
                                                                 : TEST_CHECKSUM_COMPLETE;
    (void)test_packet_write(&g->packet, checksum, slot->frame);
    cpu_charge(costs.ethernet_ns);
    for (;;) {
        struct tx_request* request = netdev_tx_get(g->dev);
        if (request != NULL) {
            describe(g, slot, &request->packet);
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
    for (uint64_t i = 0; i < g->given->count; ++i) {
        if (g->given->rate_pps != 0) {
            netdev_flush(g->dev);
            const double period_ps = 1e12 / (double)g->given->rate_pps;
            const uint64_t due_ps = start_ps + (uint64_t)((double)i * period_ps);
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

/* --- what it asks of its host
 * ------------------------------------------------------------------------ */

static bool unmet_size(const struct generator_arguments* given, uint32_t mtu_bytes,
                       struct app_demand* unmet) {
    const uint32_t least = headers(given) + TEST_NUMBER_BYTES;
    /* What every driver here takes: room for a tag, whether there is one or not. */
    const uint32_t room = given->vlan != 0 ? 0 : VLAN_BYTES;
    const uint32_t frame = mtu_bytes + TEST_ETHERNET_BYTES + room;
    const uint32_t most = given->mss != 0 ? MAX_TSO_PAYLOAD + TEST_TCP_HEADERS : frame;
    if (given->size < least || given->size > most) {
        const bool on_wire = given->wire_size != 0;
        const uint32_t fcs = on_wire ? FCS_BYTES : 0;
        unmet->option = on_wire ? "--wire-size" : "--size";
        (void)snprintf(unmet->what, sizeof unmet->what, "%s %" PRIu64 " is impossible here",
                       unmet->option, on_wire ? given->wire_size : given->size);
        (void)snprintf(unmet->why, sizeof unmet->why, "with%s --tso and an mtu_bytes of %u: %u..%u",
                       given->mss != 0 ? "" : "out", mtu_bytes, least + fcs, most + fcs);
        return true;
    }
    if (given->mss != 0 && given->mss + TEST_TCP_HEADERS > frame) {
        unmet->option = "--tso";
        (void)snprintf(unmet->what, sizeof unmet->what, "--tso %" PRIu64 " is impossible here",
                       given->mss);
        (void)snprintf(unmet->why, sizeof unmet->why, "with an mtu_bytes of %u: 1..%u", mtu_bytes,
                       frame - TEST_TCP_HEADERS);
        return true;
    }
    return false;
}

static bool unmet_setting(const struct generator_arguments* given, const struct nic_config* nic,
                          struct app_demand* unmet) {
    if ((given->mss != 0 || given->offload != 0) && !nic->tx_checksum) {
        unmet->option = given->mss != 0 ? "--tso" : "--checksum-offload";
        unmet->setting = "driver.tx_checksum";
        (void)snprintf(unmet->what, sizeof unmet->what, "%s needs checksums inserted by the NIC",
                       given->mss != 0 ? "--tso" : "without --checksum-offload 0 the generator");
        (void)snprintf(unmet->why, sizeof unmet->why, "driver.tx_checksum is false");
        return true;
    }
    if (given->vlan != 0 && !nic->vlan_strip) {
        unmet->option = "--vlan";
        unmet->setting = "driver.vlan_strip";
        (void)snprintf(unmet->what, sizeof unmet->what, "--vlan %" PRIu64 " cannot be inserted",
                       given->vlan);
        (void)snprintf(unmet->why, sizeof unmet->why,
                       "driver.vlan_strip is false, and CTRL.VME governs insertion, too");
        return true;
    }
    return false;
}

/* A segment is one mapping; a packet, its context included, must fit the ring. */
static bool unmet_segments(const struct generator_arguments* given, const struct nic_config* nic,
                           struct app_demand* unmet) {
    struct nic_segment segments[NIC_MAX_SEGMENTS];
    uint8_t nothing = 0;
    const uint32_t pieces = scatter(given, &nothing, segments);
    uint32_t descriptors = given->mss != 0 || given->offload != 0 ? 1 : 0;
    uint32_t largest = 0;
    for (uint32_t i = 0; i < pieces; ++i) {
        const uint32_t bytes = segments[i].size;
        descriptors += (bytes + NIC_TX_DESCRIPTOR_BYTES - 1) / NIC_TX_DESCRIPTOR_BYTES;
        largest = bytes > largest ? bytes : largest;
    }
    unmet->option = "--segments";
    if (largest > GUEST_DMA_MAP_BYTES) {
        (void)snprintf(unmet->what, sizeof unmet->what,
                       "--segments %" PRIu64 " makes pieces of up to %u bytes", given->segments,
                       largest);
        (void)snprintf(unmet->why, sizeof unmet->why, "a piece has at most %u",
                       GUEST_DMA_MAP_BYTES);
        return true;
    }
    if (descriptors >= nic->tx_ring) {
        unmet->setting = "driver.tx_ring";
        (void)snprintf(unmet->what, sizeof unmet->what,
                       "--segments %" PRIu64 " takes %u descriptors a packet", given->segments,
                       descriptors);
        (void)snprintf(unmet->why, sizeof unmet->why, "driver.tx_ring is %u, one is always free",
                       nic->tx_ring);
        return true;
    }
    return false;
}

/* With --wire-size in place of --size; one too small stays too small. */
static struct generator_arguments as_meant(const void* arguments) {
    struct generator_arguments meant = *(const struct generator_arguments*)arguments;
    if (meant.wire_size != 0) {
        meant.size = meant.wire_size > FCS_BYTES ? meant.wire_size - FCS_BYTES : 0;
    }
    return meant;
}

static bool check(const void* arguments, const struct guest_config* config, uint32_t nic_count,
                  struct app_demand* unmet) {
    const struct generator_arguments meant = as_meant(arguments);
    const struct generator_arguments* given = &meant;
    if (!app_check_nic(given->nic, nic_count, unmet)) {
        return false;
    }
    unmet->nic = (uint32_t)given->nic;
    const struct nic_config nic = settings_nic_config(config, (uint32_t)given->nic);
    return !unmet_size(given, nic.mtu_bytes, unmet) && !unmet_setting(given, &nic, unmet) &&
           !unmet_segments(given, &nic, unmet);
}

static int run(struct app* app) {
    const struct generator_arguments meant = as_meant(app->arguments);
    const struct generator_arguments* given = &meant;
    struct generator g = {.app = app, .given = given, .dev = netdev_at((uint32_t)given->nic)};
    g.packet.protocol = given->mss != 0 ? TEST_TCP : TEST_UDP;
    g.packet.payload_bytes = (uint32_t)given->size - headers(given);
    g.packet.from = given->from;
    g.packet.to = given->to;
    g.packet.port = given->port;
    memcpy(g.packet.to_mac, given->mac, 6);
    memcpy(g.packet.from_mac, g.dev->mac, 6);
    make_slots(&g);
    return generate(&g);
}

const struct app_type kPacketGenerator = {"packet_generator",
                                          "Sends frames past lwIP: --size without FCS, or "
                                          "--wire-size with it; with --tso the size of the "
                                          "whole packet to be cut",
                                          kOptions,
                                          &kDefaults,
                                          sizeof kDefaults,
                                          run,
                                          check};
