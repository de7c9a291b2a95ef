/* Options of applications, declared once: the table beside each application is what its arguments
 * are parsed by, and what its synopsis is made from, against which a host checks them before
 * anything runs. No kernel below: a host may ask an image that was never started. */
#ifndef GUEST_OPTION_H
#define GUEST_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_ADDRESS, /* uint32_t, host byte order */
    OPTION_PORT,    /* uint16_t, 1..65535 */
    OPTION_NUMBER,  /* uint64_t, minimum..maximum */
    OPTION_SWITCH,  /* uint64_t, 0 or 1 */
    OPTION_MAC,     /* uint8_t[6] */
    OPTION_TEXT     /* const char* */
};

/* EITHER and OR are two alternatives: all options of the one, or all of the other. */
enum option_need { OPTION_OPTIONAL, OPTION_REQUIRED, OPTION_EITHER, OPTION_OR };

struct option {
    const char* name; /* "--to"; NULL ends a table */
    enum option_kind kind;
    enum option_need need;
    const char* unit;          /* of a number or a text, as people read it: "BYTES", "NAME" */
    uint64_t minimum, maximum; /* of a number; UINT64_MAX: no limit */
    size_t offset;             /* of the value in the application's arguments */
};

#define OPTION_END \
    { NULL, OPTION_TEXT, OPTION_OPTIONAL, NULL, 0, 0, 0 }

/* Fills `values`, which holds the defaults, from argv[1...]. False, with a sentence in `why` that
 * says what is wrong: unknown option, missing value, not a number, ... */
bool options_parse(const struct option* options, int argc, const char* const* argv, void* values,
                   char* why, size_t why_bytes);

/* "--to ADDRESS [--count N:1..100] [--offload 0|1]" */
void options_synopsis(const struct option* options, char* text, size_t text_bytes);

#endif /* GUEST_OPTION_H */
