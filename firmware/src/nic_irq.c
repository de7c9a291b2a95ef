/* Interrupts: which kind the platform grants, and what an interrupt means (section 8). */
#include "nic_internal.h"

/* MSI-X vectors: receive, transmit, everything else. */
#define NIC_VECTOR_RX 0u
#define NIC_VECTOR_TX 1u
#define NIC_VECTOR_OTHER 2u
#define NIC_VECTORS 3u

/* MSI-X capability (PCI 3.0, 6.8.2). */
#define NIC_MSIX_CONTROL 2u
#define NIC_MSIX_CONTROL_ENABLE 0x8000u
#define NIC_MSIX_CONTROL_MASK 0x4000u
#define NIC_MSIX_CONTROL_SIZE 0x07FFu
#define NIC_MSIX_TABLE 4u
#define NIC_MSIX_TABLE_BIR 0x7u
#define NIC_MSIX_BAR 3u /* the HAL's msix_read32/msix_write32 */

/* MSI capability (PCI 3.0, 6.8.1). */
#define NIC_MSI_CONTROL 2u
#define NIC_MSI_CONTROL_ENABLE 0x0001u
#define NIC_MSI_CONTROL_COUNT 0x0070u
#define NIC_MSI_CONTROL_64BIT 0x0080u
#define NIC_MSI_ADDRESS 4u
#define NIC_MSI_ADDRESS_HIGH 8u
#define NIC_MSI_DATA_32BIT 8u
#define NIC_MSI_DATA_64BIT 12u

/* Link and errors need no more than 4000 interrupts a second; a lost frame raises one each. */
#define NIC_OTHER_INTERVAL 976u

#define NIC_EVENT_QUEUES ((uint32_t)NIC_EVENT_RX | (uint32_t)NIC_EVENT_TX)

/* Causes of MSI and INTx. RXO counts as receive: what helps is to empty the ring. */
#define NIC_CAUSE_RX (NIC_ICR_RXT0_MASK | NIC_ICR_RXDMT0_MASK | NIC_ICR_RXO_MASK)
#define NIC_CAUSE_TX NIC_ICR_TXDW_MASK
/* Causes of MSI-X. All that OTHER stands for are enabled, or a read of ICR that falls between cause
 * and message would lose them (specification update, erratum 12; section 8.2). */
#define NIC_CAUSE_RX_MSIX NIC_ICR_RXQ0_MASK
#define NIC_CAUSE_TX_MSIX NIC_ICR_TXQ0_MASK
#define NIC_CAUSE_OTHER_MSIX                                                        \
    (NIC_ICR_OTHER_MASK | NIC_ICR_LSC_MASK | NIC_ICR_RXO_MASK | NIC_ICR_MDAC_MASK | \
     NIC_ICR_SRPD_MASK | NIC_ICR_ACK_MASK | NIC_ICR_MNG_MASK)

static uint32_t nic_queue_causes(const struct nic_device* dev, uint32_t events) {
    const bool msix = dev->irq_mode == NIC_IRQ_MSIX;
    uint32_t causes = 0;
    if (events & NIC_EVENT_RX) causes |= msix ? NIC_CAUSE_RX_MSIX : NIC_CAUSE_RX;
    if (events & NIC_EVENT_TX) causes |= msix ? NIC_CAUSE_TX_MSIX : NIC_CAUSE_TX;
    return causes;
}

/* --- choosing --------------------------------------------------------------------------------- */

static void nic_intx_disable(struct nic_device* dev, bool disable) {
    const uint32_t command = nic_config_read(dev, NIC_PCI_COMMAND, 2);
    const uint32_t without = command & ~NIC_PCI_COMMAND_INTX_DISABLE;
    nic_config_write(dev, NIC_PCI_COMMAND, 2,
                     disable ? without | NIC_PCI_COMMAND_INTX_DISABLE : without);
}

static void nic_msix_write(struct nic_device* dev, uint32_t offset, uint32_t value) {
    dev->hal->msix_write32(dev->hal->ctx, offset, value);
}

/* The whole function stays masked while the table is half written (PCI 3.0, 6.8.3.2). */
static int nic_msix_setup(struct nic_device* dev) {
    uint64_t addresses[NIC_VECTORS] = {0};
    uint32_t data[NIC_VECTORS] = {0};
    const uint32_t at = dev->msix_capability;
    if (!at) return -NIC_ENODEV;
    const uint32_t control = nic_config_read(dev, at + NIC_MSIX_CONTROL, 2);
    const uint32_t table = nic_config_read(dev, at + NIC_MSIX_TABLE, 4);
    if ((control & NIC_MSIX_CONTROL_SIZE) + 1u < NIC_VECTORS) return -NIC_ENODEV;
    if ((table & NIC_MSIX_TABLE_BIR) != NIC_MSIX_BAR) return -NIC_ENODEV;
    const int error =
        dev->hal->irq_setup(dev->hal->ctx, NIC_IRQ_MSIX, NIC_VECTORS, addresses, data);
    if (error) return error;

    const uint32_t masked = control | NIC_MSIX_CONTROL_ENABLE | NIC_MSIX_CONTROL_MASK;
    nic_config_write(dev, at + NIC_MSIX_CONTROL, 2, masked);
    const uint32_t base = table & ~NIC_MSIX_TABLE_BIR;
    for (uint32_t v = 0; v < NIC_VECTORS; v++) {
        nic_msix_write(dev, base + NIC_MSIXTADD(v), (uint32_t)addresses[v]);
        nic_msix_write(dev, base + NIC_MSIXTUADD(v), (uint32_t)(addresses[v] >> 32));
        nic_msix_write(dev, base + NIC_MSIXTMSG(v), data[v]);
        nic_msix_write(dev, base + NIC_MSIXTVCTRL(v), 0); /* unmasked */
    }
    /* The table is memory, the mask is configuration space: a read pushes the writes before it. */
    (void)dev->hal->msix_read32(dev->hal->ctx, base + NIC_MSIXTVCTRL(NIC_VECTORS - 1u));
    nic_config_write(dev, at + NIC_MSIX_CONTROL, 2, masked & ~NIC_MSIX_CONTROL_MASK);
    nic_intx_disable(dev, true);
    return 0;
}

static int nic_msi_setup(struct nic_device* dev) {
    uint64_t address = 0;
    uint32_t data = 0;
    const uint32_t at = dev->msi_capability;
    if (!at) return -NIC_ENODEV;
    const int error = dev->hal->irq_setup(dev->hal->ctx, NIC_IRQ_MSI, 1, &address, &data);
    if (error) return error;

    const uint32_t control = nic_config_read(dev, at + NIC_MSI_CONTROL, 2);
    nic_config_write(dev, at + NIC_MSI_ADDRESS, 4, (uint32_t)address);
    if (control & NIC_MSI_CONTROL_64BIT) {
        nic_config_write(dev, at + NIC_MSI_ADDRESS_HIGH, 4, (uint32_t)(address >> 32));
        nic_config_write(dev, at + NIC_MSI_DATA_64BIT, 2, data);
    } else if (address >> 32) {
        dev->hal->irq_release(dev->hal->ctx);
        return -NIC_ENODEV;
    } else {
        nic_config_write(dev, at + NIC_MSI_DATA_32BIT, 2, data);
    }
    nic_config_write(dev, at + NIC_MSI_CONTROL, 2,
                     (control & ~NIC_MSI_CONTROL_COUNT) | NIC_MSI_CONTROL_ENABLE);
    nic_intx_disable(dev, true);
    return 0;
}

static int nic_intx_setup(struct nic_device* dev) {
    uint64_t address = 0;
    uint32_t data = 0;
    const int error = dev->hal->irq_setup(dev->hal->ctx, NIC_IRQ_INTX, 1, &address, &data);
    if (!error) nic_intx_disable(dev, false);
    return error;
}

static void nic_messages_off(struct nic_device* dev) {
    if (dev->msix_capability) {
        const uint32_t at = dev->msix_capability + NIC_MSIX_CONTROL;
        const uint32_t off = NIC_MSIX_CONTROL_ENABLE | NIC_MSIX_CONTROL_MASK;
        nic_config_write(dev, at, 2, nic_config_read(dev, at, 2) & ~off);
    }
    if (dev->msi_capability) {
        const uint32_t at = dev->msi_capability + NIC_MSI_CONTROL;
        nic_config_write(dev, at, 2, nic_config_read(dev, at, 2) & ~NIC_MSI_CONTROL_ENABLE);
    }
}

/* From the wanted mode down: MSI-X, MSI, INTx. */
int nic_irq_setup(struct nic_device* dev) {
    nic_messages_off(dev);
    int error = -NIC_ENODEV;
    if (dev->config.irq_mode == NIC_IRQ_MSIX) {
        dev->irq_mode = NIC_IRQ_MSIX;
        error = nic_msix_setup(dev);
    }
    if (error && dev->config.irq_mode != NIC_IRQ_INTX) {
        dev->irq_mode = NIC_IRQ_MSI;
        error = nic_msi_setup(dev);
    }
    if (error) {
        dev->irq_mode = NIC_IRQ_INTX;
        error = nic_intx_setup(dev);
    }
    if (error) {
        nic_log(dev, 0, "nic: the platform grants no interrupt");
        return error;
    }
    if (dev->irq_mode != dev->config.irq_mode)
        nic_log(dev, 2, "nic: falling back to a lesser interrupt");
    dev->irq_ready = true;
    return 0;
}

void nic_irq_release(struct nic_device* dev) {
    if (!dev->irq_ready) return;
    nic_messages_off(dev);
    nic_intx_disable(dev, true);
    dev->hal->irq_release(dev->hal->ctx);
    dev->irq_ready = false;
}

/* --- the device's side ------------------------------------------------------------------------ */

/* Vector, throttling, and who clears and masks what. */
void nic_irq_program(struct nic_device* dev) {
    const uint32_t itr = dev->config.itr;
    const uint32_t queues = NIC_CAUSE_RX_MSIX | NIC_CAUSE_TX_MSIX;
    if (dev->irq_mode != NIC_IRQ_MSIX) {
        nic_write(dev, NIC_ITR, NIC_FIELD_PUT(NIC_ITR_INTERVAL, itr));
        return;
    }
    nic_write(dev, NIC_IVAR,
              NIC_FIELD_PUT(NIC_IVAR_RXQ0_VEC, NIC_VECTOR_RX) | NIC_IVAR_RXQ0_VALID_MASK |
                  NIC_FIELD_PUT(NIC_IVAR_TXQ0_VEC, NIC_VECTOR_TX) | NIC_IVAR_TXQ0_VALID_MASK |
                  NIC_FIELD_PUT(NIC_IVAR_OTHER_VEC, NIC_VECTOR_OTHER) | NIC_IVAR_OTHER_VALID_MASK);
    nic_write(dev, NIC_EITR(NIC_VECTOR_RX), NIC_FIELD_PUT(NIC_EITR_INTERVAL, itr));
    nic_write(dev, NIC_EITR(NIC_VECTOR_TX), NIC_FIELD_PUT(NIC_EITR_INTERVAL, itr));
    nic_write(dev, NIC_EITR(NIC_VECTOR_OTHER),
              NIC_FIELD_PUT(NIC_EITR_INTERVAL, NIC_OTHER_INTERVAL));
    /* A message of a queue clears its cause (EIAC) and masks it (EIAC or, where that only clears,
     * IAM by EIAME: U3, U4), so that its handler touches no register at all. */
    nic_write(dev, NIC_EIAC, queues);
    nic_write(dev, NIC_IAM, queues);
    nic_modify(dev, NIC_CTRL_EXT, NIC_CTRL_EXT_IAME_MASK,
               NIC_CTRL_EXT_EIAME_MASK | NIC_CTRL_EXT_PBA_SUPPORT_MASK);
}

/* Unmasks, and raises a link interrupt: it makes the owner look at a link that may have come up
 * long ago, and proves the way of the interrupt. */
void nic_irq_start(struct nic_device* dev) {
    const bool msix = dev->irq_mode == NIC_IRQ_MSIX;
    dev->irq_enabled = NIC_EVENT_QUEUES;
    nic_write(
        dev, NIC_IMS,
        nic_queue_causes(dev, NIC_EVENT_QUEUES) | (msix ? NIC_CAUSE_OTHER_MSIX : NIC_ICR_LSC_MASK));
    nic_write(dev, NIC_ICS, NIC_ICR_LSC_MASK | (msix ? NIC_ICR_OTHER_MASK : 0u));
}

void nic_interrupt_enable(struct nic_device* dev, uint32_t events) {
    if (dev->state != NIC_STATE_OPEN) return;
    const uint32_t causes = nic_queue_causes(dev, events);
    if (!causes) return;
    dev->irq_enabled |= events & NIC_EVENT_QUEUES;
    nic_write(dev, NIC_IMS, causes);
}

/* --- handling --------------------------------------------------------------------------------- */

static uint32_t nic_other_events(struct nic_device* dev, uint32_t icr) {
    uint32_t events = 0;
    if (icr & NIC_ICR_LSC_MASK) {
        dev->link_changed = true;
        events |= NIC_EVENT_LINK;
    }
    if (icr & NIC_ICR_RXO_MASK) events |= NIC_EVENT_OVERRUN;
    return events;
}

/* MSI-X vector 2. Reading ICR clears the queue causes as well (section 8.2): they are put back, for
 * their own vectors to report. */
static uint32_t nic_interrupt_other(struct nic_device* dev) {
    const uint32_t icr = nic_read(dev, NIC_ICR);
    if (icr == NIC_GONE) return 0;
    const uint32_t queues = icr & (NIC_CAUSE_RX_MSIX | NIC_CAUSE_TX_MSIX);
    if (icr & NIC_ICR_INT_ASSERTED_MASK) {
        if (queues) nic_write(dev, NIC_ICS, queues);
    } else {
        /* This read cleared nothing (U1). */
        nic_write(dev, NIC_ICR, icr & NIC_CAUSE_OTHER_MSIX);
    }
    const uint32_t events = nic_other_events(dev, icr);
    return events ? events : (uint32_t)NIC_EVENT_OTHER;
}

/* MSI and INTx: one read clears all causes, one write masks the reported queues.
 *
 * A cause that was set while its queue was masked is taken by the same read. Whoever polls that
 * queue may be past its last look, so the cause is not only reported but also put back: it
 * interrupts when the queue is enabled again. `irq_enabled` may be stale by the race with
 * nic_interrupt_enable; the worst that follows is one interrupt too many. */
static uint32_t nic_interrupt_single(struct nic_device* dev) {
    const uint32_t icr = nic_read(dev, NIC_ICR);
    if (icr == NIC_GONE || !icr) return 0;
    if (!(icr & NIC_ICR_INT_ASSERTED_MASK)) {
        /* Somebody else on a shared line; our read must not steal what is still to come. */
        nic_write(dev, NIC_ICS, icr);
        return 0;
    }
    uint32_t events = nic_other_events(dev, icr);
    if (icr & NIC_CAUSE_RX) events |= NIC_EVENT_RX;
    if (icr & NIC_CAUSE_TX) events |= NIC_EVENT_TX;
    const uint32_t queues = events & NIC_EVENT_QUEUES;
    if (queues) {
        const uint32_t polled = queues & ~dev->irq_enabled;
        dev->irq_enabled &= ~queues;
        nic_write(dev, NIC_IMC, nic_queue_causes(dev, queues));
        if (polled) nic_write(dev, NIC_ICS, icr & nic_queue_causes(dev, polled));
    }
    return events ? events : (uint32_t)NIC_EVENT_OTHER;
}

uint32_t nic_interrupt(struct nic_device* dev, uint32_t vector) {
    if (dev->state != NIC_STATE_OPEN) return 0;
    uint32_t events = 0;
    if (dev->irq_mode != NIC_IRQ_MSIX) {
        events = nic_interrupt_single(dev);
    } else if (vector == NIC_VECTOR_RX) {
        events = NIC_EVENT_RX;
    } else if (vector == NIC_VECTOR_TX) {
        events = NIC_EVENT_TX;
    } else if (vector == NIC_VECTOR_OTHER) {
        events = nic_interrupt_other(dev);
    }
    if (events) dev->counters.interrupts++;
    return events;
}
