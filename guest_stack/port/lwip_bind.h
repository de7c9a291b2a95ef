/* The three libc functions lwIP calls that must not be libc's: abort and printf of its assertions,
 * and rand. */
#ifndef GUEST_LWIP_BIND_H
#define GUEST_LWIP_BIND_H

/* 0, or -1 when the lwIP this image stands on could not be found. */
int lwip_bind(void);

#endif /* GUEST_LWIP_BIND_H */
