#include "guest_stack/kernel/settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/kernel/number.h"

#define ETHERNET_BYTES 18u /* header with a VLAN tag */

struct guest_costs costs;
static struct nic_config nics[SETTINGS_MAX_NICS];

enum kind { KIND_U32, KIND_BOOL, KIND_U16, KIND_IRQ_MODE, KIND_LOOPBACK };

struct row {
    const char* name; /* in full for costs; behind "driver." for the driver */
    enum kind kind;
    size_t offset;
    uint32_t minimum, maximum, step;
    const char* description;
    const char* text; /* the range or the words, as shown to people */
    const char* default_text;
};

#define STRINGIFY_(x) #x
#define STRINGIFY(x) STRINGIFY_(x)

static const struct row kCostRows[] = {
#define X(field, setting, value, minimum, maximum, description)                                  \
    {setting, KIND_U32,    offsetof(struct guest_costs, field),        minimum,         maximum, \
     1,       description, STRINGIFY(minimum) ".." STRINGIFY(maximum), STRINGIFY(value)},
    GUEST_COSTS(X)
#undef X
};

#define DRIVER(field) offsetof(struct nic_config, field)
static const struct row kDriverRows[] = {
    {"tx_ring", KIND_U32, DRIVER(tx_ring), 8, 4096, 8, "Transmit descriptors", "8..4096, by 8", ""},
    {"rx_ring", KIND_U32, DRIVER(rx_ring), 8, 4096, 8, "Receive descriptors", "8..4096, by 8", ""},
    {"rx_buffer_bytes", KIND_U32, DRIVER(rx_buffer_bytes), 2048, 16384, 2048,
     "Size of a receive buffer", "2048|4096|8192|16384", ""},
    {"mtu_bytes", KIND_U32, DRIVER(mtu_bytes), 68, 9216, 1, "Raised to the mtu of the interface",
     "68..9216", ""},
    {"irq_mode", KIND_IRQ_MODE, DRIVER(irq_mode), 0, 2, 1, "Preferred interrupt", "intx|msi|msix",
     ""},
    {"itr", KIND_U32, DRIVER(itr), 0, 65535, 1, "ITR/EITR in 256 ns, 0: no moderation", "0..65535",
     ""},
    {"rdtr", KIND_U32, DRIVER(rdtr), 0, 65535, 1, "RDTR in 1.024 us", "0..65535", ""},
    {"radv", KIND_U32, DRIVER(radv), 0, 65535, 1, "RADV in 1.024 us", "0..65535", ""},
    {"tidv", KIND_U32, DRIVER(tidv), 0, 65535, 1, "TIDV in 1.024 us", "0..65535", ""},
    {"tadv", KIND_U32, DRIVER(tadv), 0, 65535, 1, "TADV in 1.024 us", "0..65535", ""},
    {"tx_report_every", KIND_U32, DRIVER(tx_report_every), 1, 4096, 1,
     "RS on every Nth descriptor at least", "1..4096", ""},
    {"rx_pthresh", KIND_U32, DRIVER(rx_pthresh), 0, 63, 1, "RXDCTL.PTHRESH", "0..63", ""},
    {"rx_hthresh", KIND_U32, DRIVER(rx_hthresh), 0, 63, 1, "RXDCTL.HTHRESH", "0..63", ""},
    {"rx_wthresh", KIND_U32, DRIVER(rx_wthresh), 0, 63, 1, "RXDCTL.WTHRESH", "0..63", ""},
    {"tx_pthresh", KIND_U32, DRIVER(tx_pthresh), 0, 63, 1, "TXDCTL.PTHRESH", "0..63", ""},
    {"tx_hthresh", KIND_U32, DRIVER(tx_hthresh), 0, 63, 1, "TXDCTL.HTHRESH", "0..63", ""},
    {"tx_wthresh", KIND_U32, DRIVER(tx_wthresh), 0, 63, 1, "TXDCTL.WTHRESH", "0..63", ""},
    {"tx_checksum", KIND_BOOL, DRIVER(tx_checksum), 0, 1, 1, "Checksums inserted by the NIC",
     "true|false", ""},
    {"rx_checksum", KIND_BOOL, DRIVER(rx_checksum), 0, 1, 1, "Checksums verified by the NIC",
     "true|false", ""},
    {"extended_rx", KIND_BOOL, DRIVER(extended_rx), 0, 1, 1, "Extended receive descriptors",
     "true|false", ""},
    {"vlan_strip", KIND_BOOL, DRIVER(vlan_strip), 0, 1, 1, "CTRL.VME", "true|false", ""},
    {"promiscuous", KIND_BOOL, DRIVER(promiscuous), 0, 1, 1, "Accept every frame", "true|false",
     ""},
    {"store_bad_frames", KIND_BOOL, DRIVER(store_bad_frames), 0, 1, 1, "RCTL.SBP", "true|false",
     ""},
    {"flow_control", KIND_BOOL, DRIVER(flow_control), 0, 1, 1, "Advertise and obey PAUSE",
     "true|false", ""},
    {"loopback", KIND_LOOPBACK, DRIVER(loopback), 0, 2, 1,
     "Where frames turn round: mac: RCTL.LBM; phy: its control bit 14", "none|mac|phy", ""},
    {"autoneg_advertise", KIND_U16, DRIVER(autoneg_advertise), 0, 65535, 1,
     "0: everything; else ANAR bits, 32768 for 1000 Mb/s full duplex", "0..65535", ""},
};
#undef DRIVER

#define COST_ROWS (sizeof kCostRows / sizeof kCostRows[0])
#define DRIVER_ROWS (sizeof kDriverRows / sizeof kDriverRows[0])

/* By value. */
#define WORDS 3u
static const char* const kIrqModes[WORDS] = {"intx", "msi", "msix"};
static const char* const kLoopbacks[WORDS] = {"none", "mac", "phy"};

/* NULL: the kind has no words. */
static const char* const* words_of(enum kind kind) {
    return kind == KIND_IRQ_MODE ? kIrqModes : kind == KIND_LOOPBACK ? kLoopbacks : NULL;
}

static bool parse_value(const struct row* row, const char* text, uint32_t* value) {
    if (row->kind == KIND_BOOL) {
        if (strcmp(text, "true") == 0 || strcmp(text, "1") == 0) {
            *value = 1;
            return true;
        }
        *value = 0;
        return strcmp(text, "false") == 0 || strcmp(text, "0") == 0;
    }
    const char* const* words = words_of(row->kind);
    if (words != NULL) {
        for (uint32_t word = 0; word < WORDS; ++word) {
            if (strcmp(text, words[word]) == 0) {
                *value = word;
                return true;
            }
        }
        return false;
    }
    uint64_t number = 0;
    if (!number_parse(text, row->maximum, &number) || number < row->minimum ||
        number % row->step != 0) {
        return false;
    }
    *value = (uint32_t)number;
    /* RCTL.BSIZE knows powers of two only. */
    return strcmp(row->name, "rx_buffer_bytes") != 0 || (*value & (*value - 1)) == 0;
}

static void store(const struct row* row, void* base, uint32_t value) {
    void* field = (char*)base + row->offset;
    switch (row->kind) {
        case KIND_U32:
            *(uint32_t*)field = value;
            break;
        case KIND_BOOL:
            *(bool*)field = value != 0;
            break;
        case KIND_U16:
            *(uint16_t*)field = (uint16_t)value;
            break;
        case KIND_IRQ_MODE:
            *(enum nic_irq_mode*)field = (enum nic_irq_mode)value;
            break;
        case KIND_LOOPBACK:
            *(enum nic_loopback*)field = (enum nic_loopback)value;
            break;
    }
}

static uint32_t load(const struct row* row, const void* base) {
    const void* field = (const char*)base + row->offset;
    switch (row->kind) {
        case KIND_U32:
            return *(const uint32_t*)field;
        case KIND_BOOL:
            return *(const bool*)field ? 1 : 0;
        case KIND_U16:
            return *(const uint16_t*)field;
        case KIND_IRQ_MODE:
            return (uint32_t) * (const enum nic_irq_mode*)field;
        case KIND_LOOPBACK:
            return (uint32_t) * (const enum nic_loopback*)field;
    }
    return 0;
}

static const struct row* find(const struct row* rows, size_t count, const char* name) {
    for (size_t i = 0; i < count; ++i) {
        if (strcmp(rows[i].name, name) == 0) {
            return &rows[i];
        }
    }
    return NULL;
}

/* "driver.X" is for every NIC, "nic<i>.driver.X" for one. */
static const struct row* find_driver(const char* name, uint32_t* first, uint32_t* last) {
    *first = 0;
    *last = SETTINGS_MAX_NICS - 1;
    if (strncmp(name, "nic", 3) == 0 && name[3] >= '0' &&
        name[3] < (char)('0' + SETTINGS_MAX_NICS) && name[4] == '.') {
        *first = *last = (uint32_t)(name[3] - '0');
        name += 5;
    }
    return strncmp(name, "driver.", 7) == 0 ? find(kDriverRows, DRIVER_ROWS, name + 7) : NULL;
}

static void set_defaults(void) {
#define X(field, setting, value, minimum, maximum, description) costs.field = value;
    GUEST_COSTS(X)
#undef X
    for (uint32_t nic = 0; nic < SETTINGS_MAX_NICS; ++nic) {
        nic_config_default(&nics[nic]);
    }
}

/* One NIC's own settings win over those of all, whatever their order. */
static bool is_for_one_nic(const char* name) {
    return strncmp(name, "nic", 3) == 0;
}

int settings_apply(const struct guest_setting* settings, uint32_t count, char* why,
                   size_t why_bytes) {
    set_defaults();
    for (int pass = 0; pass < 2; ++pass) {
        for (uint32_t i = 0; i < count; ++i) {
            const char* name = settings[i].name;
            const char* text = settings[i].value;
            if (is_for_one_nic(name) != (pass == 1)) {
                continue;
            }
            uint32_t first = 0;
            uint32_t last = 0;
            const struct row* cost = find(kCostRows, COST_ROWS, name);
            const struct row* driver = cost == NULL ? find_driver(name, &first, &last) : NULL;
            const struct row* row = cost != NULL ? cost : driver;
            uint32_t value = 0;
            if (row == NULL) {
                (void)snprintf(why, why_bytes,
                               "no setting is called '%s' (they are driver.*, nic<i>.driver.*, "
                               "kernel.* and cpu.*)",
                               name);
                return -EINVAL;
            }
            if (!parse_value(row, text, &value)) {
                (void)snprintf(why, why_bytes, "setting %s cannot be '%s': it takes %s", name, text,
                               row->text);
                return -EINVAL;
            }
            if (cost != NULL) {
                store(row, &costs, value);
                continue;
            }
            for (uint32_t nic = first; nic <= last; ++nic) {
                store(row, &nics[nic], value);
            }
        }
    }
    return 0;
}

const struct nic_config* settings_nic(uint32_t nic) {
    return &nics[nic];
}

struct nic_config settings_nic_config(const struct guest_config* config, uint32_t nic) {
    struct nic_config result = nics[nic];
    for (uint32_t i = 0; i < config->interface_count; ++i) {
        const struct guest_interface* interface = &config->interfaces[i];
        if (interface->nic == nic && interface->mtu_bytes > result.mtu_bytes) {
            result.mtu_bytes = interface->mtu_bytes;
        }
    }
    return result;
}

static void show(const struct row* row, const struct nic_config* config, char* text, size_t bytes) {
    const uint32_t value = load(row, config);
    if (row->kind == KIND_BOOL) {
        (void)snprintf(text, bytes, "%s", value != 0 ? "true" : "false");
    } else if (words_of(row->kind) != NULL) {
        (void)snprintf(text, bytes, "%s", words_of(row->kind)[value % WORDS]);
    } else {
        (void)snprintf(text, bytes, "%u", value);
    }
}

/* What the driver's own check said, in the words of settings. */
static void blame(const struct nic_config* nic, const struct nic_config_demand* demand,
                  struct settings_demand* unmet) {
    char value[16] = "";
    const struct row* row = find(kDriverRows, DRIVER_ROWS, demand->field);
    if (row != NULL) {
        show(row, nic, value, sizeof value);
    }
    (void)snprintf(unmet->setting, sizeof unmet->setting, "driver.%s", demand->field);
    if (demand->other != NULL) {
        (void)snprintf(unmet->other, sizeof unmet->other, "driver.%s", demand->other);
    }
    (void)snprintf(unmet->what, sizeof unmet->what, "'%s' cannot be %s here", unmet->setting,
                   value);
    (void)snprintf(unmet->why, sizeof unmet->why, "%s", demand->why);
}

bool settings_check(const struct guest_config* config, uint32_t nic,
                    struct settings_demand* unmet) {
    const struct nic_config wanted = settings_nic_config(config, nic);
    struct nic_config_demand demand = {NULL, NULL, ""};
    *unmet = (struct settings_demand){"", "", "", ""};
    if (nic_config_check(&wanted, &demand) != 0) {
        blame(&wanted, &demand, unmet);
        return false;
    }
    /* The ring is full of buffers at all times, and a received one leaves it only for a fresh one:
     * without as many as the longest frame takes nothing could ever be received. */
    const uint32_t frame = wanted.mtu_bytes + ETHERNET_BYTES;
    const uint32_t spare = (frame + wanted.rx_buffer_bytes - 1) / wanted.rx_buffer_bytes;
    if (costs.rx_buffers >= wanted.rx_ring + spare) {
        return true;
    }
    (void)snprintf(unmet->setting, sizeof unmet->setting, "kernel.rx_buffers");
    (void)snprintf(unmet->other, sizeof unmet->other, "driver.rx_ring");
    (void)snprintf(unmet->what, sizeof unmet->what, "'kernel.rx_buffers' cannot be %u here",
                   costs.rx_buffers);
    (void)snprintf(unmet->why, sizeof unmet->why,
                   "a driver.rx_ring of %u and %u more for a frame make %u at least",
                   wanted.rx_ring, spare, wanted.rx_ring + spare);
    return false;
}

const struct guest_description* settings_describe(void) {
    static struct guest_description list[COST_ROWS + DRIVER_ROWS + 1];
    static char names[DRIVER_ROWS][40];
    static char values[DRIVER_ROWS][16];
    struct nic_config defaults;
    nic_config_default(&defaults);
    for (size_t i = 0; i < DRIVER_ROWS; ++i) {
        const struct row* row = &kDriverRows[i];
        (void)snprintf(names[i], sizeof names[i], "driver.%s", row->name);
        show(row, &defaults, values[i], sizeof values[i]);
        list[i] = (struct guest_description){names[i], row->text, values[i], row->description};
    }
    for (size_t i = 0; i < COST_ROWS; ++i) {
        const struct row* row = &kCostRows[i];
        list[DRIVER_ROWS + i] =
            (struct guest_description){row->name, row->text, row->default_text, row->description};
    }
    list[COST_ROWS + DRIVER_ROWS] = (struct guest_description){NULL, NULL, NULL, NULL};
    return list;
}
