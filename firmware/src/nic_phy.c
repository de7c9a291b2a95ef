/* The PHY over MDIC, autonegotiation, and what the MAC must know of its result (sections
 * 4, 10.1.4). */
#include "nic_internal.h"

/* A transaction takes 64 periods of MDC, about 26 us (section 4.1). */
#define NIC_MDIC_POLL_US 50u
#define NIC_MDIC_POLLS 1920u
#define NIC_MDIO_OWNER_TRIES 10u
#define NIC_MDIO_OWNER_MS 2u

/* IEEE 802.3 clause 22.2.4 and 40.5.1: registers every PHY has. */
#define NIC_PHY_BMCR 0u
#define NIC_PHY_BMCR_SPEED_1000 0x0040u
#define NIC_PHY_BMCR_FULL_DUPLEX 0x0100u
#define NIC_PHY_BMCR_AN_RESTART 0x0200u
#define NIC_PHY_BMCR_ISOLATE 0x0400u
#define NIC_PHY_BMCR_POWER_DOWN 0x0800u
#define NIC_PHY_BMCR_AN_ENABLE 0x1000u
#define NIC_PHY_BMCR_LOOPBACK 0x4000u
#define NIC_PHY_BMSR 1u
#define NIC_PHY_BMSR_LINK 0x0004u
#define NIC_PHY_BMSR_AN_COMPLETE 0x0020u
#define NIC_PHY_ID1 2u
#define NIC_PHY_ID2 3u
#define NIC_PHY_ANAR 4u
#define NIC_PHY_ANAR_SELECTOR 0x0001u
#define NIC_PHY_ANAR_ABILITIES 0x01E0u /* 100FD, 100HD, 10FD, 10HD */
#define NIC_PHY_ANAR_PAUSE 0x0400u
#define NIC_PHY_ANAR_ASM_DIR 0x0800u
#define NIC_PHY_ANLPAR 5u
#define NIC_PHY_CTRL1000 9u
#define NIC_PHY_CTRL1000_FD 0x0200u
#define NIC_PHY_CTRL1000_HD 0x0100u
/* struct nic_config.autoneg_advertise borrows ANAR's next page bit for 1000FD. */
#define NIC_ADVERTISE_1000FD 0x8000u

/* The BM PHY of this part; another id is another chip (section 4.1). */
#define NIC_PHY_ID 0x01410CB1u

/* Collision distance: 64 byte times, 512 in half duplex at 1000 Mb/s (IEEE 802.3 clause 4.4.2). */
#define NIC_COLD_FULL_DUPLEX 63u
#define NIC_COLD_1000_HALF 512u

/* EXTCNF_CTRL.MDIO_SW_OWNERSHIP is the lock of PHY and NVM against firmware: set it and read it
 * back; it sticks only when nobody else holds it (section 4.1). */
int nic_mdio_acquire(struct nic_device* dev) {
    for (uint32_t attempt = 0; attempt < NIC_MDIO_OWNER_TRIES; attempt++) {
        nic_modify(dev, NIC_EXTCNF_CTRL, 0, NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK);
        const uint32_t owner = nic_read(dev, NIC_EXTCNF_CTRL);
        if (owner == NIC_GONE) return -NIC_EIO;
        if (owner & NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK) return 0;
        dev->hal->sleep_ms(dev->hal->ctx, NIC_MDIO_OWNER_MS);
    }
    nic_log(dev, 0, "nic: MDIO is owned by somebody else");
    return -NIC_EBUSY;
}

void nic_mdio_release(struct nic_device* dev) {
    nic_modify(dev, NIC_EXTCNF_CTRL, NIC_EXTCNF_CTRL_MDIO_SW_OWNERSHIP_MASK, 0);
}

/* One transaction; the caller owns MDIO. */
static int nic_mdic(struct nic_device* dev, uint32_t command, uint32_t reg, uint16_t* value) {
    nic_write(dev, NIC_MDIC,
              command | NIC_FIELD_PUT(NIC_MDIC_REGADD, reg) |
                  NIC_FIELD_PUT(NIC_MDIC_PHYADD, NIC_MDIC_PHYADD_COPPER));
    for (uint32_t poll = 0; poll < NIC_MDIC_POLLS; poll++) {
        dev->hal->delay_us(dev->hal->ctx, NIC_MDIC_POLL_US);
        const uint32_t mdic = nic_read(dev, NIC_MDIC);
        if (mdic == NIC_GONE) return -NIC_EIO;
        if (!(mdic & NIC_MDIC_READY_MASK)) continue;
        if (mdic & NIC_MDIC_ERROR_MASK) return -NIC_EIO;
        /* The answer to somebody else's question is no answer. */
        if (NIC_FIELD_GET(NIC_MDIC_REGADD, mdic) != reg) return -NIC_EIO;
        *value = (uint16_t)NIC_FIELD_GET(NIC_MDIC_DATA, mdic);
        return 0;
    }
    return -NIC_ETIMEDOUT;
}

static int nic_phy_read(struct nic_device* dev, uint32_t reg, uint16_t* value) {
    return nic_mdic(dev, NIC_FIELD_PUT(NIC_MDIC_OP, NIC_MDIC_OP_READ), reg, value);
}

static int nic_phy_write(struct nic_device* dev, uint32_t reg, uint16_t value) {
    uint16_t echo;
    return nic_mdic(dev,
                    NIC_FIELD_PUT(NIC_MDIC_OP, NIC_MDIC_OP_WRITE) |
                        NIC_FIELD_PUT(NIC_MDIC_DATA, (uint32_t)value),
                    reg, &echo);
}

int nic_phy_identify(struct nic_device* dev) {
    uint16_t id1 = 0;
    uint16_t id2 = 0;
    int error = nic_mdio_acquire(dev);
    if (error) return error;
    error = nic_phy_read(dev, NIC_PHY_ID1, &id1);
    if (!error) error = nic_phy_read(dev, NIC_PHY_ID2, &id2);
    nic_mdio_release(dev);
    if (error) return error;
    if (((uint32_t)id1 << 16 | id2) == NIC_PHY_ID) return 0;
    nic_log(dev, 0, "nic: the PHY is not the one of an 82574L");
    return -NIC_ENODEV;
}

/* --- offering --------------------------------------------------------------------------------- */

static uint16_t nic_wanted_anar(const struct nic_config* config) {
    const uint16_t wanted = config->autoneg_advertise;
    const uint32_t abilities = wanted ? wanted & NIC_PHY_ANAR_ABILITIES : NIC_PHY_ANAR_ABILITIES;
    const uint32_t pause = config->flow_control ? NIC_PHY_ANAR_PAUSE | NIC_PHY_ANAR_ASM_DIR : 0u;
    return (uint16_t)(NIC_PHY_ANAR_SELECTOR | abilities | pause);
}

/* 1000 Mb/s half duplex exists only on paper and is never offered (section 4.5). */
static uint16_t nic_wanted_ctrl1000(const struct nic_config* config, uint16_t before) {
    const uint16_t wanted = config->autoneg_advertise;
    const bool gigabit = !wanted || (wanted & NIC_ADVERTISE_1000FD);
    const uint32_t kept = before & ~(NIC_PHY_CTRL1000_FD | NIC_PHY_CTRL1000_HD);
    return (uint16_t)(kept | (gigabit ? NIC_PHY_CTRL1000_FD : 0u));
}

/* Renegotiates only when the offer changes or there is no link to lose: a renegotiation takes the
 * link down for seconds, and a reset of the MAC does not touch the PHY (section 9.2). */
static int nic_phy_offer(struct nic_device* dev) {
    uint16_t bmcr, bmsr, anar, ctrl1000;
    int error = nic_phy_read(dev, NIC_PHY_BMCR, &bmcr);
    if (!error) error = nic_phy_read(dev, NIC_PHY_BMSR, &bmsr);
    if (!error) error = nic_phy_read(dev, NIC_PHY_ANAR, &anar);
    if (!error) error = nic_phy_read(dev, NIC_PHY_CTRL1000, &ctrl1000);
    if (error) return error;

    const uint16_t new_anar = nic_wanted_anar(&dev->config);
    const uint16_t new_ctrl1000 = nic_wanted_ctrl1000(&dev->config, ctrl1000);
    const uint16_t idle = NIC_PHY_BMCR_POWER_DOWN | NIC_PHY_BMCR_ISOLATE | NIC_PHY_BMCR_LOOPBACK;
    const bool negotiating = (bmcr & NIC_PHY_BMCR_AN_ENABLE) && !(bmcr & idle);
    if (negotiating && anar == new_anar && ctrl1000 == new_ctrl1000 && (bmsr & NIC_PHY_BMSR_LINK) &&
        (bmsr & NIC_PHY_BMSR_AN_COMPLETE)) {
        return 0;
    }
    error = nic_phy_write(dev, NIC_PHY_ANAR, new_anar);
    if (!error) error = nic_phy_write(dev, NIC_PHY_CTRL1000, new_ctrl1000);
    if (error) return error;
    const uint32_t restart =
        (uint32_t)(bmcr & ~idle) | NIC_PHY_BMCR_AN_ENABLE | NIC_PHY_BMCR_AN_RESTART;
    return nic_phy_write(dev, NIC_PHY_BMCR, (uint16_t)restart);
}

/* At a speed that is forced: there is nobody to negotiate with (clause 22.2.4.1.2). An offer ends
 * it. */
static int nic_phy_loop(struct nic_device* dev) {
    return nic_phy_write(
        dev, NIC_PHY_BMCR,
        NIC_PHY_BMCR_LOOPBACK | NIC_PHY_BMCR_SPEED_1000 | NIC_PHY_BMCR_FULL_DUPLEX);
}

/* What still comes in after the fill went over the upper watermark, at most: the frame that took it
 * there; what arrives while a frame of ours holds up the XOFF; the frame that the partner has on
 * the wire when it hears of it. Beside them the XOFF itself, a cable of 100 m both ways, and the
 * time a partner may take (two quanta of 64 bytes, IEEE 802.3 31B.3.7). */
#define NIC_PAUSE_FRAMES 3u
#define NIC_PAUSE_BYTES 512u
/* The time an XOFF asks for, in quanta of 64 bytes, and when it is said again while the buffer
 * stays full: after half of it. FCRTV counts in units of 8 bytes. */
#define NIC_PAUSE_QUANTA 0x0680u
#define NIC_PAUSE_REFRESH (NIC_PAUSE_QUANTA * 8u / 2u)

/* PAUSE frames: address and type (IEEE 802.3 annex 31B), timer, watermarks. The upper watermark
 * leaves room for what a partner still sends after it was told to stop, in a buffer that is large
 * enough: else half of it. */
static void nic_flow_control_setup(struct nic_device* dev) {
    const uint32_t buffer_bytes = NIC_FIELD_GET(NIC_PBA_RXA, nic_read(dev, NIC_PBA)) * 1024u;
    const uint32_t frame_bytes =
        dev->config.mtu_bytes + 22u + 16u; /* header, tag, FCS; in the FIFO */
    const uint32_t wanted = NIC_PAUSE_FRAMES * frame_bytes + NIC_PAUSE_BYTES;
    const uint32_t headroom = wanted < buffer_bytes / 2u ? wanted : buffer_bytes / 2u;
    const uint32_t high = buffer_bytes - headroom;
    const uint32_t low = high > frame_bytes ? high - frame_bytes : 0u;

    nic_write(dev, NIC_FCAL, 0x00C28001u); /* 01:80:C2:00:00:01 */
    nic_write(dev, NIC_FCAH, 0x00000100u);
    nic_write(dev, NIC_FCT, 0x8808u);
    nic_write(dev, NIC_FCTTV, NIC_FIELD_PUT(NIC_FCTTV_TTV, NIC_PAUSE_QUANTA));
    nic_write(dev, NIC_FCRTV, NIC_FIELD_PUT(NIC_FCRTV_FCRTV, NIC_PAUSE_REFRESH));
    if (dev->config.flow_control) {
        nic_write(dev, NIC_FCRTL, (low & NIC_FCRTL_RTL_MASK) | NIC_FCRTL_XONE_MASK);
        nic_write(dev, NIC_FCRTH, high & NIC_FCRTH_RTH_MASK);
    } else {
        nic_write(dev, NIC_FCRTL, 0);
        nic_write(dev, NIC_FCRTH, 0);
    }
}

/* Section 10.1.2, steps 7 and 8: the MAC follows the PHY, the PHY negotiates. */
int nic_link_setup(struct nic_device* dev) {
    dev->link = (struct nic_link){0};
    dev->link_changed = true;
    nic_modify(dev, NIC_CTRL,
               NIC_CTRL_FRCSPD_MASK | NIC_CTRL_FRCDPX_MASK | NIC_CTRL_ILOS_MASK |
                   NIC_CTRL_RFCE_MASK | NIC_CTRL_TFCE_MASK | NIC_CTRL_RSVD29_MASK,
               NIC_CTRL_SLU_MASK);
    nic_flow_control_setup(dev);
    int error = nic_mdio_acquire(dev);
    if (error) return error;
    error = dev->config.loopback == NIC_LOOPBACK_PHY ? nic_phy_loop(dev) : nic_phy_offer(dev);
    nic_mdio_release(dev);
    return error;
}

int nic_phy_power_down(struct nic_device* dev) {
    uint16_t bmcr;
    int error = nic_mdio_acquire(dev);
    if (error) return error;
    error = nic_phy_read(dev, NIC_PHY_BMCR, &bmcr);
    if (!error) {
        error = nic_phy_write(dev, NIC_PHY_BMCR, (uint16_t)(bmcr | NIC_PHY_BMCR_POWER_DOWN));
    }
    nic_mdio_release(dev);
    return error;
}

/* --- what came of it -------------------------------------------------------------------------- */

/* IEEE 802.3 table 28B-3: who may stop whom. */
static void nic_resolve_pause(struct nic_link* link, uint16_t ours, uint16_t theirs) {
    const bool we_pause = ours & NIC_PHY_ANAR_PAUSE;
    const bool they_pause = theirs & NIC_PHY_ANAR_PAUSE;
    const bool asymmetric = (ours & NIC_PHY_ANAR_ASM_DIR) && (theirs & NIC_PHY_ANAR_ASM_DIR);
    link->rx_pause = false;
    link->tx_pause = false;
    if (!link->full_duplex) return;
    if (we_pause && they_pause) {
        link->rx_pause = true;
        link->tx_pause = true;
    } else if (asymmetric && !we_pause && they_pause) {
        link->tx_pause = true;
    } else if (asymmetric && we_pause && !they_pause) {
        link->rx_pause = true;
    }
}

static uint32_t nic_status_mbps(uint32_t status) {
    switch (NIC_FIELD_GET(NIC_STATUS_SPEED, status)) {
        case NIC_STATUS_SPEED_MBPS_10:
            return 10;
        case NIC_STATUS_SPEED_MBPS_100:
            return 100;
        default:
            return 1000; /* 2, and 3 means the same */
    }
}

/* Reads everything that decides about the link. Up means that MAC and PHY agree. */
static int nic_link_read(struct nic_device* dev, struct nic_link* link) {
    uint16_t bmsr, ours = 0, theirs = 0;
    /* Link status is latched low (clause 22.2.4.2.13): the first read tells of a loss in the past,
     * the second of now. */
    int error = nic_phy_read(dev, NIC_PHY_BMSR, &bmsr);
    if (!error) error = nic_phy_read(dev, NIC_PHY_BMSR, &bmsr);
    if (error) return error;
    const uint32_t status = nic_read(dev, NIC_STATUS);
    *link = (struct nic_link){0};
    if (!(bmsr & NIC_PHY_BMSR_LINK) || !(status & NIC_STATUS_LU_MASK)) return 0;

    link->up = true;
    link->speed_mbps = nic_status_mbps(status);
    link->full_duplex = status & NIC_STATUS_FD_MASK;
    if (dev->config.flow_control && (bmsr & NIC_PHY_BMSR_AN_COMPLETE)) {
        error = nic_phy_read(dev, NIC_PHY_ANAR, &ours);
        if (!error) error = nic_phy_read(dev, NIC_PHY_ANLPAR, &theirs);
        if (!error) nic_resolve_pause(link, ours, theirs);
    }
    return error;
}

/* What the MAC does not learn from the PHY by itself: PAUSE and the collision distance. */
static void nic_link_program(struct nic_device* dev, const struct nic_link* link) {
    const uint32_t pause =
        (link->rx_pause ? NIC_CTRL_RFCE_MASK : 0u) | (link->tx_pause ? NIC_CTRL_TFCE_MASK : 0u);
    nic_modify(dev, NIC_CTRL, NIC_CTRL_RFCE_MASK | NIC_CTRL_TFCE_MASK, pause);
    const bool long_distance = link->up && !link->full_duplex && link->speed_mbps == 1000u;
    const uint32_t distance = long_distance ? NIC_COLD_1000_HALF : NIC_COLD_FULL_DUPLEX;
    nic_modify(dev, NIC_TCTL, NIC_TCTL_COLD_MASK, NIC_FIELD_PUT(NIC_TCTL_COLD, distance));
}

/* The regular call costs one register read: MDIO is asked only after a link interrupt, or when the
 * MAC contradicts what we know. */
int nic_link_poll(struct nic_device* dev, struct nic_link* link) {
    *link = (struct nic_link){0};
    if (dev->state != NIC_STATE_OPEN) return -NIC_EIO;
    const uint32_t status = nic_read(dev, NIC_STATUS);
    if (status == NIC_GONE) return -NIC_EIO;
    const bool mac_up = status & NIC_STATUS_LU_MASK;
    if (dev->link_changed || mac_up != dev->link.up) {
        /* First the note, then the look: a change in between makes a new note. */
        dev->link_changed = false;
        int error = nic_mdio_acquire(dev);
        if (!error) {
            error = nic_link_read(dev, link);
            nic_mdio_release(dev);
        }
        if (error) {
            dev->link_changed = true;
            *link = dev->link;
            return error;
        }
        nic_link_program(dev, link);
        dev->link = *link;
    }
    *link = dev->link;
    return 0;
}
