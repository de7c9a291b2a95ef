/* Codes of the events a guest reports. They are those of hw/base/events.toml (the guest includes
 * nothing of hw/, so they are typed here; guest_stack/kernel/events_test.cpp holds both against
 * each other). */
#ifndef GUEST_EVENTS_H
#define GUEST_EVENTS_H

enum guest_event_code {
    EVENT_SYSCALL_ENTER = 60,
    EVENT_SYSCALL_EXIT = 61,
    EVENT_LAYER = 62,
    EVENT_TCP_SEGMENT = 63,
    EVENT_SOCKET_BUFFER = 64,
    EVENT_THREAD_BLOCK = 65,
    EVENT_THREAD_WAKE = 66,
    EVENT_ROUTE = 67,
    EVENT_ARP = 68,
    EVENT_HARD_IRQ_ENTER = 69,
    EVENT_HARD_IRQ_EXIT = 70,
    EVENT_SOFTIRQ_RAISE = 71,
    EVENT_SOFTIRQ_ENTER = 72,
    EVENT_SOFTIRQ_EXIT = 73,
    EVENT_NAPI_POLL = 74,
    EVENT_KSOFTIRQD = 75,
    EVENT_QUEUE_STOP = 76,
    EVENT_PACKET_MADE = 77,
    EVENT_PACKET_READ = 78,
    EVENT_TCP_WINDOW = 79
};

enum guest_syscall {
    SYSCALL_SOCKET = 1,
    SYSCALL_BIND = 2,
    SYSCALL_CONNECT = 3,
    SYSCALL_LISTEN = 4,
    SYSCALL_ACCEPT = 5,
    SYSCALL_READ = 6,
    SYSCALL_WRITE = 7,
    SYSCALL_SENDTO = 8,
    SYSCALL_RECVFROM = 9,
    SYSCALL_CLOSE = 10,
    SYSCALL_SHUTDOWN = 11
};

enum guest_layer {
    LAYER_SOCKET = 1,
    LAYER_TCP = 2,
    LAYER_UDP = 3,
    LAYER_IP = 4,
    LAYER_ARP = 5,
    LAYER_ETHERNET = 6,
    LAYER_DRIVER = 7
};
enum guest_direction { DIRECTION_DOWN = 0, DIRECTION_UP = 1 };

enum guest_block_reason {
    BLOCK_SEND_BUFFER = 1,
    BLOCK_RECEIVE_BUFFER = 2,
    BLOCK_CONNECTION = 3,
    BLOCK_SLEEP = 4,
    BLOCK_LOCK = 5,
    BLOCK_REASONS = 6
};

enum guest_arp_result { ARP_MISS = 0, ARP_HIT = 1, ARP_RESOLVED = 2, ARP_GIVEN_UP = 3 };

#endif /* GUEST_EVENTS_H */
