#include "guest_stack/kernel/kernel.h"

#include <stdarg.h>
#include <stdio.h>

#include "guest_stack/kernel/cpu.h"

struct kernel kernel;

void kernel_init(const struct guest_host_ops* ops, struct guest_host* host, const char* host_name) {
    kernel.ops = ops;
    kernel.host = host;
    kernel.host_name = host_name;
    kernel.reporting = ops->reporting(host) != 0;
}

void kernel_report_now(uint16_t type, uint64_t packet, const uint64_t args[4]) {
    const struct guest_report report = {
        .type = type,
        .packet = packet,
        .args = {args[0], args[1], args[2], args[3]},
        .ahead_ps = cpu.current != NULL ? cpu.current->charged_ps : 0};
    kernel.ops->report(kernel.host, &report);
}

void kernel_log(int level, const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    kernel.ops->log(kernel.host, level, text);
}

_Noreturn void kernel_panic(const char* format, ...) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    kernel.ops->panic(kernel.host, text);
    /* The host ends the run at its next opportunity; this context must not execute until then. */
    struct guest_event* never = kernel.ops->event_create(kernel.host, "panic");
    for (;;) {
        (void)kernel.ops->event_wait(kernel.host, never, GUEST_NEVER);
    }
}
