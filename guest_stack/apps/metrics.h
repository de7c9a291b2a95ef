/* Counters of the whole guest under their stable names, and one table that documents them. */
#ifndef GUEST_METRICS_H
#define GUEST_METRICS_H

#include "guest_stack/apps/app.h"

void metrics_visit(const struct app* apps, uint32_t count, guest_metric_fn visit, void* context);
/* Names may hold <i> (an application), <n> (a NIC) and <NAME>. */
const struct guest_description* metrics_describe(void);

#endif /* GUEST_METRICS_H */
