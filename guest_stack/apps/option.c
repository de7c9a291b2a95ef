#include "guest_stack/apps/option.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/kernel/number.h"
#include "guest_stack/port/route.h"

/* A text that grows; what does not fit is cut off. */
struct text {
    char* at;
    size_t bytes, used;
};

static void append(struct text* text, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
static void append(struct text* text, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length =
        vsnprintf(text->at + text->used, text->bytes - text->used, format, arguments);
    va_end(arguments);
    if (length > 0) {
        const size_t left = text->bytes - text->used - 1;
        text->used += (size_t)length < left ? (size_t)length : left;
    }
}

/* --- the synopsis
 * ------------------------------------------------------------------------------------ */

static void append_range(struct text* text, const struct option* option) {
    append(text, "%llu..", (unsigned long long)option->minimum);
    if (option->maximum != UINT64_MAX) {
        append(text, "%llu", (unsigned long long)option->maximum);
    }
}

static void append_option(struct text* text, const struct option* option) {
    append(text, "%s ", option->name);
    switch (option->kind) {
        case OPTION_ADDRESS:
            append(text, "ADDRESS");
            break;
        case OPTION_PORT:
            append(text, "PORT");
            break;
        case OPTION_SWITCH:
            append(text, "0|1");
            break;
        case OPTION_MAC:
            append(text, "MAC");
            break;
        case OPTION_TEXT:
            append(text, "%s", option->unit);
            break;
        case OPTION_NUMBER:
            append(text, "%s:", option->unit);
            append_range(text, option);
            break;
    }
}

void options_synopsis(const struct option* options, char* synopsis, size_t synopsis_bytes) {
    struct text text = {synopsis, synopsis_bytes, 0};
    enum option_need open = OPTION_OPTIONAL; /* the alternative we stand in */
    for (const struct option* option = options; option->name != NULL; ++option) {
        const bool either = option->need == OPTION_EITHER;
        const bool alternative = either || option->need == OPTION_OR;
        if (open == OPTION_OR && !alternative) {
            append(&text, ")");
        }
        append(&text, "%s", option == options ? "" : " ");
        if (alternative && open != option->need) {
            append(&text, "%s", either ? "(" : "| ");
        }
        append(&text, "%s", option->need == OPTION_OPTIONAL ? "[" : "");
        append_option(&text, option);
        append(&text, "%s", option->need == OPTION_OPTIONAL ? "]" : "");
        open = option->need;
    }
    append(&text, "%s", open == OPTION_OR ? ")" : "");
}

/* --- parsing
 * ----------------------------------------------------------------------------------------- */

static bool parse_mac(const char* text, uint8_t mac[6]) {
    unsigned part[6];
    char rest;
    if (strlen(text) != 17 || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1],
                                     &part[2], &part[3], &part[4], &part[5], &rest) != 6) {
        return false;
    }
    for (int i = 0; i < 6; ++i) {
        mac[i] = (uint8_t)part[i];
    }
    return true;
}

static bool set(const struct option* option, const char* word, void* values) {
    void* value = (char*)values + option->offset;
    uint64_t number = 0;
    switch (option->kind) {
        case OPTION_TEXT:
            *(const char**)value = word;
            return true;
        case OPTION_ADDRESS:
            return route_parse_address(word, value);
        case OPTION_MAC:
            return parse_mac(word, value);
        case OPTION_PORT:
            if (!number_parse(word, 65535, &number) || number < 1) {
                return false;
            }
            *(uint16_t*)value = (uint16_t)number;
            return true;
        case OPTION_SWITCH:
        case OPTION_NUMBER:
            if (!number_parse(word, option->maximum, &number) || number < option->minimum) {
                return false;
            }
            *(uint64_t*)value = number;
            return true;
    }
    return false;
}

static bool refuse(const struct option* option, const char* word, struct text* why) {
    static const char* const kTakes[] = {
        [OPTION_ADDRESS] = "an IPv4 address", [OPTION_PORT] = "a port, 1..65535",
        [OPTION_NUMBER] = "a number, ",       [OPTION_SWITCH] = "0 or 1",
        [OPTION_MAC] = "aa:bb:cc:dd:ee:ff",   [OPTION_TEXT] = "a text"};
    append(why, "%s takes %s", option->name, kTakes[option->kind]);
    if (option->kind == OPTION_NUMBER) {
        append_range(why, option);
    }
    append(why, ", not '%s'", word);
    return false;
}

static bool given(const struct option* options, const struct option* option, uint64_t seen) {
    return (seen >> (option - options) & 1u) != 0;
}

/* What is required, and one of the alternatives as a whole. */
static bool complete(const struct option* options, uint64_t seen, struct text* why) {
    uint32_t wanted[OPTION_OR + 1] = {0};
    uint32_t found[OPTION_OR + 1] = {0};
    for (const struct option* option = options; option->name != NULL; ++option) {
        const bool has = given(options, option, seen);
        ++wanted[option->need];
        found[option->need] += has ? 1 : 0;
        if (option->need == OPTION_REQUIRED && !has) {
            append(why, "%s is missing", option->name);
            return false;
        }
    }
    const uint32_t either = found[OPTION_EITHER];
    const uint32_t other = found[OPTION_OR];
    if (wanted[OPTION_EITHER] == 0 || (either == wanted[OPTION_EITHER] && other == 0) ||
        (either == 0 && other == wanted[OPTION_OR])) {
        return true;
    }
    append(why, "needs either");
    enum option_need before = OPTION_EITHER;
    for (const struct option* option = options; option->name != NULL; ++option) {
        if (option->need == OPTION_EITHER || option->need == OPTION_OR) {
            append(why, "%s ", option->need != before ? " or" : "");
            append_option(why, option);
            before = option->need;
        }
    }
    return false;
}

bool options_parse(const struct option* options, int argc, const char* const* argv, void* values,
                   char* why_text, size_t why_bytes) {
    struct text why = {why_text, why_bytes, 0};
    uint64_t seen = 0;
    for (int i = 1; i < argc; i += 2) {
        const struct option* option = options;
        while (option->name != NULL && strcmp(option->name, argv[i]) != 0) {
            ++option;
        }
        if (option->name == NULL) {
            append(&why, "there is no option '%s'", argv[i]);
            return false;
        }
        if (given(options, option, seen)) {
            append(&why, "%s is given twice", argv[i]);
            return false;
        }
        seen |= (uint64_t)1 << (option - options);
        if (i + 1 == argc) {
            append(&why, "%s needs a value", argv[i]);
            return false;
        }
        if (!set(option, argv[i + 1], values)) {
            return refuse(option, argv[i + 1], &why);
        }
    }
    return complete(options, seen, &why);
}
