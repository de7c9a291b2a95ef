/* Driver of the Intel 82574L. Freestanding C11; sections cited are those of docs/registers.md and
 * of the datasheet. Errors are negative errno values (NIC_E*). */
#ifndef NIC_DRIVER_H
#define NIC_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nic_hal.h"

#ifdef __cplusplus
extern "C" {
/* In C a struct and a function may share a name; C++ allows it, too, but g++ frowns. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif

#define NIC_EIO 5
#define NIC_ENOMEM 12
#define NIC_EBUSY 16
#define NIC_ENODEV 19
#define NIC_EINVAL 22
#define NIC_ENOSPC 28 /* transmit ring full: try again when nic_tx_clean freed something */
#define NIC_ETIMEDOUT 110

/* Largest ring a device can have; a small system may define less and saves the memory. */
#ifndef NIC_MAX_RING
#define NIC_MAX_RING 4096u
#endif
#define NIC_MAX_SEGMENTS 32u
/* A segment takes a descriptor for each of these; the descriptor's buffer must fit the transmit
 * FIFO beside what is being sent (section 6.2). */
#define NIC_TX_DESCRIPTOR_BYTES 8192u

/* Where frames turn round instead of going out: nowhere; in the MAC (RCTL.LBM), whose PHY keeps its
 * link; in the PHY (control bit 14), which needs no partner and shows it none. */
enum nic_loopback { NIC_LOOPBACK_NONE, NIC_LOOPBACK_MAC, NIC_LOOPBACK_PHY };

struct nic_config {
    uint32_t tx_ring; /* descriptors: multiple of 8, 8..4096 */
    uint32_t rx_ring;
    uint32_t rx_buffer_bytes;   /* 2048, 4096, 8192 or 16384 */
    uint32_t mtu_bytes;         /* above 1500 sets RCTL.LPE */
    enum nic_irq_mode irq_mode; /* preferred; falls back MSI-X -> MSI -> INTx */
    uint32_t itr;               /* 256 ns units for ITR and EITR, 0 = no moderation */
    uint32_t rdtr, radv;        /* 1.024 us units */
    uint32_t tidv, tadv;        /* tidv 0: transmit interrupts are not delayed */
    uint32_t tx_report_every;   /* RS on every Nth descriptor at least, 1 = each packet */
    uint32_t rx_pthresh, rx_hthresh, rx_wthresh;
    uint32_t tx_pthresh, tx_hthresh, tx_wthresh;
    bool tx_checksum; /* offload TCP/UDP/IPv4 checksums */
    bool rx_checksum;
    bool extended_rx; /* extended descriptors, else legacy */
    bool vlan_strip;  /* CTRL.VME */
    bool promiscuous;
    bool store_bad_frames;      /* RCTL.SBP: frames with NIC_RX_ERROR instead of none */
    bool flow_control;          /* advertise PAUSE and obey what was negotiated */
    uint16_t autoneg_advertise; /* 0: everything; else ANAR bits | 0x8000 for 1000FD */
    enum nic_loopback loopback;
};
/* Sensible defaults: MSI-X, 256 descriptors, offloads on. */
void nic_config_default(struct nic_config* config);
/* What nic_open asks of a configuration, without a device. 0; or -NIC_EINVAL, and which member of
 * the struct it is, by its name, which other one it depends on (NULL: none), and why. */
struct nic_config_demand {
    const char* field;
    const char* other;
    const char* why;
};
int nic_config_check(const struct nic_config* config, struct nic_config_demand* unmet);

/* What a caller wants sent. Segments stay untouched until nic_tx_clean reports the cookie. */
struct nic_segment {
    void* data;
    uint32_t size;
};
enum nic_tx_flags {
    NIC_TX_IP_CHECKSUM = 1u << 0, /* insert the IPv4 header checksum */
    NIC_TX_L4_CHECKSUM = 1u << 1, /* pseudo-header sum is seeded at l4_checksum_offset */
    NIC_TX_TSO = 1u << 2,         /* split into mss-sized TCP segments; seed without length */
    NIC_TX_VLAN = 1u << 3,        /* insert vlan_tag */
    NIC_TX_TCP = 1u << 4,         /* L4 is TCP, else UDP */
    NIC_TX_IPV4 = 1u << 5,
    NIC_TX_NO_FCS = 1u << 6, /* the data already ends with an FCS */
};
struct nic_packet {
    const struct nic_segment* segments;
    uint32_t segment_count; /* 1..NIC_MAX_SEGMENTS */
    uint32_t flags;
    uint16_t l3_offset;          /* start of the IP header */
    uint16_t l4_offset;          /* start of the TCP/UDP header */
    uint16_t l4_checksum_offset; /* where the checksum field is, from the start of the frame */
    uint16_t header_bytes;       /* TSO: bytes replicated in each segment */
    uint16_t mss;
    uint16_t vlan_tag;
    void* cookie; /* comes back when the packet is sent */
    uint64_t tag; /* identity, handed to dma_map */
};

enum nic_rx_flags {
    NIC_RX_IP_CHECKED = 1u << 0,
    NIC_RX_IP_BAD = 1u << 1,
    NIC_RX_L4_CHECKED = 1u << 2,
    NIC_RX_L4_BAD = 1u << 3,
    NIC_RX_VLAN = 1u << 4,
    NIC_RX_ERROR = 1u << 5,
    NIC_RX_MORE = 1u << 6, /* not the last buffer of the frame */
};
struct nic_rx_packet {
    void* buffer; /* now the receiver's; a fresh one took its place in the ring */
    void* cookie;
    uint32_t size;
    uint32_t flags;
    uint16_t vlan_tag;
    uint64_t tag;
};

struct nic_link {
    bool up;
    uint32_t speed_mbps;
    bool full_duplex;
    bool rx_pause, tx_pause;
};

enum nic_event {
    NIC_EVENT_RX = 1u << 0,
    NIC_EVENT_TX = 1u << 1,
    NIC_EVENT_LINK = 1u << 2,
    NIC_EVENT_OVERRUN = 1u << 3,
    NIC_EVENT_OTHER = 1u << 4
};

struct nic_counters {
    uint64_t tx_packets, tx_bytes, tx_descriptors, tx_doorbells, tx_ring_full;
    uint64_t rx_packets, rx_bytes, rx_errors, rx_doorbells, rx_no_buffer;
    uint64_t interrupts, resets;
};

#include "nic_device.h" /* struct nic_device: all state, no allocation; treat as opaque */

/* Finds the chip, resets it, reads NVM and MAC address, checks the PHY. Interrupts stay off. */
int nic_probe(struct nic_device* dev, const struct nic_hal* hal);
/* Rings, filters, interrupts, link: ready to send as soon as the link is up. */
int nic_open(struct nic_device* dev, const struct nic_config* config);
void nic_close(struct nic_device* dev);
/* Full reset and back to work (after a fault): pending packets are handed back as unsent by
 * nic_tx_clean. On an error the device stands still; nic_reset may be tried again. */
int nic_reset(struct nic_device* dev);

void nic_mac_address(const struct nic_device* dev, uint8_t mac[6]);
int nic_set_multicast(struct nic_device* dev, const uint8_t (*addresses)[6], uint32_t count);
int nic_set_vlan_filter(struct nic_device* dev, uint16_t vid, bool accept);

/* Describes the packet; the device is told by nic_tx_flush (one doorbell for many packets). 0, or
 * nothing was kept: -NIC_ENOSPC (ring full), -NIC_EINVAL (malformed, shorter than 17 bytes, longer
 * than the MTU, or an offload that the configuration left off), -NIC_ENOMEM (dma_map refused),
 * -NIC_EIO (the device is not running). */
int nic_tx(struct nic_device* dev, const struct nic_packet* packet);
void nic_tx_flush(struct nic_device* dev);
uint32_t nic_tx_free(const struct nic_device* dev); /* free descriptors */
/* Takes back what was sent, at most `budget` packets: cookies[i]. Returns how many. After nic_reset
 * or nic_close it returns what was pending; until all of it is taken, nic_tx answers -NIC_ENOSPC
 * and nic_open -NIC_EBUSY. */
uint32_t nic_tx_clean(struct nic_device* dev, void** cookies, uint32_t budget);
/* True when the oldest packet is still the one of the previous call although the link is up and no
 * PAUSE holds the transmitter: then nic_reset is in order. Call it every second or so. */
bool nic_tx_hung(struct nic_device* dev);

/* Takes up to `budget` received buffers and refills the ring (at most one doorbell, none while few
 * are missing). Returns how many. A frame is handed over whole, the last buffer without
 * NIC_RX_MORE, or not at all; a budget of NIC_RX_MAX_PARTS is enough for any frame. */
uint32_t nic_rx(struct nic_device* dev, struct nic_rx_packet* packets, uint32_t budget);

/* To be called by the platform's handler of vector `vector` (0 for MSI and INTx; with MSI-X 0 is
 * receive, 1 transmit, 2 everything else): acknowledges, masks RX and TX if it reports them, and
 * says what to do. 0: the interrupt was not ours (shared INTx). */
uint32_t nic_interrupt(struct nic_device* dev, uint32_t vector);
/* Unmasks RX and TX again when the poll is done; what came meanwhile interrupts at once. Other
 * events are never masked. */
void nic_interrupt_enable(struct nic_device* dev, uint32_t events);

/* Reads the link from the PHY and programs the MAC to it; call on NIC_EVENT_LINK and every 2 s. */
int nic_link_poll(struct nic_device* dev, struct nic_link* link);
/* Adds the chip's read-clear statistics to 64-bit totals: call at least every few seconds. */
struct nic_hw_stats;
void nic_stats_update(struct nic_device* dev);
const struct nic_counters* nic_counters(const struct nic_device* dev);
/* Visits the chip's statistics by their datasheet names. */
void nic_stats_visit(const struct nic_device* dev,
                     void (*visit)(void* ctx, const char* name, uint64_t value), void* ctx);

#ifdef __cplusplus
#pragma GCC diagnostic pop
}
#endif

#endif /* NIC_DRIVER_H */
