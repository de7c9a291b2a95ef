#include "guest_stack/port/flow.h"

/* Upper bits of an identity name the flow, lower ones the byte; both ends compute the same. */
#define OFFSET_BITS 40u

#define CHAINS 1024u /* a power of two */
#define NONE FLOW_MAX

static struct flow flows[FLOW_MAX];
static uint32_t flow_count;
static uint16_t chains[CHAINS]; /* index + 1 of the first flow, 0: empty */
static uint16_t newest = NONE, oldest = NONE;
/* A flow that comes back after it was forgotten must not give old identities to new datagrams. */
static uint64_t forgotten_datagrams;
static struct flow_counters counters;

static uint64_t hash(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port,
                     uint8_t protocol) {
    uint64_t h = ((uint64_t)local << 32 | remote) * 0x9e3779b97f4a7c15ull;
    h ^= (h >> 29) ^ ((uint64_t)local_port << 24 | (uint64_t)remote_port << 8 | protocol);
    h *= 0xbf58476d1ce4e5b9ull;
    return h ^ h >> 32;
}

static bool is(const struct flow* flow, uint32_t local, uint16_t local_port, uint32_t remote,
               uint16_t remote_port, uint8_t protocol) {
    return flow->local == local && flow->remote == remote && flow->local_port == local_port &&
           flow->remote_port == remote_port && flow->protocol == protocol;
}

/* --- the order of use: a list from the newest to the oldest --- */

static void unlink_from_order(const struct flow* flow) {
    if (flow->newer != NONE) {
        flows[flow->newer].older = flow->older;
    } else {
        newest = flow->older;
    }
    if (flow->older != NONE) {
        flows[flow->older].newer = flow->newer;
    } else {
        oldest = flow->newer;
    }
}

static void make_newest(struct flow* flow) {
    const uint16_t index = (uint16_t)(flow - flows);
    flow->newer = NONE;
    flow->older = newest;
    if (newest != NONE) {
        flows[newest].newer = index;
    } else {
        oldest = index;
    }
    newest = index;
}

static struct flow* least_missed(void) {
    for (uint16_t i = oldest; i != NONE; i = flows[i].newer) {
        if (!flows[i].open) {
            return &flows[i];
        }
    }
    return &flows[oldest];
}

static struct flow* forget_one(void) {
    struct flow* flow = least_missed();
    if (flow->next_datagram > forgotten_datagrams) {
        forgotten_datagrams = flow->next_datagram;
    }
    unlink_from_order(flow);
    uint16_t* link = &chains[flow->hash & (CHAINS - 1)];
    while (*link != (uint16_t)(flow - flows) + 1) {
        link = &flows[*link - 1].next_of_chain;
    }
    *link = flow->next_of_chain;
    return flow;
}

struct flow* flow_get(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port,
                      uint8_t protocol) {
    /* Bulk data asks for the same one again and again. */
    if (newest != NONE && is(&flows[newest], local, local_port, remote, remote_port, protocol)) {
        return &flows[newest];
    }
    const uint64_t h = hash(local, local_port, remote, remote_port, protocol);
    uint16_t* chain = &chains[h & (CHAINS - 1)];
    for (uint16_t i = *chain; i != 0; i = flows[i - 1].next_of_chain) {
        struct flow* flow = &flows[i - 1];
        if (is(flow, local, local_port, remote, remote_port, protocol)) {
            unlink_from_order(flow);
            make_newest(flow);
            return flow;
        }
    }
    struct flow* flow = flow_count < FLOW_MAX ? &flows[flow_count++] : forget_one();
    *flow = (struct flow){.local = local,
                          .remote = remote,
                          .local_port = local_port,
                          .remote_port = remote_port,
                          .protocol = protocol,
                          .hash = h,
                          .next_of_chain = *chain,
                          .next_datagram = forgotten_datagrams};
    *chain = (uint16_t)((uint16_t)(flow - flows) + 1);
    make_newest(flow);
    return flow;
}

void flow_start(struct flow* flow, uint32_t sequence) {
    flow->started = true;
    flow->open = true;
    flow->first_sequence = sequence;
    flow->first_offset = 0;
    flow->sent_end = 0;
}

void flow_close(struct flow* flow) {
    flow->open = false;
}

/* The offset nearest to what was sent last that has this sequence number. */
uint64_t flow_offset(const struct flow* flow, uint32_t sequence) {
    const uint32_t end_sequence =
        flow->first_sequence + (uint32_t)(flow->sent_end - flow->first_offset);
    const int32_t difference = (int32_t)(sequence - end_sequence);
    return flow->sent_end + (uint64_t)(int64_t)difference;
}

uint64_t flow_packet(const struct flow* flow, uint64_t offset) {
    const uint64_t mask = ((uint64_t)1 << OFFSET_BITS) - 1;
    const uint64_t packet = flow->hash << OFFSET_BITS | ((offset + 1) & mask);
    return packet != 0 ? packet : 1;
}

uint64_t flow_segment(const struct flow* flow, uint32_t sequence) {
    return flow->started ? flow_packet(flow, flow_offset(flow, sequence)) : 0;
}

void flow_sent(struct flow* flow, uint32_t sequence, uint32_t bytes) {
    if (!flow->started) {
        return;
    }
    const uint64_t offset = flow_offset(flow, sequence);
    const uint64_t end = offset + bytes;
    ++counters.segments;
    counters.bytes += bytes;
    if (offset < flow->sent_end) {
        ++counters.retransmitted_segments;
        counters.retransmitted_bytes += (end < flow->sent_end ? end : flow->sent_end) - offset;
    }
    if (end > flow->sent_end) {
        flow->sent_end = end;
    }
}

uint64_t flow_datagram(struct flow* flow) {
    return flow_packet(flow, flow->next_datagram++);
}

uint64_t flow_open_count(void) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < flow_count; ++i) {
        count += flows[i].open ? 1 : 0;
    }
    return count;
}

const struct flow_counters* flow_totals(void) {
    return &counters;
}
