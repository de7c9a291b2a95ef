/* The guest's settings: one table of names, ranges and defaults, from which the host gets its
 * documentation and the kernel its values. Unknown names and impossible values are refused with a
 * sentence that says what would do. */
#ifndef GUEST_SETTINGS_H
#define GUEST_SETTINGS_H

#include "guest_stack/kernel/kernel.h"
#include "nic_driver.h"

#define SETTINGS_MAX_NICS 8u

/* Sets costs and the drivers' configurations to their defaults, then applies `settings`. 0, or
 * -EINVAL with the reason in `why`. */
int settings_apply(const struct guest_setting* settings, uint32_t count, char* why,
                   size_t why_bytes);
/* The driver's configuration of a NIC after driver.* and nic<i>.driver.*. */
const struct nic_config* settings_nic(uint32_t nic);
/* The same with what the interface on it asks for. */
struct nic_config settings_nic_config(const struct guest_config* config, uint32_t nic);

/* What a NIC's configuration demands although each value by itself can be. False with the settings
 * concerned, the likelier cause first, and the two sentences. */
struct settings_demand {
    char setting[48], other[48]; /* "driver.tx_wthresh", "driver.tidv"; "" for none */
    char what[128], why[128];
};
bool settings_check(const struct guest_config* config, uint32_t nic, struct settings_demand* unmet);
const struct guest_description* settings_describe(void);

#endif /* GUEST_SETTINGS_H */
