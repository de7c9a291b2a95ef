/* What things cost on the guest's CPU, and the kernel's limits. All are settings (cpu.*, kernel.*);
 * the defaults are plausible for one core of about 3 GHz and a kernel like Linux, warm caches. */
#ifndef GUEST_COSTS_H
#define GUEST_COSTS_H

#include <stdint.h>

/* X(field, setting, default, minimum, maximum, description) */
#define GUEST_COSTS(X)                                                                             \
    X(syscall_entry_ns, "cpu.syscall_entry_ns", 60, 0, 1000000, "Mode switch into the kernel")     \
    X(syscall_exit_ns, "cpu.syscall_exit_ns", 40, 0, 1000000, "Back to user mode")                 \
    X(context_switch_ns, "cpu.context_switch_ns", 800, 0, 10000000, "From one thread to another")  \
    X(wakeup_ns, "cpu.wakeup_ns", 250, 0, 1000000, "Making a blocked thread runnable")             \
    X(irq_entry_ns, "cpu.irq_entry_ns", 250, 0, 1000000, "Entry of a hard interrupt")              \
    X(irq_exit_ns, "cpu.irq_exit_ns", 150, 0, 1000000, "Exit of a hard interrupt")                 \
    X(irq_handler_ns, "cpu.irq_handler_ns", 150, 0, 1000000, "The NIC's handler itself")           \
    X(timer_ns, "cpu.timer_ns", 100, 0, 1000000, "One expired kernel timer")                       \
    X(softirq_dispatch_ns, "cpu.softirq_dispatch_ns", 80, 0, 1000000, "Starting a softirq vector") \
    X(napi_poll_ns, "cpu.napi_poll_ns", 120, 0, 1000000, "One NAPI poll, without its packets")     \
    X(driver_rx_ns, "cpu.driver_rx_ns", 130, 0, 1000000, "Driver: one received buffer")            \
    X(driver_tx_ns, "cpu.driver_tx_ns", 120, 0, 1000000, "Driver: describing one packet")          \
    X(driver_clean_ns, "cpu.driver_clean_ns", 60, 0, 1000000, "Driver: taking back a sent packet") \
    X(dma_map_ns, "cpu.dma_map_ns", 40, 0, 1000000, "Mapping or unmapping memory for DMA")         \
    X(mmio_write_ns, "cpu.mmio_write_ns", 100, 0, 1000000, "A posted register write")              \
    X(qdisc_ns, "cpu.qdisc_ns", 60, 0, 1000000, "Queueing a packet for a stopped queue")           \
    X(backlog_ns, "cpu.backlog_ns", 60, 0, 1000000, "Queueing a frame while the core is locked")   \
    X(ethernet_ns, "cpu.ethernet_ns", 40, 0, 1000000, "Ethernet layer, one packet")                \
    X(arp_ns, "cpu.arp_ns", 50, 0, 1000000, "ARP look-up, or one ARP packet")                      \
    X(ip_ns, "cpu.ip_ns", 90, 0, 1000000, "IP layer, one packet")                                  \
    X(route_ns, "cpu.route_ns", 50, 0, 1000000, "One look-up in the routing table")                \
    X(tcp_ns, "cpu.tcp_ns", 300, 0, 1000000, "TCP layer, one segment")                             \
    X(udp_ns, "cpu.udp_ns", 120, 0, 1000000, "UDP layer, one datagram")                            \
    X(icmp_ns, "cpu.icmp_ns", 120, 0, 1000000, "ICMP, one message")                                \
    X(socket_ns, "cpu.socket_ns", 150, 0, 1000000, "Socket layer, one call")                       \
    X(copy_per_byte_ps, "cpu.copy_per_byte_ps", 80, 0, 1000000, "Copying between user and kernel") \
    X(checksum_per_byte_ps, "cpu.checksum_per_byte_ps", 160, 0, 1000000,                           \
      "Checksum in software, where the NIC does not do it")                                        \
    X(slack_ns, "cpu.slack_ns", 300, 0, 1000000,                                                   \
      "Less than this is not waited for by itself where nothing exact depends on it")              \
    X(napi_budget, "kernel.napi_budget", 64, 1, 65535, "Packets of one NAPI poll (its weight)")    \
    X(netdev_budget, "kernel.netdev_budget", 300, 1, 65535, "Packets of one NET_RX softirq")       \
    X(softirq_max_restart, "kernel.softirq_max_restart", 10, 1, 1000,                              \
      "Rounds of softirqs before ksoftirqd takes over")                                            \
    X(softirq_max_us, "kernel.softirq_max_us", 2000, 1, 1000000,                                   \
      "Time of softirqs before ksoftirqd takes over")                                              \
    X(timeslice_us, "kernel.timeslice_us", 3000, 1, 1000000, "Of a thread, when others wait")      \
    X(tx_batch, "kernel.tx_batch", 8, 1, 4096, "Packets sent with one doorbell at most")           \
    X(txqueuelen, "kernel.txqueuelen", 1000, 1, 65536, "Packets waiting for a stopped queue")      \
    X(backlog, "kernel.backlog", 1000, 1, 65536, "Frames waiting for the core lock")               \
    X(rx_buffers, "kernel.rx_buffers", 8192, 16, 65536,                                            \
      "Receive buffers per NIC, those in the ring and in sockets together")                        \
    X(rx_copybreak, "kernel.rx_copybreak", 256, 0, 2048,                                           \
      "Frames up to this size are copied, to keep their buffer for the ring")                      \
    X(mailbox, "kernel.mailbox", 1024, 8, 65536, "Entries of a socket's receive queue")            \
    X(ip_forward, "kernel.ip_forward", 0, 0, 1, "Forward packets between interfaces")

struct guest_costs {
#define X(field, setting, value, minimum, maximum, description) uint32_t field;
    GUEST_COSTS(X)
#undef X
};
extern struct guest_costs costs;

#endif /* GUEST_COSTS_H */
