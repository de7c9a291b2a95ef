/* The identity of a packet: (flow, first byte of its range in the flow's stream). It is given at
 * the socket write and found again from a segment's sequence number, so a retransmission carries
 * the identity of the bytes it repeats. Also counts what a flow sent twice. */
#ifndef GUEST_FLOW_H
#define GUEST_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#define FLOW_MAX 1024u /* remembered at a time */

struct flow {
    uint32_t local, remote; /* IPv4 addresses, host byte order */
    uint16_t local_port, remote_port;
    uint8_t protocol;
    uint64_t hash;          /* of the five above: half of each identity */
    bool started;           /* the sequence number of its first byte is known */
    bool open;              /* a connection that has not ended: the last to be forgotten */
    uint16_t newer, older;  /* neighbours in the order of use; FLOW_MAX: none */
    uint16_t next_of_chain; /* index + 1 of the next with this hash value; 0: none */
    uint32_t first_sequence;
    uint64_t first_offset; /* stream offset of first_sequence: sequence numbers wrap */
    uint64_t sent_end;     /* stream offset behind the last byte ever sent */
    uint64_t next_datagram;
};

struct flow_counters {
    uint64_t segments, bytes, retransmitted_segments, retransmitted_bytes;
};

/* Finds or makes the flow. A full table forgets the one that was used longest ago, connections that
 * are open only when all are. The pointer holds until others have been asked for. */
struct flow* flow_get(uint32_t local, uint16_t local_port, uint32_t remote, uint16_t remote_port,
                      uint8_t protocol);
/* The stream's next byte to be written has this sequence number. */
void flow_start(struct flow* flow, uint32_t sequence);
/* The connection ends: what is sent again keeps its identity as long as the flow is remembered. */
void flow_close(struct flow* flow);
uint64_t flow_offset(const struct flow* flow, uint32_t sequence);
uint64_t flow_packet(const struct flow* flow, uint64_t offset);
/* Identity of the segment that begins there; 0 before the flow has started. */
uint64_t flow_segment(const struct flow* flow, uint32_t sequence);
/* Counts a segment that went out, as a retransmission if all or part of its range did before. */
void flow_sent(struct flow* flow, uint32_t sequence, uint32_t bytes);
uint64_t flow_datagram(struct flow* flow);
/* Connections that have not ended, among those remembered. */
uint64_t flow_open_count(void);
const struct flow_counters* flow_totals(void);

#endif /* GUEST_FLOW_H */
