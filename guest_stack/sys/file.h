/* The table of open files: all of them are sockets. */
#ifndef GUEST_FILE_H
#define GUEST_FILE_H

#include <lwip/api.h>

#include "guest_stack/kernel/thread.h"
#include "guest_stack/sys/syscalls.h"

#define FILES_MAX 256
#define FIRST_FD 3 /* 0, 1 and 2 are taken everywhere */
#define RAW_IDENTITIES 64u

struct file {
    bool used;
    int fd;
    enum socket_type type;
    struct netconn* conn;
    struct socket_address peer;
    /* Received, not yet read: the rest of what lwIP handed over last. */
    struct pbuf* unread;
    uint16_t unread_offset;
    bool at_end;
    /* Send buffer */
    bool writable;
    struct wait_queue writers;
    uint32_t blocked_writers; /* also those that were woken and have not run yet */
    /* A smaller receive buffer: this much of what was read is never offered again as window. */
    uint32_t receive_buffer, withheld, kept;
    uint64_t read_bytes, written_bytes;
    /* lwIP copies what raw sockets get; the identities wait here, in order. */
    uint64_t identities[RAW_IDENTITIES];
    uint32_t identity_first, identity_count;
};

struct file* file_new(enum socket_type type);
struct file* file_at(int fd); /* NULL: not open */
void file_free(struct file* file);
/* Visits open files in order. */
struct file* file_next(const struct file* file);

/* lwIP's event callback of our netconns. */
void file_event(struct netconn* conn, enum netconn_evt event, u16_t bytes);
void file_report_receive(const struct file* file);
uint32_t file_send_used(const struct file* file);
/* BLOCKS a writer until a third of its send buffer is free again, or there is an error. */
void file_wait_writable(struct file* file);

#endif /* GUEST_FILE_H */
