/* A driver that does not come back, for the test of what a run says then: the repository's, with
 * three functions replaced. DOORBELL_STUCK says which of them hangs, and how. */
#include <stdlib.h>
#include <string.h>

#include "nic_driver.h"

int original_nic_open(struct nic_device* dev, const struct nic_config* config);
uint32_t original_nic_rx(struct nic_device* dev, struct nic_rx_packet* packets, uint32_t budget);
uint32_t original_nic_interrupt(struct nic_device* dev, uint32_t vector);

static void hang_if(const char* where) {
    const char* wanted = getenv("DOORBELL_STUCK");
    volatile bool forever = wanted != NULL && strcmp(wanted, where) == 0;
    while (forever) {
    }
}

int nic_open(struct nic_device* dev, const struct nic_config* config) {
    hang_if("open");
    return original_nic_open(dev, config);
}

uint32_t nic_rx(struct nic_device* dev, struct nic_rx_packet* packets, uint32_t budget) {
    const uint32_t count = original_nic_rx(dev, packets, budget);
    if (count > 0) {
        hang_if("poll");
    }
    return count;
}

uint32_t nic_interrupt(struct nic_device* dev, uint32_t vector) {
    hang_if("interrupt");
    return original_nic_interrupt(dev, vector);
}
