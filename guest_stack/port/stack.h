/* lwIP on this kernel: interfaces over the NICs, routes, and what is known about the packet that
 * is just being handled. Everything here is used with the core lock held. */
#ifndef GUEST_STACK_H
#define GUEST_STACK_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "guest_stack/kernel/netdev.h"
#include "guest_stack/port/route.h"

/* A flag of struct pbuf that lwIP does not use: the checksum fields hold what the NIC's insertion
 * starts from. Copies lwIP makes of a forwarded packet do not carry it. */
#define PBUF_FLAG_SEEDED 0x80u

struct interface {
    struct netif netif;
    struct netdev* dev;
    struct guest_interface config;
    uint32_t index;
    char name[16];
    struct pbuf* partial; /* a frame that spreads over several buffers, so far */
};

struct stack_counters {
    uint64_t arp_hits, arp_misses, arp_resolved, arp_given_up, arp_wait_max_ps;
    uint64_t rx_ip_checksum_bad, rx_l4_checksum_bad, checksums_in_software, checksums_by_nic;
    uint64_t routes_missing;
    uint64_t timeouts, fast_retransmits, window_probes;
    uint64_t tx_no_memory;
};

struct stack {
    struct interface interfaces[NETDEV_MAX];
    uint32_t interface_count;
    struct route_table routes;
    const char* interface_names[NETDEV_MAX];
    bool offload_tx; /* every NIC inserts checksums, so lwIP need not compute any */
    struct wait_queue online_wait;
    struct stack_counters counters;
    /* After each TCP segment that came: acknowledgements may have made room in send buffers. */
    void (*after_tcp_input)(void);

    /* The frame that is on its way up; `active` is false for loopback. */
    struct {
        bool active;
        struct pbuf* frame;
        const void* ip_header; /* to be verified; NULL once it was */
        const struct pbuf* l4; /* the same for TCP and UDP */
        uint32_t flags;        /* enum nic_rx_flags */
        uint64_t packet;
    } rx;

    /* The packet that is on its way down. */
    struct {
        bool active;  /* inside ip4_output: `packet` is known */
        bool ip_sent; /* ethernet_output saw it: its next hop was known */
        bool probing; /* a zero window probe repeats no data */
        uint64_t packet;
        uint64_t datagram;         /* identity given by sendto to what it is about to send */
        uint32_t next_hop;         /* what etharp_output looks up, for the report; 0 = nothing */
        const struct route* route; /* found last: lwIP's TCP asks once for many segments */
    } tx;
};
extern struct stack stack;

/* The interfaces' own networks, then the config's routes. -1, or the first route that cannot be and
 * the reason. */
int stack_add_routes(struct route_table* routes, const struct guest_config* config, char* why,
                     size_t why_bytes);
/* BLOCKS. Brings up lwIP, the interfaces and the routes of `config`; 0 or negative errno. */
int stack_start(const struct guest_config* config);
bool stack_online(void); /* every interface has carrier */
struct interface* stack_interface_of(const struct netif* netif);

/* Identity of what a received pbuf holds, 0 when unknown (checksum-only frames, loopback). */
uint64_t stack_pbuf_packet(const struct pbuf* p);

void stack_show_arp(guest_text_fn print, void* context);
void stack_show_interfaces(guest_text_fn print, void* context);

/* Between the files of the port. */
err_t stack_link_output(struct netif* netif, struct pbuf* p);
uint64_t stack_take_queued_packet(const struct pbuf* p); /* identity of one ARP had queued */

#endif /* GUEST_STACK_H */
