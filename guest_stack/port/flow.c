#include "guest_stack/port/flow.h"

#include <stddef.h>

/* Upper bits of an identity name the flow, lower ones the byte; both ends compute the same. */
#define OFFSET_BITS 40u

static struct flow flows[FLOW_MAX];
static uint32_t flow_count;
static struct flow* latest; /* bulk data asks for the same one again and again */
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
    return flow->used && flow->local == local && flow->remote == remote &&
           flow->local_port == local_port && flow->remote_port == remote_port &&
           flow->protocol == protocol;
}

struct flow* flow_get(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port,
                      uint8_t protocol) {
    if (latest != NULL && is(latest, local, local_port, remote, remote_port, protocol)) {
        return latest;
    }
    const uint64_t h = hash(local, local_port, remote, remote_port, protocol);
    for (uint32_t probe = 0; probe < FLOW_MAX; ++probe) {
        struct flow* flow = &flows[(h + probe) & (FLOW_MAX - 1)];
        if (!flow->used) {
            if (flow_count == FLOW_MAX / 4 * 3) {
                return NULL; /* fuller, look-ups would become slow */
            }
            ++flow_count;
            flow->used = true;
            flow->local = local;
            flow->remote = remote;
            flow->local_port = local_port;
            flow->remote_port = remote_port;
            flow->protocol = protocol;
        }
        if (is(flow, local, local_port, remote, remote_port, protocol)) {
            latest = flow;
            return flow;
        }
    }
    return NULL;
}

void flow_start(struct flow* flow, uint32_t sequence) {
    flow->started = true;
    flow->first_sequence = sequence;
    flow->first_offset = 0;
    flow->sent_end = 0;
}

/* The offset nearest to what was sent last that has this sequence number. */
uint64_t flow_offset(const struct flow* flow, uint32_t sequence) {
    const uint32_t end_sequence =
        flow->first_sequence + (uint32_t)(flow->sent_end - flow->first_offset);
    const int32_t difference = (int32_t)(sequence - end_sequence);
    return flow->sent_end + (uint64_t)(int64_t)difference;
}

uint64_t flow_packet(const struct flow* flow, uint64_t offset) {
    const uint64_t h =
        hash(flow->local, flow->local_port, flow->remote, flow->remote_port, flow->protocol);
    const uint64_t mask = ((uint64_t)1 << OFFSET_BITS) - 1;
    const uint64_t packet = h << OFFSET_BITS | ((offset + 1) & mask);
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

const struct flow_counters* flow_totals(void) {
    return &counters;
}
