#include "guest_stack/sys/syscalls.h"

#include <errno.h>
#include <lwip/api.h>
#include <lwip/err.h>
#include <lwip/ip.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/raw.h>
#include <lwip/tcp.h>
#include <lwip/udp.h>
#include <stdio.h>
#include <string.h>

#include "guest_stack/kernel/costs.h"
#include "guest_stack/port/core_lock.h"
#include "guest_stack/port/flow.h"
#include "guest_stack/port/stack.h"
#include "guest_stack/sys/file.h"

static struct tcp_totals totals;
static uint64_t calls;

/* --- the boundary
 * ----------------------------------------------------------------------------------- */

static void enter(enum guest_syscall call, int fd, uint64_t size, uint8_t reason) {
    struct thread* me = thread_current();
    ++calls;
    me->fd = fd;
    me->reason = reason;
    cpu_charge(costs.syscall_entry_ns);
    kernel_report(EVENT_SYSCALL_ENTER, 0, call, (uint64_t)(int64_t)fd, size, 0);
}

static int64_t leave(enum guest_syscall call, int fd, int64_t result) {
    struct thread* me = thread_current();
    cpu_charge(costs.syscall_exit_ns);
    kernel_report(EVENT_SYSCALL_EXIT, 0, call, (uint64_t)(int64_t)fd, (uint64_t)result, 0);
    me->fd = -1;
    me->reason = BLOCK_LOCK;
    return result;
}

static int result_of(err_t error) {
    return error == ERR_OK ? 0 : -err_to_errno(error);
}

static void to_lwip(uint32_t address, ip_addr_t* result) {
    ip_addr_set_ip4_u32(result, lwip_htonl(address));
}

static uint32_t from_lwip(const ip_addr_t* address) {
    return lwip_ntohl(ip4_addr_get_u32(ip_2_ip4(address)));
}

static void touch_totals(void) {
    if (totals.first_ps == 0) {
        totals.first_ps = kernel_now();
    }
    totals.last_ps = kernel_now();
}

/* --- making and ending
 * -------------------------------------------------------------------------------- */

static int do_socket(enum socket_type type) {
    struct file* file = file_new(type);
    if (file == NULL) {
        return -EMFILE;
    }
    static const enum netconn_type kTypes[] = {
        [SOCKET_TCP] = NETCONN_TCP, [SOCKET_UDP] = NETCONN_UDP, [SOCKET_ICMP] = NETCONN_RAW};
    file->conn = netconn_new_with_proto_and_callback(
        kTypes[type], type == SOCKET_ICMP ? IP_PROTO_ICMP : 0, file_event);
    if (file->conn == NULL) {
        file_free(file);
        return -ENOMEM;
    }
    file->conn->socket = file->fd;
    file->writable = true;
    return file->fd;
}

int syscall_socket(enum socket_type type) {
    enter(SYSCALL_SOCKET, -1, 0, BLOCK_LOCK);
    cpu_charge(costs.socket_ns);
    const int fd = do_socket(type);
    return (int)leave(SYSCALL_SOCKET, fd, fd);
}

int syscall_bind(int fd, struct socket_address address) {
    enter(SYSCALL_BIND, fd, 0, BLOCK_LOCK);
    cpu_charge(costs.socket_ns);
    const struct file* file = file_at(fd);
    ip_addr_t to;
    to_lwip(address.address, &to);
    return (int)leave(
        SYSCALL_BIND, fd,
        file == NULL ? -EBADF : result_of(netconn_bind(file->conn, &to, address.port)));
}

/* The window already offered cannot be taken back (RFC 9293 3.8.6), so a smaller buffer shows as
 * the first bytes read not being offered again. */
static void limit_window(struct file* file) {
    file->withheld = file->receive_buffer != 0 && file->receive_buffer < TCP_WND
                         ? (uint32_t)TCP_WND - file->receive_buffer
                         : 0;
}

int syscall_connect(int fd, struct socket_address address) {
    enter(SYSCALL_CONNECT, fd, 0, BLOCK_CONNECTION);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL) {
        return (int)leave(SYSCALL_CONNECT, fd, -EBADF);
    }
    ip_addr_t to;
    to_lwip(address.address, &to);
    const int result = result_of(netconn_connect(file->conn, &to, address.port));
    if (result == 0) {
        file->peer = address;
        limit_window(file);
        if (file->type == SOCKET_TCP) {
            ++totals.connections;
            touch_totals();
        }
    }
    return (int)leave(SYSCALL_CONNECT, fd, result);
}

int syscall_listen(int fd) {
    enter(SYSCALL_LISTEN, fd, 0, BLOCK_LOCK);
    cpu_charge(costs.socket_ns);
    const struct file* file = file_at(fd);
    return (int)leave(SYSCALL_LISTEN, fd,
                      file == NULL ? -EBADF : result_of(netconn_listen(file->conn)));
}

static int do_accept(struct file* listener, struct socket_address* peer) {
    struct netconn* conn = NULL;
    const err_t error = netconn_accept(listener->conn, &conn);
    if (error != ERR_OK) {
        return result_of(error);
    }
    struct file* file = file_new(SOCKET_TCP);
    if (file == NULL) {
        (void)netconn_delete(conn);
        return -EMFILE;
    }
    file->conn = conn;
    conn->socket = file->fd;
    file->writable = true;
    file->receive_buffer = listener->receive_buffer;
    limit_window(file);
    ip_addr_t address;
    if (netconn_peer(conn, &address, &file->peer.port) == ERR_OK) {
        file->peer.address = from_lwip(&address);
    }
    if (peer != NULL) {
        *peer = file->peer;
    }
    ++totals.connections;
    touch_totals();
    return file->fd;
}

int syscall_accept(int fd, struct socket_address* peer) {
    enter(SYSCALL_ACCEPT, fd, 0, BLOCK_CONNECTION);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    return (int)leave(SYSCALL_ACCEPT, fd, file == NULL ? -EBADF : do_accept(file, peer));
}

int syscall_shutdown(int fd) {
    enter(SYSCALL_SHUTDOWN, fd, 0, BLOCK_SEND_BUFFER);
    cpu_charge(costs.socket_ns);
    const struct file* file = file_at(fd);
    return (int)leave(SYSCALL_SHUTDOWN, fd,
                      file == NULL ? -EBADF : result_of(netconn_shutdown(file->conn, 0, 1)));
}

int syscall_close(int fd) {
    enter(SYSCALL_CLOSE, fd, 0, BLOCK_SEND_BUFFER);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL) {
        return (int)leave(SYSCALL_CLOSE, fd, -EBADF);
    }
    if (file->unread != NULL) {
        (void)pbuf_free(file->unread);
        file->unread = NULL;
    }
    const int result = result_of(netconn_delete(file->conn));
    file_free(file);
    return (int)leave(SYSCALL_CLOSE, fd, result);
}

int syscall_setsockopt(int fd, enum socket_option option, uint32_t value) {
    struct file* file = file_at(fd);
    if (file == NULL) {
        return -EBADF;
    }
    switch (option) {
        case OPTION_NO_DELAY:
            core_lock();
            if (file->conn->pcb.tcp != NULL && value != 0) {
                tcp_nagle_disable(file->conn->pcb.tcp);
            }
            core_unlock();
            break;
        case OPTION_RECEIVE_BUFFER:
            file->receive_buffer = value;
            break;
        case OPTION_RECEIVE_TIMEOUT:
            netconn_set_recvtimeout(file->conn, value);
            break;
    }
    return 0;
}

/* --- streams
 * ----------------------------------------------------------------------------------------- */

static int64_t do_write(struct file* file, const char* data, size_t size) {
    size_t done = 0;
    uint64_t call_ps = costs.socket_ns * PS_PER_NS; /* charged once, by the caller */
    while (done < size) {
        const struct tcp_pcb* pcb = file->conn->pcb.tcp;
        const size_t room = pcb != NULL ? pcb->snd_buf : 0;
        const size_t copied = size - done < room ? size - done : room;
        /* Paid first: the doorbell for these bytes rings after they were copied. */
        cpu_charge_bytes(copied, costs.copy_per_byte_ps);
        kernel_report(EVENT_LAYER, 0, LAYER_SOCKET, DIRECTION_DOWN, copied,
                      copied * costs.copy_per_byte_ps + call_ps);
        call_ps = 0;
        file->writable = false;
        size_t written = 0;
        const err_t error = netconn_write_partly(file->conn, data + done, size - done,
                                                 NETCONN_COPY | NETCONN_DONTBLOCK, &written);
        done += written;
        file->written_bytes += written;
        totals.sent_bytes += written;
        if (error != ERR_OK && error != ERR_WOULDBLOCK) {
            return done > 0 ? (int64_t)done : result_of(error);
        }
        if (done < size) {
            file_wait_writable(file);
        }
    }
    return (int64_t)done;
}

int64_t syscall_write(int fd, const void* data, size_t size) {
    enter(SYSCALL_WRITE, fd, size, BLOCK_SEND_BUFFER);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL || file->type != SOCKET_TCP) {
        return leave(SYSCALL_WRITE, fd, -EBADF);
    }
    return leave(SYSCALL_WRITE, fd, do_write(file, data, size));
}

/* The reader got the packets that [offset, offset + size) of the chain came in. */
static void report_read(const struct file* file, const struct pbuf* p, size_t offset, size_t size) {
    for (; p != NULL && size > 0; p = p->next) {
        if (offset >= p->len) {
            offset -= p->len;
            continue;
        }
        const size_t part = p->len - offset < size ? p->len - offset : size;
        kernel_report(EVENT_PACKET_READ, stack_pbuf_packet(p), (uint64_t)file->fd, part, 0, 0);
        size -= part;
        offset = 0;
    }
}

static size_t take_unread(struct file* file, char* data, size_t size) {
    struct pbuf* p = file->unread;
    const size_t left = (size_t)(p->tot_len - file->unread_offset);
    const size_t part = left < size ? left : size;
    (void)pbuf_copy_partial(p, data, (u16_t)part, file->unread_offset);
    cpu_charge_bytes(part, costs.copy_per_byte_ps);
    if (kernel.reporting) {
        report_read(file, p, file->unread_offset, part);
    }
    if (part == left) {
        (void)pbuf_free(p);
        file->unread = NULL;
        file->unread_offset = 0;
    } else {
        file->unread_offset = (uint16_t)(file->unread_offset + part);
    }
    return part;
}

static void open_window(struct file* file, size_t bytes) {
    if (file->withheld != 0) {
        const size_t kept = bytes < file->withheld ? bytes : file->withheld;
        file->withheld -= (uint32_t)kept;
        file->kept += (uint32_t)kept;
        bytes -= kept;
    }
    if (bytes > 0) {
        (void)netconn_tcp_recvd(file->conn, bytes);
    }
}

/* Everything was read: lwIP takes a window that is not fully open at close for unread data. */
static void return_withheld(struct file* file) {
    const size_t bytes = file->kept;
    file->kept = 0;
    if (bytes > 0) {
        (void)netconn_tcp_recvd(file->conn, bytes);
    }
}

static int64_t do_read(struct file* file, char* data, size_t size) {
    size_t done = 0;
    while (done < size && !file->at_end) {
        if (file->unread == NULL) {
            /* Blocks for the first byte only; an end that comes after data waits for its own call.
             */
            const u8_t flags =
                (u8_t)(NETCONN_NOAUTORCVD | (done > 0 ? NETCONN_DONTBLOCK | NETCONN_NOFIN : 0));
            const err_t error = netconn_recv_tcp_pbuf_flags(file->conn, &file->unread, flags);
            if (error == ERR_CLSD) {
                file->at_end = true;
                return_withheld(file);
                break;
            }
            if (error != ERR_OK) {
                if (done > 0) {
                    break;
                }
                return result_of(error);
            }
        }
        done += take_unread(file, data + done, size - done);
    }
    if (done > 0) {
        /* The call's own cost was spent before it blocked. */
        kernel_report(EVENT_LAYER, 0, LAYER_SOCKET, DIRECTION_UP, done,
                      done * costs.copy_per_byte_ps);
        file->read_bytes += done;
        totals.received_bytes += done;
        touch_totals();
        file_report_receive(file);
        open_window(file, done);
    }
    return (int64_t)done;
}

int64_t syscall_read(int fd, void* data, size_t size) {
    enter(SYSCALL_READ, fd, size, BLOCK_RECEIVE_BUFFER);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL || file->type != SOCKET_TCP) {
        return leave(SYSCALL_READ, fd, -EBADF);
    }
    return leave(SYSCALL_READ, fd, do_read(file, data, size));
}

/* --- datagrams
 * --------------------------------------------------------------------------------------- */

static uint64_t name_datagram(const struct file* file, struct socket_address to, size_t size) {
    const struct route* route = route_find(&stack.routes, to.address);
    const uint32_t local = route != NULL ? stack.interfaces[route->interface].config.address : 0;
    const bool udp = file->type == SOCKET_UDP;
    const uint16_t local_port = udp ? file->conn->pcb.udp->local_port : (uint16_t)file->fd;
    struct flow* flow =
        flow_get(local, local_port, to.address, to.port, udp ? IP_PROTO_UDP : IP_PROTO_ICMP);
    const uint64_t first = flow->next_datagram;
    const uint64_t packet = flow_datagram(flow);
    (void)size;
    kernel_report(EVENT_PACKET_MADE, packet, (uint64_t)file->fd, first, first + 1, 0);
    return packet;
}

static int64_t do_sendto(struct file* file, const void* data, size_t size,
                         struct socket_address to) {
    if (size > 65507) {
        return -EMSGSIZE; /* RFC 768: what 16 bits of length leave */
    }
    struct pbuf* p =
        pbuf_alloc(file->type == SOCKET_UDP ? PBUF_TRANSPORT : PBUF_IP, (u16_t)size, PBUF_RAM);
    if (p == NULL) {
        return -ENOBUFS;
    }
    memcpy(p->payload, data, size);
    cpu_charge_bytes(size, costs.copy_per_byte_ps);
    ip_addr_t address;
    to_lwip(to.address, &address);
    core_lock();
    err_t error = ERR_CONN;
    if (file->conn->pcb.ip != NULL) {
        stack.tx.datagram = name_datagram(file, to, size);
        kernel_report(EVENT_LAYER, stack.tx.datagram, LAYER_SOCKET, DIRECTION_DOWN, size,
                      size * costs.copy_per_byte_ps + costs.socket_ns * PS_PER_NS);
        error = file->type == SOCKET_UDP ? udp_sendto(file->conn->pcb.udp, p, &address, to.port)
                                         : raw_sendto(file->conn->pcb.raw, p, &address);
        stack.tx.datagram = 0;
    }
    core_unlock();
    (void)pbuf_free(p);
    return error == ERR_OK ? (int64_t)size : result_of(error);
}

int64_t syscall_sendto(int fd, const void* data, size_t size, struct socket_address to) {
    enter(SYSCALL_SENDTO, fd, size, BLOCK_SEND_BUFFER);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL || file->type == SOCKET_TCP) {
        return leave(SYSCALL_SENDTO, fd, -EBADF);
    }
    return leave(SYSCALL_SENDTO, fd, do_sendto(file, data, size, to));
}

static uint64_t datagram_identity(struct file* file, const struct pbuf* p) {
    if (file->type == SOCKET_UDP) {
        return stack_pbuf_packet(p);
    }
    if (file->identity_count == 0) {
        return 0;
    }
    const uint64_t packet = file->identities[file->identity_first];
    file->identity_first = (file->identity_first + 1) % RAW_IDENTITIES;
    --file->identity_count;
    return packet;
}

static int64_t do_recvfrom(struct file* file, void* data, size_t size,
                           struct socket_address* from) {
    struct netbuf* datagram = NULL;
    const err_t error = netconn_recv(file->conn, &datagram);
    if (error != ERR_OK) {
        return error == ERR_TIMEOUT ? -EAGAIN : result_of(error);
    }
    const size_t length = netbuf_len(datagram);
    const size_t part = length < size ? length : size;
    (void)netbuf_copy(datagram, data, (u16_t)part);
    if (from != NULL) {
        from->address = from_lwip(netbuf_fromaddr(datagram));
        from->port = netbuf_fromport(datagram);
    }
    const uint64_t packet = datagram_identity(file, datagram->p);
    cpu_charge_bytes(part, costs.copy_per_byte_ps);
    kernel_report(EVENT_LAYER, packet, LAYER_SOCKET, DIRECTION_UP, part,
                  part * costs.copy_per_byte_ps + costs.socket_ns * PS_PER_NS);
    kernel_report(EVENT_PACKET_READ, packet, (uint64_t)file->fd, part, 0, 0);
    netbuf_delete(datagram);
    file_report_receive(file);
    return (int64_t)part;
}

int64_t syscall_recvfrom(int fd, void* data, size_t size, struct socket_address* from) {
    enter(SYSCALL_RECVFROM, fd, size, BLOCK_RECEIVE_BUFFER);
    cpu_charge(costs.socket_ns);
    struct file* file = file_at(fd);
    if (file == NULL || file->type == SOCKET_TCP) {
        return leave(SYSCALL_RECVFROM, fd, -EBADF);
    }
    return leave(SYSCALL_RECVFROM, fd, do_recvfrom(file, data, size, from));
}

/* --- for people
 * --------------------------------------------------------------------------------------- */

void syscalls_show_sockets(guest_text_fn print, void* context) {
    static const char* const kTypes[] = {"tcp", "udp", "icmp"};
    char line[160];
    print(context, "Proto  Fd  Unsent/acked     Unread  Peer                   State\n");
    for (const struct file* file = file_next(NULL); file != NULL; file = file_next(file)) {
        char address[16];
        const struct tcp_pcb* pcb = file->type == SOCKET_TCP ? file->conn->pcb.tcp : NULL;
        (void)snprintf(line, sizeof line, "%-5s %3d  %12u %10d  %15s:%-5u  %s\n",
                       kTypes[file->type], file->fd, file_send_used(file), file->conn->recv_avail,
                       route_address_text(file->peer.address, address), file->peer.port,
                       pcb != NULL ? tcp_debug_state_str(pcb->state) : "");
        print(context, line);
    }
}

const struct tcp_totals* syscalls_tcp_totals(void) {
    return &totals;
}

uint64_t syscalls_count(void) {
    return calls;
}
