#include "guest_stack/apps/test_packet.h"

#include <string.h>

static void put16(uint8_t* at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}
static void put32(uint8_t* at, uint32_t value) {
    put16(at, value >> 16);
    put16(at + 2, value);
}
static uint32_t get16(const uint8_t* at) {
    return (uint32_t)(at[0] << 8 | at[1]);
}
static uint32_t get32(const uint8_t* at) {
    return get16(at) << 16 | get16(at + 2);
}

static uint32_t add(uint32_t sum, const uint8_t* data, uint32_t size) {
    for (uint32_t i = 0; i + 1 < size; i += 2) {
        sum += get16(data + i);
    }
    if ((size & 1) != 0) {
        sum += (uint32_t)data[size - 1] << 8;
    }
    return sum;
}

static uint32_t fold(uint32_t sum) {
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum;
}

static uint32_t pseudo(const uint8_t* ip, uint8_t protocol, uint32_t length) {
    return add(0, ip + 12, 8) + protocol + length;
}

static uint8_t pattern(uint64_t place) {
    return (uint8_t)(place ^ place >> 8 ^ place >> 16);
}

static void write_payload(const struct test_packet* packet, uint8_t* payload) {
    uint32_t i = 0;
    if (packet->protocol == TEST_UDP) {
        for (; i < TEST_NUMBER_BYTES; ++i) {
            payload[i] = (uint8_t)(packet->number >> (56 - 8 * i));
        }
    }
    for (; i < packet->payload_bytes; ++i) {
        payload[i] = pattern(packet->number + i);
    }
}

uint32_t test_packet_write(const struct test_packet* packet, enum test_checksum checksum,
                           uint8_t* frame) {
    const bool tcp = packet->protocol == TEST_TCP;
    const uint32_t l4_header = tcp ? TEST_TCP_BYTES : TEST_UDP_BYTES;
    const uint32_t l4_bytes = l4_header + packet->payload_bytes;
    uint8_t* ip = frame + TEST_ETHERNET_BYTES;
    uint8_t* l4 = ip + TEST_IP_BYTES;
    const bool tso = checksum == TEST_CHECKSUM_SEED_TSO;
    memcpy(frame, packet->to_mac, 6);
    memcpy(frame + 6, packet->from_mac, 6);
    put16(frame + 12, 0x0800);
    memset(ip, 0, TEST_IP_BYTES + l4_header);
    ip[0] = 0x45;
    put16(ip + 2, tso ? 0 : TEST_IP_BYTES + l4_bytes);
    put16(ip + 4, (uint32_t)packet->number);
    ip[8] = 64;
    ip[9] = packet->protocol;
    put32(ip + 12, packet->from);
    put32(ip + 16, packet->to);
    put16(l4, packet->port);
    put16(l4 + 2, packet->port);
    if (tcp) {
        put32(l4 + 4, (uint32_t)packet->number);
        l4[12] = (TEST_TCP_BYTES / 4) << 4;
        l4[13] = 0x18; /* PSH, ACK */
        put16(l4 + 14, 0xffff);
    } else {
        put16(l4 + 4, l4_bytes);
    }
    write_payload(packet, l4 + l4_header);
    uint8_t* sum_at = l4 + (tcp ? 16 : 6);
    if (checksum == TEST_CHECKSUM_COMPLETE) {
        put16(ip + 10, ~fold(add(0, ip, TEST_IP_BYTES)) & 0xffff);
        const uint32_t sum = add(pseudo(ip, packet->protocol, l4_bytes), l4, l4_bytes);
        const uint32_t field = ~fold(sum) & 0xffff;
        put16(sum_at, field == 0 && !tcp ? 0xffff : field);
    } else {
        put16(sum_at, fold(pseudo(ip, packet->protocol, tso ? 0 : l4_bytes)));
    }
    return TEST_ETHERNET_BYTES + TEST_IP_BYTES + l4_bytes;
}

static bool payload_is_right(const struct test_packet* packet, const uint8_t* payload) {
    for (uint32_t i = packet->protocol == TEST_UDP ? TEST_NUMBER_BYTES : 0;
         i < packet->payload_bytes; ++i) {
        if (payload[i] != pattern(packet->number + i)) {
            return false;
        }
    }
    return true;
}

enum test_verdict test_packet_read(const uint8_t* frame, uint32_t size, uint16_t port,
                                   struct test_packet* packet, uint32_t* vlan_tag) {
    if (size >= TEST_UDP_HEADERS + 4 && get16(frame + 12) == 0x8100) {
        *vlan_tag = get16(frame + 14);
        frame += 4; /* the addresses are not looked at below */
        size -= 4;
    }
    const uint8_t* ip = frame + TEST_ETHERNET_BYTES;
    if (size < TEST_UDP_HEADERS || get16(frame + 12) != 0x0800 || ip[0] != 0x45 ||
        (ip[9] != TEST_UDP && ip[9] != TEST_TCP)) {
        return TEST_OTHER;
    }
    const uint8_t* l4 = ip + TEST_IP_BYTES;
    const uint32_t l4_header = ip[9] == TEST_TCP ? TEST_TCP_BYTES : TEST_UDP_BYTES;
    const uint32_t total = get16(ip + 2);
    if (get16(l4 + 2) != port || total < TEST_IP_BYTES + l4_header ||
        total + TEST_ETHERNET_BYTES > size) {
        return TEST_OTHER;
    }
    if (fold(add(0, ip, TEST_IP_BYTES)) != 0xffff) {
        return TEST_BAD_IP_SUM;
    }
    const uint32_t l4_bytes = total - TEST_IP_BYTES;
    if (fold(add(pseudo(ip, ip[9], l4_bytes), l4, l4_bytes)) != 0xffff) {
        return TEST_BAD_L4_SUM;
    }
    packet->protocol = ip[9];
    packet->payload_bytes = l4_bytes - l4_header;
    packet->number = 0;
    const uint8_t* payload = l4 + l4_header;
    if (ip[9] == TEST_TCP) {
        packet->number = get32(l4 + 4);
    } else if (packet->payload_bytes < TEST_NUMBER_BYTES) {
        return TEST_BAD_DATA;
    } else {
        packet->number = (uint64_t)get32(payload) << 32 | get32(payload + 4);
    }
    return payload_is_right(packet, payload) ? TEST_GOOD : TEST_BAD_DATA;
}
