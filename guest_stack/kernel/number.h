/* Decimal numbers of settings and arguments. */
#ifndef GUEST_NUMBER_H
#define GUEST_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* False, and *value is left alone: not digits from end to end, or more than `maximum`. */
bool number_parse(const char* text, uint64_t maximum, uint64_t* value);

#endif /* GUEST_NUMBER_H */
