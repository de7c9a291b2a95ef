/* The packets of packet_generator and packet_sink: IPv4 with UDP (numbered datagrams) or TCP
 * segments of an endless stream (what TSO cuts). Every payload byte follows from its place, so that
 * the sink can judge each frame by itself. */
#ifndef GUEST_TEST_PACKET_H
#define GUEST_TEST_PACKET_H

#include <stdbool.h>
#include <stdint.h>

#define TEST_ETHERNET_BYTES 14u
#define TEST_IP_BYTES 20u
#define TEST_UDP_BYTES 8u
#define TEST_TCP_BYTES 20u
#define TEST_UDP_HEADERS (TEST_ETHERNET_BYTES + TEST_IP_BYTES + TEST_UDP_BYTES)
#define TEST_TCP_HEADERS (TEST_ETHERNET_BYTES + TEST_IP_BYTES + TEST_TCP_BYTES)
#define TEST_NUMBER_BYTES 8u /* a datagram's payload begins with its number */
#define TEST_UDP 17u
#define TEST_TCP 6u

struct test_packet {
    uint8_t to_mac[6], from_mac[6];
    uint32_t from, to;
    uint16_t port;
    uint8_t protocol;
    uint64_t number; /* of the datagram; of the segment's first byte in the stream */
    uint32_t payload_bytes;
};

/* How the checksum fields are left for the sender. */
enum test_checksum {
    TEST_CHECKSUM_COMPLETE, /* computed */
    TEST_CHECKSUM_SEED,     /* pseudo-header sum for the NIC's insertion */
    TEST_CHECKSUM_SEED_TSO  /* the same without the length; IP length 0 */
};

/* Writes headers and payload; returns the frame's size without FCS. */
uint32_t test_packet_write(const struct test_packet* packet, enum test_checksum checksum,
                           uint8_t* frame);

enum test_verdict { TEST_GOOD, TEST_OTHER, TEST_BAD_IP_SUM, TEST_BAD_L4_SUM, TEST_BAD_DATA };

/* TEST_OTHER: not one of ours. Fills number, payload_bytes and protocol; a VLAN tag that is still
 * in the frame is skipped and returned. */
enum test_verdict test_packet_read(const uint8_t* frame, uint32_t size, uint16_t port,
                                   struct test_packet* packet, uint32_t* vlan_tag);

#endif /* GUEST_TEST_PACKET_H */
