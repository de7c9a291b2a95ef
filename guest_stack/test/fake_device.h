/* The device of the guest's own tests: two rings of plain descriptors and a handful of registers.
 * fake_driver.c drives it, test_host.cpp is it. Nothing of the 82574L, so that these tests need
 * neither the model nor its driver. */
#ifndef FAKE_DEVICE_H
#define FAKE_DEVICE_H

#include <stdint.h>

struct fake_descriptor {
    uint64_t address;
    uint32_t size;
    uint32_t flags; /* the driver's on the way out, fake_verdict on the way in */
    uint32_t done;
    uint32_t checksum_start, checksum_at;
    uint32_t end; /* last descriptor of a packet */
};

enum fake_register {
    FAKE_TX_BASE_LOW = 0x00,
    FAKE_TX_BASE_HIGH = 0x04,
    FAKE_TX_SIZE = 0x08,
    FAKE_TX_TAIL = 0x0c,
    FAKE_RX_BASE_LOW = 0x10,
    FAKE_RX_BASE_HIGH = 0x14,
    FAKE_RX_SIZE = 0x18,
    FAKE_RX_TAIL = 0x1c,
    FAKE_LINK = 0x20,
    FAKE_MASK_SET = 0x24,
    FAKE_RESET = 0x28, /* the transmitter forgets everything */
    FAKE_RX_BUFFER = 0x30
};

/* Two message vectors: 0 for the rings, cleared and masked by the message itself; 1 for the link.
 */
enum fake_vector { FAKE_VECTOR_RINGS = 0, FAKE_VECTOR_LINK = 1, FAKE_VECTORS = 2 };
enum fake_cause { FAKE_CAUSE_TX = 1, FAKE_CAUSE_RX = 2 };
enum fake_verdict { FAKE_IP_CHECKED = 1, FAKE_IP_BAD = 2, FAKE_L4_CHECKED = 4, FAKE_L4_BAD = 8 };
enum fake_checksum { FAKE_INSERT_IP = 1, FAKE_INSERT_L4 = 2 };

#endif /* FAKE_DEVICE_H */
