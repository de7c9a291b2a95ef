/* Marks the functions that replace or wrap lwIP's: exported from the image, which stands before
 * liblwip.so in the look-up order, so lwIP's own calls (all through its PLT) come here. A wrapper
 * reaches the original with REAL(). */
#ifndef GUEST_INTERPOSE_H
#define GUEST_INTERPOSE_H

#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

#define INTERPOSED __attribute__((visibility("default")))

/* Declares and, once, finds the original: RTLD_NEXT from an image is the lwIP loaded with it. The
 * copy avoids ISO C's missing conversion between object and function pointers. */
#define REAL(type, name)                           \
    static type real;                              \
    do {                                           \
        if (real == NULL) {                        \
            void* symbol = dlsym(RTLD_NEXT, name); \
            memcpy(&real, &symbol, sizeof real);   \
        }                                          \
    } while (0)

#endif /* GUEST_INTERPOSE_H */
