#include "guest_stack/sys/file.h"

#include <lwip/tcp.h>
#include <string.h>

#include "guest_stack/port/stack.h"

static struct file files[FILES_MAX];
static uint32_t blocked_writers;

struct file* file_new(enum socket_type type) {
    for (int i = 0; i < FILES_MAX; ++i) {
        if (!files[i].used) {
            memset(&files[i], 0, sizeof files[i]);
            files[i].used = true;
            files[i].fd = FIRST_FD + i;
            files[i].type = type;
            return &files[i];
        }
    }
    return NULL;
}

struct file* file_at(int fd) {
    const int index = fd - FIRST_FD;
    return index >= 0 && index < FILES_MAX && files[index].used ? &files[index] : NULL;
}

void file_free(struct file* file) {
    file->used = false;
}

struct file* file_next(const struct file* file) {
    for (int i = file == NULL ? 0 : (int)(file - files) + 1; i < FILES_MAX; ++i) {
        if (files[i].used) {
            return &files[i];
        }
    }
    return NULL;
}

uint32_t file_send_used(const struct file* file) {
    const struct tcp_pcb* pcb = file->conn->pcb.tcp;
    return file->type == SOCKET_TCP && pcb != NULL && pcb->state >= SYN_SENT
               ? (uint32_t)TCP_SND_BUF - pcb->snd_buf
               : 0;
}

void file_report_receive(const struct file* file) {
    if (!kernel.reporting) {
        return;
    }
    const uint32_t limit = file->receive_buffer != 0 ? file->receive_buffer : (uint32_t)TCP_WND;
    uint64_t used = (uint64_t)(file->conn->recv_avail > 0 ? file->conn->recv_avail : 0);
    if (file->unread != NULL) {
        used += (uint64_t)(file->unread->tot_len - file->unread_offset);
    }
    kernel_report(EVENT_SOCKET_BUFFER, 0, (uint64_t)file->fd, 1, used, limit);
}

/* lwIP itself tells only when half of the buffer is free, and then no sooner than with the next
 * acknowledgement: over a long way, half of the window would stay unused. */
static void wake_writers(void) {
    uint32_t left = blocked_writers; /* the search ends with the last of them */
    for (int i = 0; i < FILES_MAX && left > 0; ++i) {
        struct file* file = &files[i];
        if (!file->used || file->blocked_writers == 0) {
            continue;
        }
        left -= file->blocked_writers;
        if (file->writers.head != NULL && TCP_SND_BUF - file_send_used(file) >= TCP_SND_BUF / 3) {
            file->writable = true;
            thread_wake_all(&file->writers);
        }
    }
}

void file_wait_writable(struct file* file) {
    stack.after_tcp_input = wake_writers;
    ++blocked_writers;
    ++file->blocked_writers;
    while (!file->writable) {
        (void)thread_block(&file->writers, GUEST_NEVER, BLOCK_SEND_BUFFER);
    }
    --file->blocked_writers;
    --blocked_writers;
}

void file_event(struct netconn* conn, enum netconn_evt event, u16_t bytes) {
    struct file* file = file_at(conn->socket);
    if (file == NULL || file->conn != conn) {
        return; /* not accepted yet */
    }
    switch (event) {
        case NETCONN_EVT_RCVPLUS:
            if (file->type == SOCKET_ICMP && file->identity_count < RAW_IDENTITIES) {
                const uint32_t at =
                    (file->identity_first + file->identity_count++) % RAW_IDENTITIES;
                file->identities[at] = stack.rx.packet;
            }
            if (bytes != 0) {
                file_report_receive(file);
            }
            break;
        case NETCONN_EVT_SENDPLUS:
            file->writable = true;
            thread_wake_all(&file->writers);
            break;
        case NETCONN_EVT_ERROR:
            file->writable = true; /* to find the error out */
            thread_wake_all(&file->writers);
            break;
        case NETCONN_EVT_RCVMINUS:
        case NETCONN_EVT_SENDMINUS:
            break;
    }
}
