/* The layers of lwIP, seen from outside: each exported function a packet passes on its way is
 * wrapped. The wrapper charges the layer's CPU time, reports the crossing, and adds what lwIP
 * leaves open: the routing table (ip4_route), the gateway (etharp_output), the identity of packets.
 *
 *   down: tcp_write .. tcp_output -> ip4_route -> ip4_output_if_opt_src -> etharp_output
 *         -> ethernet_output -> link output (stack.c)
 *   up:   ethernet_input (stack.c) -> etharp_input | ip4_input -> tcp_input | udp_input |
 * icmp_input
 */
#include <lwip/api.h>
#include <lwip/etharp.h>
#include <lwip/icmp.h>
#include <lwip/ip4.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <lwip/udp.h>
#include <netif/ethernet.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/port/flow.h"
#include "guest_stack/port/interpose.h"
#include "guest_stack/port/stack.h"

static void cross(enum guest_layer layer, enum guest_direction direction, uint64_t packet,
                  uint32_t bytes, uint32_t cost_ns) {
    cpu_charge(cost_ns);
    kernel_report(EVENT_LAYER, packet, layer, direction, bytes, (uint64_t)cost_ns * PS_PER_NS);
}

static uint32_t host_order(const ip4_addr_t* address) {
    return lwip_ntohl(ip4_addr_get_u32(address));
}

/* --- TCP, down
 * --------------------------------------------------------------------------------------- */

typedef err_t (*tcp_write_fn)(struct tcp_pcb*, const void*, u16_t, u8_t);
typedef err_t (*tcp_probe_fn)(struct tcp_pcb*);
typedef void (*tcp_rto_fn)(struct tcp_pcb*);

static struct flow* flow_of(const struct tcp_pcb* pcb) {
    return flow_get(host_order(ip_2_ip4(&pcb->local_ip)), pcb->local_port,
                    host_order(ip_2_ip4(&pcb->remote_ip)), pcb->remote_port, IP_PROTO_TCP);
}

/* Names the byte ranges that became segments: new ones, and the last old one if it has grown. */
static void report_made(const struct tcp_pcb* pcb, const struct flow* flow, uint32_t old_end) {
    const struct thread* me = thread_current();
    const uint64_t fd = me != NULL && me->fd >= 0 ? (uint64_t)me->fd : 0;
    for (const struct tcp_seg* segment = pcb->unsent; segment != NULL; segment = segment->next) {
        const uint32_t sequence = lwip_ntohl(segment->tcphdr->seqno);
        if (segment->len == 0 || (int32_t)(sequence + segment->len - old_end) <= 0) {
            continue;
        }
        const uint64_t offset = flow_offset(flow, sequence);
        kernel_report(EVENT_PACKET_MADE, flow_packet(flow, offset), fd, offset,
                      offset + segment->len, 0);
    }
}

static void report_send_buffer(const struct tcp_pcb* pcb) {
    const struct netconn* conn = pcb->callback_arg;
    if (conn != NULL && conn->socket >= 0) {
        kernel_report(EVENT_SOCKET_BUFFER, 0, (uint64_t)conn->socket, 0,
                      (uint64_t)TCP_SND_BUF - pcb->snd_buf, TCP_SND_BUF);
    }
}

INTERPOSED err_t tcp_write(struct tcp_pcb* pcb, const void* data, u16_t bytes, u8_t flags) {
    REAL(tcp_write_fn, "tcp_write");
    const uint32_t old_end = pcb->snd_lbb;
    struct flow* flow = flow_of(pcb);
    if (!flow->started) {
        flow_start(flow, old_end);
    }
    const err_t result = real(pcb, data, bytes, flags);
    if (result == ERR_OK && kernel.reporting) {
        report_made(pcb, flow, old_end);
        report_send_buffer(pcb);
    }
    return result;
}

INTERPOSED err_t tcp_zero_window_probe(struct tcp_pcb* pcb) {
    REAL(tcp_probe_fn, "tcp_zero_window_probe");
    ++stack.counters.window_probes;
    stack.tx.probing = true;
    const err_t result = real(pcb);
    stack.tx.probing = false;
    return result;
}

INTERPOSED void tcp_rexmit_rto_commit(struct tcp_pcb* pcb) {
    REAL(tcp_rto_fn, "tcp_rexmit_rto_commit");
    ++stack.counters.timeouts;
    real(pcb);
}

INTERPOSED void tcp_rexmit_fast(struct tcp_pcb* pcb) {
    REAL(tcp_rto_fn, "tcp_rexmit_fast");
    if (pcb->unacked != NULL && (pcb->flags & TF_INFR) == 0) {
        ++stack.counters.fast_retransmits;
    }
    real(pcb);
}

struct segment {
    struct flow* flow; /* NULL: no data, or a probe */
    uint32_t sequence, bytes;
    uint64_t packet;
};

/* The connection between two ends; NULL when there is none (any more). */
static const struct tcp_pcb* connection_of(const ip4_addr_t* local, uint16_t local_port,
                                           const ip4_addr_t* remote, uint16_t remote_port) {
    for (const struct tcp_pcb* pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (pcb->remote_port == remote_port && pcb->local_port == local_port &&
            ip4_addr_cmp(ip_2_ip4(&pcb->remote_ip), remote) &&
            ip4_addr_cmp(ip_2_ip4(&pcb->local_ip), local)) {
            return pcb;
        }
    }
    return NULL;
}

/* How far the sender may go, beside a segment with this header. */
static void report_window(uint64_t packet, const struct tcp_hdr* header,
                          const struct tcp_pcb* pcb) {
    const bool acknowledges = (TCPH_FLAGS(header) & TCP_ACK) != 0;
    const uint32_t acknowledged = acknowledges ? lwip_ntohl(header->ackno) : 0;
    if (pcb == NULL) {
        kernel_report(EVENT_TCP_WINDOW, packet, acknowledged, 0, 0, 0);
        return;
    }
    kernel_report(EVENT_TCP_WINDOW, packet, acknowledged, pcb->cwnd, pcb->ssthresh,
                  pcb->snd_nxt - pcb->lastack);
}

/* The segment in `p`, its TCP header first. */
static struct segment segment_down(const struct pbuf* p, const ip4_addr_t* src,
                                   const ip4_addr_t* dest) {
    const uint32_t from = host_order(src);
    const uint32_t to = host_order(dest);
    const struct tcp_hdr* header = p->payload;
    const uint32_t bytes = p->tot_len - (uint32_t)TCPH_HDRLEN_BYTES(header);
    struct segment segment = {NULL, lwip_ntohl(header->seqno), bytes, 0};
    const bool opens = (TCPH_FLAGS(header) & TCP_SYN) != 0;
    const bool ends = (TCPH_FLAGS(header) & (TCP_FIN | TCP_RST)) != 0;
    struct flow* flow = NULL;
    if (bytes > 0 || opens || ends) {
        flow = flow_get(from, lwip_ntohs(header->src), to, lwip_ntohs(header->dest), IP_PROTO_TCP);
    }
    if (flow != NULL && opens) {
        flow_start(flow, segment.sequence + 1); /* ports are used again: a stream starts afresh */
    } else if (bytes > 0 && !stack.tx.probing) {
        segment.flow = flow;
        segment.packet = flow_segment(flow, segment.sequence);
    }
    if (ends) {
        flow_close(flow);
    }
    if (kernel.reporting) {
        kernel_report(EVENT_TCP_SEGMENT, segment.packet, segment.sequence, bytes,
                      TCPH_FLAGS(header), lwip_ntohs(header->wnd));
        report_window(segment.packet, header,
                      connection_of(src, lwip_ntohs(header->src), dest, lwip_ntohs(header->dest)));
    }
    return segment;
}

/* --- IP, down
 * ---------------------------------------------------------------------------------------- */

typedef err_t (*ip4_output_fn)(struct pbuf*, const ip4_addr_t*, const ip4_addr_t*, u8_t, u8_t, u8_t,
                               struct netif*, void*, u16_t);

static void report_route(uint64_t packet, uint32_t destination) {
    const struct route* route = stack.tx.route;
    if (route != NULL) {
        kernel_report(EVENT_ROUTE, packet, destination, route->gateway, route->interface, 0);
    }
}

INTERPOSED err_t ip4_output_if_opt_src(struct pbuf* p, const ip4_addr_t* src,
                                       const ip4_addr_t* dest, u8_t ttl, u8_t tos, u8_t proto,
                                       struct netif* netif, void* ip_options, u16_t optlen) {
    REAL(ip4_output_fn, "ip4_output_if_opt_src");
    uint64_t packet = stack.tx.datagram;
    struct segment segment = {NULL, 0, 0, 0};
    if (proto == IP_PROTO_TCP && dest != LWIP_IP_HDRINCL && src != NULL) {
        if (!netdev_has_room(stack_interface_of(netif)->dev)) {
            return ERR_MEM; /* TCP keeps the segment until stack.c's output() */
        }
        segment = segment_down(p, src, dest);
        packet = segment.packet;
        cross(LAYER_TCP, DIRECTION_DOWN, packet, p->tot_len, costs.tcp_ns);
        report_route(packet, host_order(dest));
    } else if (proto == IP_PROTO_UDP) {
        cross(LAYER_UDP, DIRECTION_DOWN, packet, p->tot_len, costs.udp_ns);
    }
    if (stack.offload_tx && (proto == IP_PROTO_TCP || proto == IP_PROTO_UDP)) {
        p->flags |= PBUF_FLAG_SEEDED;
    }
    cross(LAYER_IP, DIRECTION_DOWN, packet, p->tot_len + IP_HLEN, costs.ip_ns);
    stack.tx.active = true;
    stack.tx.packet = packet;
    const err_t result = real(p, src, dest, ttl, tos, proto, netif, ip_options, optlen);
    stack.tx.active = false;
    if (result == ERR_OK && segment.flow != NULL) {
        flow_sent(segment.flow, segment.sequence, segment.bytes);
    }
    return result;
}

static struct interface* interface_with(uint32_t address) {
    for (uint32_t i = 0; i < stack.interface_count; ++i) {
        if (stack.interfaces[i].config.address == address) {
            return &stack.interfaces[i];
        }
    }
    return NULL;
}

/* lwIP asks this for the packets it could forward, too, and has no switch for that at run time. */
static bool is_forwarding(const ip4_addr_t* dest) {
    return stack.rx.active && ip4_current_header() == NULL &&
           ip4_addr_cmp(dest, ip4_current_dest_addr()) && interface_with(host_order(dest)) == NULL;
}

INTERPOSED struct netif* ip4_route(const ip4_addr_t* dest) {
    const uint32_t address = host_order(dest);
    if (stack.interface_count == 0 || (is_forwarding(dest) && costs.ip_forward == 0)) {
        return NULL;
    }
    struct interface* own = interface_with(address);
    if (own != NULL || address >> 24 == 127) {
        return own != NULL ? &own->netif : &stack.interfaces[0].netif; /* looped back */
    }
    cpu_charge(costs.route_ns);
    stack.tx.route = NULL;
    struct route* route = route_find(&stack.routes, address);
    if (route == NULL) {
        if (address == UINT32_MAX || address >> 28 == 14) {
            return &stack.interfaces[0].netif; /* limited broadcast, multicast: the first one */
        }
        ++stack.counters.routes_missing;
        return NULL;
    }
    ++route->used;
    stack.tx.route = route;
    if (stack.tx.datagram != 0) {
        report_route(stack.tx.datagram, address); /* TCP's: with each segment */
    }
    return &stack.interfaces[route->interface].netif;
}

/* --- ARP
 * --------------------------------------------------------------------------------------------- */

typedef err_t (*etharp_output_fn)(struct netif*, struct pbuf*, const ip4_addr_t*);
typedef void (*etharp_input_fn)(struct pbuf*, struct netif*);
typedef void (*etharp_tmr_fn)(void);

/* Next hops that were asked for, and packets lwIP queued for them. */
static struct {
    uint32_t address;
    uint64_t since_ps;
} asked[ARP_TABLE_SIZE];
static struct {
    const struct pbuf* p;
    uint64_t packet;
} queued[ARP_TABLE_SIZE * (ARP_QUEUE_LEN + 1)];

static void remember_asked(uint32_t address) {
    uint32_t free_slot = ARP_TABLE_SIZE;
    for (uint32_t i = 0; i < ARP_TABLE_SIZE; ++i) {
        if (asked[i].address == address) {
            return;
        }
        if (asked[i].address == 0) {
            free_slot = i;
        }
    }
    kernel_report(EVENT_ARP, stack.tx.packet, address, ARP_MISS, 0, 0);
    if (free_slot < ARP_TABLE_SIZE) {
        asked[free_slot].address = address;
        asked[free_slot].since_ps = kernel_now();
    }
}

static void remember_queued(const struct pbuf* p, uint64_t packet) {
    size_t slot = 0;
    for (size_t i = 0; i < sizeof queued / sizeof queued[0]; ++i) {
        if (queued[i].p == p) {
            slot = i;
            break;
        }
        if (queued[i].p == NULL) {
            slot = i;
        }
    }
    queued[slot].p = p;
    queued[slot].packet = packet;
}

uint64_t stack_take_queued_packet(const struct pbuf* p) {
    for (size_t i = 0; i < sizeof queued / sizeof queued[0]; ++i) {
        if (queued[i].p == p) {
            queued[i].p = NULL;
            return queued[i].packet;
        }
    }
    return 0;
}

INTERPOSED err_t etharp_output(struct netif* netif, struct pbuf* p, const ip4_addr_t* dest) {
    REAL(etharp_output_fn, "etharp_output");
    if (ip4_addr_isbroadcast(dest, netif) || ip4_addr_ismulticast(dest)) {
        return real(netif, p, dest);
    }
    const struct interface* interface = stack_interface_of(netif);
    const struct route* route = route_find_on(&stack.routes, host_order(dest), interface->index);
    ip4_addr_t next_hop = *dest;
    if (route != NULL && route->gateway != 0) {
        ip4_addr_set_u32(&next_hop, lwip_htonl(route->gateway));
    }
    cross(LAYER_ARP, DIRECTION_DOWN, stack.tx.packet, p->tot_len, costs.arp_ns);
    stack.tx.ip_sent = false;
    stack.tx.next_hop = host_order(&next_hop);
    /* lwIP's own function would send what is outside the interface's network to the netif's one
     * gateway; a route may say that it is on the link. */
    const bool in_network =
        ip4_addr_netcmp(&next_hop, netif_ip4_addr(netif), netif_ip4_netmask(netif));
    const err_t result = in_network ? real(netif, p, &next_hop) : etharp_query(netif, &next_hop, p);
    stack.tx.next_hop = 0;
    if (stack.tx.ip_sent) {
        ++stack.counters.arp_hits;
    } else if (result == ERR_OK) {
        ++stack.counters.arp_misses;
        remember_asked(host_order(&next_hop));
        remember_queued(p, stack.tx.packet);
    }
    return result;
}

static void report_resolved(struct netif* netif) {
    for (uint32_t i = 0; i < ARP_TABLE_SIZE; ++i) {
        if (asked[i].address == 0) {
            continue;
        }
        ip4_addr_t address;
        ip4_addr_set_u32(&address, lwip_htonl(asked[i].address));
        struct eth_addr* mac = NULL;
        const ip4_addr_t* found = NULL;
        if (etharp_find_addr(netif, &address, &mac, &found) < 0) {
            continue;
        }
        const uint64_t waited_ps = kernel_now() - asked[i].since_ps;
        if (waited_ps > stack.counters.arp_wait_max_ps) {
            stack.counters.arp_wait_max_ps = waited_ps;
        }
        ++stack.counters.arp_resolved;
        kernel_report(EVENT_ARP, 0, asked[i].address, ARP_RESOLVED, 0, 0);
        asked[i].address = 0;
    }
}

INTERPOSED void etharp_input(struct pbuf* p, struct netif* netif) {
    REAL(etharp_input_fn, "etharp_input");
    cross(LAYER_ARP, DIRECTION_UP, stack.rx.packet, p->tot_len, costs.arp_ns);
    real(p, netif);
    report_resolved(netif);
}

INTERPOSED void etharp_tmr(void) {
    REAL(etharp_tmr_fn, "etharp_tmr");
    real();
    /* lwIP forgets a pending entry after ARP_MAXPENDING seconds; nobody answered. */
    for (uint32_t i = 0; i < ARP_TABLE_SIZE; ++i) {
        if (asked[i].address != 0 && kernel_now() - asked[i].since_ps > 6 * PS_PER_S) {
            ++stack.counters.arp_given_up;
            kernel_report(EVENT_ARP, 0, asked[i].address, ARP_GIVEN_UP, 0, 0);
            asked[i].address = 0;
        }
    }
}

/* --- Ethernet, down
 * ---------------------------------------------------------------------------------- */

typedef err_t (*ethernet_output_fn)(struct netif*, struct pbuf*, const struct eth_addr*,
                                    const struct eth_addr*, u16_t);

INTERPOSED err_t ethernet_output(struct netif* netif, struct pbuf* p, const struct eth_addr* src,
                                 const struct eth_addr* dst, u16_t type) {
    REAL(ethernet_output_fn, "ethernet_output");
    const bool is_ip = type == ETHTYPE_IP;
    if (is_ip && stack.tx.next_hop != 0) {
        kernel_report(EVENT_ARP, stack.tx.packet, stack.tx.next_hop, ARP_HIT, 0, 0);
    }
    cross(LAYER_ETHERNET, DIRECTION_DOWN, is_ip && stack.tx.active ? stack.tx.packet : 0,
          p->tot_len + SIZEOF_ETH_HDR, costs.ethernet_ns);
    stack.tx.ip_sent = stack.tx.ip_sent || is_ip;
    return real(netif, p, src, dst, type);
}

/* --- up */

typedef err_t (*ip4_input_fn)(struct pbuf*, struct netif*);
typedef void (*l4_input_fn)(struct pbuf*, struct netif*);

INTERPOSED err_t ip4_input(struct pbuf* p, struct netif* inp) {
    REAL(ip4_input_fn, "ip4_input");
    cross(LAYER_IP, DIRECTION_UP, stack.rx.packet, p->tot_len, costs.ip_ns);
    return real(p, inp);
}

/* The connection a segment on its way up belongs to. */
static const struct tcp_pcb* receiver_of(const struct tcp_hdr* header) {
    return connection_of(ip4_current_dest_addr(), lwip_ntohs(header->dest), ip4_current_src_addr(),
                         lwip_ntohs(header->src));
}

/* lwIP tells the socket of an ACK only when there is room worth waking a writer for; what an ACK
 * frees is reported here, for all of them. */
static void tcp_input_reported(void (*real)(struct pbuf*, struct netif*), struct pbuf* p,
                               struct netif* inp) {
    const struct tcp_hdr header = *(const struct tcp_hdr*)p->payload;
    const uint64_t packet = stack.rx.packet;
    const struct tcp_pcb* pcb = receiver_of(&header);
    const uint32_t room = pcb != NULL ? pcb->snd_buf : 0;
    kernel_report(EVENT_TCP_SEGMENT, packet, lwip_ntohl(header.seqno),
                  p->tot_len - (uint64_t)TCPH_HDRLEN_BYTES(&header), TCPH_FLAGS(&header),
                  lwip_ntohs(header.wnd));
    report_window(packet, &header, pcb);
    stack.rx.l4 = p;
    real(p, inp);
    pcb = pcb != NULL ? receiver_of(&header) : NULL;
    if (pcb != NULL && pcb->snd_buf > room) {
        report_send_buffer(pcb);
    }
}

INTERPOSED void tcp_input(struct pbuf* p, struct netif* inp) {
    REAL(l4_input_fn, "tcp_input");
    cross(LAYER_TCP, DIRECTION_UP, stack.rx.packet, p->tot_len, costs.tcp_ns);
    struct tcp_hdr reset = {0}; /* the header, when the peer asks to end a connection we have */
    if (p->len >= TCP_HLEN && (TCPH_FLAGS((struct tcp_hdr*)p->payload) & TCP_RST) != 0) {
        reset = *(const struct tcp_hdr*)p->payload;
    }
    const bool had_connection = reset.dest != 0 && receiver_of(&reset) != NULL;
    if (kernel.reporting && p->len >= TCP_HLEN) {
        tcp_input_reported(real, p, inp);
    } else {
        stack.rx.l4 = p;
        real(p, inp);
    }
    stack.rx.l4 = NULL;
    if (had_connection && receiver_of(&reset) == NULL) {
        flow_close(flow_get(host_order(ip4_current_dest_addr()), lwip_ntohs(reset.dest),
                            host_order(ip4_current_src_addr()), lwip_ntohs(reset.src),
                            IP_PROTO_TCP));
    }
    if (stack.after_tcp_input != NULL) {
        stack.after_tcp_input();
    }
}

INTERPOSED void udp_input(struct pbuf* p, struct netif* inp) {
    REAL(l4_input_fn, "udp_input");
    cross(LAYER_UDP, DIRECTION_UP, stack.rx.packet, p->tot_len, costs.udp_ns);
    stack.rx.l4 = p;
    real(p, inp);
    stack.rx.l4 = NULL;
}

INTERPOSED void icmp_input(struct pbuf* p, struct netif* inp) {
    REAL(l4_input_fn, "icmp_input");
    cpu_charge(costs.icmp_ns);
    cpu_charge_bytes(p->tot_len, costs.checksum_per_byte_ps); /* ICMP's is never offloaded */
    stack.tx.datagram = stack.rx.packet; /* an echo reply answers what came: same identity */
    real(p, inp);
    stack.tx.datagram = 0;
}
