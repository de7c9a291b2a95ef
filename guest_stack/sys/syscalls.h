/* System calls: what applications see of the kernel. Each crosses the mode boundary (cost, events),
 * finds its socket by descriptor, and blocks the calling thread where POSIX would. Results are
 * POSIX's, errors negative errno values. Addresses and ports are in host byte order. */
#ifndef GUEST_SYSCALLS_H
#define GUEST_SYSCALLS_H

#include "guest_stack/kernel/kernel.h"

enum socket_type { SOCKET_TCP, SOCKET_UDP, SOCKET_ICMP };
enum socket_option {
    OPTION_NO_DELAY,       /* TCP: no Nagle */
    OPTION_RECEIVE_BUFFER, /* TCP: bytes, at most 65535; before connect or listen */
    OPTION_RECEIVE_TIMEOUT /* milliseconds, 0 = for ever */
};

struct socket_address {
    uint32_t address;
    uint16_t port;
};

int syscall_socket(enum socket_type type);
int syscall_bind(int fd, struct socket_address address);
int syscall_connect(int fd, struct socket_address address);
int syscall_listen(int fd);
int syscall_accept(int fd, struct socket_address* peer);
/* Up to `size` bytes, at least one unless it is the end of the stream (0). */
int64_t syscall_read(int fd, void* data, size_t size);
/* All of it, unless an error comes between. */
int64_t syscall_write(int fd, const void* data, size_t size);
int64_t syscall_sendto(int fd, const void* data, size_t size, struct socket_address to);
int64_t syscall_recvfrom(int fd, void* data, size_t size, struct socket_address* from);
int syscall_shutdown(int fd); /* no more will be written */
int syscall_close(int fd);
int syscall_setsockopt(int fd, enum socket_option option, uint32_t value);

void syscalls_show_sockets(guest_text_fn print, void* context);
/* Data of TCP connections that this host's readers got, and when. */
struct tcp_totals {
    uint64_t received_bytes, sent_bytes, first_ps, last_ps, connections;
};
const struct tcp_totals* syscalls_tcp_totals(void);
uint64_t syscalls_count(void);

#endif /* GUEST_SYSCALLS_H */
