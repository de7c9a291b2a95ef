/* The state of one 82574L. Included by nic_driver.h; no business of its users, who only provide the
 * memory. Everything the driver remembers is in here: it owns no globals and allocates nothing. */
#ifndef NIC_DEVICE_H
#define NIC_DEVICE_H

/* Words of the NVM that the checksum covers (section 3.3). */
#define NIC_NVM_WORDS 64u
/* Buffers that one received frame may spread over: 9728 bytes in buffers of 2048. */
#define NIC_RX_MAX_PARTS 5u
#define NIC_MULTICAST_EXACT 14u /* RA1..RA14: RA0 is the station, drivers leave RA15 alone */
#define NIC_STAT_COUNT 63u

enum nic_state {
    NIC_STATE_NONE = 0, /* not probed: a zeroed struct */
    NIC_STATE_PROBED,
    NIC_STATE_OPEN,
    NIC_STATE_FAILED /* nic_reset gave up: only nic_reset and nic_close make sense */
};

/* A descriptor of any kind as it lies in memory: little-endian words. */
union nic_descriptor {
    uint64_t qword[2];
    uint32_t dword[4];
};

struct nic_tx_slot {
    uint64_t bus_address;  /* of the mapping that ends here */
    void* cookie;          /* first slot of a packet: the caller's */
    uint32_t mapped_bytes; /* 0: no mapping ends here */
    uint16_t end;          /* first slot of a packet: one past its EOP descriptor */
    uint16_t report;       /* first slot of a group: the descriptor whose DD answers for it */
};

struct nic_tx_ring {
    union nic_descriptor* descriptors;
    uint64_t bus_address;
    uint32_t size;
    uint32_t use;        /* next descriptor to write */
    uint32_t published;  /* TDT as the device knows it */
    uint32_t clean;      /* oldest packet not taken back yet */
    uint32_t done;       /* [clean, done) is known to be sent */
    uint32_t group;      /* first slot of the packets that no RS answers for yet */
    uint32_t last;       /* EOP descriptor of the newest packet */
    uint32_t unreported; /* descriptors since the last RS */
    uint32_t watched;    /* `clean` when nic_tx_hung looked last */
    uint64_t packets;    /* taken back ever; nic_tx_hung compares */
    uint64_t watched_packets;
    bool watching;  /* something was pending at the previous look */
    bool returning; /* after a reset: everything pending goes back as unsent */
    bool context_valid;
    uint64_t context[2]; /* what the device holds: a new one is sent only when it differs */
    struct nic_tx_slot slots[NIC_MAX_RING];
};

struct nic_rx_slot {
    void* buffer;
    void* cookie;
    uint64_t bus_address;
};

struct nic_rx_ring {
    union nic_descriptor* descriptors;
    uint64_t bus_address;
    uint32_t size;
    uint32_t next;     /* descriptor the device completes next */
    uint32_t returned; /* refilled, but the device has not been told */
    uint32_t batch;    /* tell it when this many came together */
    bool skipping;     /* drop up to EOP: the frame was too long for us */
    struct nic_rx_slot slots[NIC_MAX_RING];
};

struct nic_hw_stats {
    uint64_t total[NIC_STAT_COUNT];
};

struct nic_device {
    const struct nic_hal* hal;
    enum nic_state state;
    enum nic_irq_mode irq_mode;    /* what nic_open got */
    volatile uint32_t irq_enabled; /* RX and TX events as last enabled: a hint, see nic_irq.c */
    volatile bool link_changed;    /* set by nic_interrupt */
    bool irq_ready;                /* irq_setup succeeded and was not released */
    struct nic_counters counters;
    struct nic_config config;
    struct nic_link link;
    uint32_t pm_capability, msi_capability, msix_capability, pcie_capability; /* 0: none */
    uint8_t mac[6];
    uint32_t multicast_count; /* exact ones, in RA1.. */
    uint8_t multicast[NIC_MULTICAST_EXACT][6];
    uint32_t mta[128];
    uint32_t vfta[128];
    uint32_t vlan_count; /* bits set in vfta; 0: the filter is off */
    struct nic_hw_stats stats;
    struct nic_tx_ring tx;
    struct nic_rx_ring rx;
};

#endif /* NIC_DEVICE_H */
