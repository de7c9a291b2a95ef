/* The statistics block: read-clear registers added up in 64 bits (section 2.7). */
#include "nic_internal.h"

struct nic_stat {
    const char* name;
    uint32_t offset;
    uint32_t high_offset; /* octet counters have an upper half, which clears both; 0: none */
};

static const struct nic_stat nic_stats[] = {
    {"CRCERRS", NIC_CRCERRS, 0},
    {"ALGNERRC", NIC_ALGNERRC, 0},
    {"SYMERRS", NIC_SYMERRS, 0},
    {"RXERRC", NIC_RXERRC, 0},
    {"MPC", NIC_MPC, 0},
    {"SCC", NIC_SCC, 0},
    {"ECOL", NIC_ECOL, 0},
    {"MCC", NIC_MCC, 0},
    {"LATECOL", NIC_LATECOL, 0},
    {"COLC", NIC_COLC, 0},
    {"DC", NIC_DC, 0},
    {"TNCRS", NIC_TNCRS, 0},
    {"SEC", NIC_SEC, 0},
    {"CEXTERR", NIC_CEXTERR, 0},
    {"RLEC", NIC_RLEC, 0},
    {"XONRXC", NIC_XONRXC, 0},
    {"XONTXC", NIC_XONTXC, 0},
    {"XOFFRXC", NIC_XOFFRXC, 0},
    {"XOFFTXC", NIC_XOFFTXC, 0},
    {"FCRUC", NIC_FCRUC, 0},
    {"PRC64", NIC_PRC64, 0},
    {"PRC127", NIC_PRC127, 0},
    {"PRC255", NIC_PRC255, 0},
    {"PRC511", NIC_PRC511, 0},
    {"PRC1023", NIC_PRC1023, 0},
    {"PRC1522", NIC_PRC1522, 0},
    {"GPRC", NIC_GPRC, 0},
    {"BPRC", NIC_BPRC, 0},
    {"MPRC", NIC_MPRC, 0},
    {"GPTC", NIC_GPTC, 0},
    {"GORC", NIC_GORCL, NIC_GORCH},
    {"GOTC", NIC_GOTCL, NIC_GOTCH},
    {"RNBC", NIC_RNBC, 0},
    {"RUC", NIC_RUC, 0},
    {"RFC", NIC_RFC, 0},
    {"ROC", NIC_ROC, 0},
    {"RJC", NIC_RJC, 0},
    {"MGTPRC", NIC_MGTPRC, 0},
    {"MGTPDC", NIC_MGTPDC, 0},
    {"MGTPTC", NIC_MGTPTC, 0},
    {"TOR", NIC_TORL, NIC_TORH},
    {"TOT", NIC_TOTL, NIC_TOTH},
    {"TPR", NIC_TPR, 0},
    {"TPT", NIC_TPT, 0},
    {"PTC64", NIC_PTC64, 0},
    {"PTC127", NIC_PTC127, 0},
    {"PTC255", NIC_PTC255, 0},
    {"PTC511", NIC_PTC511, 0},
    {"PTC1023", NIC_PTC1023, 0},
    {"PTC1522", NIC_PTC1522, 0},
    {"MPTC", NIC_MPTC, 0},
    {"BPTC", NIC_BPTC, 0},
    {"TSCTC", NIC_TSCTC, 0},
    {"TSCTFC", NIC_TSCTFC, 0},
    {"IAC", NIC_IAC, 0},
    {"ICRXPTC", NIC_ICRXPTC, 0},
    {"ICRXATC", NIC_ICRXATC, 0},
    {"ICTXPTC", NIC_ICTXPTC, 0},
    {"ICTXATC", NIC_ICTXATC, 0},
    {"ICTXQEC", NIC_ICTXQEC, 0},
    {"ICTXQMTC", NIC_ICTXQMTC, 0},
    {"ICRXDMTC", NIC_ICRXDMTC, 0},
    {"ICRXOC", NIC_ICRXOC, 0},
};
#define NIC_STATS (sizeof nic_stats / sizeof nic_stats[0])
_Static_assert(NIC_STATS == NIC_STAT_COUNT, "struct nic_hw_stats holds one total for each row");

void nic_stats_update(struct nic_device* dev) {
    if (dev->state == NIC_STATE_NONE) return;
    if (nic_read(dev, NIC_STATUS) == NIC_GONE) return; /* ones are not counts */
    for (uint32_t i = 0; i < NIC_STATS; i++) {
        uint64_t value = nic_read(dev, nic_stats[i].offset);
        /* Low half first: reading the high half clears the pair (U21). */
        if (nic_stats[i].high_offset)
            value |= (uint64_t)nic_read(dev, nic_stats[i].high_offset) << 32;
        dev->stats.total[i] += value;
    }
}

void nic_stats_visit(const struct nic_device* dev,
                     void (*visit)(void* ctx, const char* name, uint64_t value), void* ctx) {
    for (uint32_t i = 0; i < NIC_STATS; i++) visit(ctx, nic_stats[i].name, dev->stats.total[i]);
}

const struct nic_counters* nic_counters(const struct nic_device* dev) {
    return &dev->counters;
}
