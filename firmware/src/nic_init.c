/* Finding, resetting, starting and stopping the device (sections 9 and 10.1). */
#include "nic_internal.h"

#define NIC_VENDOR_INTEL 0x8086u
#define NIC_DEVICE_82574L 0x10D3u
#define NIC_DEVICE_82574L_2 0x10F6u

/* Section 9.3: outstanding requests end within 80 ms. */
#define NIC_MASTER_POLLS 800u
#define NIC_MASTER_POLL_US 100u
/* Section 9.2: the reload of the NVM ends within 10 ms, the configuration of the PHY 25 ms later.
 */
#define NIC_AUTO_RD_POLLS 10u
#define NIC_AUTO_RD_POLL_MS 2u
#define NIC_PHY_CONFIGURED_MS 25u
#define NIC_QUIET_MS 10u

#define NIC_RX_PACKET_BUFFER_KB 20u
#define NIC_CAPABILITIES_MAX                                            \
    48u /* as many as fit into 192 bytes: a loop in the chain ends here \
         */
#define NIC_PM_CONTROL 4u
#define NIC_PM_STATE_MASK 0x0003u

void nic_config_default(struct nic_config* config) {
    *config = (struct nic_config){
        .tx_ring = 256,
        .rx_ring = 256,
        .rx_buffer_bytes = 2048,
        .mtu_bytes = 1500,
        .irq_mode = NIC_IRQ_MSIX,
        .itr = 195, /* 20000 interrupts a second */
        .tx_report_every = 8,
        .rx_pthresh = 32,
        .rx_hthresh = 4,
        .rx_wthresh = 1,
        .tx_pthresh = 31,
        .tx_hthresh = 1,
        .tx_checksum = true,
        .rx_checksum = true,
        .extended_rx = true,
        .vlan_strip = true,
        .flow_control = true,
    };
}

/* --- configuration space ---------------------------------------------------------------------- */

static void nic_find_capabilities(struct nic_device* dev) {
    if (!(nic_config_read(dev, NIC_PCI_STATUS, 2) & NIC_PCI_STATUS_CAPABILITIES)) return;
    /* The low two bits of a pointer are reserved (PCI 3.0, 6.7). */
    uint32_t at = nic_config_read(dev, NIC_PCI_CAPABILITIES, 1) & 0xFCu;
    for (uint32_t i = 0; i < NIC_CAPABILITIES_MAX && at >= 0x40u; i++) {
        const uint32_t header = nic_config_read(dev, at, 2);
        switch (header & 0xFFu) {
            case NIC_PCI_CAPABILITY_PM:
                dev->pm_capability = at;
                break;
            case NIC_PCI_CAPABILITY_MSI:
                dev->msi_capability = at;
                break;
            case NIC_PCI_CAPABILITY_MSIX:
                dev->msix_capability = at;
                break;
            case NIC_PCI_CAPABILITY_PCIE:
                dev->pcie_capability = at;
                break;
            default:
                break; /* not for us */
        }
        at = header >> 8 & 0xFCu;
    }
}

static int nic_find(struct nic_device* dev) {
    const uint32_t id = nic_config_read(dev, NIC_PCI_ID, 4);
    const uint32_t device = id >> 16;
    if ((id & 0xFFFFu) != NIC_VENDOR_INTEL) return -NIC_ENODEV;
    if (device != NIC_DEVICE_82574L && device != NIC_DEVICE_82574L_2) return -NIC_ENODEV;
    nic_find_capabilities(dev);
    if (dev->pm_capability) {
        const uint32_t at = dev->pm_capability + NIC_PM_CONTROL;
        const uint32_t control = nic_config_read(dev, at, 2);
        if (control & NIC_PM_STATE_MASK) {
            nic_config_write(dev, at, 2, control & ~NIC_PM_STATE_MASK);
            dev->hal->sleep_ms(dev->hal->ctx, 10); /* D3hot to D0 (PCI PM 1.2, 5.4) */
        }
    }
    const uint32_t command = nic_config_read(dev, NIC_PCI_COMMAND, 2);
    nic_config_write(dev, NIC_PCI_COMMAND, 2,
                     command | NIC_PCI_COMMAND_MEMORY | NIC_PCI_COMMAND_MASTER);
    return nic_read(dev, NIC_STATUS) == NIC_GONE ? -NIC_ENODEV : 0;
}

/* --- reset ------------------------------------------------------------------------------------ */

static void nic_mask_interrupts(struct nic_device* dev) {
    nic_write(dev, NIC_IMC, NIC_GONE);
    dev->irq_enabled = 0;
}

/* Master disable before reset: a completion that arrives for a request from before the reset would
 * find a device that knows nothing of it (section 9.3). */
static void nic_stop_master(struct nic_device* dev) {
    nic_modify(dev, NIC_CTRL, 0, NIC_CTRL_GIO_MASTER_DISABLE_MASK);
    for (uint32_t poll = 0; poll < NIC_MASTER_POLLS; poll++) {
        if (!(nic_read(dev, NIC_STATUS) & NIC_STATUS_GIO_MASTER_EN_MASK)) return;
        dev->hal->delay_us(dev->hal->ctx, NIC_MASTER_POLL_US);
    }
    /* The reset is still the best chance to get it back. */
    nic_log(dev, 1, "nic: the device does not finish its PCIe requests");
}

static int nic_await_nvm(struct nic_device* dev) {
    for (uint32_t poll = 0; poll < NIC_AUTO_RD_POLLS; poll++) {
        dev->hal->sleep_ms(dev->hal->ctx, NIC_AUTO_RD_POLL_MS);
        const uint32_t eecd = nic_read(dev, NIC_EECD);
        if (eecd == NIC_GONE) return -NIC_EIO;
        if (eecd & NIC_EECD_AUTO_RD_MASK) return 0;
    }
    nic_log(dev, 0, "nic: the device does not come back from its reset");
    return -NIC_ETIMEDOUT;
}

/* The steps of section 10.1.1, number 8. Afterwards the device is silent: no DMA, no interrupt. */
static int nic_reset_hardware(struct nic_device* dev) {
    nic_stop_master(dev);
    nic_mask_interrupts(dev);
    nic_write(dev, NIC_RCTL, 0);
    nic_write(dev, NIC_TCTL, NIC_TCTL_PSP_MASK);
    nic_flush_writes(dev);
    dev->hal->sleep_ms(dev->hal->ctx, NIC_QUIET_MS);

    /* Not changed by the reset and effective after it (register PBA). Half and half leaves either
     * side room for two jumbo frames. */
    nic_write(dev, NIC_PBA, NIC_FIELD_PUT(NIC_PBA_RXA, NIC_RX_PACKET_BUFFER_KB));

    /* Firmware must not be in the middle of an MDIO transaction when the reset cuts it off. If it
     * never lets go the reset is needed all the more. */
    const int owned = nic_mdio_acquire(dev);
    nic_modify(dev, NIC_CTRL, 0, NIC_CTRL_RST_MASK);
    dev->hal->delay_us(dev->hal->ctx, 1); /* hands off for 1 us (section 9.2) */
    if (owned == 0) nic_mdio_release(dev);
    const int error = nic_await_nvm(dev);
    if (error) return error;
    dev->hal->sleep_ms(dev->hal->ctx, NIC_PHY_CONFIGURED_MS);

    nic_mask_interrupts(dev);
    (void)nic_read(dev, NIC_ICR);
    return 0;
}

/* Bits that the specification update and every driver of this part want (section 10.1.2, 4). */
static void nic_apply_workarounds(struct nic_device* dev) {
    nic_modify(dev, NIC_TARC(0), NIC_TARC_BITS30_27_MASK, NIC_TARC_BIT26_MASK);
    nic_modify(dev, NIC_CTRL_EXT, NIC_CTRL_EXT_BIT23_MASK,
               NIC_CTRL_EXT_BIT22_MASK | NIC_CTRL_EXT_DRV_LOAD_MASK);
    nic_modify(dev, NIC_GCR, 0, NIC_GCR_BIT22_MASK | NIC_GCR_L1_ACT_WITHOUT_L0S_RX_MASK);
    nic_modify(dev, NIC_GCR2, 0, NIC_GCR2_BIT0_MASK);
}

/* --- probe ------------------------------------------------------------------------------------ */

/* RAL0/RAH0 were loaded from the NVM; an address that is a group's or zero cannot be a station's.
 */
static int nic_read_mac(struct nic_device* dev) {
    const uint32_t low = nic_read(dev, NIC_RAL(0));
    const uint32_t high = nic_read(dev, NIC_RAH(0));
    for (uint32_t i = 0; i < 6; i++) {
        dev->mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    }
    const bool zero = !low && !(high & NIC_RAH_RAH_MASK);
    if ((high & NIC_RAH_AV_MASK) && !zero && !(dev->mac[0] & 1u)) return 0;
    nic_log(dev, 0, "nic: the NVM holds no valid station address");
    return -NIC_EIO;
}

/* Not `*dev = {0}`: that would need as much stack again. */
static void nic_forget(struct nic_device* dev) {
    uint8_t* byte = (uint8_t*)dev;
    for (size_t i = 0; i < sizeof *dev; i++) byte[i] = 0;
}

int nic_probe(struct nic_device* dev, const struct nic_hal* hal) {
    nic_forget(dev);
    dev->hal = hal;
    int error = nic_find(dev);
    if (error) return error;
    /* A boot agent may have left the semaphore taken (section 11); reading it sets it. */
    nic_modify(dev, NIC_SWSM, NIC_SWSM_SMBI_MASK, 0);
    error = nic_reset_hardware(dev);
    if (!error) error = nic_nvm_check(dev);
    if (!error) error = nic_read_mac(dev);
    if (!error) error = nic_phy_identify(dev);
    if (error) return error;
    dev->state = NIC_STATE_PROBED;
    return 0;
}

void nic_mac_address(const struct nic_device* dev, uint8_t mac[6]) {
    for (uint32_t i = 0; i < 6; i++) mac[i] = dev->mac[i];
}

/* --- open, close, reset ----------------------------------------------------------------------- */

static bool nic_ring_valid(uint32_t size) {
    return size >= 8u && size <= NIC_MAX_RING && size % 8u == 0u; /* whole cache lines: 128 bytes */
}

static bool nic_buffer_valid(uint32_t bytes) {
    return bytes == 2048u || bytes == 4096u || bytes == 8192u || bytes == 16384u;
}

static int nic_config_range(const struct nic_config* c, struct nic_config_demand* unmet) {
    const uint32_t threshold_max = NIC_RXDCTL_PTHRESH_MASK;
    const struct {
        const char* field;
        bool valid;
        const char* why;
    } rows[] = {
        {"tx_ring", nic_ring_valid(c->tx_ring), "a ring has 8..4096 descriptors, by 8"},
        {"rx_ring", nic_ring_valid(c->rx_ring), "a ring has 8..4096 descriptors, by 8"},
        {"rx_buffer_bytes", nic_buffer_valid(c->rx_buffer_bytes),
         "RCTL knows 2048, 4096, 8192 and 16384"},
        /* 9728 bytes is the longest frame of the part (section 7.1), header and FCS included. */
        {"mtu_bytes", c->mtu_bytes >= 68u && c->mtu_bytes <= 9728u - 22u, "it must be 68..9706"},
        {"itr", c->itr <= NIC_EITR_INTERVAL_MASK, "EITR has 16 bits"},
        {"rdtr", c->rdtr <= NIC_RDTR_DELAY_MASK, "RDTR has 16 bits"},
        {"radv", c->radv <= NIC_RADV_DELAY_MASK, "RADV has 16 bits"},
        {"tidv", c->tidv <= NIC_TIDV_DELAY_MASK, "TIDV has 16 bits"},
        {"tadv", c->tadv <= NIC_TADV_DELAY_MASK, "TADV has 16 bits"},
        {"rx_pthresh", c->rx_pthresh <= threshold_max, "a threshold has 6 bits"},
        {"rx_hthresh", c->rx_hthresh <= threshold_max, "a threshold has 6 bits"},
        {"rx_wthresh", c->rx_wthresh <= threshold_max, "a threshold has 6 bits"},
        {"tx_pthresh", c->tx_pthresh <= threshold_max, "a threshold has 6 bits"},
        {"tx_hthresh", c->tx_hthresh <= threshold_max, "a threshold has 6 bits"},
        {"tx_wthresh", c->tx_wthresh <= threshold_max, "a threshold has 6 bits"},
        {"loopback", (uint32_t)c->loopback <= NIC_LOOPBACK_PHY, "it is none, mac or phy"},
        {"tx_report_every", c->tx_report_every != 0, "somebody must ask for status"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].valid) continue;
        *unmet = (struct nic_config_demand){rows[i].field, NULL, rows[i].why};
        return -NIC_EINVAL;
    }
    return 0;
}

int nic_config_check(const struct nic_config* c, struct nic_config_demand* unmet) {
    const int error = nic_config_range(c, unmet);
    if (error || c->tx_wthresh <= 1u || c->tidv) return error;
    *unmet = (struct nic_config_demand){
        "tx_wthresh", "tidv",
        "above 1 it needs driver.tidv: without its timer nothing would ever write back the last "
        "few (section 5.5)"};
    return -NIC_EINVAL;
}

/* From silence to traffic: what the rings, the filters and the link need, interrupts last. */
static int nic_start_hardware(struct nic_device* dev) {
    int error = nic_reset_hardware(dev);
    if (error) return error;
    nic_write(dev, NIC_WUC, 0);
    nic_apply_workarounds(dev);
    nic_write(dev, NIC_VET, 0x8100u);
    nic_rx_filters(dev);
    error = nic_link_setup(dev);
    if (error) return error;
    nic_modify(dev, NIC_CTRL, NIC_CTRL_VME_MASK, dev->config.vlan_strip ? NIC_CTRL_VME_MASK : 0u);
    nic_tx_program(dev);
    nic_rx_program(dev);
    nic_irq_program(dev);
    nic_rx_start(dev);
    dev->state = NIC_STATE_OPEN;
    nic_irq_start(dev);
    return 0;
}

int nic_open(struct nic_device* dev, const struct nic_config* config) {
    if (dev->state == NIC_STATE_NONE) return -NIC_ENODEV;
    if (dev->state != NIC_STATE_PROBED || dev->tx.returning) return -NIC_EBUSY;
    struct nic_config_demand unmet = {NULL, NULL, NULL};
    int error = nic_config_check(config, &unmet);
    if (error) {
        nic_log(dev, 0, unmet.why);
        return error;
    }
    dev->config = *config;

    error = nic_tx_alloc(dev);
    if (error) return error;
    error = nic_rx_alloc(dev);
    if (error) goto free_tx;
    error = nic_irq_setup(dev);
    if (error) goto free_rx;
    error = nic_start_hardware(dev);
    if (error) goto release_irq;
    return 0;

release_irq:
    nic_irq_release(dev);
free_rx:
    nic_rx_free_ring(dev);
free_tx:
    nic_tx_free_ring(dev);
    return error;
}

void nic_close(struct nic_device* dev) {
    if (dev->state != NIC_STATE_OPEN && dev->state != NIC_STATE_FAILED) return;
    nic_stats_update(dev);
    /* The device lets go of memory before we do: whatever the reset reports, nothing after it. */
    (void)nic_reset_hardware(dev);
    (void)nic_phy_power_down(dev);
    nic_modify(dev, NIC_CTRL_EXT, NIC_CTRL_EXT_DRV_LOAD_MASK, 0);
    nic_irq_release(dev);
    nic_rx_free_ring(dev);
    nic_tx_abandon(dev, true);
    nic_tx_free_ring(dev);
    dev->link = (struct nic_link){0};
    dev->state = NIC_STATE_PROBED;
}

int nic_reset(struct nic_device* dev) {
    if (dev->state != NIC_STATE_OPEN && dev->state != NIC_STATE_FAILED) return -NIC_EINVAL;
    dev->counters.resets++;
    nic_stats_update(dev);
    dev->state = NIC_STATE_FAILED;
    nic_tx_abandon(dev, false);
    const int error = nic_start_hardware(dev);
    if (error) nic_log(dev, 0, "nic: the reset failed; the device stands still");
    return error;
}
