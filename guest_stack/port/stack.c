/* Interfaces: frames between lwIP's pbufs and the kernel's devices. */
#include "guest_stack/port/stack.h"

#include <errno.h>
#include <lwip/etharp.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <lwip/tcpip.h>
#include <netif/ethernet.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/port/core_lock.h"
#include "guest_stack/port/interpose.h"
#include "guest_stack/port/lwip_bind.h"

#define ETHERNET_HEADER 14u
#define IP_FRAGMENT_BITS 0x3fffu /* MF and offset */

struct stack stack;

_Static_assert(sizeof(struct pbuf_custom) <= sizeof(((struct rx_buffer*)0)->stack_area),
               "a receive buffer has room for lwIP's descriptor of it");

static uint16_t be16(const uint8_t* at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

/* --- up
 * -------------------------------------------------------------------------------------------- */

static struct rx_buffer* buffer_of(const struct pbuf* p) {
    return (struct rx_buffer*)((uintptr_t)p - offsetof(struct rx_buffer, stack_area));
}

static void custom_free(struct pbuf* p) {
    rx_buffer_free(buffer_of(p));
}

static bool is_received(const struct pbuf* p) {
    return (p->flags & PBUF_FLAG_IS_CUSTOM) != 0 &&
           ((const struct pbuf_custom*)(const void*)p)->custom_free_function == custom_free;
}

/* lwIP does not know that the headers it took off a received frame still lie before the payload, so
 * it could neither forward the frame nor answer a ping in place. */
INTERPOSED u8_t pbuf_add_header(struct pbuf* p, size_t bytes) {
    typedef u8_t (*add_header_fn)(struct pbuf*, size_t);
    REAL(add_header_fn, "pbuf_add_header");
    if (p != NULL && is_received(p) &&
        (size_t)((const uint8_t*)p->payload - buffer_of(p)->data) >= bytes) {
        return pbuf_add_header_force(p, bytes);
    }
    return real(p, bytes);
}

uint64_t stack_pbuf_packet(const struct pbuf* p) {
    return is_received(p) ? buffer_of(p)->packet : 0;
}

/* No copy: the pbuf describes the driver's buffer. (A full-size PBUF_POOL pbuf would be too small
 * for what the distribution's build believes it holds.) */
static struct pbuf* wrap(struct rx_buffer* buffer) {
    struct pbuf_custom* custom = (struct pbuf_custom*)(void*)buffer->stack_area;
    custom->custom_free_function = custom_free;
    return pbuf_alloced_custom(PBUF_RAW, (u16_t)buffer->size, PBUF_REF, custom, buffer->data,
                               (u16_t)buffer->size);
}

static bool is_fragment(const struct pbuf* p) {
    const uint8_t* frame = p->payload;
    return p->len >= ETHERNET_HEADER + IP_HLEN && be16(frame + 12) == ETHTYPE_IP &&
           (be16(frame + ETHERNET_HEADER + 6) & IP_FRAGMENT_BITS) != 0;
}

/* One frame into lwIP; the core lock is held. */
static void input(struct rx_buffer* buffer) {
    struct interface* interface = buffer->dev->stack;
    const uint32_t flags = buffer->flags;
    const uint64_t packet = buffer->packet;
    if ((flags & NIC_RX_VLAN) != 0) {
        ++buffer->dev->counters.rx_vlan_drops; /* no interface of ours is in a VLAN */
        rx_buffer_free(buffer);
        return;
    }
    struct pbuf* p = wrap(buffer);
    if (interface->partial != NULL) {
        pbuf_cat(interface->partial, p);
        p = interface->partial;
        interface->partial = NULL;
    }
    if ((flags & NIC_RX_MORE) != 0) {
        interface->partial = p;
        return;
    }
    stack.rx.active = true;
    stack.rx.frame = p;
    stack.rx.ip_header = (const uint8_t*)p->payload + ETHERNET_HEADER;
    stack.rx.l4 = NULL;
    /* What the NIC says about a fragment's L4 checksum says nothing about the datagram. */
    stack.rx.flags = is_fragment(p) ? flags & ~(uint32_t)NIC_RX_L4_CHECKED : flags;
    stack.rx.packet = packet;
    cpu_charge(costs.ethernet_ns);
    kernel_report(EVENT_LAYER, packet, LAYER_ETHERNET, DIRECTION_UP, p->tot_len,
                  costs.ethernet_ns * PS_PER_NS);
    if (interface->netif.input(p, &interface->netif) != ERR_OK) {
        pbuf_free(p);
    }
    stack.rx.active = false;
    stack.rx.ip_header = NULL;
    stack.rx.packet = 0;
}

static bool batch_has_lock;

static void receive_begin(struct netdev* dev) {
    (void)dev;
    batch_has_lock = core_try_lock();
}

static void receive(struct netdev* dev, struct rx_buffer* buffer) {
    (void)dev;
    if (batch_has_lock) {
        input(buffer);
    } else if (!core_backlog(buffer)) {
        rx_buffer_free(buffer);
    }
}

static void receive_end(struct netdev* dev) {
    (void)dev;
    if (batch_has_lock) {
        core_unlock();
    }
}

/* --- down
 * ------------------------------------------------------------------------------------------ */

static void sent(struct tx_request* request) {
    (void)pbuf_free(request->owner);
}

/* What the NIC is to do about the checksums of an IPv4 packet that lwIP left seeded. */
static void offload(struct nic_packet* packet, const struct pbuf* p) {
    uint8_t* frame = p->payload;
    if ((p->flags & PBUF_FLAG_SEEDED) == 0) {
        return; /* forwarded, ICMP, a fragment: its checksums are complete */
    }
    uint8_t* ip = frame + ETHERNET_HEADER;
    const uint16_t ip_bytes = (uint16_t)((ip[0] & 15) * 4);
    packet->flags |= NIC_TX_IPV4 | NIC_TX_IP_CHECKSUM;
    packet->l3_offset = ETHERNET_HEADER;
    packet->l4_offset = (uint16_t)(ETHERNET_HEADER + ip_bytes);
    ip[10] = 0; /* the NIC sums over the field as well */
    ip[11] = 0;
    const uint8_t* l4 = frame + packet->l4_offset;
    if (ip[9] == IP_PROTO_TCP && p->len >= packet->l4_offset + TCP_HLEN) {
        packet->flags |= NIC_TX_L4_CHECKSUM | NIC_TX_TCP;
        packet->l4_checksum_offset = (uint16_t)(packet->l4_offset + 16);
    } else if (ip[9] == IP_PROTO_UDP && p->len >= packet->l4_offset + UDP_HLEN &&
               be16(l4 + 6) != 0) {
        packet->flags |= NIC_TX_L4_CHECKSUM;
        packet->l4_checksum_offset = (uint16_t)(packet->l4_offset + 6);
    }
}

static uint64_t identity(const struct pbuf* p) {
    if (be16((const uint8_t*)p->payload + 12) != ETHTYPE_IP) {
        return 0;
    }
    if (stack.tx.active) {
        return stack.tx.packet;
    }
    return is_received(p) ? stack_pbuf_packet(p) : stack_take_queued_packet(p);
}

err_t stack_link_output(struct netif* netif, struct pbuf* p) {
    struct interface* interface = netif->state;
    struct tx_request* request = netdev_tx_get(interface->dev);
    if (request == NULL) {
        ++stack.counters.tx_no_memory;
        return ERR_MEM;
    }
    uint32_t count = 0;
    for (struct pbuf* q = p; q != NULL; q = q->next) {
        if (count == sizeof request->segments / sizeof request->segments[0]) {
            netdev_tx_put(request);
            return ERR_BUF; /* this build of lwIP sends single pbufs */
        }
        request->segments[count++] = (struct nic_segment){.data = q->payload, .size = q->len};
    }
    request->packet.segment_count = count;
    request->packet.tag = identity(p);
    offload(&request->packet, p);
    pbuf_ref(p);
    request->owner = p;
    request->done = sent;
    if (netdev_transmit(interface->dev, request) < 0) {
        (void)pbuf_free(p);
        netdev_tx_put(request);
        return ERR_MEM; /* TCP keeps the segment and asks again: see output() */
    }
    return ERR_OK;
}

/* Ring and queue have room again: TCP sends what it was refused. */
static void output(void) {
    tcp_txnow();
}

static void room(struct netdev* dev) {
    (void)dev;
    core_want_output();
    if (core_try_lock()) {
        core_unlock();
        netdev_flush_all();
    }
}

/* --- interfaces
 * ------------------------------------------------------------------------------------ */

static void carrier(struct netdev* dev, bool up) {
    struct interface* interface = dev->stack;
    core_lock();
    if (up) {
        netif_set_link_up(&interface->netif);
    } else {
        netif_set_link_down(&interface->netif);
    }
    core_unlock();
    if (stack_online()) {
        thread_wake_all(&stack.online_wait);
    }
}

static const struct netdev_receiver kReceiver = {.begin = receive_begin,
                                                 .receive = receive,
                                                 .end = receive_end,
                                                 .carrier = carrier,
                                                 .room = room};

static err_t interface_init(struct netif* netif) {
    struct interface* interface = netif->state;
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = ETH_HWADDR_LEN;
    memcpy(netif->hwaddr, interface->dev->mac, ETH_HWADDR_LEN);
    netif->mtu = (u16_t)interface->config.mtu_bytes;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = stack_link_output;
    return ERR_OK;
}

static void add_interface(uint32_t index, const struct guest_interface* config) {
    struct interface* interface = &stack.interfaces[index];
    interface->index = index;
    interface->config = *config;
    interface->dev = netdev_at(config->nic);
    (void)snprintf(interface->name, sizeof interface->name, "eth%u", index);
    stack.interface_names[index] = interface->name;
    ip4_addr_t address;
    ip4_addr_t mask;
    ip4_addr_t gateway;
    ip4_addr_set_u32(&address, lwip_htonl(config->address));
    ip4_addr_set_u32(&mask, lwip_htonl(route_mask(config->prefix_bits)));
    ip4_addr_set_zero(&gateway); /* the routing table knows gateways, see etharp_output */
    if (netif_add(&interface->netif, &address, &mask, &gateway, interface, interface_init,
                  ethernet_input) == NULL) {
        kernel_panic("%s: lwIP refused the interface", interface->name);
    }
    interface->netif.ip6_autoconfig_enabled = 0; /* IPv4 only: no router solicitations */
    interface->netif.rs_count = 0;
    netif_set_up(&interface->netif);
    interface->netif.rs_count = 0;
    interface->dev->stack = interface;
    interface->dev->receiver = &kReceiver;
    if (interface->dev->link.up) {
        netif_set_link_up(&interface->netif);
    }
}

int stack_add_routes(struct route_table* routes, const struct guest_config* config, char* why,
                     size_t why_bytes) {
    for (uint32_t i = 0; i < config->interface_count; ++i) {
        const struct guest_interface* interface = &config->interfaces[i];
        const uint32_t network = interface->address & route_mask(interface->prefix_bits);
        (void)route_add(routes, network, interface->prefix_bits, 0, i, 0);
    }
    for (uint32_t i = 0; i < config->route_count; ++i) {
        const struct guest_route* route = &config->routes[i];
        if (route->interface >= config->interface_count) {
            (void)snprintf(why, why_bytes, "route %u leaves through interface %u, but there are %u",
                           i, route->interface, config->interface_count);
            return (int)i;
        }
        const struct route* same = route_find_on(routes, route->destination, route->interface);
        if (same != NULL && same->destination == route->destination &&
            same->prefix_bits == route->prefix_bits && same->gateway == route->gateway) {
            continue; /* the interface's own network, given once more */
        }
        const int result = route_add(routes, route->destination, route->prefix_bits, route->gateway,
                                     route->interface, route->metric);
        if (result < 0) {
            char text[16];
            (void)snprintf(why, why_bytes, "a route to %s/%u is impossible: %s",
                           route_address_text(route->destination, text), route->prefix_bits,
                           result == -ENOSPC ? "the routing table is full" : strerror(-result));
            return (int)i;
        }
    }
    return -1;
}

int stack_start(const struct guest_config* config) {
    if (lwip_bind() != 0) {
        kernel_log(GUEST_LOG_ERROR, "this image does not stand on a liblwip of its own");
        return -ENOEXEC;
    }
    core_lock_init(input, output);
    stack.offload_tx = true;
    for (uint32_t i = 0; i < config->interface_count; ++i) {
        const struct netdev* dev = netdev_at(config->interfaces[i].nic);
        if (dev == NULL) {
            kernel_log(GUEST_LOG_ERROR, "interface %u wants NIC %u, which is not there", i,
                       config->interfaces[i].nic);
            return -ENODEV;
        }
        stack.offload_tx = stack.offload_tx && dev->config.tx_checksum;
    }
    char why[128];
    if (stack_add_routes(&stack.routes, config, why, sizeof why) >= 0) {
        kernel_log(GUEST_LOG_ERROR, "%s", why);
        return -EINVAL;
    }
    core_lock();
    tcpip_init(NULL, NULL);
    for (uint32_t i = 0; i < config->interface_count; ++i) {
        add_interface(i, &config->interfaces[i]);
        stack.interface_count = i + 1;
    }
    core_unlock();
    return 0;
}

bool stack_online(void) {
    for (uint32_t i = 0; i < stack.interface_count; ++i) {
        if (!stack.interfaces[i].dev->link.up) {
            return false;
        }
    }
    return true;
}

struct interface* stack_interface_of(const struct netif* netif) {
    return netif->state;
}

void stack_show_interfaces(guest_text_fn print, void* context) {
    for (uint32_t i = 0; i < stack.interface_count; ++i) {
        const struct interface* interface = &stack.interfaces[i];
        const uint8_t* mac = interface->dev->mac;
        char line[160];
        char address[16];
        char mask[16];
        char link[64];
        (void)snprintf(line, sizeof line,
                       "%s: nic%u  inet %s  netmask %s  ether %02x:%02x:%02x:%02x:%02x:%02x  "
                       "mtu %u  link %s\n",
                       interface->name, interface->dev->index,
                       route_address_text(interface->config.address, address),
                       route_address_text(route_mask(interface->config.prefix_bits), mask), mac[0],
                       mac[1], mac[2], mac[3], mac[4], mac[5], interface->config.mtu_bytes,
                       netdev_link_text(interface->dev, link, sizeof link));
        print(context, line);
    }
}

void stack_show_arp(guest_text_fn print, void* context) {
    for (size_t i = 0; i < ARP_TABLE_SIZE; ++i) {
        ip4_addr_t* address = NULL;
        struct netif* netif = NULL;
        struct eth_addr* mac = NULL;
        if (etharp_get_entry(i, &address, &netif, &mac) == 0) {
            continue;
        }
        char line[96];
        char text[16];
        (void)snprintf(line, sizeof line, "? (%s) at %02x:%02x:%02x:%02x:%02x:%02x [ether] on %s\n",
                       route_address_text(lwip_ntohl(ip4_addr_get_u32(address)), text),
                       mac->addr[0], mac->addr[1], mac->addr[2], mac->addr[3], mac->addr[4],
                       mac->addr[5], stack_interface_of(netif)->name);
        print(context, line);
    }
}
