/* Checksum offload. This build of lwIP has no switch for it, so the functions that compute are
 * replaced. Down: the field is left with the pseudo header's sum, not complemented, which is what
 * the NIC's insertion starts from. Up: the NIC's verdict is trusted only when it says "checked and
 * good"; everything else is verified here. What software computes, the CPU pays for. */
#include <lwip/inet_chksum.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/port/interpose.h"
#include "guest_stack/port/stack.h"

static bool splitting; /* inside tcp_split_unsent_seg, which sums payload with inet_chksum */

static void pay(uint32_t bytes) {
    ++stack.counters.checksums_in_software;
    cpu_charge_bytes(bytes, costs.checksum_per_byte_ps);
}

typedef u16_t (*inet_chksum_fn)(const void*, u16_t);
typedef u16_t (*pseudo_fn)(struct pbuf*, u8_t, u16_t, const ip_addr_t*, const ip_addr_t*);
typedef u16_t (*partial_fn)(struct pbuf*, u8_t, u16_t, u16_t, const ip_addr_t*, const ip_addr_t*);
typedef u16_t (*copy_fn)(void*, const void*, u16_t);
typedef err_t (*split_fn)(struct tcp_pcb*, u16_t);

INTERPOSED u16_t inet_chksum(const void* data, u16_t bytes) {
    REAL(inet_chksum_fn, "inet_chksum");
    if (splitting) {
        return 0xffff; /* complemented by the caller: nothing to add to the seed */
    }
    const bool is_received_header = stack.rx.active && data == stack.rx.ip_header;
    if (is_received_header) {
        stack.rx.ip_header = NULL;
        if ((stack.rx.flags & (NIC_RX_IP_CHECKED | NIC_RX_IP_BAD)) == NIC_RX_IP_CHECKED) {
            ++stack.counters.checksums_by_nic;
            return 0;
        }
    }
    pay(bytes);
    const u16_t sum = real(data, bytes);
    if (is_received_header && sum != 0) {
        ++stack.counters.rx_ip_checksum_bad;
    }
    return sum;
}

/* RFC 768, RFC 9293 section 3.1: addresses, protocol, length; folded, in network order. */
static u16_t pseudo_sum(u8_t protocol, u16_t bytes, const ip_addr_t* from, const ip_addr_t* to) {
    const uint32_t source = ip4_addr_get_u32(ip_2_ip4(from));
    const uint32_t destination = ip4_addr_get_u32(ip_2_ip4(to));
    uint32_t sum =
        (source & 0xffff) + (source >> 16) + (destination & 0xffff) + (destination >> 16);
    sum += lwip_htons(protocol);
    sum += lwip_htons(bytes);
    sum = (sum >> 16) + (sum & 0xffff);
    sum += sum >> 16;
    return (u16_t)sum;
}

/* The NIC can insert the checksum of whole packets only; fragments are cut after this point. */
static bool can_offload(u8_t protocol, u16_t bytes, const ip_addr_t* from) {
    if (!stack.offload_tx || !IP_IS_V4(from) ||
        (protocol != IP_PROTO_TCP && protocol != IP_PROTO_UDP)) {
        return false;
    }
    for (uint32_t i = 0; i < stack.interface_count; ++i) {
        if (bytes + IP_HLEN > stack.interfaces[i].netif.mtu) {
            return false;
        }
    }
    return true;
}

static u16_t verify(struct pbuf* p, u8_t protocol, u16_t bytes, const ip_addr_t* from,
                    const ip_addr_t* to, pseudo_fn real) {
    const uint32_t verdict = stack.rx.flags & (NIC_RX_L4_CHECKED | NIC_RX_L4_BAD);
    if (stack.rx.active ? verdict == NIC_RX_L4_CHECKED : stack.offload_tx) {
        ++stack.counters.checksums_by_nic; /* or looped back, and never computed */
        return 0;
    }
    pay(bytes);
    const u16_t sum = real(p, protocol, bytes, from, to);
    if (sum != 0) {
        ++stack.counters.rx_l4_checksum_bad;
    }
    return sum;
}

INTERPOSED u16_t ip_chksum_pseudo(struct pbuf* p, u8_t protocol, u16_t bytes, const ip_addr_t* from,
                                  const ip_addr_t* to) {
    REAL(pseudo_fn, "ip_chksum_pseudo");
    if (p == stack.rx.l4) {
        stack.rx.l4 = NULL;
        return verify(p, protocol, bytes, from, to, real);
    }
    if (can_offload(protocol, bytes, from)) {
        ++stack.counters.checksums_by_nic;
        return pseudo_sum(protocol, bytes, from, to);
    }
    pay(bytes);
    return real(p, protocol, bytes, from, to);
}

/* A segment's header; the payload was summed when it was copied (lwip_chksum_copy). */
INTERPOSED u16_t ip_chksum_pseudo_partial(struct pbuf* p, u8_t protocol, u16_t bytes,
                                          u16_t summed_bytes, const ip_addr_t* from,
                                          const ip_addr_t* to) {
    REAL(partial_fn, "ip_chksum_pseudo_partial");
    if (protocol == IP_PROTO_TCP && can_offload(protocol, bytes, from)) {
        ++stack.counters.checksums_by_nic;
        return pseudo_sum(protocol, bytes, from, to);
    }
    pay(summed_bytes);
    return real(p, protocol, bytes, summed_bytes, from, to);
}

INTERPOSED u16_t lwip_chksum_copy(void* to, const void* from, u16_t bytes) {
    REAL(copy_fn, "lwip_chksum_copy");
    if (stack.offload_tx) {
        memcpy(to, from, bytes);
        return 0;
    }
    pay(bytes);
    return real(to, from, bytes);
}

INTERPOSED err_t tcp_split_unsent_seg(struct tcp_pcb* pcb, u16_t split) {
    REAL(split_fn, "tcp_split_unsent_seg");
    splitting = stack.offload_tx;
    const err_t result = real(pcb, split);
    splitting = false;
    return result;
}
