#include "guest_stack/port/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

uint32_t route_mask(uint32_t prefix_bits) {
    return prefix_bits == 0 ? 0 : UINT32_MAX << (32 - prefix_bits);
}

static bool goes_before(const struct route* a, const struct route* b) {
    if (a->prefix_bits != b->prefix_bits) {
        return a->prefix_bits > b->prefix_bits;
    }
    return a->metric < b->metric;
}

int route_add(struct route_table* table, uint32_t destination, uint32_t prefix_bits,
              uint32_t gateway, uint32_t interface, uint32_t metric) {
    if (prefix_bits > 32 || (destination & ~route_mask(prefix_bits)) != 0) {
        return -EINVAL;
    }
    if (table->count == ROUTE_MAX) {
        return -ENOSPC;
    }
    const struct route route = {destination, prefix_bits, gateway, interface, metric, 0};
    uint32_t at = table->count;
    while (at > 0 && goes_before(&route, &table->routes[at - 1])) {
        --at;
    }
    memmove(&table->routes[at + 1], &table->routes[at],
            (table->count - at) * sizeof table->routes[0]);
    table->routes[at] = route;
    ++table->count;
    return 0;
}

static bool matches(const struct route* route, uint32_t address) {
    return (address & route_mask(route->prefix_bits)) == route->destination;
}

struct route* route_find(struct route_table* table, uint32_t address) {
    for (uint32_t i = 0; i < table->count; ++i) {
        if (matches(&table->routes[i], address)) {
            return &table->routes[i];
        }
    }
    return NULL;
}

struct route* route_find_on(struct route_table* table, uint32_t address, uint32_t interface) {
    for (uint32_t i = 0; i < table->count; ++i) {
        if (table->routes[i].interface == interface && matches(&table->routes[i], address)) {
            return &table->routes[i];
        }
    }
    return NULL;
}

const char* route_address_text(uint32_t address, char* text) {
    (void)snprintf(text, 16, "%u.%u.%u.%u", address >> 24, address >> 16 & 255, address >> 8 & 255,
                   address & 255);
    return text;
}

bool route_parse_address(const char* text, uint32_t* address) {
    uint32_t result = 0;
    for (int part = 0; part < 4; ++part) {
        uint32_t value = 0;
        int digits = 0;
        while (*text >= '0' && *text <= '9' && digits < 4) {
            value = value * 10 + (uint32_t)(*text++ - '0');
            ++digits;
        }
        if (digits == 0 || value > 255 || *text != (part < 3 ? '.' : '\0')) {
            return false;
        }
        ++text;
        result = result << 8 | value;
    }
    *address = result;
    return true;
}

void route_print(const struct route_table* table, const char* const* names, guest_text_fn print,
                 void* context) {
    char line[128];
    print(context, "Kernel IP routing table\n");
    (void)snprintf(line, sizeof line, "%-15s %-15s %-15s %-5s %-6s %s\n", "Destination", "Gateway",
                   "Genmask", "Flags", "Metric", "Iface");
    print(context, line);
    for (uint32_t i = 0; i < table->count; ++i) {
        const struct route* route = &table->routes[i];
        char destination[16];
        char gateway[16];
        char mask[16];
        char flags[4] = "U";
        if (route->gateway != 0) {
            strcat(flags, "G");
        }
        if (route->prefix_bits == 32) {
            strcat(flags, "H");
        }
        (void)snprintf(line, sizeof line, "%-15s %-15s %-15s %-5s %-6u %s\n",
                       route_address_text(route->destination, destination),
                       route_address_text(route->gateway, gateway),
                       route_address_text(route_mask(route->prefix_bits), mask), flags,
                       route->metric, names[route->interface]);
        print(context, line);
    }
}
