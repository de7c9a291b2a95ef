/* The NVM: words through EERD, and their checksum (section 3). */
#include "nic_internal.h"

/* A word takes an SPI EEPROM 20 to 40 us (section 3.1); 100 ms is far beyond any of them. */
#define NIC_EERD_POLL_US 20u
#define NIC_EERD_POLLS 5000u
#define NIC_NVM_TRIES 3u
#define NIC_NVM_SUM 0xBABAu

int nic_nvm_read(struct nic_device* dev, uint32_t word, uint16_t* value) {
    nic_write(dev, NIC_EERD, NIC_FIELD_PUT(NIC_EERD_ADDR, word) | NIC_EERD_START_MASK);
    for (uint32_t poll = 0; poll < NIC_EERD_POLLS; poll++) {
        const uint32_t eerd = nic_read(dev, NIC_EERD);
        if (eerd == NIC_GONE) return -NIC_EIO;
        if (eerd & NIC_EERD_DONE_MASK) {
            *value = (uint16_t)NIC_FIELD_GET(NIC_EERD_DATA, eerd);
            return 0;
        }
        dev->hal->delay_us(dev->hal->ctx, NIC_EERD_POLL_US);
    }
    return -NIC_ETIMEDOUT;
}

static int nic_nvm_sum(struct nic_device* dev, uint16_t* sum) {
    *sum = 0;
    for (uint32_t word = 0; word < NIC_NVM_WORDS; word++) {
        uint16_t value;
        const int error = nic_nvm_read(dev, word, &value);
        if (error) return error;
        *sum = (uint16_t)(*sum + value);
    }
    return 0;
}

/* Section 3.3. A first read after power-on may go wrong while the part still loads itself, hence
 * the repetition. The MDIO ownership bit is this part's lock for the NVM, too (section 3.1). */
int nic_nvm_check(struct nic_device* dev) {
    int error = nic_mdio_acquire(dev);
    if (error) return error;
    for (uint32_t attempt = 0; attempt < NIC_NVM_TRIES; attempt++) {
        uint16_t sum;
        error = nic_nvm_sum(dev, &sum);
        if (error) break;
        error = sum == NIC_NVM_SUM ? 0 : -NIC_EIO;
        if (!error) break;
    }
    nic_mdio_release(dev);
    if (error) nic_log(dev, 0, "nic: the NVM cannot be read or its checksum is wrong");
    return error;
}
